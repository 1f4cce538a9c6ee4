#include "sshkeys/known_hosts.h"

#include <algorithm>
#include <string>

#include "base/text.h"

namespace viaduct::sshkeys {
namespace {

// Takes the first word, up to one of `separators`, off the text.
std::string_view take_word(std::string_view& text, std::string_view separators) {
  text.remove_prefix(std::min(text.find_first_not_of(separators), text.size()));
  const std::string_view word = text.substr(0, text.find_first_of(separators));
  text.remove_prefix(word.size());
  return word;
}

std::string_view without_padding(std::string_view base64) { return base64.substr(0, base64.find_last_not_of('=') + 1); }

// The names of a line: one has to match, and none that begins with '!' may.
bool names_match(std::string_view name, std::string_view patterns) {
  bool matched = false;
  while (!patterns.empty()) {
    const std::string_view pattern = take_word(patterns, ",");
    if (pattern.starts_with('!')) {
      if (matches_pattern(name, pattern.substr(1))) return false;
    } else if (!pattern.empty() && matches_pattern(name, pattern)) {
      matched = true;
    }
  }
  return matched;
}

}  // namespace

bool matches_pattern(std::string_view name, std::string_view pattern) {
  std::size_t at = 0;
  std::size_t in_pattern = 0;
  std::size_t after_star = std::string_view::npos;
  std::size_t star_ends = 0;
  while (at < name.size()) {
    if (in_pattern < pattern.size() && pattern[in_pattern] == '*') {
      after_star = ++in_pattern;
      star_ends = at;
    } else if (in_pattern < pattern.size() && (pattern[in_pattern] == '?' || pattern[in_pattern] == name[at])) {
      ++at;
      ++in_pattern;
    } else if (after_star != std::string_view::npos) {
      in_pattern = after_star;
      at = ++star_ends;
    } else {
      return false;
    }
  }
  return pattern.find_first_not_of('*', in_pattern) == std::string_view::npos;
}

KeyVerdict check_known_host(std::string_view text, std::string_view name, std::string_view key_type,
                            std::string_view key_base64) {
  const std::string wanted = lower(name);
  const std::string_view wanted_key = without_padding(key_base64);
  KeyVerdict verdict = KeyVerdict::unknown;
  while (!text.empty()) {
    std::string_view line = take_word(text, "\r\n");
    std::string_view marker;
    std::string_view names = take_word(line, " \t");
    if (names.starts_with('@')) {
      marker = names;
      names = take_word(line, " \t");
    }
    const std::string_view type = take_word(line, " \t");
    const std::string_view key = without_padding(take_word(line, " \t"));
    if (names.starts_with('#') || names.starts_with('|') || type != key_type || key.empty()) continue;
    if (!names_match(wanted, lower(names))) continue;
    if (marker == "@revoked") {
      if (key == wanted_key) return KeyVerdict::revoked;
    } else if (marker.empty() && key == wanted_key) {
      verdict = KeyVerdict::match;
    } else if (marker.empty() && verdict == KeyVerdict::unknown) {
      verdict = KeyVerdict::changed;
    }
  }
  return verdict;
}

}  // namespace viaduct::sshkeys
