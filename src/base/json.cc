#include "base/json.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <set>

#include "base/error.h"
#include "base/text.h"

namespace viaduct {
namespace {

using Json = nlohmann::json;

constexpr std::size_t deepest_nesting = 200;

// Reads the text for nlohmann's lexer and remembers how far it got: the lexer tells no positions of its own.
class CountingIterator {
 public:
  using iterator_category = std::input_iterator_tag;
  using value_type = char;
  using difference_type = std::ptrdiff_t;
  using pointer = const char*;
  using reference = const char&;

  CountingIterator(const char* at, const char** furthest) : at_(at), furthest_(furthest) {}
  reference operator*() const { return *at_; }
  CountingIterator& operator++() {
    ++at_;
    *furthest_ = at_;
    return *this;
  }
  CountingIterator operator++(int) {
    CountingIterator before = *this;
    ++*this;
    return before;
  }
  bool operator==(const CountingIterator& other) const { return at_ == other.at_; }
  bool operator!=(const CountingIterator& other) const { return at_ != other.at_; }

 private:
  const char* at_;
  const char** furthest_;
};

// Builds the tree from nlohmann's SAX events.
class TreeBuilder : public nlohmann::json_sax<Json> {
 public:
  TreeBuilder(SourcePtr source, Diagnostics& diagnostics) : source_(std::move(source)), diagnostics_(diagnostics) {
    const std::string& text = source_->text;
    furthest_ = counted_ = token_end_ = text.data();
    line_start_ = text.data();
  }

  const char** furthest() { return &furthest_; }
  Value take() { return std::move(root_); }

  bool null() override { return add(Value::null(next_mark())); }
  bool boolean(bool flag) override {
    return add(Value::scalar(Value::Kind::boolean, flag ? "true" : "false", next_mark()));
  }
  bool number_integer(number_integer_t number) override { return integer(std::to_string(number)); }
  bool number_unsigned(number_unsigned_t number) override { return integer(std::to_string(number)); }
  bool number_float(number_float_t, const string_t& text) override {
    const bool whole = text.find_first_of(".eE") == std::string::npos;  // beyond 64 bits; the reader says so
    return add(Value::scalar(whole ? Value::Kind::integer : Value::Kind::real, text, next_mark()));
  }
  bool string(string_t& text) override { return add(Value::scalar(Value::Kind::string, std::move(text), next_mark())); }
  bool binary(binary_t&) override { return false; }
  bool start_object(std::size_t) override { return open(Value::mapping(next_mark())); }
  bool start_array(std::size_t) override { return open(Value::sequence(next_mark())); }
  bool end_object() override { return close(); }
  bool end_array() override { return close(); }

  bool key(string_t& text) override {
    const Mark mark = next_mark();
    Level& level = stack_.back();
    if (!level.keys.insert(text).second)
      diagnostics_.error(source_, mark, str("duplicate key \"", text, "\""),
                         "keep one of them; which one would count is not defined");
    level.key = std::move(text);
    level.key_mark = mark;
    return true;
  }

  bool parse_error(std::size_t, const std::string&, const Json::exception& error) override {
    advance_to(furthest_ > source_->text.data() ? furthest_ - 1 : furthest_);
    std::string reason =
        error.what();  // "[json.exception.NAME.NUMBER] parse error at line 1, column 2: why", or just why
    for (const auto* prefix : {"[json.exception", "parse error at"}) {
      const auto end = reason.starts_with(prefix) ? reason.find(*prefix == '[' ? "] " : ": ") : std::string::npos;
      if (end != std::string::npos) reason.erase(0, end + 2);
    }
    diagnostics_.error(source_, {line_, column_of(counted_)}, "not valid JSON: " + reason);
    return false;
  }

 private:
  struct Level {
    Value value;
    std::string key;
    Mark key_mark;
    std::set<std::string> keys;
  };

  bool integer(std::string text) { return add(Value::scalar(Value::Kind::integer, std::move(text), next_mark())); }

  bool open(Value value) {
    if (stack_.size() >= deepest_nesting) {
      diagnostics_.error(source_, value.mark(), str("nested deeper than ", deepest_nesting, " levels"));
      return false;
    }
    stack_.push_back({std::move(value), "", {}, {}});
    return true;
  }

  bool close() {
    token_end_ = furthest_;
    Value done = std::move(stack_.back().value);
    stack_.pop_back();
    return add(std::move(done));
  }

  bool add(Value value) {
    if (stack_.empty()) {
      root_ = std::move(value);
    } else if (Level& level = stack_.back(); level.value.is_sequence()) {
      level.value.push(std::move(value));
    } else {
      level.value.members().push_back({std::move(level.key), level.key_mark, std::move(value)});
    }
    return true;
  }

  // The token just read begins at the first byte after the previous token that is neither blank nor punctuation
  // between values. (The lexer has read at most one byte beyond a number.)
  Mark next_mark() {
    const std::string& text = source_->text;
    const char* const end = text.data() + text.size();
    const char* at = token_end_;
    while (at < end && std::string_view(" \t\r\n,:]}").find(*at) != std::string_view::npos) ++at;
    advance_to(std::min(at, end));
    const bool number = at < end && (*at == '-' || (*at >= '0' && *at <= '9'));
    token_end_ = number ? std::max(furthest_ - 1, at + 1) : furthest_;
    return {line_, column_of(at)};
  }

  void advance_to(const char* target) {
    for (; counted_ < target; ++counted_) {
      if (*counted_ == '\n') {
        ++line_;
        line_start_ = counted_ + 1;
      }
    }
  }

  std::uint32_t column_of(const char* at) const {
    return static_cast<std::uint32_t>(std::max<std::ptrdiff_t>(at - line_start_, 0) + 1);
  }

  SourcePtr source_;
  Diagnostics& diagnostics_;
  const char* furthest_;
  const char* token_end_;
  const char* counted_;
  const char* line_start_;
  std::uint32_t line_ = 1;
  std::vector<Level> stack_;
  Value root_;
};

void write_string(std::string& out, const std::string& text) {
  const bool simple = std::all_of(text.begin(), text.end(),
                                  [](unsigned char c) { return c >= 0x20 && c < 0x7f && c != '"' && c != '\\'; });
  if (simple) {
    out += '"' + text + '"';
  } else {
    out += Json(text).dump(-1, ' ', false, Json::error_handler_t::replace);
  }
}

void write(std::string& out, const Value& value, int indent, int depth) {
  const auto newline = [&](int level) {
    if (indent == 0) return;
    out += '\n';
    out.append(static_cast<std::size_t>(level) * static_cast<std::size_t>(indent), ' ');
  };
  bool first = true;
  switch (value.kind()) {
    case Value::Kind::null:
      out += "null";
      return;
    case Value::Kind::string:
      write_string(out, value.text());
      return;
    case Value::Kind::boolean:
    case Value::Kind::integer:
    case Value::Kind::real:
      out += value.text();
      return;
    case Value::Kind::sequence:
      if (value.items().empty()) {
        out += "[]";
        return;
      }
      out += '[';
      for (const auto& item : value.items()) {
        if (!first) out += ',';
        first = false;
        newline(depth + 1);
        write(out, item, indent, depth + 1);
      }
      newline(depth);
      out += ']';
      return;
    case Value::Kind::mapping:
      if (value.members().empty()) {
        out += "{}";
        return;
      }
      out += '{';
      for (const auto& member : value.members()) {
        if (!first) out += ',';
        first = false;
        newline(depth + 1);
        write_string(out, member.key);
        out += indent == 0 ? ":" : ": ";
        write(out, member.value, indent, depth + 1);
      }
      newline(depth);
      out += '}';
      return;
  }
}

}  // namespace

Value parse_json(const SourcePtr& source, Diagnostics& diagnostics) {
  TreeBuilder builder(source, diagnostics);
  const char* const begin = source->text.data();
  const char* const end = begin + source->text.size();
  Json::sax_parse(CountingIterator(begin, builder.furthest()), CountingIterator(end, builder.furthest()), &builder);
  return builder.take();
}

Document read_json_document(std::string name, std::string text) {
  auto source = std::make_shared<const Source>(Source{std::move(name), std::move(text)});
  Diagnostics diagnostics;
  Value root = parse_json(source, diagnostics);
  if (diagnostics.has_errors()) throw Error(std::string(trim(diagnostics.render(false))), ExitCode::bad_input);
  return {source, std::move(root)};
}

std::string write_json(const Value& value, int indent) {
  std::string out;
  write(out, value, indent, 0);
  return out;
}

}  // namespace viaduct
