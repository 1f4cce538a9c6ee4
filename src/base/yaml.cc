#include "base/yaml.h"

#include <yaml.h>

#include <algorithm>
#include <map>
#include <new>
#include <optional>
#include <unordered_set>

#include "base/text.h"
#include "base/yaml_scalar.h"

namespace viaduct {
namespace {

constexpr std::size_t deepest_nesting = 200;
constexpr std::size_t most_expanded_bytes = 64 << 20;

// Ends the reading: what comes after it makes no sense.
struct Fatal {
  Mark mark;
  std::string reason;
};

class Event {
 public:
  Event() = default;
  Event(const Event&) = delete;
  Event& operator=(const Event&) = delete;
  ~Event() { yaml_event_delete(&event_); }
  yaml_event_t& operator*() { return event_; }
  yaml_event_t* operator->() { return &event_; }

 private:
  yaml_event_t event_{};
};

class Parser {
 public:
  explicit Parser(std::string_view text) {
    if (yaml_parser_initialize(&parser_) == 0) throw std::bad_alloc();
    yaml_parser_set_encoding(&parser_, YAML_UTF8_ENCODING);  // else it reads UTF-16 too
    yaml_parser_set_input_string(&parser_, reinterpret_cast<const unsigned char*>(text.data()), text.size());
  }
  Parser(const Parser&) = delete;
  Parser& operator=(const Parser&) = delete;
  ~Parser() { yaml_parser_delete(&parser_); }

  bool next(Event& event) { return yaml_parser_parse(&parser_, &*event) != 0; }
  const yaml_parser_t& state() const { return parser_; }

 private:
  yaml_parser_t parser_{};
};

// Finds libyaml's places in the text: it counts characters, and takes more than "\n" for the end of a line. Quick for
// places that are asked for in their order.
class Places {
 public:
  explicit Places(std::string_view text) : text_(text) {}

  std::string_view text_from(std::size_t index) {
    go_to(index);
    return text_.substr(offset_);
  }
  char before(std::size_t index) {
    go_to(index);
    return offset_ > 0 ? text_[offset_ - 1] : '\n';
  }
  Mark mark(std::size_t index) {
    go_to(index);
    return {line_, static_cast<std::uint32_t>(1 + offset_ - line_start_)};
  }
  Mark mark_of_byte(std::size_t offset) {
    const std::string_view before = text_.substr(0, offset);
    return mark(static_cast<std::size_t>(
        std::count_if(before.begin(), before.end(), [](char c) { return !continues_a_character(c); })));
  }

 private:
  static bool continues_a_character(char c) { return (static_cast<unsigned char>(c) & 0xc0) == 0x80; }

  void go_to(std::size_t index) {
    if (index < index_) *this = Places(text_);
    for (; index_ < index && offset_ < text_.size(); ++index_) {
      if (text_[offset_++] == '\n') {
        ++line_;
        line_start_ = offset_;
      }
      while (offset_ < text_.size() && continues_a_character(text_[offset_])) ++offset_;
    }
  }

  std::string_view text_;
  std::size_t index_ = 0;   // in characters
  std::size_t offset_ = 0;  // in bytes
  std::size_t line_start_ = 0;
  std::uint32_t line_ = 1;
};

std::string_view view(const yaml_char_t* text) {
  return text ? std::string_view(reinterpret_cast<const char*>(text)) : std::string_view();
}

class TreeBuilder {
 public:
  TreeBuilder(SourcePtr source, Places& places, Diagnostics& diagnostics)
      : source_(std::move(source)), places_(places), diagnostics_(diagnostics) {}

  std::vector<Document> take() { return std::move(documents_); }

  void handle(const yaml_event_t& event) {
    const Mark mark = places_.mark(event.start_mark.index);
    switch (event.type) {
      case YAML_DOCUMENT_START_EVENT:
        anchors_.clear();
        anchor_of_name_.clear();
        root_ = Value();
        break;
      case YAML_DOCUMENT_END_EVENT:
        if (!root_.is_null()) documents_.push_back({source_, std::move(root_)});
        break;
      case YAML_ALIAS_EVENT:
        check_question_mark(mark, event);
        add_alias(mark, view(event.data.alias.anchor));
        break;
      case YAML_SCALAR_EVENT:
        check_question_mark(mark, event);
        add_scalar(mark, event);
        break;
      case YAML_SEQUENCE_START_EVENT:
        check_question_mark(mark, event);
        check_tag(mark, view(event.data.sequence_start.tag), "tag:yaml.org,2002:seq");
        open(mark, Value::sequence(mark), view(event.data.sequence_start.anchor));
        break;
      case YAML_MAPPING_START_EVENT:
        check_question_mark(mark, event);
        check_tag(mark, view(event.data.mapping_start.tag), "tag:yaml.org,2002:map");
        open(mark, Value::mapping(mark), view(event.data.mapping_start.anchor));
        break;
      case YAML_SEQUENCE_END_EVENT:
      case YAML_MAPPING_END_EVENT:
        close();
        break;
      default:
        break;
    }
  }

 private:
  using AnchorId = std::size_t;  // 0 for none, else its place in anchors_ and one
  struct Level {
    Value value;
    Mark mark;
    AnchorId anchor = 0;
    std::size_t weight_before = 0;
    bool has_key = false;
    std::string key;
    Mark key_mark;
    std::unordered_set<std::string> keys;  // filled once there are many
  };
  struct Anchored {
    std::optional<Value> value;  // none as long as the node is open
    std::size_t weight = 0;
  };

  void add_alias(Mark mark, std::string_view name) {
    const auto found = anchor_of_name_.find(name);
    if (found == anchor_of_name_.end()) throw Fatal{mark, str("no anchor &", name, " stands before this alias")};
    const Anchored& anchored = anchors_[found->second - 1];
    if (!anchored.value) {
      diagnostics_.error(source_, mark, "an alias inside the node it names");
      add(Value::null(mark), 0);
      return;
    }
    count_copy(mark, anchored.weight);
    weight_ += anchored.weight;
    add(*anchored.value, 0);
  }

  void add_scalar(Mark mark, const yaml_event_t& event) {
    const auto& scalar = event.data.scalar;
    const std::string_view tag = view(scalar.tag);
    const AnchorId anchor = new_anchor(view(scalar.anchor));
    std::string text(reinterpret_cast<const char*>(scalar.value), scalar.length);
    if (scalar.style != YAML_PLAIN_SCALAR_STYLE || !tag.empty() || is_text_by_tag(event)) {
      check_tag(mark, tag, "tag:yaml.org,2002:str");
      add(Value::scalar(Value::Kind::string, std::move(text), mark), anchor);
      return;
    }
    const std::string surprise = surprise_in_yaml_1_1(text);
    if (!surprise.empty())
      diagnostics_.error(source_, mark,
                         str("plain `", text, "` is text here, but ", surprise, " in YAML 1.1, which kubectl reads"),
                         surprise == "a boolean" ? str("write \"", text, "\" for the text, or true or false")
                                                 : str("write \"", text, "\" for the text, or a plain decimal number"));
    if (text == "<<" && key_expected())
      diagnostics_.error(source_, mark, "merge keys (<<) are YAML 1.1 only and not supported",
                         "write the merged fields out");
    const Value::Kind kind = resolve_plain(text);
    const bool left_out = text.empty() && !scalar.anchor;
    if (kind == Value::Kind::null) text.clear();
    if (kind == Value::Kind::boolean) text = text[0] == 't' || text[0] == 'T' ? "true" : "false";
    if (kind == Value::Kind::integer && text[0] == '+') text.erase(0, 1);
    add(Value::scalar(kind, std::move(text), left_out ? place_of_left_out(mark) : mark), anchor);
  }

  // Inside brackets, libyaml takes "?x" for the key x, as YAML 1.1 has it.
  void check_question_mark(Mark mark, const yaml_event_t& event) {
    if (key_expected() && places_.before(event.start_mark.index) == '?')
      diagnostics_.error(source_, mark,
                         "a ? right before a text is part of it here, but not in YAML 1.1, which kubectl reads",
                         "put the text in quotes");
  }

  // libyaml drops the tag "!" of a plain scalar, which makes it text in YAML 1.2.
  bool is_text_by_tag(const yaml_event_t& event) {
    std::string_view rest = places_.text_from(event.start_mark.index);
    if (rest.starts_with('&')) {
      rest.remove_prefix(1 + view(event.data.scalar.anchor).size());
      rest.remove_prefix(std::min(rest.find_first_not_of(" \t\r\n"), rest.size()));
    }
    return rest.starts_with('!');
  }

  bool key_expected() const { return !stack_.empty() && stack_.back().value.is_mapping() && !stack_.back().has_key; }

  // libyaml has it right behind the colon or the dash: it gets its key's place or its dash's.
  Mark place_of_left_out(Mark mark) const {
    if (stack_.empty()) return mark;
    if (stack_.back().has_key) return stack_.back().key_mark;
    if (stack_.back().value.is_sequence()) --mark.column;
    return mark;
  }

  // Copies for anchors and aliases may multiply, so all of them together are limited.
  void count_copy(Mark mark, std::size_t weight) {
    copied_ += weight;
    if (copied_ > most_expanded_bytes) throw Fatal{mark, "aliases expand to too much"};
  }

  void check_tag(Mark mark, std::string_view tag, std::string_view own) {
    if (tag.empty() || tag == "!" || tag == own) return;
    diagnostics_.error(source_, mark, str("the tag ", tag, " is not supported here"), "remove the tag");
  }

  // A name may be given anew; the latest node that took it has it.
  AnchorId new_anchor(std::string_view name) {
    if (name.empty()) return 0;
    anchors_.emplace_back();
    anchor_of_name_.insert_or_assign(std::string(name), anchors_.size());
    return anchors_.size();
  }

  void open(Mark mark, Value value, std::string_view anchor) {
    if (stack_.size() >= deepest_nesting) throw Fatal{mark, str("nested deeper than ", deepest_nesting, " levels")};
    Level level;
    level.value = std::move(value);
    level.mark = mark;
    level.anchor = new_anchor(anchor);
    level.weight_before = weight_;
    stack_.push_back(std::move(level));
  }

  void close() {
    Level level = std::move(stack_.back());
    stack_.pop_back();
    if (level.anchor != 0) {
      const std::size_t weight = weight_ - level.weight_before + sizeof(Value::Member);
      count_copy(level.mark, weight);
      anchors_[level.anchor - 1] = {level.value, weight};
    }
    add(std::move(level.value), 0);
  }

  void add(Value value, AnchorId anchor) {
    const std::size_t weight = sizeof(Value::Member) + value.text().size();
    weight_ += weight;
    if (anchor != 0) anchors_[anchor - 1] = {value, weight};
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
  Places& places_;
  Diagnostics& diagnostics_;
  std::vector<Document> documents_;
  std::vector<Level> stack_;
  std::vector<Anchored> anchors_;
  std::map<std::string, AnchorId, std::less<>> anchor_of_name_;
  std::size_t weight_ = 0;  // about the bytes of memory that all nodes so far take
  std::size_t copied_ = 0;
  Value root_;
};

std::string_view text_of(const char* text) { return text ? std::string_view(text) : std::string_view(); }

// libyaml names what it saw last; what people look for is often where that began.
Fatal what_is_wrong(const yaml_parser_t& parser, Places& places) {
  const std::string_view problem = text_of(parser.problem);
  const std::string_view context = text_of(parser.context);
  const bool at_end = trim(places.text_from(parser.problem_mark.index)).empty();
  const Mark mark = places.mark(parser.problem_mark.index);
  const Mark begin = context.empty() ? mark : places.mark(parser.context_mark.index);
  const auto where_it_began = [&] { return str(begin.line, ":", begin.column); };

  if (context == "while scanning a quoted scalar" &&
      (problem == "found unexpected end of stream" || problem == "found unexpected document indicator"))
    return {begin, "the quote is not closed"};
  if (context == "while parsing a flow sequence")
    return at_end ? Fatal{begin, "the [ is not closed"}
                  : Fatal{mark, str("expected , or ] in the list that begins at ", where_it_began())};
  if (context == "while parsing a flow mapping")
    return at_end ? Fatal{begin, "the { is not closed"}
                  : Fatal{mark, str("expected , or } in the mapping that begins at ", where_it_began())};
  if (problem == "found character that cannot start any token") {
    const std::string_view rest = places.text_from(parser.problem_mark.index);
    if (rest.starts_with('\t')) return {mark, "a tab can't indent; use blanks"};
    return {mark, str("a text can't begin with ", rest.substr(0, 1), "; put it in quotes")};
  }
  if (problem == "could not find expected ':'") return {begin, "expected a : behind the key"};
  if (problem == "mapping values are not allowed in this context")
    return {mark, "a : is not allowed here; put a text that holds \": \" in quotes, or mend the indentation"};
  if (problem == "found unexpected ':'") return {mark, "a : inside brackets needs a blank behind it"};
  if (problem == "block sequence entries are not allowed in this context")
    return {mark, "a list item is not allowed here; mend the indentation"};
  if (problem == "did not find expected key" && places.text_from(parser.problem_mark.index).starts_with(':'))
    return {mark, "a key must be text, and there is none before this :"};
  if (problem == "did not find expected key")
    return {mark, str("expected another key of the mapping that begins at ", where_it_began())};
  if (problem == "did not find expected '-' indicator")
    return {mark, str("expected another \"- \" of the list that begins at ", where_it_began())};
  if (problem == "did not find expected <document start>")
    return {mark, "something follows the end of the document; another one begins with ---"};
  if (problem == "did not find expected node content") return {mark, "expected a value"};
  if (problem == "found unknown escape character") return {mark, "unknown escape; write a backslash as \\\\"};
  if (problem == "found incompatible YAML document") return {mark, "this version of YAML is not supported"};
  return {mark, context.empty() ? std::string(problem) : str(problem, " ", context)};
}

Fatal why_it_ended(const yaml_parser_t& parser, Places& places) {
  if (parser.error == YAML_MEMORY_ERROR) throw std::bad_alloc();
  if (parser.error != YAML_READER_ERROR) return what_is_wrong(parser, places);
  const Mark mark = places.mark_of_byte(parser.problem_offset);
  if (text_of(parser.problem) == "control characters are not allowed")
    return {mark, str("the control character ", parser.problem_value, " is not allowed")};
  return {mark, "the bytes here are not UTF-8"};
}

// YAML 1.1, which libyaml and kubectl read, ends a line at the first three, and skips the last where a line begins.
bool has_characters_of_yaml_1_1(std::string_view text, const SourcePtr& source, Diagnostics& diagnostics) {
  static constexpr std::pair<std::string_view, std::string_view> characters[] = {
      {"\u0085", "\\u0085"}, {"\u2028", "\\u2028"}, {"\u2029", "\\u2029"}, {"\uFEFF", "\\ufeff"}};
  bool found = false;
  for (const auto& [character, escape] : characters) {
    const auto offset = text.find(character);
    if (offset == std::string_view::npos) continue;
    found = true;
    diagnostics.error(source, Places(text).mark_of_byte(offset),
                      str("the character ", escape, " is text here, but not in YAML 1.1, which kubectl reads"),
                      str("write it as ", escape, " in double quotes"));
  }
  return found;
}

}  // namespace

std::vector<Document> parse_yaml(const SourcePtr& source, Diagnostics& diagnostics) {
  constexpr std::string_view byte_order_mark = "\xEF\xBB\xBF";  // no column of ours, and it would be one of libyaml's
  std::string_view text = source->text;
  if (text.starts_with(byte_order_mark)) text.remove_prefix(byte_order_mark.size());
  if (has_characters_of_yaml_1_1(text, source, diagnostics)) return {};
  Parser parser(text);
  Places places(text);
  TreeBuilder builder(source, places, diagnostics);
  try {
    for (bool more = true; more;) {
      Event event;
      if (!parser.next(event)) throw why_it_ended(parser.state(), places);
      builder.handle(*event);
      more = event->type != YAML_STREAM_END_EVENT;
    }
  } catch (const Fatal& fatal) {
    diagnostics.error(source, fatal.mark, "not valid YAML: " + fatal.reason);
  }
  return builder.take();
}

}  // namespace viaduct
