#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/diagnostics.h"

namespace viaduct {

// A piece of structured data as it was written: what JSON and YAML (core schema) have in common, with its place in
// the source. Mappings keep their order. Scalars keep their text, so that numbers are never rounded on the way.
// A plain value type; owns its children.
class Value {
 public:
  enum class Kind : std::uint8_t { null, boolean, integer, real, string, sequence, mapping };
  struct Member;

  Value();  // null; this and the next ones are defined below, where Member is complete
  Value(const Value&);
  Value(Value&&) noexcept;
  Value& operator=(const Value&);
  Value& operator=(Value&&) noexcept;
  ~Value();
  static Value null(Mark mark = {}) { return Value(Kind::null, "", mark); }
  static Value scalar(Kind kind, std::string text, Mark mark = {}) { return Value(kind, std::move(text), mark); }
  static Value sequence(Mark mark = {}) { return Value(Kind::sequence, "", mark); }
  static Value mapping(Mark mark = {}) { return Value(Kind::mapping, "", mark); }
  static Value strings(const std::vector<std::string>& texts);
  Value(bool flag) : Value(Kind::boolean, flag ? "true" : "false", {}) {}           // NOLINT: values are literals
  Value(std::int64_t number) : Value(Kind::integer, std::to_string(number), {}) {}  // NOLINT
  Value(int number) : Value(static_cast<std::int64_t>(number)) {}                   // NOLINT
  Value(std::string text) : Value(Kind::string, std::move(text), {}) {}             // NOLINT
  Value(const char* text) : Value(std::string(text)) {}                             // NOLINT

  Kind kind() const { return kind_; }
  bool is_null() const { return kind_ == Kind::null; }
  bool is_mapping() const { return kind_ == Kind::mapping; }
  bool is_sequence() const { return kind_ == Kind::sequence; }
  bool is_scalar() const { return !is_mapping() && !is_sequence(); }

  const std::string& text() const { return text_; }  // of a scalar; "" for null
  Mark mark() const { return mark_; }

  const std::vector<Value>& items() const { return items_; }
  std::vector<Value>& items() { return items_; }
  const std::vector<Member>& members() const { return members_; }
  std::vector<Member>& members() { return members_; }

  // The member of that name, or null when there is none (or this is no mapping).
  const Value* find(std::string_view key) const;
  Value* find(std::string_view key);
  // Follows keys from mapping to mapping; null as soon as one is missing.
  const Value* find_path(std::initializer_list<std::string_view> keys) const;

  void set(std::string key, Value value);  // replaces the member of that name, or appends it
  void push(Value value) { items_.push_back(std::move(value)); }

 private:
  Value(Kind kind, std::string text, Mark mark);

  Kind kind_ = Kind::null;
  Mark mark_;
  std::string text_;
  std::vector<Value> items_;
  std::vector<Member> members_;
};

struct Value::Member {
  std::string key;
  Mark key_mark;
  Value value;
};

inline Value::Value() = default;
inline Value::Value(const Value&) = default;
inline Value::Value(Value&&) noexcept = default;
inline Value& Value::operator=(const Value&) = default;
inline Value& Value::operator=(Value&&) noexcept = default;
inline Value::~Value() = default;
inline Value::Value(Kind kind, std::string text, Mark mark) : kind_(kind), mark_(mark), text_(std::move(text)) {}

// One document: the tree and the text it came from.
struct Document {
  SourcePtr source;
  Value root;
};

}  // namespace viaduct
