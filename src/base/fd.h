#pragma once

#include <string>
#include <string_view>
#include <utility>

namespace viaduct {

// A file descriptor with one owner: closed when the owner goes. -1 means none.
class Fd {
 public:
  Fd() = default;
  explicit Fd(int number) : number_(number) {}
  Fd(Fd&& other) noexcept : number_(std::exchange(other.number_, -1)) {}
  Fd& operator=(Fd&& other) noexcept {
    if (this != &other) {
      reset();
      number_ = std::exchange(other.number_, -1);
    }
    return *this;
  }
  ~Fd() { reset(); }

  int get() const { return number_; }
  explicit operator bool() const { return number_ >= 0; }
  int release() { return std::exchange(number_, -1); }  // to another owner
  void reset();

 private:
  int number_ = -1;
};

struct Pipe {
  Fd read_end;
  Fd write_end;
};
Pipe make_pipe();  // close-on-exec; throws Error

// Writes everything or throws Error; retries on EINTR and waits on EAGAIN.
void write_all(int fd, std::string_view bytes);
// As write_all, taking off the front of `bytes` what is written: after an Error the rest is what was not.
void write_off(int fd, std::string_view& bytes);
// As write_all, but false when nobody is there to read it: the pipe's reader or the terminal is gone.
bool write_to_reader(int fd, std::string_view bytes);

// Reads up to `most` bytes. "" at the end; nothing-yet on a non-blocking descriptor gives `false` in `.second`.
std::pair<std::string, bool> read_some(int fd, std::size_t most = 65536);

void set_non_blocking(int fd);

}  // namespace viaduct
