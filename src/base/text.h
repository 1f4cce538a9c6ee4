#pragma once

#include <concepts>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

// Small text helpers shared by everybody. All pure.
namespace viaduct {

namespace detail {
inline void append(std::string& out, std::string_view part) { out += part; }
inline void append(std::string& out, const char* part) { out += part; }
inline void append(std::string& out, char part) { out += part; }
template <std::integral T>
requires(!std::same_as<T, char>) void append(std::string& out, T part) { out += std::to_string(part); }
}  // namespace detail

// Joins strings, characters and integers into one string: str("rank ", 3, " of ", 8).
template <typename... Parts>
std::string str(const Parts&... parts) {
  std::string out;
  (detail::append(out, parts), ...);
  return out;
}

std::vector<std::string> split(std::string_view text, char separator);  // "a,,b" gives three parts; "" gives one
std::string join(const std::vector<std::string>& parts, std::string_view separator);
std::string_view trim(std::string_view text);  // blanks, tabs, CR and LF at both ends
std::string lower(std::string_view text);      // of ASCII letters; others stay
bool contains(std::string_view text, std::string_view part);
// What follows the first `marker` and the blanks after it; of that the first word ("" when there is none).
std::optional<std::string_view> text_after(std::string_view text, std::string_view marker);
std::string word_after(std::string_view text, std::string_view marker);

// The candidate nearest to `word` by edit distance, when it is near enough to be a likely slip of the finger.
std::optional<std::string> nearest(std::string_view word, const std::vector<std::string>& candidates);

// The first character and how many bytes it takes; length 0 when the text is empty or does not begin with valid UTF-8.
struct DecodedCharacter {
  char32_t character = 0;
  std::size_t length = 0;
};
DecodedCharacter decode_utf8(std::string_view text);
std::string abbreviated(std::string_view text, std::size_t most);  // cut to `most` bytes, at a character, with "…"
// For showing text that somebody else wrote: control characters (but tabs and newlines) and bytes that are not UTF-8 as
// "\x1b", so that they steer no terminal.
std::string printable(std::string_view text);

// A whole decimal integer ("-12", "007"); nothing else around it, and in range of int64.
std::optional<std::int64_t> parse_integer(std::string_view text);

// For a shell: quoted only where needed. For people to copy, never to be executed by Viaduct.
std::string shell_quote(std::string_view word);
std::string shell_quote(const std::vector<std::string>& words);

// "1 rank", "2 ranks".
std::string count_of(std::int64_t count, std::string_view noun);

}  // namespace viaduct
