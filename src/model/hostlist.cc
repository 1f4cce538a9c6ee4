#include "model/hostlist.h"

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <limits>
#include <span>

#include "base/error.h"
#include "base/text.h"

namespace viaduct::model {
namespace {

constexpr std::size_t longest_number = 18;  // digits; any such number fits std::int64_t
constexpr std::string_view name_rule =
    "host names are made of letters, digits, '_', '-' and '.', and don't begin with '-'";
constexpr std::string_view bracket_rule = "write it as in n[1-3,7]";
constexpr std::string_view counts_rule = "write them as in 2(x3),1";

bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_separator(char c) { return c == ',' || c == ' ' || c == '\t' || c == '\n'; }
bool is_name_character(char c) {
  return is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || c == '-' || c == '.';
}

// The text that is read, and how far.
class Cursor {
 public:
  Cursor(std::string_view what, std::string_view text) : what_(what), text_(text) {}

  bool done() const { return position_ == text_.size(); }
  bool at(char c) const { return !done() && text_[position_] == c; }
  bool at(bool (*kind)(char)) const { return !done() && kind(text_[position_]); }
  std::size_t position() const { return position_; }

  bool take(char c) {
    if (!at(c)) return false;
    ++position_;
    return true;
  }
  std::string_view take_all(bool (*kind)(char)) {
    const std::size_t start = position_;
    while (at(kind)) ++position_;
    return text_.substr(start, position_ - start);
  }

  // What stands here, for people: 'a', "byte 0x07" or "the end".
  std::string here() const {
    if (done()) return "the end";
    const auto byte = static_cast<unsigned char>(text_[position_]);
    if (byte >= 0x20 && byte < 0x7f) return str('\'', text_[position_], '\'');
    constexpr std::string_view hex = "0123456789abcdef";
    return str("byte 0x", hex[byte >> 4U], hex[byte & 15U]);
  }
  [[noreturn]] void fail(std::size_t position, const std::string& reason, std::string_view hint) const {
    throw Error(str(what_, ", column ", position + 1, ": ", reason), ExitCode::bad_input, std::string(hint));
  }

 private:
  std::string_view what_;
  std::string_view text_;
  std::size_t position_ = 0;
};

struct Number {
  std::uint64_t value = 0;
  std::size_t width = 0;  // digits as written
};

// Of `longest_number` digits at most; 0 when there are none.
Number number_of(std::string_view digits) {
  Number number{0, digits.size()};
  std::from_chars(digits.data(), digits.data() + digits.size(), number.value);
  return number;
}

Number take_number(Cursor& cursor, std::string_view hint) {
  const std::size_t start = cursor.position();
  const std::string_view digits = cursor.take_all(is_digit);
  if (digits.empty()) cursor.fail(start, str(cursor.here(), " where a number should be"), hint);
  if (digits.size() > longest_number)
    cursor.fail(start, str("a number of more than ", longest_number, " digits"), hint);
  return number_of(digits);
}

void append_padded(std::string& out, std::uint64_t value, std::size_t width) {
  char digits[20];
  const char* const end = std::to_chars(digits, digits + sizeof digits, value).ptr;
  const auto length = static_cast<std::size_t>(end - digits);
  if (length < width) out.append(width - length, '0');
  out.append(digits, length);
}

struct Range {
  std::uint64_t low = 0;
  std::uint64_t high = 0;
  std::size_t width = 0;  // numbers get leading zeros up to it
};

// Numbers and ranges between brackets.
struct Bracket {
  std::vector<Range> ranges;
  std::size_t count = 0;    // of numbers in all ranges
  std::size_t longest = 0;  // digits of the longest number
};

// Part of a name: some text, then maybe a bracket. One of the two may be empty.
struct Piece {
  std::string_view text;
  Bracket bracket;
};

class HostlistParser {
 public:
  explicit HostlistParser(std::string_view text) : cursor_("hostlist", text) {}

  std::vector<std::string> parse() {
    for (cursor_.take_all(is_separator); !cursor_.done(); cursor_.take_all(is_separator)) {
      const std::vector<Piece> pieces = take_name();
      std::string name;
      append_hosts(pieces, name);
    }
    return std::move(hosts_);
  }

 private:
  // Nothing is made before the limits are checked: a short text can ask for a great many hosts.
  std::vector<Piece> take_name() {
    const std::size_t start = cursor_.position();
    if (cursor_.at('-')) cursor_.fail(start, "a host name can't begin with '-'", name_rule);
    std::vector<Piece> pieces;
    std::size_t count = 1;
    std::size_t longest = 0;
    while (!cursor_.done() && !cursor_.at(is_separator)) {
      const Piece& piece = pieces.emplace_back(take_piece());
      if (!piece.bracket.ranges.empty()) count *= piece.bracket.count;  // each factor is at most max_hosts_per_name
      longest += piece.text.size() + piece.bracket.longest;
      if (count > max_hosts_per_name) fail_too_many(start);
      if (longest > max_host_name) cursor_.fail(start, str("a host name of more than ", max_host_name, " bytes"), "");
    }
    if (count > max_hosts - hosts_.size()) cursor_.fail(start, str("more than ", max_hosts, " hosts up to here"), "");
    return pieces;
  }

  Piece take_piece() {
    Piece piece{cursor_.take_all(is_name_character), {}};
    if (cursor_.at('[')) {
      piece.bracket = take_bracket();
    } else if (cursor_.at(']')) {
      cursor_.fail(cursor_.position(), "']' without a '[' before it", bracket_rule);
    } else if (!cursor_.done() && !cursor_.at(is_separator)) {
      cursor_.fail(cursor_.position(), str(cursor_.here(), " in a host name"), name_rule);
    }
    return piece;
  }

  Bracket take_bracket() {
    const std::size_t start = cursor_.position();
    Bracket bracket;
    cursor_.take('[');
    do {
      const std::size_t range_start = cursor_.position();
      const Range range = take_range();
      if (range.high - range.low >= max_hosts_per_name - bracket.count) fail_too_many(range_start);
      bracket.count += range.high - range.low + 1;
      bracket.longest = std::max({bracket.longest, range.width, std::to_string(range.high).size()});
      bracket.ranges.push_back(range);
    } while (cursor_.take(','));
    if (cursor_.done()) cursor_.fail(start, "this '[' is never closed", bracket_rule);
    if (!cursor_.take(']')) cursor_.fail(cursor_.position(), str(cursor_.here(), " between brackets"), bracket_rule);
    return bracket;
  }

  Range take_range() {
    const std::size_t start = cursor_.position();
    const Number low = take_number(cursor_, bracket_rule);
    const Number high = cursor_.take('-') ? take_number(cursor_, bracket_rule) : low;
    if (high.value < low.value)
      cursor_.fail(start, str("the range ", low.value, "-", high.value, " runs backwards"),
                   str("write [", high.value, "-", low.value, "]"));
    return {low.value, high.value, low.width};
  }

  [[noreturn]] void fail_too_many(std::size_t position) const {
    cursor_.fail(position, str("more than ", max_hosts_per_name, " hosts in one name"), "split it into several names");
  }

  // Every combination of `pieces`, the rightmost fastest, each after `name`.
  void append_hosts(std::span<const Piece> pieces, std::string& name) {
    if (pieces.empty()) {
      hosts_.push_back(name);
      return;
    }
    const std::size_t before = name.size();
    name += pieces.front().text;
    const std::size_t stem = name.size();
    if (pieces.front().bracket.ranges.empty()) append_hosts(pieces.subspan(1), name);
    for (const Range& range : pieces.front().bracket.ranges) {
      for (std::uint64_t value = range.low; value <= range.high; ++value) {
        append_padded(name, value, range.width);
        append_hosts(pieces.subspan(1), name);
        name.resize(stem);
      }
    }
    name.resize(before);
  }

  Cursor cursor_;
  std::vector<std::string> hosts_;
};

void check_host_name(const std::string& host) {
  Cursor cursor("host name", host);
  if (host.empty()) cursor.fail(0, "it is empty", name_rule);
  if (host.size() > max_host_name) cursor.fail(max_host_name, str("more than ", max_host_name, " bytes"), "");
  if (cursor.at('-')) cursor.fail(0, "a host name can't begin with '-'", name_rule);
  cursor.take_all(is_name_character);
  if (!cursor.done()) cursor.fail(cursor.position(), str(cursor.here(), " in a host name"), name_rule);
}

// A host name, taken apart before the number it ends in. `digits` is empty where there's no such number.
struct NumberedHost {
  explicit NumberedHost(std::string_view host) {
    std::size_t start = host.size();
    while (start > 0 && is_digit(host[start - 1])) --start;
    if (host.size() - start > longest_number) start = host.size();
    prefix = host.substr(0, start);
    digits = host.substr(start);
    number = number_of(digits);
  }
  bool shares_bracket_with(const NumberedHost& other) const {
    return !digits.empty() && !other.digits.empty() && prefix == other.prefix;
  }

  std::string_view prefix;
  std::string_view digits;
  Number number;
};

// Whether `next` is what expanding a range that begins at `low` gives after `last`.
bool continues(const NumberedHost& low, const NumberedHost& last, const NumberedHost& next) {
  return next.number.value == last.number.value + 1 &&
         next.number.width == std::max(low.number.width, std::to_string(next.number.value).size());
}

// Hosts of the same prefix, at least two.
void append_bracket(std::string& out, std::span<const NumberedHost> hosts) {
  out += hosts.front().prefix;
  char before = '[';
  for (std::size_t first = 0, end = 0; first < hosts.size(); first = end) {
    for (end = first + 1; end < hosts.size() && continues(hosts[first], hosts[end - 1], hosts[end]);) ++end;
    out += before;
    out += hosts[first].digits;
    if (end - first > 1) {
      out += '-';
      out += hosts[end - 1].digits;
    }
    before = ',';
  }
  out += ']';
}

}  // namespace

std::vector<std::string> expand_hostlist(std::string_view text) { return HostlistParser(text).parse(); }

std::string compress_hostlist(const std::vector<std::string>& hosts) {
  if (hosts.size() > max_hosts)
    throw Error(str("a list of ", hosts.size(), " hosts; at most ", max_hosts, " can be written"), ExitCode::bad_input);
  std::vector<NumberedHost> numbered;
  numbered.reserve(hosts.size());
  for (const std::string& host : hosts) {
    try {
      check_host_name(host);
    } catch (Error& error) {
      error.with_context(str("host ", numbered.size() + 1, " of the list"));
      throw;
    }
    numbered.emplace_back(host);
  }
  std::string out;
  for (std::size_t first = 0, end = 0; first < hosts.size(); first = end) {
    const std::size_t limit = std::min(hosts.size(), first + max_hosts_per_name);
    for (end = first + 1; end < limit && numbered[first].shares_bracket_with(numbered[end]);) ++end;
    if (first > 0) out += ',';
    if (end - first == 1) {
      out += hosts[first];
    } else {
      append_bracket(out, std::span(numbered).subspan(first, end - first));
    }
  }
  return out;
}

std::vector<int> expand_counts(std::string_view text) {
  std::vector<int> counts;
  Cursor cursor("list of counts", text);
  if (cursor.done()) return counts;
  do {
    const std::size_t start = cursor.position();
    const std::uint64_t count = take_number(cursor, counts_rule).value;
    if (count > std::numeric_limits<int>::max()) cursor.fail(start, str(count, " is too large"), "");
    std::uint64_t repeats = 1;
    if (cursor.take('(')) {
      if (!cursor.take('x')) cursor.fail(cursor.position(), str(cursor.here(), " instead of 'x'"), counts_rule);
      const std::size_t repeats_start = cursor.position();
      repeats = take_number(cursor, counts_rule).value;
      if (repeats == 0) cursor.fail(repeats_start, "no repeats", "leave the count out, or repeat it at least once");
      if (!cursor.take(')')) cursor.fail(cursor.position(), str(cursor.here(), " instead of ')'"), counts_rule);
    }
    if (repeats > max_hosts - counts.size()) cursor.fail(start, str("more than ", max_hosts, " counts up to here"), "");
    counts.insert(counts.end(), repeats, static_cast<int>(count));
  } while (cursor.take(','));
  if (!cursor.done()) cursor.fail(cursor.position(), str(cursor.here(), " after a count"), counts_rule);
  return counts;
}

std::string compress_counts(const std::vector<int>& counts) {
  if (counts.size() > max_hosts)
    throw Error(str("a list of ", counts.size(), " counts; at most ", max_hosts, " can be written"),
                ExitCode::bad_input);
  std::string out;
  for (auto first = counts.begin(); first != counts.end();) {
    if (*first < 0) throw Error(str("the count ", *first, " is negative"), ExitCode::bad_input);
    const auto end = std::find_if(first, counts.end(), [&](int count) { return count != *first; });
    if (first != counts.begin()) out += ',';
    out += std::to_string(*first);
    if (end - first > 1) out += str("(x", end - first, ")");
    first = end;
  }
  return out;
}

}  // namespace viaduct::model
