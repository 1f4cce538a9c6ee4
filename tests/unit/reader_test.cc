#include "base/reader.h"

#include <catch2/catch.hpp>
#include <chrono>

#include "base/json.h"
#include "base/text.h"
#include "base/yaml.h"

namespace viaduct {
namespace {

// Reads a YAML text with `read` and returns what was wrong with it.
template <typename Read>
std::string complaints(const std::string& text, const Read& read) {
  const auto source = std::make_shared<const Source>(Source{"job.yaml", text});
  Diagnostics diagnostics;
  const auto documents = parse_yaml(source, diagnostics);
  REQUIRE(documents.size() == 1);
  ReadContext context(source, diagnostics);
  ObjectReader reader(documents[0].root, context, "spec");
  read(reader);
  reader.done();
  return diagnostics.render(false);
}

std::string first_line(const std::string& text) { return split(text, '\n')[0]; }

std::string hint_of(const std::string& text) {
  const auto at = text.find("hint: ");
  return at == std::string::npos ? "" : first_line(text.substr(at + 6));
}

}  // namespace

TEST_CASE("reader: fields of the right type are read without complaint") {
  const std::string text = "name: a\nnodes: 3\nsmall: -4\nflag: true\nargs: [x, z]\nlabels: {k: v, l: w}\n";
  const std::string errors = complaints(text, [](ObjectReader& reader) {
    CHECK(reader.string("name") == "a");
    CHECK(reader.integer("nodes", 0, 10) == 3);
    CHECK(reader.int32("small", -5) == -4);
    CHECK(reader.boolean("flag") == true);
    CHECK(reader.strings("args") == std::vector<std::string>{"x", "z"});
    CHECK(reader.string_map("labels") == std::vector<std::pair<std::string, std::string>>{{"k", "v"}, {"l", "w"}});
  });
  CHECK(errors.empty());
}

TEST_CASE("reader: a field that is missing or null reads as nothing") {
  const std::string errors = complaints("a: ~\nb: null\n", [](ObjectReader& reader) {
    const auto never = [](ObjectReader&) { FAIL("there is no such field"); };
    CHECK_FALSE(reader.string("a"));
    CHECK_FALSE(reader.integer("b"));
    CHECK_FALSE(reader.boolean("c"));
    CHECK_FALSE(reader.strings("d"));
    CHECK(reader.string_map("e").empty());
    CHECK(reader.any("a") == nullptr);
    CHECK_FALSE(reader.object("f", never));
    CHECK_FALSE(reader.objects("g", never));
  });
  CHECK(errors.empty());
}

TEST_CASE("reader: a required field that is missing or null is named at its mapping") {
  const auto require = [](ObjectReader& reader) { CHECK(reader.required_string("name").empty()); };
  CHECK(first_line(complaints("\nname: ~\n", require)) == "job.yaml:2:1: error: spec.name: required, but missing");
  CHECK(first_line(complaints("{}", require)) == "job.yaml:1:1: error: spec.name: required, but missing");
  const std::string errors =
      complaints("name: x", [](ObjectReader& reader) { CHECK(reader.required("name")->text() == "x"); });
  CHECK(errors.empty());
}

TEST_CASE("reader: a value of another type is told as what it is") {
  const auto as_string = [](ObjectReader& reader) { CHECK_FALSE(reader.string("a")); };
  const auto as_number = [](ObjectReader& reader) { CHECK_FALSE(reader.integer("a")); };
  const auto as_flag = [](ObjectReader& reader) { CHECK_FALSE(reader.boolean("a")); };
  const auto as_list = [](ObjectReader& reader) { CHECK_FALSE(reader.strings("a")); };
  CHECK(first_line(complaints("a: 3", as_string)) == "job.yaml:1:4: error: spec.a: must be text, not the number 3");
  CHECK(first_line(complaints("a: [x]", as_string)) == "job.yaml:1:4: error: spec.a: must be text, not a list");
  CHECK(first_line(complaints("a: 3.7", as_number)) ==
        "job.yaml:1:4: error: spec.a: must be a whole number, not the number 3.7");
  CHECK(first_line(complaints("a: 5e9", as_number)) ==
        "job.yaml:1:4: error: spec.a: must be a whole number, not the number 5e9");
  CHECK(first_line(complaints("a: true", as_number)) ==
        "job.yaml:1:4: error: spec.a: must be a whole number, not the boolean true");
  CHECK(first_line(complaints("a: {}", as_number)) ==
        "job.yaml:1:4: error: spec.a: must be a whole number, not a mapping");
  CHECK(first_line(complaints("a: 1", as_flag)) ==
        "job.yaml:1:4: error: spec.a: must be true or false, not the number 1");
  CHECK(first_line(complaints("a: x", as_list)) == "job.yaml:1:4: error: spec.a: must be a list, not the text \"x\"");
}

TEST_CASE("reader: the hint says how to write a value of the right type") {
  CHECK(hint_of(complaints("a: 3", [](ObjectReader& reader) { reader.string("a"); })) == "quote it: \"3\"");
  CHECK(hint_of(complaints("a: true", [](ObjectReader& reader) { reader.string("a"); })) == "quote it: \"true\"");
  CHECK(hint_of(complaints("a: \"3\"", [](ObjectReader& reader) { reader.integer("a"); })) == "remove the quotes: 3");
  CHECK(hint_of(complaints("a: \"true\"", [](ObjectReader& reader) { reader.boolean("a"); })) == "remove the quotes");
  CHECK(hint_of(complaints("a: x", [](ObjectReader& reader) { reader.integer("a"); })).empty());
  CHECK(hint_of(complaints("a: sh -c x", [](ObjectReader& reader) { reader.strings("a"); })).find("one list item") !=
        std::string::npos);
}

TEST_CASE("reader: a number out of range is told with the range") {
  const auto read = [](ObjectReader& reader) { CHECK_FALSE(reader.integer("a", 1, 10)); };
  CHECK(first_line(complaints("a: 0", read)) == "job.yaml:1:4: error: spec.a: must be from 1 to 10, not 0");
  CHECK(first_line(complaints("a: 11", read)) == "job.yaml:1:4: error: spec.a: must be at most 10, not 11");
  const auto read32 = [](ObjectReader& reader) { CHECK_FALSE(reader.int32("a", 0)); };
  CHECK(first_line(complaints("a: -1", read32)) == "job.yaml:1:4: error: spec.a: must be 0 or more, not -1");
  const auto with_message = [](ObjectReader& reader) { CHECK_FALSE(reader.int32("a", 1, "a job needs a node")); };
  CHECK(first_line(complaints("a: 0", with_message)) == "job.yaml:1:4: error: spec.a: a job needs a node");
}

TEST_CASE("reader: a number is never wrapped or cut to fit") {
  const auto read32 = [](ObjectReader& reader) { CHECK_FALSE(reader.int32("a", 0)); };
  CHECK(first_line(complaints("a: 5000000000", read32)) ==
        "job.yaml:1:4: error: spec.a: must be at most 2147483647, not 5000000000");
  const auto read64 = [](ObjectReader& reader) { CHECK_FALSE(reader.integer("a")); };
  CHECK(first_line(complaints("a: 9223372036854775808", read64)) ==
        "job.yaml:1:4: error: spec.a: must fit into 64 bits, not 9223372036854775808");
  const std::string errors = complaints("a: 9223372036854775807", [](ObjectReader& reader) {
    CHECK(reader.integer("a") == std::numeric_limits<std::int64_t>::max());
  });
  CHECK(errors.empty());
}

TEST_CASE("reader: an unknown field is told at its key, with the nearest known one") {
  const auto read = [](ObjectReader& reader) {
    reader.string("image");
    reader.string("command");
  };
  const std::string errors = complaints("image: x\n  \ncomand: y\n", read);
  CHECK(first_line(errors) == "job.yaml:3:1: error: spec.comand: unknown field");
  CHECK(hint_of(errors) == "did you mean command?");
  CHECK(hint_of(complaints("volumes: x", read)) == "known here: image, command");
  CHECK(complaints("volumes: x", [](ObjectReader& reader) { reader.ignore("volumes"); }).empty());
}

TEST_CASE("reader: a field asked for twice is named once among the known ones") {
  CHECK(hint_of(complaints("volumes: x", [](ObjectReader& reader) {
          reader.any("image");
          reader.string("image");
        })) == "known here: image");
}

TEST_CASE("reader: paths are written as Kubernetes writes them") {
  const auto read = [](ObjectReader& reader) {
    reader.object("trainer", [](ObjectReader& trainer) {
      trainer.objects("env", [](ObjectReader& variable) { variable.required_string("name"); });
      trainer.strings("args");
    });
  };
  const std::string errors =
      complaints("trainer:\n  env:\n  - name: a\n  - name: 3\n  - x\n  - \n  args: [a, 7]\n", read);
  CHECK(errors.find("job.yaml:4:11: error: spec.trainer.env[1].name: must be text") != std::string::npos);
  CHECK(errors.find("job.yaml:5:5: error: spec.trainer.env[2]: must be a mapping, not the text \"x\"") !=
        std::string::npos);
  CHECK(errors.find("job.yaml:6:3: error: spec.trainer.env[3]: must be a mapping, not null") != std::string::npos);
  CHECK(errors.find("job.yaml:7:13: error: spec.trainer.args[1]: must be text, not the number 7") != std::string::npos);
  CHECK(split(errors, '\n').size() > 4);
}

TEST_CASE("reader: paths in records are JSON pointers, with ~ and / escaped") {
  const auto source = std::make_shared<const Source>(Source{"plan.json", R"({"a/b": {"c~d": [{"e": 1}]}})"});
  Diagnostics diagnostics;
  const Value root = parse_json(source, diagnostics);
  ReadContext context(source, diagnostics, ReadContext::PathStyle::pointer);
  ObjectReader reader(root, context, "");
  reader.object("a/b", [](ObjectReader& inner) {
    CHECK(inner.path() == "/a~1b");
    inner.objects("c~d", [](ObjectReader& item) { item.string("e"); });
  });
  CHECK(first_line(diagnostics.render(false)) ==
        "plan.json:1:24: error: /a~1b/c~0d/0/e: must be text, not the number 1");
}

TEST_CASE("reader: at the root a path is just the key") {
  Diagnostics diagnostics;
  ReadContext context(nullptr, diagnostics);
  CHECK(context.member("", "spec") == "spec");
  CHECK(context.item("args", 2) == "args[2]");
}

TEST_CASE("reader: what is no mapping is told once, and every field reads as missing") {
  const std::string errors = complaints("[a]", [](ObjectReader& reader) {
    CHECK_FALSE(reader.string("a"));
    CHECK(reader.required("b") == nullptr);
    CHECK(reader.required_string("c").empty());
  });
  CHECK(first_line(errors) == "job.yaml:1:1: error: spec: must be a mapping, not a list");
  CHECK(errors.find("required") == std::string::npos);
}

TEST_CASE("reader: a map of texts complains about other values and goes on") {
  const std::string errors = complaints("labels: {a: 1, b: x, c: ~}", [](ObjectReader& reader) {
    CHECK(reader.string_map("labels") == std::vector<std::pair<std::string, std::string>>{{"b", "x"}});
  });
  CHECK(first_line(errors) == "job.yaml:1:13: error: spec.labels.a: must be text, not the number 1");
  const auto read_nothing = [](ObjectReader& reader) { CHECK(reader.string_map("labels").empty()); };
  CHECK(first_line(complaints("labels: x", read_nothing)) ==
        "job.yaml:1:9: error: spec.labels: must be a mapping, not the text \"x\"");
}

TEST_CASE("reader: a large map is read in a moment") {
  Value labels = Value::mapping();
  for (int i = 0; i < 30'000; ++i) labels.members().push_back({str("key", i), {}, Value("x")});
  Value root = Value::mapping();
  root.set("labels", std::move(labels));
  Diagnostics diagnostics;
  ReadContext context(nullptr, diagnostics);
  ObjectReader reader(root, context, "");
  const auto start = std::chrono::steady_clock::now();
  CHECK(reader.string_map("labels").size() == 30'000);
  CHECK(std::chrono::steady_clock::now() - start < std::chrono::seconds(5));
}

TEST_CASE("reader: a long text in a complaint is cut") {
  const std::string errors =
      complaints("a: " + std::string(1000, 'x'), [](ObjectReader& reader) { reader.integer("a"); });
  CHECK(first_line(errors).size() < 200);
}

TEST_CASE("reader: a cut never splits a character") {
  std::string text = "x";
  for (int i = 0; i < 100; ++i) text += "é";
  const std::string errors = complaints("a: " + text, [](ObjectReader& reader) { reader.integer("a"); });
  const std::string line = first_line(errors);
  for (std::string_view rest = line; !rest.empty();) {
    const auto character = decode_utf8(rest);
    REQUIRE(character.length > 0);
    rest.remove_prefix(character.length);
  }
}

TEST_CASE("reader: a complaint of the caller's own stands at the field's value") {
  CHECK(first_line(complaints("a: 1\nb:  x\n", [](ObjectReader& reader) {
          reader.ignore("a");
          reader.ignore("b");
          reader.error("b", "is odd", "choose another");
        })) == "job.yaml:2:5: error: spec.b: is odd");
  CHECK(first_line(complaints("\n{}", [](ObjectReader& reader) { reader.error_here("is empty"); })) ==
        "job.yaml:2:1: error: spec: is empty");
}

}  // namespace viaduct
