#include "hosts/frames.h"

#include <string.h>  // explicit_bzero

#include <algorithm>
#include <cstdint>

#include "base/error.h"
#include "base/text.h"

namespace viaduct::hosts {

std::string format_frame(std::string_view name, std::string_view body) {
  return str(name, " ", body.size(), "\n", body);
}

FrameReader::~FrameReader() { ::explicit_bzero(held_.data(), held_.size()); }

void FrameReader::feed(std::string_view bytes) {
  if (held_.capacity() < held_.size() + bytes.size()) {  // or what held_ leaves behind when it grows is not wiped
    std::string larger;
    larger.reserve(2 * (held_.size() + bytes.size()));
    larger = held_;
    ::explicit_bzero(held_.data(), held_.size());
    held_.swap(larger);
  }
  held_ += bytes;
}

std::optional<Frame> FrameReader::next() {
  constexpr std::size_t longest_head = 64;
  const auto end = held_.find('\n');
  if (end == std::string::npos && held_.size() <= longest_head) return std::nullopt;
  const std::string head = held_.substr(0, std::min(end, longest_head));
  const auto blank = head.find(' ');
  const std::int64_t length = blank == std::string::npos ? -1 : parse_integer(head.substr(blank + 1)).value_or(-1);
  if (end > longest_head || length < 0 || static_cast<std::size_t>(length) > longest_frame)
    throw Error(str("not what viaduct-agent says: ", printable(abbreviated(head, longest_head))));
  const std::size_t size = end + 1 + static_cast<std::size_t>(length);
  if (held_.size() < size) return std::nullopt;
  Frame frame = {head.substr(0, blank), held_.substr(end + 1, static_cast<std::size_t>(length))};
  std::string rest = held_.substr(size);
  ::explicit_bzero(held_.data(), held_.size());
  held_.swap(rest);
  return frame;
}

}  // namespace viaduct::hosts
