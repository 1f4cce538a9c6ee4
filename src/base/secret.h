#pragma once

#include <string.h>  // explicit_bzero

#include <string>
#include <string_view>
#include <utility>

namespace viaduct {

// A text nobody else may see, such as a private key: has one owner, and its memory is wiped when it goes, with whatever
// of it a move leaves behind.
class Secret {
 public:
  Secret() = default;
  explicit Secret(std::string&& text) : text_(std::move(text)) { wipe(text); }
  explicit Secret(const std::string& text) : text_(text) {}  // the original stays the caller's to wipe
  Secret(Secret&& other) noexcept : text_(std::move(other.text_)) { wipe(other.text_); }
  Secret& operator=(Secret&& other) noexcept {
    if (this != &other) {
      wipe(text_);
      text_ = std::move(other.text_);
      wipe(other.text_);
    }
    return *this;
  }
  ~Secret() { wipe(text_); }

  std::string_view view() const { return text_; }
  const char* c_str() const { return text_.c_str(); }
  bool empty() const { return text_.empty(); }

 private:
  static void wipe(std::string& text) noexcept {
    text.resize(text.capacity());  // beyond its end, too; allocates nothing
    ::explicit_bzero(text.data(), text.size());
    text.clear();
  }

  std::string text_;
};

}  // namespace viaduct
