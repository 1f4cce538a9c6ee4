#include "base/json.h"

#include <catch2/catch.hpp>

#include "base/error.h"
#include "base/text.h"

namespace viaduct {
namespace {

struct Parsed {
  Value root;
  Diagnostics diagnostics;
  std::string errors() const { return diagnostics.render(false); }
};

Parsed parsed(std::string text) {
  Parsed result;
  const auto source = std::make_shared<const Source>(Source{"record.json", std::move(text)});
  result.root = parse_json(source, result.diagnostics);
  return result;
}

std::string errors_of(std::string text) { return parsed(std::move(text)).errors(); }

std::string place(const Value& value) { return str(value.mark().line, ":", value.mark().column); }

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

}  // namespace

TEST_CASE("json: every kind of value is read as what it is") {
  const auto json = parsed(R"({"n": null, "t": true, "f": false, "i": -3, "r": 3.5, "s": "x", "l": [], "m": {}})");
  CHECK(json.errors().empty());
  const auto kind = [&](const char* key) { return json.root.find(key)->kind(); };
  CHECK(kind("n") == Value::Kind::null);
  CHECK(kind("t") == Value::Kind::boolean);
  CHECK(json.root.find("f")->text() == "false");
  CHECK(kind("i") == Value::Kind::integer);
  CHECK(kind("r") == Value::Kind::real);
  CHECK(kind("s") == Value::Kind::string);
  CHECK(kind("l") == Value::Kind::sequence);
  CHECK(kind("m") == Value::Kind::mapping);
}

TEST_CASE("json: every value and key knows its line and column") {
  const auto json = parsed(
      "{\"a\":1,\"b\": -2.5e3 ,\n"
      "  \"c\\n\\u00e9\": [10,20, 30],\n"
      "\t\"d\": {\"e\": \"x\\\"y\\\\\", \"f\":true},\"g\":null, \"h\":[[1],[ {} ]]\n"
      "}");
  REQUIRE(json.errors().empty());
  const Value& root = json.root;
  CHECK(place(root) == "1:1");
  const auto key_place = [](const Value::Member& member) {
    return str(member.key_mark.line, ":", member.key_mark.column);
  };
  CHECK(key_place(root.members()[0]) == "1:2");
  CHECK(place(*root.find("a")) == "1:6");
  CHECK(key_place(root.members()[1]) == "1:8");
  CHECK(place(*root.find("b")) == "1:13");
  CHECK(key_place(root.members()[2]) == "2:3");
  const Value& numbers = root.members()[2].value;
  CHECK(place(numbers) == "2:16");
  CHECK(place(numbers.items()[0]) == "2:17");
  CHECK(place(numbers.items()[1]) == "2:20");
  CHECK(place(numbers.items()[2]) == "2:24");
  const Value& mapping = *root.find("d");
  CHECK(place(mapping) == "3:7");
  CHECK(place(*mapping.find("e")) == "3:13");
  CHECK(key_place(mapping.members()[1]) == "3:23");
  CHECK(place(*mapping.find("f")) == "3:27");
  CHECK(key_place(root.members()[4]) == "3:33");
  CHECK(place(*root.find("g")) == "3:37");
  const Value& nested = *root.find("h");
  CHECK(place(nested) == "3:47");
  CHECK(place(nested.items()[0].items()[0]) == "3:49");
  CHECK(place(nested.items()[1].items()[0]) == "3:54");
}

TEST_CASE("json: a single value may be the whole text") {
  CHECK(parsed(" 12").root.text() == "12");
  CHECK(place(parsed("\n 12").root) == "2:2");
  CHECK(parsed("\"x\"").root.text() == "x");
  CHECK(parsed("null").errors().empty());
}

TEST_CASE("json: a byte order mark is skipped") { CHECK(parsed("\xEF\xBB\xBF[1]").errors().empty()); }

TEST_CASE("json: escapes are decoded") {
  CHECK(parsed(R"("\u00e9\ud83d\ude80\n\/\u0000")").root.text() == std::string("é🚀\n/\0", 9));
}

TEST_CASE("json: numbers keep their text and are never rounded") {
  const auto json = parsed("[3.7, 5e9, 0.1000, -0, 1E+2, 12345678901234567.25]");
  REQUIRE(json.errors().empty());
  const auto& items = json.root.items();
  CHECK(items[0].text() == "3.7");
  CHECK(items[1].text() == "5e9");
  CHECK(items[1].kind() == Value::Kind::real);
  CHECK(items[2].text() == "0.1000");
  CHECK(items[3].kind() == Value::Kind::integer);
  CHECK(items[4].text() == "1E+2");
  CHECK(items[5].text() == "12345678901234567.25");
}

TEST_CASE("json: integers at and beyond 64 bits keep their digits") {
  const auto json = parsed(
      "[9223372036854775807, -9223372036854775808, 18446744073709551615, 18446744073709551616, -9223372036854775809]");
  REQUIRE(json.errors().empty());
  for (const auto& item : json.root.items()) CHECK(item.kind() == Value::Kind::integer);
  CHECK(json.root.items()[0].text() == "9223372036854775807");
  CHECK(json.root.items()[1].text() == "-9223372036854775808");
  CHECK(json.root.items()[2].text() == "18446744073709551615");
  CHECK(json.root.items()[3].text() == "18446744073709551616");
  CHECK(json.root.items()[4].text() == "-9223372036854775809");
}

TEST_CASE("json: a duplicate key is an error at the second one") {
  const std::string errors = errors_of("{\"a\": 1,\n \"b\": 2, \"a\": 3}");
  CHECK(errors.find("record.json:2:10: error: duplicate key \"a\"") == 0);
  CHECK(errors_of(R"({"a": {"x": 1}, "b": {"x": 1}})").empty());
  CHECK(errors_of(R"({"a": 1, "\u0061": 1})").find("duplicate key") != std::string::npos);
}

TEST_CASE("json: what is not JSON is refused with its place") {
  CHECK(errors_of("{\"a\": 1,\n \"b\": nil}").find("record.json:2:8: error: not valid JSON: ") == 0);
  for (const char* text : {"",      " ",       "{",       "[1,]",        "{\"a\":1,}", "{a: 1}",   "{'a': 1}", "[1] 2",
                           "01",    "+1",      ".5",      "1.",          "nan",        "Infinity", "\"a",      "\"\t\"",
                           "[1 2]", "// x\n1", "\"\\x\"", "\"\\ud800\"", "{\"a\" 1}",  "]",        "1e999"}) {
    INFO(text);
    const auto json = parsed(text);
    CHECK(json.diagnostics.error_count() == 1);
    CHECK(json.errors().find("record.json:1:") == 0);
    CHECK(json.errors().find("json.exception") == std::string::npos);
    CHECK(json.errors().find("parse error at") == std::string::npos);
  }
}

TEST_CASE("json: text after the end is an error") {
  CHECK(errors_of("{}\n{}").find("record.json:2:1: error: not valid JSON: ") == 0);
  CHECK(errors_of("{}\n \n").empty());
}

TEST_CASE("json: bytes that are not UTF-8 are an error") {
  CHECK(errors_of("\"\xFF\"").find("not valid JSON") != std::string::npos);
  CHECK(errors_of("\"\xC0\xAF\"").find("not valid JSON") != std::string::npos);
  CHECK(errors_of(std::string("\"a\0b\"", 5)).find("not valid JSON") != std::string::npos);
}

TEST_CASE("json: nesting has a limit and the limit is told") {
  CHECK(errors_of(std::string(200, '[') + std::string(200, ']')).empty());
  CHECK(errors_of(std::string(201, '[') + std::string(201, ']'))
            .find("record.json:1:201: error: nested deeper than 200 levels") == 0);
  CHECK(parsed(std::string(1'000'000, '[')).diagnostics.error_count() == 1);
  std::string objects;
  for (int i = 0; i < 100'000; ++i) objects += "{\"a\":";
  CHECK(parsed(objects).diagnostics.error_count() == 1);
}

TEST_CASE("json: a record of ours that is damaged is an Error naming it") {
  CHECK(read_json_document("plan.json", "{\"a\": 1}").root.find("a")->text() == "1");
  CHECK_THROWS_WITH(read_json_document("plan.json", "{\"a\""), Catch::Contains("plan.json:1:"));
  try {
    read_json_document("plan.json", "");
    FAIL("an empty record was read");
  } catch (const Error& e) {
    CHECK(e.code() == ExitCode::bad_input);
  }
}

TEST_CASE("json: it is written in one line or indented") {
  Value value = Value::mapping();
  value.set("a", 1);
  value.set("b", Value::strings({"x", "y"}));
  value.set("c", Value::mapping());
  value.set("d", Value::sequence());
  CHECK(write_json(value, 0) == R"({"a":1,"b":["x","y"],"c":{},"d":[]})");
  CHECK(write_json(value) == "{\n  \"a\": 1,\n  \"b\": [\n    \"x\",\n    \"y\"\n  ],\n  \"c\": {},\n  \"d\": []\n}");
}

TEST_CASE("json: what is written reads back as the same tree") {
  Value value = Value::mapping();
  value.set("", Value::null());
  value.set("quote\"backslash\\", "tab\tline\nnul" + std::string(1, '\0') + "\x1f\x7f");
  value.set("unicode", "é€🚀\u2028");
  value.set("numbers", Value::sequence());
  value.find("numbers")->push(Value::scalar(Value::Kind::real, "5e9"));
  value.find("numbers")->push(std::numeric_limits<std::int64_t>::min());
  value.find("numbers")->push(true);
  for (const int indent : {0, 2}) {
    const auto again = parsed(write_json(value, indent));
    CHECK(again.errors().empty());
    CHECK(same(again.root, value));
  }
}

TEST_CASE("json: bytes that are not UTF-8 are written as the replacement character") {
  CHECK(write_json(Value("a\xFFz"), 0) == "\"a\uFFFDz\"");
}

}  // namespace viaduct
