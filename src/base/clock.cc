#include "base/clock.h"

#include <chrono>
#include <optional>

#include "base/error.h"
#include "base/text.h"

namespace viaduct {

Timestamp SystemClock::now() const {
  using namespace std::chrono;
  return {duration_cast<milliseconds>(system_clock::now().time_since_epoch()).count()};
}

namespace {

struct Parts {
  std::chrono::year_month_day date;
  std::chrono::hh_mm_ss<std::chrono::milliseconds> time;
};

Parts parts_of(Timestamp time) {
  const std::chrono::sys_time<std::chrono::milliseconds> point{std::chrono::milliseconds(time.ms)};
  const auto day = std::chrono::floor<std::chrono::days>(point);
  return {day, std::chrono::hh_mm_ss(point - day)};
}

std::string padded(std::int64_t number, std::size_t width) {
  std::string digits = std::to_string(number);
  return digits.size() < width ? std::string(width - digits.size(), '0') + digits : digits;
}

std::string format(const Parts& parts, const std::string& fraction) {
  const auto two = [](std::int64_t number) { return padded(number, 2); };
  return str(padded(int{parts.date.year()}, 4), "-", two(unsigned{parts.date.month()}), "-",
             two(unsigned{parts.date.day()}), "T", two(parts.time.hours().count()), ":",
             two(parts.time.minutes().count()), ":", two(parts.time.seconds().count()), fraction, "Z");
}

// The digits after the point as milliseconds, the rest cut off; nullopt when there are others than digits.
std::optional<int> milliseconds_of(std::string_view digits) {
  if (digits.empty() || digits.find_first_not_of("0123456789") != std::string_view::npos) return std::nullopt;
  int milliseconds = 0;
  for (std::size_t i = 0; i < 3; ++i) milliseconds = milliseconds * 10 + (i < digits.size() ? digits[i] - '0' : 0);
  return milliseconds;
}

std::optional<Timestamp> read_rfc3339(std::string_view text) {
  constexpr std::string_view shape = "0000-00-00T00:00:00";
  if (text.size() <= shape.size() || text.back() != 'Z') return std::nullopt;
  for (std::size_t i = 0; i < shape.size(); ++i) {
    const bool digit = text[i] >= '0' && text[i] <= '9';
    if (shape[i] == '0' ? !digit : text[i] != shape[i]) return std::nullopt;
  }
  int milliseconds = 0;
  if (const auto fraction = text.substr(shape.size(), text.size() - shape.size() - 1); !fraction.empty()) {
    const auto read = fraction[0] == '.' ? milliseconds_of(fraction.substr(1)) : std::nullopt;
    if (!read) return std::nullopt;
    milliseconds = *read;
  }
  const auto number = [&](std::size_t at, std::size_t width) {
    return static_cast<int>(*parse_integer(text.substr(at, width)));
  };
  const std::chrono::year_month_day date{std::chrono::year(number(0, 4)),
                                         std::chrono::month(static_cast<unsigned>(number(5, 2))),
                                         std::chrono::day(static_cast<unsigned>(number(8, 2)))};
  const int hours = number(11, 2);
  const int minutes = number(14, 2);
  const int seconds = number(17, 2);
  if (!date.ok() || hours > 23 || minutes > 59 || seconds > 60) return std::nullopt;
  const std::int64_t days = std::chrono::sys_days(date).time_since_epoch().count();
  return Timestamp{(((days * 24 + hours) * 60 + minutes) * 60 + seconds) * 1000 + milliseconds};
}

}  // namespace

std::string format_rfc3339(Timestamp time) {
  const Parts parts = parts_of(time);
  return format(parts, "." + padded(parts.time.subseconds().count(), 3));
}

std::string format_rfc3339_seconds(Timestamp time) { return format(parts_of(time), ""); }

Timestamp parse_rfc3339(std::string_view text) {
  if (const auto time = read_rfc3339(text)) return *time;
  throw Error(str("not a time as RFC 3339 has it: \"", text, "\""), ExitCode::bad_input);
}

std::string format_duration(std::int64_t ms) {
  const auto two = [](std::int64_t number) { return padded(number, 2); };
  if (ms < 1000) return str(ms, "ms");
  if (ms < 10'000) return str(ms / 1000, ".", ms % 1000 / 100, "s");
  const std::int64_t seconds = ms / 1000;
  if (seconds < 60) return str(seconds, "s");
  if (seconds < 3600) return str(seconds / 60, "m", two(seconds % 60), "s");
  if (seconds < 86400) return str(seconds / 3600, "h", two(seconds / 60 % 60), "m");
  return str(seconds / 86400, "d", two(seconds / 3600 % 24), "h");
}

}  // namespace viaduct
