#include "hosts/frames.h"

#include <catch2/catch.hpp>

#include "base/error.h"
#include "base/text.h"

using namespace viaduct;
using namespace viaduct::hosts;

namespace {

// "name=body" of each whole frame that the reader has now.
std::string taken(FrameReader& reader) {
  std::vector<std::string> frames;
  while (const auto frame = reader.next()) frames.push_back(str(frame->name, "=", frame->body));
  return join(frames, ",");
}

bool is_refused(std::string_view bytes) {
  FrameReader reader;
  reader.feed(bytes);
  try {
    reader.next();
    return false;
  } catch (const Error&) {
    return true;
  }
}

}  // namespace

TEST_CASE("frames: what was written is read, whatever the body holds") {
  const std::string body("a\n\0b 3\n", 7);
  FrameReader reader;
  reader.feed(format_frame("log", body) + format_frame("ready", ""));
  const auto first = reader.next();
  REQUIRE(first);
  CHECK(first->name == "log");
  CHECK(first->body == body);
  CHECK(taken(reader) == "ready=");
}

TEST_CASE("frames: a stream may come byte by byte") {
  FrameReader reader;
  std::string all;
  for (const char c : format_frame("log", "hello\n") + format_frame("exit", "{}")) {
    reader.feed({&c, 1});
    const std::string now = taken(reader);
    if (!now.empty()) all += now + ";";
  }
  CHECK(all == "log=hello\n;exit={};");
}

TEST_CASE("frames: another stream is refused as soon as it shows") {
  CHECK(is_refused("Welcome to node1\n"));
  CHECK(is_refused("log\n"));
  CHECK(is_refused("log -1\n"));
  CHECK(is_refused("log 1x\n"));
  CHECK(is_refused("log 99999999999999999999\n"));
  CHECK(is_refused(std::string(65, 'x')));
  CHECK(is_refused("log 1" + std::string(60, ' ') + "\nx"));
  CHECK_FALSE(is_refused(std::string(64, 'x')));
  CHECK_FALSE(is_refused(""));
}

TEST_CASE("frames: a body has a longest size") {
  CHECK_FALSE(is_refused(str("log ", longest_frame, "\n")));
  CHECK(is_refused(str("log ", longest_frame + 1, "\n")));
}
