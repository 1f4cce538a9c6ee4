#include "base/yaml.h"

#include <catch2/catch.hpp>
#include <chrono>

#include "base/text.h"

namespace viaduct {
namespace {

struct Parsed {
  std::vector<Document> documents;
  Diagnostics diagnostics;
  std::string errors() const { return diagnostics.render(false); }
  const Value& root() const { return documents.at(0).root; }
};

Parsed parsed(std::string text) {
  Parsed result;
  const auto source = std::make_shared<const Source>(Source{"job.yaml", std::move(text)});
  result.documents = parse_yaml(source, result.diagnostics);
  return result;
}

std::string errors_of(std::string text) { return parsed(std::move(text)).errors(); }

// The one value of "key: TEXT".
Value value_of(const std::string& text) {
  const auto yaml = parsed("key: " + text + "\n");
  INFO(text << "\n" << yaml.errors());
  REQUIRE(yaml.errors().empty());
  return *yaml.root().find("key");
}

std::string place(const Value& value) { return str(value.mark().line, ":", value.mark().column); }
std::string key_place(const Value& mapping, std::size_t index) {
  const Mark mark = mapping.members().at(index).key_mark;
  return str(mark.line, ":", mark.column);
}

bool same(const Value& a, const Value& b) {
  if (a.kind() != b.kind() || a.text() != b.text() || a.items().size() != b.items().size() ||
      a.members().size() != b.members().size())
    return false;
  for (std::size_t i = 0; i < a.items().size(); ++i)
    if (!same(a.items()[i], b.items()[i])) return false;
  for (std::size_t i = 0; i < a.members().size(); ++i)
    if (a.members()[i].key != b.members()[i].key || !same(a.members()[i].value, b.members()[i].value)) return false;
  return true;
}

void check_round_trip(const Value& value) {
  const std::string written = write_yaml(value);
  const auto again = parsed(written);
  INFO(written << again.errors());
  CHECK(again.errors().empty());
  REQUIRE(again.documents.size() == 1);
  CHECK(same(again.root(), value));
}

const std::vector<std::string> nasty_strings = {"",
                                                " ",
                                                "~",
                                                "null",
                                                "Null",
                                                "NULL",
                                                "true",
                                                "True",
                                                "false",
                                                "yes",
                                                "YES",
                                                "no",
                                                "on",
                                                "Off",
                                                "y",
                                                "N",
                                                "010",
                                                "089",
                                                "0x1F",
                                                "0o17",
                                                "0b1",
                                                "1_000",
                                                "1:30",
                                                "12:30:45",
                                                "1e3",
                                                "1.5",
                                                ".5",
                                                "1.",
                                                "-1",
                                                "+1",
                                                "-",
                                                "+",
                                                ".",
                                                "..",
                                                ".inf",
                                                "-.INF",
                                                ".nan",
                                                "2026-01-01",
                                                "2026-01-01T00:00:00Z",
                                                "10.0.0.1:80",
                                                " a",
                                                "a ",
                                                "a: b",
                                                "a:",
                                                ":a",
                                                "a #b",
                                                "#a",
                                                "a#b",
                                                "- x",
                                                "-x",
                                                "? x",
                                                "@x",
                                                "%y",
                                                "`x",
                                                "&x",
                                                "*x",
                                                "!x",
                                                "|",
                                                ">",
                                                "[x",
                                                "]",
                                                "{x}",
                                                ",x",
                                                "=",
                                                "<<",
                                                "---",
                                                "...",
                                                "--- a",
                                                "key: with colon",
                                                "it's",
                                                "\"quoted\"",
                                                "'single'",
                                                "back\\slash",
                                                "\\n",
                                                "line\nline",
                                                "line\n",
                                                "\nline",
                                                "a\n\n  b\n",
                                                "tab\there",
                                                "\t",
                                                "\r",
                                                "a\r\nb",
                                                "é€🚀",
                                                "\u0085",
                                                "\u00a0",
                                                "\u0090",
                                                "\u2028",
                                                "\u2029",
                                                "\uFEFF",
                                                "\uFFFE",
                                                "\x01\x1b\x7f",
                                                "/bin/sh",
                                                "--flag=value",
                                                "a,b",
                                                "$(VAR)",
                                                "%s",
                                                "a  b",
                                                "a\n#b",
                                                "a: |\n  b"};

}  // namespace

TEST_CASE("yaml: every kind of value is read as what it is") {
  CHECK(value_of("null").kind() == Value::Kind::null);
  CHECK(value_of("~").kind() == Value::Kind::null);
  CHECK(value_of("").kind() == Value::Kind::null);
  CHECK(value_of("true").kind() == Value::Kind::boolean);
  CHECK(value_of("FALSE").text() == "false");
  CHECK(value_of("-12").kind() == Value::Kind::integer);
  CHECK(value_of("+12").text() == "12");
  CHECK(value_of("0").text() == "0");
  CHECK(value_of("3.70").kind() == Value::Kind::real);
  CHECK(value_of("3.70").text() == "3.70");
  CHECK(value_of("5e9").kind() == Value::Kind::real);
  CHECK(value_of("-.inf").kind() == Value::Kind::real);
  CHECK(value_of("plain text").kind() == Value::Kind::string);
  CHECK(value_of("[a, b]").items().size() == 2);
  CHECK(value_of("{a: b}").find("a")->text() == "b");
  CHECK(value_of("[]").is_sequence());
  CHECK(value_of("{}").is_mapping());
}

TEST_CASE("yaml: numbers beyond 64 bits keep their digits") {
  CHECK(value_of("18446744073709551616").text() == "18446744073709551616");
  CHECK(value_of("18446744073709551616").kind() == Value::Kind::integer);
}

TEST_CASE("yaml: quoted scalars are text, whatever they look like") {
  for (const char* word : {"yes", "no", "true", "null", "~", "010", "12", "1.5", "1:30", "", "0x1F", "1_000"}) {
    CHECK(value_of(str("\"", word, "\"")).kind() == Value::Kind::string);
    CHECK(value_of(str("'", word, "'")).text() == word);
  }
  CHECK(value_of("!!str 010").kind() == Value::Kind::string);
  CHECK(value_of("! 12").text() == "12");
}

TEST_CASE("yaml: what only looks like a number or a time is text") {
  for (const char* text : {"10.0.0.1:80", "10.0.0.1", "2026-01-01", "2026-01-01T10:00:00Z",
                           "1500m",       "8Gi",      "1h30m",      "0.5.1",
                           "4-7",         "1:30pm",   "1:75",       "node01:4",
                           "12:ab",       "0xyz",     "0b2",        "1_a",
                           "2026_01-01",  "nano",     "yess",       "of",
                           "-x",          "+x"}) {
    CHECK(value_of(text).kind() == Value::Kind::string);
    CHECK(value_of(text).text() == text);
  }
}

TEST_CASE("yaml: a plain yes is refused, with the place and what to write") {
  CHECK(errors_of("a: 1\nb:  yes # really\n") ==
        "job.yaml:2:5: error: plain `yes` is text here, but a boolean in YAML 1.1, which kubectl reads\n"
        "    b:  yes # really\n"
        "        ^\n"
        "    hint: write \"yes\" for the text, or true or false\n");
}

TEST_CASE("yaml: what YAML 1.1 reads as a boolean or another number is refused") {
  for (const char* word : {"yes",   "Yes",   "YES",    "no",      "NO",    "on",   "On",        "off",  "OFF",  "y",
                           "Y",     "n",     "N",      "010",     "-010",  "00",   "089",       "0x1F", "0X1f", "0o17",
                           "0b101", "1_000", "-1_000", "1_000.5", "1_0e3", "1:30", "190:20:30", "+1:59"}) {
    INFO(word);
    CHECK(errors_of(str("key: ", word)).find("job.yaml:1:6: error: plain `") == 0);
    CHECK(errors_of(str("- ", word)).find("job.yaml:1:3: error: plain `") == 0);
    CHECK(errors_of(str(word, ": 1")).find("job.yaml:1:1: error: plain `") == 0);
  }
}

TEST_CASE("yaml: all such words are reported at once") {
  CHECK(parsed("a: yes\nb: [no, 010]\n").diagnostics.error_count() == 3);
}

TEST_CASE("yaml: a duplicate key is an error at the second one") {
  CHECK(errors_of("a: 1\nb: 2\na: 3\n").find("job.yaml:3:1: error: duplicate key \"a\"") == 0);
  CHECK(errors_of("{a: 1, \"a\": 2}").find("job.yaml:1:8: error: duplicate key \"a\"") == 0);
  CHECK(errors_of("a: {x: 1}\nb: {x: 1}\n").empty());
  std::string many;
  for (int i = 0; i < 100; ++i) many += str("key", i, ": 1\n");
  CHECK(errors_of(many).empty());
  CHECK(errors_of(many + "key3: 1\n").find("job.yaml:101:1: error: duplicate key \"key3\"") == 0);
  CHECK(errors_of(many + "key99: 1\n").find("duplicate key \"key99\"") != std::string::npos);
}

TEST_CASE("yaml: what YAML 1.1 takes for the end of a line or for a key is refused") {
  CHECK(errors_of("a: x\u0085b: 1\n").find("job.yaml:1:5: error: the character \\u0085 is text here") == 0);
  CHECK(errors_of("a: 1\n# \u2028b: 1\n").find("job.yaml:2:3: error: ") == 0);
  CHECK(errors_of("a: \"\u2029\"\n").find("job.yaml:1:5: error: ") == 0);
  CHECK(errors_of("a: 1\n---\n\uFEFFb: 1\n").find("job.yaml:3:1: error: ") == 0);
  CHECK(value_of("\"\\u0085\\u2028\"").text() == "\u0085\u2028");
  CHECK(errors_of("{?x: 1}").find("job.yaml:1:3: error: a ? right before a text") == 0);
  CHECK(errors_of("[?x]").find("job.yaml:1:3: error: a ? right before a text") == 0);
  CHECK(errors_of("a: what?").empty());
  CHECK(errors_of("{a: what?,b: [c?, ?]}").find("a key must be text") != std::string::npos);
  CHECK(errors_of("? a\n: 1\nb?: 2\n").empty());
}

TEST_CASE("yaml: a key must be text") {
  CHECK(errors_of("[a]: 1").find("a key must be text") != std::string::npos);
  CHECK(errors_of("{a: b}: 1").find("a key must be text") != std::string::npos);
  CHECK(errors_of("~: 1").find("a key must be text") != std::string::npos);
  CHECK(errors_of(": 1").find("a key must be text") != std::string::npos);
  CHECK(parsed("\"\": 1").root().find("")->text() == "1");
}

TEST_CASE("yaml: merge keys and tags that make objects are refused") {
  CHECK(errors_of("a: &a {x: 1}\nb:\n  <<: *a\n").find("job.yaml:3:3: error: merge keys") == 0);
  CHECK(errors_of("\"<<\": {x: 1}\nb: <<\n").empty());
  CHECK(errors_of("a: !!python/object:os.system x").find("is not supported") != std::string::npos);
  CHECK(errors_of("a: !custom {x: 1}").find("job.yaml:1:4: error: the tag !custom is not supported") == 0);
  CHECK(errors_of("a: !!binary aGk=").find("is not supported") != std::string::npos);
  CHECK(errors_of("a: !!map x").find("is not supported") != std::string::npos);
  CHECK(errors_of("a: &x ! 12").empty());
  CHECK(value_of("&x ! 12").kind() == Value::Kind::string);
  CHECK(value_of("&x 12").kind() == Value::Kind::integer);
}

TEST_CASE("yaml: an unknown escape is refused") {
  CHECK(errors_of("a: \"x\\qy\"").find("job.yaml:1:") == 0);
  CHECK(errors_of("a: \"\\u12\"").find("job.yaml:1:") == 0);
  CHECK(errors_of("a: \"\\ud83d\"").find("job.yaml:1:") == 0);
  CHECK(value_of(R"("\u00e9\x41\n\\\"\/\0")").text() == std::string("éA\n\\\"/\0", 8));
}

TEST_CASE("yaml: every value and key knows its line and column") {
  const auto yaml = parsed(
      "# a comment\n"
      "\n"
      "kind: Job   # another\n"
      "spec:\n"
      "  nodes:   2\n"
      "  list:\n"
      "  - one\n"
      "  -   name: two\n"
      "      value: \"x\"\n"
      "  flow: {a: 1, \"b\": [2, {c: 3}],\n"
      "    d: 'e'}\n"
      "  text: |\n"
      "    some\n"
      "    text\n"
      "  after:\tend\n");
  INFO(yaml.errors());
  REQUIRE(yaml.errors().empty());
  const Value& root = yaml.root();
  CHECK(place(root) == "3:1");
  CHECK(key_place(root, 0) == "3:1");
  CHECK(place(*root.find("kind")) == "3:7");
  const Value& spec = *root.find("spec");
  CHECK(key_place(root, 1) == "4:1");
  CHECK(place(spec) == "5:3");
  CHECK(place(*spec.find("nodes")) == "5:12");
  const Value& list = *spec.find("list");
  CHECK(place(list) == "7:3");
  CHECK(place(list.items()[0]) == "7:5");
  CHECK(place(list.items()[1]) == "8:7");
  CHECK(place(*list.items()[1].find("name")) == "8:13");
  CHECK(place(*list.items()[1].find("value")) == "9:14");
  const Value& flow = *spec.find("flow");
  CHECK(place(flow) == "10:9");
  CHECK(place(*flow.find("a")) == "10:13");
  CHECK(key_place(flow, 1) == "10:16");
  CHECK(place(*flow.find("b")) == "10:21");
  CHECK(place(flow.find("b")->items()[0]) == "10:22");
  CHECK(place(*flow.find("b")->items()[1].find("c")) == "10:29");
  CHECK(place(*flow.find("d")) == "11:8");
  CHECK(place(*spec.find("text")) == "12:9");
  CHECK(spec.find("text")->text() == "some\ntext\n");
  CHECK(key_place(spec, 4) == "15:3");
  CHECK(place(*spec.find("after")) == "15:10");
}

TEST_CASE("yaml: columns count bytes") {
  const auto yaml = parsed("{é: a, b: \"é\", c: d}");
  CHECK(place(*yaml.root().find("é")) == "1:6");
  CHECK(place(*yaml.root().find("b")) == "1:12");
  CHECK(place(*yaml.root().find("c")) == "1:21");
}

TEST_CASE("yaml: a value that is left out has the place of its key or its dash") {
  const auto yaml = parsed("a:\nb: # nothing\nc: ~\nlist:\n  - \n  - x\n  -\nend: {e: , f: }\n");
  REQUIRE(yaml.errors().empty());
  CHECK(place(*yaml.root().find("a")) == "1:1");
  CHECK(place(*yaml.root().find("b")) == "2:1");
  CHECK(place(*yaml.root().find("c")) == "3:4");
  CHECK(place(yaml.root().find("list")->items()[0]) == "5:3");
  CHECK(place(yaml.root().find("list")->items()[2]) == "7:3");
  CHECK(place(parsed("a:\n- # nothing\n- &x\n").root().find("a")->items()[0]) == "2:1");
  CHECK(place(parsed("\xEF\xBB\xBF-\n").root().items()[0]) == "1:1");
  CHECK(place(*yaml.root().find("end")->find("e")) == "8:7");
  CHECK(place(*yaml.root().find("end")->find("f")) == "8:12");
}

TEST_CASE("yaml: places go on counting through the documents of a stream") {
  const auto yaml = parsed("a: 1\n---\n# two\nb: 2\n...\n---\n- 3\n--- c\n");
  INFO(yaml.errors());
  REQUIRE(yaml.documents.size() == 4);
  CHECK(place(*yaml.documents[0].root.find("a")) == "1:4");
  CHECK(place(*yaml.documents[1].root.find("b")) == "4:4");
  CHECK(place(yaml.documents[2].root.items()[0]) == "7:3");
  CHECK(place(yaml.documents[3].root) == "8:5");
}

TEST_CASE("yaml: documents that are empty or only comments are left out") {
  CHECK(parsed("").documents.empty());
  CHECK(parsed("\n# nothing\n").documents.empty());
  const auto yaml = parsed("---\n---\n# nothing\n---\na: 1\n---\n");
  CHECK(yaml.errors().empty());
  CHECK(yaml.documents.size() == 1);
  CHECK(place(yaml.root()) == "5:1");
}

TEST_CASE("yaml: a byte order mark, CRLF and a missing last newline are fine") {
  const auto yaml = parsed("\xEF\xBB\xBFkind: Job\r\nlist:\r\n- a\r\n- b");
  INFO(yaml.errors());
  REQUIRE(yaml.errors().empty());
  CHECK(yaml.root().find("kind")->text() == "Job");
  CHECK(place(*yaml.root().find("kind")) == "1:7");
  CHECK(yaml.root().find("list")->items()[1].text() == "b");
  CHECK(place(yaml.root().find("list")->items()[1]) == "4:3");
  CHECK(parsed("a: |\r\n  x\r\n  y\r\n").root().find("a")->text() == "x\ny\n");
}

TEST_CASE("yaml: block scalars fold, keep and strip as YAML says") {
  CHECK(value_of("|\n  a\n    b\n\n  c\n").text() == "a\n  b\n\nc\n");
  CHECK(value_of("|-\n  a\n  b\n\n").text() == "a\nb");
  CHECK(value_of("|+\n  a\n\n").text() == "a\n\n\n");
  CHECK(value_of(">\n  a\n  b\n\n  c\n").text() == "a b\nc\n");
  CHECK(value_of("|2\n   a\n").text() == " a\n");
  CHECK(value_of("|\n  yes\n").kind() == Value::Kind::string);
}

TEST_CASE("yaml: aliases are expanded into copies") {
  const auto yaml =
      parsed("base: &base {x: 1, z: [a, b]}\none: *base\ntwo: [*base, *base]\ntext: &t hello\nsame: *t\n");
  INFO(yaml.errors());
  REQUIRE(yaml.errors().empty());
  CHECK(yaml.root().find("one")->find("z")->items()[1].text() == "b");
  CHECK(yaml.root().find("two")->items()[1].find("x")->text() == "1");
  CHECK(yaml.root().find("same")->text() == "hello");
}

TEST_CASE("yaml: an alias to nothing or into itself is refused") {
  CHECK(errors_of("a: *nothing").find("job.yaml:1:4: error: ") == 0);
  CHECK(errors_of("a: &a [1, *a]").find("job.yaml:1:11: error: ") == 0);
  CHECK(errors_of("--- &a x\n--- [*a]\n").find("job.yaml:2:") == 0);
  CHECK(parsed("[&a x, &a y, *a]").root().items()[2].text() == "y");
  CHECK(parsed("&a [&a x, *a]").root().items()[1].text() == "x");
}

TEST_CASE("yaml: aliases that multiply are refused quickly") {
  std::string laughs = "a0: &a0 [lol, lol, lol, lol, lol, lol, lol, lol, lol]\n";
  for (int i = 1; i < 10; ++i) {
    laughs += str("a", i, ": &a", i, " [");
    for (int j = 0; j < 9; ++j) laughs += str(j > 0 ? ", " : "", "*a", i - 1);
    laughs += "]\n";
  }
  std::string long_text = "a: &a " + std::string(500'000, 'x') + "\nb: [";
  for (int i = 0; i < 100'000; ++i) long_text += "*a,";
  std::string nested;
  for (int i = 0; i < 190; ++i) nested += str("&a", i, " [");
  for (int i = 0; i < 100'000; ++i) nested += "1,";
  nested += std::string(190, ']');
  for (const auto& text : {laughs, long_text + "]", nested}) {
    const auto start = std::chrono::steady_clock::now();
    CHECK(errors_of(text).find("aliases expand to too much") != std::string::npos);
    CHECK(std::chrono::steady_clock::now() - start < std::chrono::seconds(10));  // sanitizers are slow
  }
}

TEST_CASE("yaml: nesting has a limit and the limit is told") {
  CHECK(errors_of(std::string(200, '[') + std::string(200, ']')).empty());
  CHECK(errors_of(std::string(201, '[') + std::string(201, ']')).find("nested deeper than 200 levels") !=
        std::string::npos);
  for (const char* piece : {"[", "{a: ", "- ", "? ", "[{a: "}) {
    std::string text;
    for (int i = 0; i < 20'000; ++i) text += piece;
    INFO(piece);
    CHECK_FALSE(errors_of(text).empty());
  }
  std::string stairs;
  for (int i = 0; i < 300; ++i) stairs += std::string(static_cast<std::size_t>(i), ' ') + "a:\n";
  CHECK_FALSE(errors_of(stairs).empty());
}

TEST_CASE("yaml: control characters are refused with their place") {
  CHECK(errors_of("a: 1\nb: x\x01y\n").find("job.yaml:2:5: error: ") == 0);
  CHECK(errors_of(std::string("a: \0", 4)).find("job.yaml:1:4: error: ") == 0);
  for (const char* text : {"a: \x1b[31m", "a: \x7f", "a: \u0090", "a: \uFFFE"}) CHECK_FALSE(errors_of(text).empty());
  CHECK(errors_of("a: \"\\e[31m\\x7f\"").empty());
}

TEST_CASE("yaml: bytes that are not UTF-8 are refused with their place") {
  CHECK(errors_of("a: 1\nb: \xE9\n").find("job.yaml:2:4: error: not valid YAML: ") == 0);
  CHECK_FALSE(errors_of(std::string("\xFF\xFE"
                                    "a\0:\0",
                                    6))
                  .empty());
  CHECK_FALSE(errors_of("a: \xC0\xAF").empty());
  CHECK_FALSE(errors_of("a: \xED\xA0\x80").empty());
}

TEST_CASE("yaml: what is not YAML is refused with its place") {
  for (const char* text :
       {"a: b: c",    "a: [1",   "a: {b: 1",  "a: \"x",           "\"",        "'",         "a: '",        "a: \"x\n",
        "a: \"x\\\"", "a: 'x''", "a: &a \"x", "a: !!str 'x",      "- a\nb: 1", "a: 1\n- b", "]",           "}",
        ",",          "a: @x",   "a: `x",     "%YAML 9.9\n--- a", "a: &",      "a: *",      "\"a\" \"b\"", "a: \"b\" c",
        "[a] b",      "{a: 1}}", "a: |x\n b"}) {
    INFO(text);
    const auto yaml = parsed(text);
    CHECK(yaml.diagnostics.error_count() == 1);
    CHECK(yaml.errors().find("job.yaml:") == 0);
    CHECK(yaml.errors().find(": error: not valid YAML") != std::string::npos);
  }
}

TEST_CASE("yaml: what is not YAML is refused in words that help") {
  const auto error = [](std::string text) { return parsed(std::move(text)).diagnostics.all().at(0); };
  const auto place_and_reason = [&](std::string text) {
    const auto diagnostic = error(std::move(text));
    return str(diagnostic.mark.line, ":", diagnostic.mark.column, " ", diagnostic.message);
  };
  CHECK(place_and_reason("a: 1\né: \"x\ny\n") == "2:5 not valid YAML: the quote is not closed");
  CHECK(place_and_reason("a: [1,\n  2\n") == "1:4 not valid YAML: the [ is not closed");
  CHECK(place_and_reason("a: {b: [1}\n") == "1:10 not valid YAML: expected , or ] in the list that begins at 1:8");
  CHECK(place_and_reason("a:\n\tb: 1\n") == "2:1 not valid YAML: a tab can't indent; use blanks");
  CHECK(place_and_reason("a: @x\n") == "1:4 not valid YAML: a text can't begin with @; put it in quotes");
  CHECK(place_and_reason("a: 1\nb\nc: 2\n") == "2:1 not valid YAML: expected a : behind the key");
  CHECK(place_and_reason("a: *b\n") == "1:4 not valid YAML: no anchor &b stands before this alias");
  CHECK(place_and_reason("a: 1\r\nb: é: c\r\n").find("2:6 not valid YAML: a : is not allowed here") == 0);
  CHECK(place_and_reason("a: 1\n...\nb: 2\n").find("3:1 not valid YAML: something follows") == 0);
}

TEST_CASE("yaml: a large text is read quickly, whatever it is made of") {
  constexpr std::size_t size = 1 << 18;
  for (const char* piece :
       {"- \n", "- é\n", "? \n", "x, ", "&a é, ", "- &a\n", "-\r\n", "é ", "{}, ", "''\n", "[a: ],"}) {
    std::string text = std::string(piece).find(',') == std::string::npos ? "" : "[";
    while (text.size() < size) text += piece;
    INFO(piece);
    const auto start = std::chrono::steady_clock::now();
    parsed(text + (text[0] == '[' ? "]" : ""));
    CHECK(std::chrono::steady_clock::now() - start < std::chrono::seconds(10));  // sanitizers are slow
  }
}

TEST_CASE("yaml: tabs may not indent") {
  CHECK_FALSE(errors_of("a:\n\tb: 1\n").empty());
  CHECK(value_of("x\ty").text() == "x\ty");
  CHECK(value_of("1\t# comment").text() == "1");
}

TEST_CASE("yaml: mistakes of an earlier text do not stop the reading") {
  Diagnostics diagnostics;
  diagnostics.error(nullptr, {}, "something else");
  CHECK(parse_yaml(std::make_shared<const Source>(Source{"b.yaml", "a: 1"}), diagnostics).size() == 1);
}

TEST_CASE("yaml: JSON is YAML") {
  const auto yaml = parsed(R"({"a": [1, true, null, "yes", 1.5e3], "b": {"c": "\u00e9"}})");
  REQUIRE(yaml.errors().empty());
  CHECK(yaml.root().find("a")->items()[3].kind() == Value::Kind::string);
  CHECK(yaml.root().find("b")->find("c")->text() == "é");
}

TEST_CASE("yaml: it is written in block style") {
  Value job = Value::mapping();
  job.set("kind", "Job");
  job.set("flag", "yes");
  job.set("count", 3);
  job.set("args", Value::strings({"--a=1", "b c", "010"}));
  job.set("none", Value::null());
  job.set("empty", Value::mapping());
  Value inner = Value::mapping();
  inner.set("x", true);
  inner.set("list", Value::sequence());
  inner.find("list")->push(Value::strings({"p", "q"}));
  job.set("inner", inner);
  CHECK(write_yaml(job) ==
        "kind: Job\nflag: \"yes\"\ncount: 3\nargs:\n- \"--a=1\"\n- b c\n- \"010\"\nnone: null\nempty: {}\n"
        "inner:\n  x: true\n  list:\n  - - p\n    - q\n");
}

TEST_CASE("yaml: what is written reads back as the same tree, for nasty texts too") {
  for (const auto& text : nasty_strings) {
    check_round_trip(Value(text));
    Value mapping = Value::mapping();
    mapping.set("key", text);
    mapping.set(text, text);
    mapping.set("list", Value::strings({text, "x", text}));
    Value inner = Value::mapping();
    inner.set(text, mapping);
    Value list = Value::sequence();
    list.push(inner);
    list.push(mapping);
    list.push(Value::sequence());
    list.items().back().push(list.items().front());
    check_round_trip(inner);
    check_round_trip(list);
  }
}

TEST_CASE("yaml: numbers, flags and nulls read back as what they were") {
  Value list = Value::sequence();
  for (const char* number : {"5e9", "-.inf", ".nan", "1.50", "-0.0"})
    list.push(Value::scalar(Value::Kind::real, number));
  list.push(std::numeric_limits<std::int64_t>::min());
  list.push(true);
  list.push(false);
  list.push(Value::null());
  list.push(Value::mapping());
  list.push(Value::sequence());
  check_round_trip(list);
}

TEST_CASE("yaml: a key of any length reads back") {
  for (const std::size_t length : {1000, 1021, 1022, 1023, 1024, 1025, 5000}) {
    for (const char letter : {'k', '#'}) {
      Value value = Value::mapping();
      value.set(std::string(length, letter), 1);
      value.set("map", value);
      value.set("list", Value::sequence());
      value.find("list")->push(*value.find("map"));
      value.set(std::string(length, '.'), Value::strings({"a"}));
      check_round_trip(value);
    }
  }
}

}  // namespace viaduct
