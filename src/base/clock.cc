#include "base/clock.h"

#include <chrono>
#include <cstdio>
#include <ctime>

#include "base/error.h"
#include "base/text.h"

namespace viaduct {

Timestamp SystemClock::now() const {
  using namespace std::chrono;
  return {duration_cast<milliseconds>(system_clock::now().time_since_epoch()).count()};
}

static std::string format(Timestamp time, bool with_milliseconds) {
  const std::time_t seconds = static_cast<std::time_t>(time.ms / 1000);
  std::tm parts{};
  ::gmtime_r(&seconds, &parts);
  char text[40];
  const std::size_t length = std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%S", &parts);
  if (with_milliseconds) {
    char fraction[16];
    std::snprintf(fraction, sizeof fraction, ".%03d", static_cast<int>(time.ms % 1000));
    return std::string(text, length) + fraction + "Z";
  }
  return std::string(text, length) + "Z";
}

std::string format_rfc3339(Timestamp time) { return format(time, true); }
std::string format_rfc3339_seconds(Timestamp time) { return format(time, false); }

Timestamp parse_rfc3339(std::string_view text) {
  const std::string copy(text);
  std::tm parts{};
  int milliseconds = 0;
  const char* rest = ::strptime(copy.c_str(), "%Y-%m-%dT%H:%M:%S", &parts);
  if (rest && *rest == '.') {
    char* end = nullptr;
    const double fraction = std::strtod(rest, &end);
    milliseconds = static_cast<int>(fraction * 1000 + 0.5);
    rest = end;
  }
  if (!rest || std::string_view(rest) != "Z") throw Error(str("not a time as RFC 3339 has it: \"", text, "\""), ExitCode::bad_input);
  return {static_cast<std::int64_t>(::timegm(&parts)) * 1000 + milliseconds};
}

std::string format_duration(std::int64_t ms) {
  const auto two = [](std::int64_t number) { return (number < 10 ? "0" : "") + std::to_string(number); };
  if (ms < 1000) return str(ms, "ms");
  if (ms < 10'000) return str(ms / 1000, ".", ms % 1000 / 100, "s");
  const std::int64_t seconds = ms / 1000;
  if (seconds < 60) return str(seconds, "s");
  if (seconds < 3600) return str(seconds / 60, "m", two(seconds % 60), "s");
  if (seconds < 86400) return str(seconds / 3600, "h", two(seconds / 60 % 60), "m");
  return str(seconds / 86400, "d", two(seconds / 3600 % 24), "h");
}

}  // namespace viaduct
