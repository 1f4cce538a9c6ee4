#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "base/error.h"
#include "base/text.h"
#include "hosts/frames.h"

using namespace viaduct;

namespace {

// All frames of the stream, written again, and what ended it.
std::string read_again(std::string_view bytes, std::size_t piece) {
  hosts::FrameReader reader;
  std::string out;
  try {
    for (std::size_t at = 0; at < bytes.size(); at += piece) {
      reader.feed(bytes.substr(at, piece));
      while (const auto frame = reader.next()) {
        if (frame->body.size() > hosts::longest_frame) std::abort();
        out += hosts::format_frame(frame->name, frame->body);
      }
    }
  } catch (const Error& e) {
    out += str("\n", e.what());
  }
  return out;
}

}  // namespace

// In whatever pieces a stream comes, the frames are the same; and what is refused is told in one line.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  const std::string whole = read_again(bytes, size + 1);
  const std::string frames = whole.substr(0, whole.rfind("\nnot what viaduct-agent says: "));
  for (const std::size_t piece : {std::size_t{1}, std::size_t{7}}) {
    const std::string pieces = read_again(bytes, piece);
    if (pieces.substr(0, pieces.rfind("\nnot what viaduct-agent says: ")) != frames) std::abort();
  }
  return 0;
}
