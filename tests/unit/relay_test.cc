#include "launcher/relay.h"

#include <catch2/catch.hpp>

using namespace viaduct::launcher;

TEST_CASE("relay: its first line tells of its host") {
  for (const RelayReady& ready : {RelayReady{"node2", true, "10.0.0.1", "10.0.0.2"}, RelayReady{"n.lab", false, "", ""},
                                  RelayReady{"a", false, "fd00::1", "fd00::2"}}) {
    const std::string line = format_ready(ready);
    REQUIRE(line.ends_with("\n"));
    CHECK(parse_ready(line.substr(0, line.size() - 1)) == ready);
  }
}

TEST_CASE("relay: other lines are not taken for its first one") {
  CHECK_FALSE(parse_ready(""));
  CHECK_FALSE(parse_ready("Welcome to node2"));
  CHECK_FALSE(parse_ready("viaduct ready host=node2"));
  CHECK_FALSE(parse_ready("\x1eviaduct ready "));
  CHECK_FALSE(parse_ready("\x1eviaduct ready fabric=1"));
  CHECK_FALSE(parse_ready("\x1eviaduct ready host=node2 fabric"));
}

TEST_CASE("relay: what a later version adds is passed over") {
  CHECK(parse_ready("\x1eviaduct ready host=node2 fabric=0 gpus=4") == RelayReady{"node2", false, "", ""});
}
