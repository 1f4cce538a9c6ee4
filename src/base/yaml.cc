#include "base/yaml.h"

#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <map>
#include <sstream>
#include <unordered_set>

#include "base/json.h"
#include "base/text.h"

namespace viaduct {
namespace {

constexpr std::size_t deepest_nesting = 200;
constexpr std::size_t most_expanded_bytes = 64 << 20;

bool all_digits(std::string_view text) {
  return !text.empty() && text.find_first_not_of("0123456789") == std::string_view::npos;
}

std::string_view without_sign(std::string_view text) {
  return !text.empty() && (text[0] == '-' || text[0] == '+') ? text.substr(1) : text;
}

bool is_real(std::string_view text) {
  std::string_view rest = without_sign(text);
  if (rest == ".inf" || rest == ".Inf" || rest == ".INF" || text == ".nan" || text == ".NaN" || text == ".NAN") return true;
  std::string_view exponent = "0";
  if (const auto e = rest.find_first_of("eE"); e != std::string_view::npos) {
    exponent = without_sign(rest.substr(e + 1));
    rest = rest.substr(0, e);
  }
  const auto dot = rest.find('.');
  const std::string_view whole = rest.substr(0, dot);
  const std::string_view fraction = dot == std::string_view::npos ? std::string_view() : rest.substr(dot + 1);
  const auto digits_or_none = [](std::string_view digits) { return digits.empty() || all_digits(digits); };
  return all_digits(exponent) && digits_or_none(whole) && digits_or_none(fraction) && !(whole.empty() && fraction.empty());
}

Mark mark_of_offset(std::string_view text, std::size_t offset) {
  const std::string_view before = text.substr(0, offset);
  const auto line_end = before.rfind('\n');
  const std::size_t line_start = line_end == std::string_view::npos ? 0 : line_end + 1;
  return {static_cast<std::uint32_t>(1 + std::count(before.begin(), before.end(), '\n')),
          static_cast<std::uint32_t>(1 + offset - line_start)};
}

// What YAML lets stand in a text outside of escapes (`printable` in its grammar).
bool is_printable(char32_t c) {
  if (c < 0x20) return c == '\t' || c == '\n' || c == '\r';
  return c < 0x7f || c == 0x85 || (c >= 0xa0 && c <= 0xd7ff) || (c >= 0xe000 && c <= 0xfffd) || c >= 0x10000;
}

// YAML 1.2's core schema for a plain scalar.
Value::Kind resolve_plain(std::string_view text) {
  if (text.empty() || text == "~" || text == "null" || text == "Null" || text == "NULL") return Value::Kind::null;
  const char first = text[0];
  if ((first >= '0' && first <= '9') || first == '-' || first == '+' || first == '.') {
    if (all_digits(without_sign(text))) return Value::Kind::integer;
    if (is_real(text)) return Value::Kind::real;
    return Value::Kind::string;
  }
  for (const auto* word : {"true", "True", "TRUE", "false", "False", "FALSE"})
    if (text == word) return Value::Kind::boolean;
  return Value::Kind::string;
}

// Why a plain scalar means something else in YAML 1.1 (which kubectl and PyYAML read) than in YAML 1.2; "" when it
// does not.
std::string surprise_in_yaml_1_1(std::string_view text) {
  if (text.empty()) return "";
  std::string_view digits = without_sign(text);
  const bool numeric = !digits.empty() && digits[0] >= '0' && digits[0] <= '9';
  if (!numeric) {
    if (text.size() > 3) return "";
    std::string word(text);
    std::transform(word.begin(), word.end(), word.begin(), [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
    for (const auto* surprising : {"yes", "no", "on", "off", "y", "n"})
      if (word == surprising) return "a boolean";
    return "";
  }
  if (digits.size() > 1 && digits[0] == '0') {
    if (all_digits(digits))
      return digits.find_first_of("89") == std::string_view::npos ? "an octal number" : "a number to some tools";
    const char base = digits[1];
    const auto only = [&](std::string_view set) {
      return digits.size() > 2 && digits.find_first_not_of(set, 2) == std::string_view::npos;
    };
    if ((base == 'x' || base == 'X') && only("0123456789abcdefABCDEF_")) return "a hexadecimal number";
    if ((base == 'o' || base == 'O') && only("01234567_")) return "an octal number to some tools";
    if ((base == 'b' || base == 'B') && only("01_")) return "a binary number";
  }
  if (digits.find('_') != std::string_view::npos) {
    std::string joined(digits);
    std::erase(joined, '_');
    if (is_real(joined)) return "a number with separators";
  }
  if (digits.find(':') != std::string_view::npos) {
    // Sexagesimal: every part after the first is below 60. 10.0.0.1:80 and the like are not.
    const auto parts = split(digits, ':');
    const bool sixties = std::all_of(parts.begin() + 1, parts.end(), [](const std::string& part) {
      return (part.size() == 1 || part.size() == 2) && all_digits(part) && std::stoi(part) < 60;
    });
    if (sixties && all_digits(parts[0])) return "a number to base 60";
  }
  return "";
}

class TreeBuilder : public YAML::EventHandler {
 public:
  TreeBuilder(SourcePtr source, Diagnostics& diagnostics) : source_(std::move(source)), diagnostics_(diagnostics) {}

  std::vector<Document> take() { return std::move(documents_); }

  void OnDocumentStart(const YAML::Mark& mark) override {
    check_document_start(mark);
    anchors_.clear();
    stack_.clear();
    root_ = Value();
  }
  void OnDocumentEnd() override {
    if (!root_.is_null()) documents_.push_back({source_, std::move(root_)});
  }
  void OnNull(const YAML::Mark& mark, YAML::anchor_t anchor) override { add(Value::null(place_of_null(mark)), anchor); }

  void OnAlias(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    const auto found = anchors_.find(anchor);
    if (found == anchors_.end()) {
      diagnostics_.error(source_, at(mark), "an alias inside the node it names");
      add(Value::null(at(mark)), 0);
      return;
    }
    count_copy(mark, found->second.weight);
    weight_ += found->second.weight;
    add(found->second.value, 0);
  }

  void OnScalar(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor, const std::string& text) override {
    if (tag == "?" || tag.empty()) {
      const std::string surprise = surprise_in_yaml_1_1(text);
      if (!surprise.empty())
        diagnostics_.error(source_, at(mark), str("plain `", text, "` is text here, but ", surprise, " in YAML 1.1, which kubectl reads"),
                           surprise == "a boolean" ? str("write \"", text, "\" for the text, or true or false")
                                                   : str("write \"", text, "\" for the text, or a plain decimal number"));
      if (text == "<<" && key_expected())
        diagnostics_.error(source_, at(mark), "merge keys (<<) are YAML 1.1 only and not supported", "write the merged fields out");
      std::string plain = text;
      const Value::Kind kind = resolve_plain(text);
      if (kind == Value::Kind::null) plain.clear();
      if (kind == Value::Kind::boolean) plain = text[0] == 't' || text[0] == 'T' ? "true" : "false";
      if (kind == Value::Kind::integer && text[0] == '+') plain = text.substr(1);
      add(Value::scalar(kind, std::move(plain), at(mark)), anchor);
    } else {
      check_tag(mark, tag);
      check_quote(mark);
      add(Value::scalar(Value::Kind::string, text, at(mark)), anchor);
    }
  }

  void OnSequenceStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor, YAML::EmitterStyle::value) override {
    check_tag(mark, tag);
    open(mark, Value::sequence(at(mark)), anchor);
  }
  void OnSequenceEnd() override { close(); }
  void OnMapStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor, YAML::EmitterStyle::value) override {
    check_tag(mark, tag);
    open(mark, Value::mapping(at(mark)), anchor);
  }
  void OnMapEnd() override { close(); }

 private:
  struct Level {
    Value value;
    YAML::Mark mark;
    YAML::anchor_t anchor = 0;
    std::size_t weight_before = 0;
    bool has_key = false;
    std::string key;
    Mark key_mark;
    std::unordered_set<std::string> keys;  // filled once there are many
  };
  struct Anchored {
    Value value;
    std::size_t weight = 0;
  };

  static Mark at(const YAML::Mark& mark) {
    return {static_cast<std::uint32_t>(mark.line + 1), static_cast<std::uint32_t>(mark.column + 1)};
  }

  std::string_view text_from(const YAML::Mark& mark) const {
    constexpr std::string_view byte_order_mark = "\xEF\xBB\xBF";  // yaml-cpp doesn't count it
    std::string_view text = source_->text;
    if (text.starts_with(byte_order_mark)) text.remove_prefix(byte_order_mark.size());
    return text.substr(std::min(static_cast<std::size_t>(mark.pos), text.size()));
  }

  // yaml-cpp takes whatever follows a document's root for another document, and some of it for endless empty ones.
  void check_document_start(const YAML::Mark& mark) {
    const std::string_view rest = text_from(mark);
    const std::string_view before = text_from(document_start_).substr(0, text_from(document_start_).size() - rest.size());
    const bool marked = mark.column == 0 && (rest.starts_with("---") || before.find("\n...") != std::string_view::npos);
    if (!first_document_ && !rest.empty() && !marked)
      throw YAML::ParserException(mark, "something follows the end of the document");
    first_document_ = false;
    document_start_ = mark;
  }

  // yaml-cpp lets a quoted text end with the file.
  void check_quote(const YAML::Mark& mark) const {
    std::string_view rest = text_from(mark);
    while (rest.starts_with('&') || rest.starts_with('!')) {
      rest.remove_prefix(std::min(rest.find_first_of(" \t\r\n"), rest.size()));
      rest.remove_prefix(std::min(rest.find_first_not_of(" \t\r\n"), rest.size()));
    }
    if (!rest.starts_with('"') && !rest.starts_with('\'')) return;
    for (std::size_t i = 1; i < rest.size(); ++i) {
      if (rest[i] == rest[0]) return;
      if (rest[i] == '\\' && rest[0] == '"') ++i;
    }
    throw YAML::ParserException(mark, "the quote is not closed");
  }

  bool key_expected() const { return !stack_.empty() && stack_.back().value.is_mapping() && !stack_.back().has_key; }

  // A null that is not written has the mark of whatever comes next: it gets its key's place or its dash's.
  Mark place_of_null(const YAML::Mark& mark) const {
    const std::string_view rest = text_from(mark);
    const bool written = rest.starts_with('~') || rest.starts_with("null") || rest.starts_with("Null") || rest.starts_with("NULL");
    if (stack_.empty() || written || rest.starts_with('&')) return at(mark);
    if (stack_.back().has_key) return stack_.back().key_mark;
    const std::string_view text = source_->text;
    const auto dash = text.substr(0, text.size() - rest.size()).find_last_not_of(" \r\n");
    if (dash == std::string_view::npos || text[dash] != '-') return at(mark);
    return mark_of_offset(text, dash);
  }

  // Copies for anchors and aliases may multiply, so all of them together are limited.
  void count_copy(const YAML::Mark& mark, std::size_t weight) {
    copied_ += weight;
    if (copied_ > most_expanded_bytes) throw YAML::ParserException(mark, "aliases expand to too much");
  }

  void check_tag(const YAML::Mark& mark, const std::string& tag) {
    static constexpr std::array<std::string_view, 4> known = {"tag:yaml.org,2002:str", "tag:yaml.org,2002:map", "tag:yaml.org,2002:seq", "!"};
    if (tag.empty() || tag == "?" || std::find(known.begin(), known.end(), tag) != known.end()) return;
    diagnostics_.error(source_, at(mark), str("the tag ", tag, " is not supported"), "remove the tag");
  }

  void open(const YAML::Mark& mark, Value value, YAML::anchor_t anchor) {
    if (stack_.size() >= deepest_nesting) throw YAML::ParserException(mark, str("nested deeper than ", deepest_nesting, " levels"));
    Level level;
    level.value = std::move(value);
    level.mark = mark;
    level.anchor = anchor;
    level.weight_before = weight_;
    stack_.push_back(std::move(level));
  }

  void close() {
    Level level = std::move(stack_.back());
    stack_.pop_back();
    if (level.anchor != 0) {
      const std::size_t weight = weight_ - level.weight_before + sizeof(Value::Member);
      count_copy(level.mark, weight);
      anchors_[level.anchor] = {level.value, weight};
    }
    add(std::move(level.value), 0);
  }

  void add(Value value, YAML::anchor_t anchor) {
    const std::size_t weight = sizeof(Value::Member) + value.text().size();
    weight_ += weight;
    if (anchor != 0) anchors_[anchor] = {value, weight};
    if (stack_.empty()) {
      root_ = std::move(value);
      return;
    }
    Level& level = stack_.back();
    if (level.value.is_sequence()) {
      level.value.push(std::move(value));
    } else if (!level.has_key) {
      take_key(level, std::move(value));
    } else {
      level.has_key = false;
      level.value.members().push_back({std::move(level.key), level.key_mark, std::move(value)});
    }
  }

  void take_key(Level& level, Value key) {
    level.has_key = true;
    level.key_mark = key.mark();
    level.key = key.text();
    if (!key.is_scalar() || key.is_null()) {
      diagnostics_.error(source_, key.mark(), "a key must be text");
    } else if (is_duplicate(level)) {
      diagnostics_.error(source_, key.mark(), str("duplicate key \"", level.key, "\""), "keep one of them; most tools would silently take the last");
    }
  }

  static bool is_duplicate(Level& level) {
    constexpr std::size_t few = 16;
    const auto& members = level.value.members();
    if (members.size() < few) return level.value.find(level.key) != nullptr;
    if (level.keys.empty())
      for (const auto& member : members) level.keys.insert(member.key);
    return !level.keys.insert(level.key).second;
  }

  SourcePtr source_;
  Diagnostics& diagnostics_;
  std::vector<Document> documents_;
  bool first_document_ = true;
  YAML::Mark document_start_;
  std::vector<Level> stack_;
  std::map<YAML::anchor_t, Anchored> anchors_;
  std::size_t weight_ = 0;  // about the bytes of memory that all nodes so far take
  std::size_t copied_ = 0;
  Value root_;
};

std::string in_own_words(const std::string& reason) {
  if (reason.find("bad conversion") != std::string::npos) return "not valid YAML";
  return "not valid YAML: " + reason;
}

// Plain only where YAML 1.1 and 1.2 and every reader agree that it is text.
bool safe_plain(std::string_view text) {
  constexpr std::string_view first_ok = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_/";
  constexpr std::string_view rest_ok = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_./@%+=,-: ()";
  if (text.empty() || first_ok.find(text[0]) == std::string_view::npos) return false;
  if (text.find_first_not_of(rest_ok) != std::string_view::npos) return false;
  if (text.find(": ") != std::string_view::npos || text.back() == ':' || text.back() == ' ') return false;
  return resolve_plain(text) == Value::Kind::string && surprise_in_yaml_1_1(text).empty();
}

// JSON's quotes and escapes are YAML's too, but some characters YAML wants escaped, or folds as line breaks.
std::string quoted(const std::string& text) {
  const std::string json = write_json(Value(text), 0);
  std::string out;
  for (std::size_t i = 0; i < json.size();) {
    const auto [c, length] = decode_utf8(std::string_view(json).substr(i));
    if (!is_printable(c) || c == 0x85 || c == 0x2028 || c == 0x2029 || c == 0xfeff) {
      char escape[8];
      std::snprintf(escape, sizeof escape, "\\u%04x", static_cast<unsigned>(c));
      out += escape;
    } else {
      out.append(json, i, length);
    }
    i += length;
  }
  return out;
}

std::string yaml_string(const std::string& text) { return safe_plain(text) ? text : quoted(text); }

void write(std::string& out, const Value& value, std::size_t indent, bool after_key) {
  const std::string margin(indent, ' ');
  const bool empty = value.items().empty() && value.members().empty();
  if (value.is_scalar() || empty) {
    if (after_key) out += ' ';
    switch (value.kind()) {
      case Value::Kind::null: out += "null"; break;
      case Value::Kind::string: out += yaml_string(value.text()); break;
      case Value::Kind::sequence: out += "[]"; break;
      case Value::Kind::mapping: out += "{}"; break;
      default: out += value.text();
    }
    out += '\n';
    return;
  }
  if (after_key) out += '\n';
  bool first = !after_key;
  for (const auto& item : value.items()) {
    if (!first) out += margin;
    first = false;
    out += "- ";
    write(out, item, indent + 2, false);
  }
  for (const auto& member : value.members()) {
    if (!first) out += margin;
    first = false;
    constexpr std::size_t longest_simple_key = 1024;  // all of it, as YAML has it
    const std::string key = yaml_string(member.key);
    out += key.size() < longest_simple_key ? key + ":" : str("? ", key, "\n", margin, ":");
    write(out, member.value, member.value.is_sequence() ? indent : indent + 2, true);
  }
}

// yaml-cpp reads control characters and bytes that are not UTF-8 as they are; Kubernetes refuses them.
void check_bytes(const SourcePtr& source, Diagnostics& diagnostics) {
  const std::string_view text = source->text;
  for (std::size_t i = 0; i < text.size();) {
    const auto byte = static_cast<unsigned char>(text[i]);
    if (byte >= 0x20 && byte < 0x7f) {
      ++i;
      continue;
    }
    const auto [character, length] = decode_utf8(text.substr(i));
    if (length == 0) {
      diagnostics.error(source, mark_of_offset(text, i), str("not valid YAML: the byte ", int{byte}, " is not UTF-8"));
      return;
    }
    if (!is_printable(character)) {
      diagnostics.error(source, mark_of_offset(text, i),
                        str("not valid YAML: the control character ", static_cast<std::uint32_t>(character), " is not allowed"));
      return;
    }
    i += length;
  }
}

}  // namespace

std::vector<Document> parse_yaml(const SourcePtr& source, Diagnostics& diagnostics) {
  const std::size_t errors_before = diagnostics.error_count();
  check_bytes(source, diagnostics);
  if (diagnostics.error_count() > errors_before) return {};
  TreeBuilder builder(source, diagnostics);
  std::istringstream stream(source->text);
  try {
    YAML::Parser parser(stream);
    while (parser.HandleNextDocument(builder)) {
    }
  } catch (const YAML::Exception& e) {
    const Mark mark = e.mark.is_null() ? Mark{} : Mark{static_cast<std::uint32_t>(e.mark.line + 1), static_cast<std::uint32_t>(e.mark.column + 1)};
    diagnostics.error(source, mark, in_own_words(e.msg));
  }
  return builder.take();
}

std::string write_yaml(const Value& value) {
  std::string out;
  write(out, value, 0, false);
  return out;
}

}  // namespace viaduct
