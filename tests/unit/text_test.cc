#include "base/text.h"

#include <catch2/catch.hpp>
#include <limits>

namespace viaduct {

TEST_CASE("text: str joins strings, characters and integers") {
  const std::string name = "node";
  CHECK(str("rank ", 3, " of ", 8L, ' ', name, std::string_view("!")) == "rank 3 of 8 node!");
  CHECK(str(std::numeric_limits<std::int64_t>::min(), std::numeric_limits<std::uint64_t>::max()) ==
        "-922337203685477580818446744073709551615");
  CHECK(str().empty());
}

TEST_CASE("text: split keeps empty parts, and join is its inverse") {
  CHECK(split("a,,b", ',') == std::vector<std::string>{"a", "", "b"});
  CHECK(split("", ',') == std::vector<std::string>{""});
  CHECK(split(",", ',') == std::vector<std::string>{"", ""});
  for (const char* text : {"", ",", "a", "a,b,", ",,a"}) CHECK(join(split(text, ','), ",") == text);
  CHECK(join({}, ", ").empty());
}

TEST_CASE("text: trim takes blanks, tabs and line ends from both ends only") {
  CHECK(trim(" \t a b\r\n") == "a b");
  CHECK(trim(" \n").empty());
  CHECK(trim("").empty());
}

TEST_CASE("text: nearest finds a likely slip of the finger") {
  const std::vector<std::string> names = {"name", "image", "command", "env"};
  CHECK(nearest("nmae", names) == "name");
  CHECK(nearest("Image", names) == "image");
  CHECK(nearest("comand", names) == "command");
  CHECK(nearest("evn", names) == "env");
}

TEST_CASE("text: nearest says nothing when no candidate is like the word") {
  CHECK_FALSE(nearest("volumes", {"name", "image"}));
  CHECK_FALSE(nearest("x", {"os", "y"}));
  CHECK_FALSE(nearest("", {"a", "ab"}));
  CHECK_FALSE(nearest("name", {}));
  CHECK_FALSE(nearest(std::string(1'000'000, 'a'), {"a"}));
}

TEST_CASE("text: parse_integer takes a whole decimal number and nothing around it") {
  CHECK(parse_integer("-12") == -12);
  CHECK(parse_integer("007") == 7);
  CHECK(parse_integer("9223372036854775807") == std::numeric_limits<std::int64_t>::max());
  CHECK(parse_integer("-9223372036854775808") == std::numeric_limits<std::int64_t>::min());
  for (const char* text : {"", "-", "+1", " 1", "1 ", "1.0", "0x1", "1e3", "9223372036854775808", "--1", "1_000"}) {
    INFO(text);
    CHECK_FALSE(parse_integer(text));
  }
}

TEST_CASE("text: decode_utf8 reads one character") {
  CHECK(decode_utf8("a").character == U'a');
  CHECK(decode_utf8("é!").character == U'é');
  CHECK(decode_utf8("é!").length == 2);
  CHECK(decode_utf8("€").character == U'€');
  CHECK(decode_utf8("🚀").character == U'🚀');
  CHECK(decode_utf8("🚀").length == 4);
  CHECK(decode_utf8("\xF4\x8F\xBF\xBF").character == 0x10ffff);
}

TEST_CASE("text: decode_utf8 gives length 0 for what is not UTF-8") {
  const std::vector<std::string> bad = {
      "",         "\x80",         "\xC3",         "\xC0\xAF",         "\xE0\x80\xAF",
      "\xE2\x82", "\xED\xA0\x80", "\xF0\x9F\x9A", "\xF0\x80\x80\x80", "\xF4\x90\x80\x80",
      "\xFF",     "\xC3("};
  for (const auto& bytes : bad) {
    INFO(bytes.size());
    CHECK(decode_utf8(bytes).length == 0);
  }
}

TEST_CASE("text: an abbreviated text is cut between characters") {
  CHECK(abbreviated("abc", 3) == "abc");
  CHECK(abbreviated("abcd", 3) == "abc…");
  CHECK(abbreviated("aéé", 2) == "a…");
  CHECK(abbreviated("aéé", 3) == "aé…");
  CHECK(abbreviated("", 0).empty());
}

TEST_CASE("text: shell_quote quotes only what a shell would change") {
  CHECK(shell_quote("--rate=0.1") == "--rate=0.1");
  CHECK(shell_quote("") == "''");
  CHECK(shell_quote("a b") == "'a b'");
  CHECK(shell_quote("it's") == "'it'\\''s'");
  CHECK(shell_quote("$HOME") == "'$HOME'");
  CHECK(shell_quote("*") == "'*'");
  CHECK(shell_quote(std::vector<std::string>{"echo", "a b", "c"}) == "echo 'a b' c");
}

TEST_CASE("text: count_of adds an s for all but one") {
  CHECK(count_of(0, "rank") == "0 ranks");
  CHECK(count_of(1, "rank") == "1 rank");
  CHECK(count_of(2, "rank") == "2 ranks");
}

TEST_CASE("text: printable shows what would steer a terminal, and leaves the rest") {
  CHECK(printable("a\tb\n\"é\" \xe2\x82\xac") == "a\tb\n\"é\" \xe2\x82\xac");
  CHECK(printable("\x1b[31m\a\r\x7f") == "\\x1b[31m\\x07\\x0d\\x7f");
  CHECK(printable("\xc2\x9b"
                  "2J") == "\\xc2\\x9b2J");
  CHECK(printable(std::string_view("\x9b\xff\0", 3)) == "\\x9b\\xff\\x00");
}

TEST_CASE("text: word_after finds the word behind a marker") {
  CHECK(word_after("PID: \t17 ended", "PID:") == "17");
  CHECK(word_after("PID:", "PID:").empty());
  CHECK(word_after("none", "PID:").empty());
}

}  // namespace viaduct
