#include "launcher/log_line.h"

#include <catch2/catch.hpp>

using namespace viaduct::launcher;
using Source = LogLine::Source;

namespace {

std::string shown(const LogLine& line) {
  const char* source = line.source == Source::rank ? "rank" : line.source == Source::launcher ? "launcher" : "viaduct";
  return std::string(source) + " " + std::to_string(line.rank) + (line.is_error ? " err|" : " out|") +
         std::string(line.text);
}

}  // namespace

TEST_CASE("log line: the mark in front tells who printed it and where") {
  CHECK(shown(parse_log_line("[3] text")) == "rank 3 out|text");
  CHECK(shown(parse_log_line("[1023]! text")) == "rank 1023 err|text");
  CHECK(shown(parse_log_line("[-] text")) == "launcher 0 out|text");
  CHECK(shown(parse_log_line("[-]! text")) == "launcher 0 err|text");
  CHECK(shown(parse_log_line("[=] text")) == "viaduct 0 out|text");
  CHECK(shown(parse_log_line("[0] ")) == "rank 0 out|");
  CHECK(shown(parse_log_line("[0]  two blanks")) == "rank 0 out| two blanks");
}

TEST_CASE("log line: anything else is the launcher's, as it stands") {
  for (const auto* text : {"", "text", "[", "[]", "[] x", "[3]text", "[3]!text", "[3]", "[x] text", "[-3] text",
                           "[+3] text", "[3.5] x", "[ 3] x", "[99999999999999999999] x", " [3] x", "[== ] x"})
    CHECK(shown(parse_log_line(text)) == std::string("launcher 0 out|") + text);
}

TEST_CASE("log line: what is written reads back the same, whatever the text looks like") {
  for (const auto source : {Source::rank, Source::launcher, Source::viaduct})
    for (const bool is_error : {false, true})
      for (const auto* text : {"", "plain", "[3] like a rank", "]! ", "\xff\x01"}) {
        LogLine line;
        line.source = source;
        line.rank = source == Source::rank ? 17 : 0;
        line.is_error = is_error;
        line.text = text;
        std::string out = "before\n";
        append_log_line(out, line);
        REQUIRE(out.starts_with("before\n"));
        REQUIRE(out.ends_with("\n"));
        CHECK(shown(parse_log_line(std::string_view(out).substr(7, out.size() - 8))) == shown(line));
      }
}
