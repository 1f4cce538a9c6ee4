#include "base/clock.h"

#include <catch2/catch.hpp>

#include "base/error.h"

namespace viaduct {

TEST_CASE("clock: a time is written as RFC 3339 in UTC") {
  CHECK(format_rfc3339({1772368205250}) == "2026-03-01T12:30:05.250Z");
  CHECK(format_rfc3339({0}) == "1970-01-01T00:00:00.000Z");
  CHECK(format_rfc3339({7}) == "1970-01-01T00:00:00.007Z");
  CHECK(format_rfc3339_seconds({1772368205999}) == "2026-03-01T12:30:05Z");
  CHECK(format_rfc3339({951782400000}) == "2000-02-29T00:00:00.000Z");
}

TEST_CASE("clock: a time before 1970 is written right too") {
  CHECK(format_rfc3339({-1}) == "1969-12-31T23:59:59.999Z");
  CHECK(format_rfc3339_seconds({-1000}) == "1969-12-31T23:59:59Z");
}

TEST_CASE("clock: what is written reads back") {
  for (const std::int64_t ms : {0LL, 1LL, 999LL, -1LL, 1772368205250LL, 253402300799999LL})
    CHECK(parse_rfc3339(format_rfc3339({ms})) == Timestamp{ms});
  CHECK(parse_rfc3339("2026-03-01T12:30:05Z") == Timestamp{1772368205000});
}

TEST_CASE("clock: a fraction of a second may have any number of digits") {
  CHECK(parse_rfc3339("2026-03-01T12:30:05.2Z") == Timestamp{1772368205200});
  CHECK(parse_rfc3339("2026-03-01T12:30:05.250999Z") == Timestamp{1772368205250});
  CHECK(parse_rfc3339("2026-03-01T12:30:05.000000001Z") == Timestamp{1772368205000});
}

TEST_CASE("clock: what is no RFC 3339 time in UTC is refused") {
  for (const char* text :
       {"", "Z", "now", "2026-03-01", "2026-03-01T12:30:05", "2026-03-01T12:30:05+01:00", "2026-03-01 12:30:05Z",
        "2026-3-1T12:30:05Z", "2026-13-01T12:30:05Z", "2026-02-29T12:30:05Z", "2026-03-01T24:00:00Z",
        "2026-03-01T12:60:00Z", "2026-03-01T12:30:05.Z", "2026-03-01T12:30:05.1e9Z", "2026-03-01T12:30:05.-5Z",
        " 2026-03-01T12:30:05Z", "2026-03-01T12:30:05Zz", "2026-03-01T12:30:05ZZ", "+026-03-01T12:30:05Z"}) {
    INFO(text);
    CHECK_THROWS_AS(parse_rfc3339(text), Error);
  }
  CHECK_THROWS_AS(parse_rfc3339(std::string_view("2026-03-01T12:30:05Z\0x", 22)), Error);
  CHECK_THROWS_WITH(parse_rfc3339("now"), "not a time as RFC 3339 has it: \"now\"");
}

TEST_CASE("clock: a duration is written in the two units that matter") {
  CHECK(format_duration(0) == "0ms");
  CHECK(format_duration(850) == "850ms");
  CHECK(format_duration(1000) == "1.0s");
  CHECK(format_duration(9999) == "9.9s");
  CHECK(format_duration(12'345) == "12s");
  CHECK(format_duration(59'999) == "59s");
  CHECK(format_duration(185'000) == "3m05s");
  CHECK(format_duration(7'620'000) == "2h07m");
  CHECK(format_duration(86'399'999) == "23h59m");
  CHECK(format_duration((3 * 24 + 4) * 3'600'000LL) == "3d04h");
}

TEST_CASE("clock: the system's clock tells a time of this century") {
  const Timestamp now = SystemClock().now();
  CHECK(now > parse_rfc3339("2024-01-01T00:00:00Z"));
  CHECK(now < parse_rfc3339("2100-01-01T00:00:00Z"));
}

}  // namespace viaduct
