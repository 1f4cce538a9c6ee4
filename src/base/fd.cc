#include "base/fd.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

#include "base/error.h"

namespace viaduct {

void Fd::reset() {
  if (number_ >= 0) ::close(number_);
  number_ = -1;
}

Pipe make_pipe() {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) throw Error::from_errno("pipe", errno);
  return {Fd(ends[0]), Fd(ends[1])};
}

// A terminal that is gone doesn't say any more that it was one; but it still is a character device.
static bool is_character_device(int fd) {
  struct stat status {};
  const int error = errno;
  const bool is = ::fstat(fd, &status) == 0 && S_ISCHR(status.st_mode);
  errno = error;
  return is;
}

// False when there is no reader any more.
static bool write_front(int fd, std::string_view& bytes) {
  while (!bytes.empty()) {
    const ssize_t written = ::write(fd, bytes.data(), bytes.size());
    if (written >= 0) {
      bytes.remove_prefix(static_cast<std::size_t>(written));
    } else if (errno == EAGAIN) {
      pollfd ready{fd, POLLOUT, 0};
      ::poll(&ready, 1, -1);
    } else if (errno == EPIPE || (errno == EIO && is_character_device(fd))) {
      return false;
    } else if (errno != EINTR) {
      throw Error::from_errno("write", errno);
    }
  }
  return true;
}

void write_off(int fd, std::string_view& bytes) {
  if (!write_front(fd, bytes)) throw Error::from_errno("write", errno);
}

void write_all(int fd, std::string_view bytes) { write_off(fd, bytes); }

bool write_to_reader(int fd, std::string_view bytes) { return write_front(fd, bytes); }

std::pair<std::string, bool> read_some(int fd, std::size_t most) {
  std::string buffer(most, '\0');
  for (;;) {
    const ssize_t got = ::read(fd, buffer.data(), buffer.size());
    if (got >= 0) {
      buffer.resize(static_cast<std::size_t>(got));
      return {std::move(buffer), true};
    }
    if (errno == EAGAIN) return {"", false};
    if (errno != EINTR) throw Error::from_errno("read", errno);
  }
}

void set_non_blocking(int fd) { ::fcntl(fd, F_SETFL, ::fcntl(fd, F_GETFL) | O_NONBLOCK); }

}  // namespace viaduct
