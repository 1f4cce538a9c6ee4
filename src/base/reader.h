#pragma once

#include <cstdint>
#include <functional>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/value.h"

namespace viaduct {

// Reads a mapping into typed fields, one key after the other, and complains about everything that is wrong with it:
// a missing field, another type, a number out of range, a key nobody asked for. Mistakes go to the Diagnostics with
// the value's place; the reading goes on. Works for JSON and YAML alike.
//
//   ObjectReader trainer(value, context, "spec.trainer");
//   auto nodes = trainer.integer("numNodes", 0, 1000);
//   trainer.done();   // reports unknown keys
//
// A field that is missing or null reads as std::nullopt. Paths are written as Kubernetes writes them
// (spec.trainer.env[2].name) or, for records in JSON, as RFC 6901 pointers (/spec/trainer/env/2/name).
class ReadContext {
 public:
  enum class PathStyle { dotted, pointer };
  ReadContext(SourcePtr source, Diagnostics& diagnostics, PathStyle style = PathStyle::dotted)
      : source_(std::move(source)), diagnostics_(diagnostics), style_(style) {}

  std::string member(const std::string& path, std::string_view key) const;
  std::string item(const std::string& path, std::size_t index) const;
  void error(Mark mark, const std::string& path, const std::string& reason, std::string hint = "");
  void warning(Mark mark, const std::string& path, const std::string& reason, std::string hint = "");
  Diagnostics& diagnostics() { return diagnostics_; }

 private:
  SourcePtr source_;
  Diagnostics& diagnostics_;
  PathStyle style_;
};

class ObjectReader {
 public:
  // `value` must outlive the reader. When it is no mapping that is reported, and every field reads as missing.
  ObjectReader(const Value& value, ReadContext& context, std::string path);

  std::optional<std::string> string(std::string_view key);
  std::string required_string(std::string_view key);  // "" after complaining
  std::optional<std::int64_t> integer(std::string_view key,
                                      std::int64_t least = std::numeric_limits<std::int64_t>::min(),
                                      std::int64_t most = std::numeric_limits<std::int64_t>::max(),
                                      std::string_view message = "");
  std::optional<std::int32_t> int32(std::string_view key, std::int32_t least, std::string_view message = "",
                                    std::int32_t most = std::numeric_limits<std::int32_t>::max());
  std::optional<bool> boolean(std::string_view key);
  std::optional<std::vector<std::string>> strings(std::string_view key);
  std::vector<std::pair<std::string, std::string>> string_map(std::string_view key);
  // A value taken as it stands; null when missing.
  const Value* any(std::string_view key);
  const Value* required(std::string_view key, std::string hint = "");
  // Calls `read` with a reader of that mapping, when it is there; unknown keys in it are reported afterwards.
  bool object(std::string_view key, const std::function<void(ObjectReader&)>& read);
  // Calls `read` for each mapping of that list.
  bool objects(std::string_view key, const std::function<void(ObjectReader&)>& read);
  void ignore(std::string_view key) { any(key); }

  void done();  // reports the keys nobody asked for

  void error(std::string_view key, const std::string& reason, std::string hint = "");  // at that key's value
  void error_here(const std::string& reason, std::string hint = "");
  std::string path_of(std::string_view key) const { return context_.member(path_, key); }
  const std::string& path() const { return path_; }
  Mark mark() const { return value_.mark(); }
  Mark mark_of(std::string_view key) const;
  ReadContext& context() { return context_; }
  const Value& value() const { return value_; }

 private:
  const Value& value_;
  ReadContext& context_;
  std::string path_;
  std::vector<std::string> asked_;
};

// One scalar as text, with a complaint when it is a number, a boolean or a structure.
std::optional<std::string> read_string(const Value& value, ReadContext& context, const std::string& path);

}  // namespace viaduct
