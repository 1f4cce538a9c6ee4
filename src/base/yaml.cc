#include "base/yaml.h"

#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <array>
#include <map>
#include <sstream>
#include <unordered_set>

#include "base/text.h"
#include "base/yaml_scalar.h"

namespace viaduct {
namespace {

constexpr std::size_t deepest_nesting = 200;
constexpr std::size_t most_expanded_bytes = 64 << 20;

Mark mark_of_offset(std::string_view text, std::size_t offset) {
  const std::string_view before = text.substr(0, offset);
  const auto line_end = before.rfind('\n');
  const std::size_t line_start = line_end == std::string_view::npos ? 0 : line_end + 1;
  return {static_cast<std::uint32_t>(1 + std::count(before.begin(), before.end(), '\n')),
          static_cast<std::uint32_t>(1 + offset - line_start)};
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

  void OnScalar(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                const std::string& text) override {
    if (tag == "?" || tag.empty()) {
      const std::string surprise = surprise_in_yaml_1_1(text);
      if (!surprise.empty())
        diagnostics_.error(source_, at(mark),
                           str("plain `", text, "` is text here, but ", surprise, " in YAML 1.1, which kubectl reads"),
                           surprise == "a boolean"
                               ? str("write \"", text, "\" for the text, or true or false")
                               : str("write \"", text, "\" for the text, or a plain decimal number"));
      if (text == "<<" && key_expected())
        diagnostics_.error(source_, at(mark), "merge keys (<<) are YAML 1.1 only and not supported",
                           "write the merged fields out");
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

  void OnSequenceStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                       YAML::EmitterStyle::value) override {
    check_tag(mark, tag);
    open(mark, Value::sequence(at(mark)), anchor);
  }
  void OnSequenceEnd() override { close(); }
  void OnMapStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                  YAML::EmitterStyle::value) override {
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
    const std::string_view before =
        text_from(document_start_).substr(0, text_from(document_start_).size() - rest.size());
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
    const bool written =
        rest.starts_with('~') || rest.starts_with("null") || rest.starts_with("Null") || rest.starts_with("NULL");
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
    static constexpr std::array<std::string_view, 4> known = {"tag:yaml.org,2002:str", "tag:yaml.org,2002:map",
                                                              "tag:yaml.org,2002:seq", "!"};
    if (tag.empty() || tag == "?" || std::find(known.begin(), known.end(), tag) != known.end()) return;
    diagnostics_.error(source_, at(mark), str("the tag ", tag, " is not supported"), "remove the tag");
  }

  void open(const YAML::Mark& mark, Value value, YAML::anchor_t anchor) {
    if (stack_.size() >= deepest_nesting)
      throw YAML::ParserException(mark, str("nested deeper than ", deepest_nesting, " levels"));
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
      diagnostics_.error(source_, key.mark(), str("duplicate key \"", level.key, "\""),
                         "keep one of them; most tools would silently take the last");
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
      diagnostics.error(
          source, mark_of_offset(text, i),
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
    const Mark mark = e.mark.is_null() ? Mark{}
                                       : Mark{static_cast<std::uint32_t>(e.mark.line + 1),
                                              static_cast<std::uint32_t>(e.mark.column + 1)};
    diagnostics.error(source, mark, in_own_words(e.msg));
  }
  return builder.take();
}

}  // namespace viaduct
