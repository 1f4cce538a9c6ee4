#include "base/diagnostics.h"

#include <catch2/catch.hpp>

#include "base/text.h"

namespace viaduct {
namespace {

SourcePtr source(std::string text, std::string name = "job.yaml") {
  return std::make_shared<const Source>(Source{std::move(name), std::move(text)});
}

std::string rendered(const SourcePtr& from, Mark mark, const std::string& message = "wrong",
                     const std::string& hint = "") {
  Diagnostics diagnostics;
  diagnostics.error(from, mark, message, hint);
  return diagnostics.render(false);
}

}  // namespace

TEST_CASE("diagnostics: a mistake shows its place, its line, a caret and the hint") {
  CHECK(rendered(source("a: 1\nnodes: two\n"), {2, 8}, "must be a number", "write 2") ==
        "job.yaml:2:8: error: must be a number\n"
        "    nodes: two\n"
        "           ^\n"
        "    hint: write 2\n");
}

TEST_CASE("diagnostics: without a place or a source only the message is shown") {
  CHECK(rendered(source("a"), {}) == "job.yaml: error: wrong\n");
  CHECK(rendered(nullptr, {}) == "error: wrong\n");
  CHECK(rendered(nullptr, {3, 4}) == "3:4: error: wrong\n");
}

TEST_CASE("diagnostics: a place beyond the text shows no line") {
  CHECK(rendered(source("a\n"), {7, 1}) == "job.yaml:7:1: error: wrong\n");
  CHECK(rendered(source("a\n\n"), {2, 1}) == "job.yaml:2:1: error: wrong\n");
  CHECK(rendered(source(""), {1, 1}) == "job.yaml:1:1: error: wrong\n");
}

TEST_CASE("diagnostics: a column beyond the line puts the caret at the line's end") {
  CHECK(rendered(source("abc\n"), {1, 100}) == "job.yaml:1:100: error: wrong\n    abc\n       ^\n");
}

TEST_CASE("diagnostics: the caret stands below its character after tabs and accents") {
  CHECK(rendered(source("a:\tb"), {1, 4}) == "job.yaml:1:4: error: wrong\n    a: b\n       ^\n");
  CHECK(rendered(source("é: b"), {1, 5}) == "job.yaml:1:5: error: wrong\n    é: b\n       ^\n");
}

TEST_CASE("diagnostics: bytes that would steer a terminal are shown as blanks") {
  const std::string text = rendered(source("a\x1b[31mb\r\n"), {1, 1});
  CHECK(text.find('\x1b') == std::string::npos);
  CHECK(text.find('\r') == std::string::npos);
}

TEST_CASE("diagnostics: a very long line is cut to a window around the caret") {
  const auto lines = split(rendered(source(std::string(500, 'a') + "X" + std::string(500, 'b')), {1, 501}), '\n');
  REQUIRE(lines.size() >= 3);
  CHECK(lines[1].size() < 200);
  CHECK(lines[1].substr(4, 3) == "...");
  CHECK(lines[1].substr(lines[1].size() - 3) == "...");
  CHECK(lines[1].at(lines[2].find('^')) == 'X');
}

TEST_CASE("diagnostics: the window around the caret never cuts a character in two") {
  std::string line;
  for (int i = 0; i < 400; ++i) line += "é";
  for (std::uint32_t column = 1; column <= 801; ++column) {
    const auto lines = split(rendered(source(line), {1, column}), '\n');
    std::string_view rest = lines[1];
    while (!rest.empty()) {
      const auto character = decode_utf8(rest);
      REQUIRE(character.length > 0);
      rest.remove_prefix(character.length);
    }
  }
}

TEST_CASE("diagnostics: mistakes come in the order of the sources, their lines and columns") {
  const auto first = source("1\n2\n", "first");
  const auto second = source("1\n2\n", "second");
  Diagnostics diagnostics;
  diagnostics.error(first, {2, 1}, "c");
  diagnostics.error(second, {1, 1}, "d");
  diagnostics.warning(first, {1, 2}, "b");
  diagnostics.error(first, {1, 1}, "a");
  diagnostics.error(second, {1, 1}, "e");
  std::string order;
  for (const auto& line : split(diagnostics.render(false), '\n'))
    if (line.find("r: ") != std::string::npos || line.find("warning: ") != std::string::npos) order += line.back();
  CHECK(order == "abcde");
}

TEST_CASE("diagnostics: a warning is no error") {
  Diagnostics diagnostics;
  diagnostics.warning(nullptr, {}, "odd");
  CHECK_FALSE(diagnostics.has_errors());
  CHECK(diagnostics.render(false) == "warning: odd\n");
  diagnostics.error(nullptr, {}, "wrong");
  CHECK(diagnostics.has_errors());
  CHECK(diagnostics.error_count() == 1);
  CHECK(diagnostics.all().size() == 2);
}

TEST_CASE("diagnostics: colours are only there when asked for") {
  Diagnostics diagnostics;
  diagnostics.error(source("abc"), {1, 2}, "wrong", "mend it");
  CHECK(diagnostics.render(false).find('\x1b') == std::string::npos);
  CHECK(diagnostics.render(true).find("\x1b[1;31merror:\x1b[0m wrong") != std::string::npos);
}

TEST_CASE("diagnostics: messages and hints steer no terminal") {
  CHECK(rendered(nullptr, {}, "bad \x1b[2J", "try \a") == "error: bad \\x1b[2J\n    hint: try \\x07\n");
}

TEST_CASE("diagnostics: of very many a hundred are shown, errors first") {
  Diagnostics diagnostics;
  for (int i = 0; i < 150; ++i) diagnostics.warning(nullptr, {}, "odd");
  diagnostics.error(nullptr, {}, "wrong");
  const auto lines = split(diagnostics.render(false), '\n');
  REQUIRE(lines.size() == 102);
  CHECK(lines[0] == "error: wrong");
  CHECK(lines[100] == "and 51 more");
}

}  // namespace viaduct
