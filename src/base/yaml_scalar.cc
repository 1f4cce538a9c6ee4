#include "base/yaml_scalar.h"

#include <algorithm>

#include "base/text.h"

namespace viaduct {
namespace {

bool all_digits(std::string_view text) {
  return !text.empty() && text.find_first_not_of("0123456789") == std::string_view::npos;
}

std::string_view without_sign(std::string_view text) {
  return !text.empty() && (text[0] == '-' || text[0] == '+') ? text.substr(1) : text;
}

bool is_real(std::string_view text) {
  std::string_view rest = without_sign(text);
  if (rest == ".inf" || rest == ".Inf" || rest == ".INF" || text == ".nan" || text == ".NaN" || text == ".NAN")
    return true;
  std::string_view exponent = "0";
  if (const auto e = rest.find_first_of("eE"); e != std::string_view::npos) {
    exponent = without_sign(rest.substr(e + 1));
    rest = rest.substr(0, e);
  }
  const auto dot = rest.find('.');
  const std::string_view whole = rest.substr(0, dot);
  const std::string_view fraction = dot == std::string_view::npos ? std::string_view() : rest.substr(dot + 1);
  const auto digits_or_none = [](std::string_view digits) { return digits.empty() || all_digits(digits); };
  return all_digits(exponent) && digits_or_none(whole) && digits_or_none(fraction) &&
         !(whole.empty() && fraction.empty());
}

}  // namespace

bool is_printable(char32_t c) {
  if (c < 0x20) return c == '\t' || c == '\n' || c == '\r';
  return c < 0x7f || c == 0x85 || (c >= 0xa0 && c <= 0xd7ff) || (c >= 0xe000 && c <= 0xfffd) || c >= 0x10000;
}

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

std::string surprise_in_yaml_1_1(std::string_view text) {
  if (text.empty()) return "";
  std::string_view digits = without_sign(text);
  const bool numeric = !digits.empty() && digits[0] >= '0' && digits[0] <= '9';
  if (!numeric) {
    if (text.size() > 3) return "";
    std::string word(text);
    std::transform(word.begin(), word.end(), word.begin(),
                   [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
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

}  // namespace viaduct
