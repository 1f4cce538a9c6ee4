#include "model/quantity.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <limits>
#include <optional>

#include "base/error.h"
#include "base/text.h"

namespace viaduct::model {
namespace {

__extension__ typedef __int128 Int128;
using Family = Quantity::Family;

constexpr std::int64_t nanos_per_unit = 1'000'000'000;
constexpr Int128 largest = Int128{std::numeric_limits<std::int64_t>::max()} * nanos_per_unit;

constexpr std::array<std::string_view, 10> decimal_suffixes = {"n", "u", "m", "", "k", "M", "G", "T", "P", "E"};
constexpr std::array<std::string_view, 7> binary_suffixes = {"", "Ki", "Mi", "Gi", "Ti", "Pi", "Ei"};

// What a suffix multiplies by: a power of ten, or of 1024 in the binary family.
struct Scale {
  Family family = Family::decimal;
  std::int64_t power = 0;
};

std::optional<Scale> scale_of(std::string_view suffix) {
  const auto* decimal = std::find(decimal_suffixes.begin(), decimal_suffixes.end(), suffix);
  if (decimal != decimal_suffixes.end()) return Scale{Family::decimal, 3 * (decimal - decimal_suffixes.begin()) - 9};
  const auto* binary = std::find(binary_suffixes.begin(), binary_suffixes.end(), suffix);
  if (binary != binary_suffixes.end()) return Scale{Family::binary, binary - binary_suffixes.begin()};
  if (suffix.front() != 'e' && suffix.front() != 'E') return std::nullopt;
  suffix.remove_prefix(suffix.substr(1).starts_with('+') ? 2 : 1);
  const auto exponent = parse_integer(suffix);
  if (!exponent) return std::nullopt;
  constexpr std::int64_t beyond_any_text = 1'000'000'000'000'000;  // keeps sums with a text's length from overflowing
  return Scale{Family::exponent, std::clamp(*exponent, -beyond_any_text, beyond_any_text)};
}

// "^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$", with a dot at most and a digit at least.
struct Parts {
  bool negative = false;
  std::string_view whole;
  std::string_view fraction;
  std::string_view suffix;
};

std::string_view take_any(std::string_view& text, std::string_view characters,
                          std::size_t most = std::string_view::npos) {
  const std::size_t size = std::min({text.find_first_not_of(characters), text.size(), most});
  const std::string_view taken = text.substr(0, size);
  text.remove_prefix(size);
  return taken;
}

std::optional<Parts> split_quantity(std::string_view text) {
  constexpr std::string_view digits = "0123456789";
  Parts parts;
  parts.negative = take_any(text, "+-", 1) == "-";
  parts.whole = take_any(text, digits);
  if (!take_any(text, ".", 1).empty()) parts.fraction = take_any(text, digits);
  if (parts.whole.empty() && parts.fraction.empty()) return std::nullopt;
  parts.suffix = text;
  take_any(text, "eEinumkKMGTP");
  take_any(text, "+-", 1);
  take_any(text, digits);
  if (!text.empty()) return std::nullopt;
  return parts;
}

// Long multiplication of a decimal number.
void multiply_by_1024(std::string& digits) {
  int carry = 0;
  for (auto digit = digits.rbegin(); digit != digits.rend(); ++digit) {
    const int product = (*digit - '0') * 1024 + carry;
    *digit = static_cast<char>('0' + product % 10);
    carry = product / 10;
  }
  digits.insert(0, std::to_string(carry));
}

// digits * 10^exponent, rounded up, and `largest` at most.
Int128 round_up(std::string_view digits, std::int64_t exponent) {
  constexpr std::int64_t most_digits = 28;  // of `largest`
  digits.remove_prefix(std::min(digits.find_first_not_of('0'), digits.size()));
  if (digits.empty()) return 0;
  const std::int64_t before_point = static_cast<std::int64_t>(digits.size()) + exponent;
  if (before_point > most_digits) return largest;
  if (before_point <= 0) return 1;
  const auto kept = static_cast<std::size_t>(before_point);
  Int128 result = 0;
  for (std::size_t i = 0; i < kept; ++i) result = result * 10 + (i < digits.size() ? digits[i] - '0' : 0);
  const bool exact = kept >= digits.size() || digits.find_first_not_of('0', kept) == std::string_view::npos;
  return std::min(exact ? result : result + 1, largest);
}

std::string text_of(Int128 number) {
  constexpr std::int64_t half = 1'000'000'000'000'000'000;  // a number has 28 digits at most
  const auto high = static_cast<std::int64_t>(number / half);
  const std::string low = std::to_string(static_cast<std::int64_t>(number % half));
  return high == 0 ? low : str(high, std::string(18 - low.size(), '0'), low);
}

// `nano` is more than 0.
std::string binary_text(Int128 nano) {
  Int128 number = nano / nanos_per_unit;
  std::size_t power = 0;
  for (; number % 1024 == 0; number /= 1024) ++power;
  return str(text_of(number), binary_suffixes[power]);
}

std::string decimal_text(Int128 nano, Family family) {
  std::size_t thousands = 0;
  for (; nano % 1000 == 0; nano /= 1000) ++thousands;
  const std::int64_t exponent = 3 * static_cast<std::int64_t>(thousands) - 9;
  if (family != Family::exponent) return str(text_of(nano), decimal_suffixes[thousands]);
  return exponent == 0 ? text_of(nano) : str(text_of(nano), "e", exponent);
}

}  // namespace

Quantity Quantity::parse(std::string_view text) {
  const std::string hint =
      "write a number with one of n u m k M G T P E, Ki Mi Gi Ti Pi Ei or an exponent: 500m, 4Gi, 12e3";
  const auto parts = split_quantity(text);
  if (!parts)
    throw Error("quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'",
                ExitCode::bad_input, hint);
  const auto scale = scale_of(parts->suffix);
  if (!scale) throw Error("unable to parse quantity's suffix", ExitCode::bad_input, hint);

  std::string digits = str(parts->whole, parts->fraction);
  std::int64_t exponent = 9 - static_cast<std::int64_t>(parts->fraction.size());
  if (scale->family == Family::binary) {
    for (std::int64_t i = 0; i < scale->power; ++i) multiply_by_1024(digits);
  } else {
    exponent += scale->power;
  }
  Quantity quantity;
  quantity.nano_ = round_up(digits, exponent);
  // As Kubernetes has it; shows only when something is added.
  const bool fraction_only = quantity.nano_ > 0 && quantity.nano_ < nanos_per_unit;
  quantity.family_ = scale->family == Family::binary && fraction_only ? Family::decimal : scale->family;
  if (parts->negative) quantity.nano_ = -quantity.nano_;
  return quantity;
}

std::int64_t Quantity::value() const { return in_units_of(nanos_per_unit); }
std::int64_t Quantity::milli_value() const { return in_units_of(nanos_per_unit / 1000); }

std::int64_t Quantity::in_units_of(std::int64_t nanos) const {
  const Int128 away_from_zero = nano_ < 0 ? 1 - nanos : nanos - 1;
  using Limits = std::numeric_limits<std::int64_t>;
  return static_cast<std::int64_t>(
      std::clamp((nano_ + away_from_zero) / nanos, Int128{Limits::min()}, Int128{Limits::max()}));
}

std::string Quantity::to_string() const {
  if (nano_ == 0) return "0";
  const Int128 magnitude = nano_ < 0 ? -nano_ : nano_;
  const bool whole = magnitude % nanos_per_unit == 0;
  const bool binary = family_ == Family::binary && whole && magnitude >= Int128{1024} * nanos_per_unit;
  return (nano_ < 0 ? "-" : "") + (binary ? binary_text(magnitude) : decimal_text(magnitude, family_));
}

Quantity& Quantity::operator+=(const Quantity& other) {
  if (nano_ == 0) family_ = other.family_;
  nano_ = std::clamp(nano_ + other.nano_, -largest, largest);
  return *this;
}

}  // namespace viaduct::model
