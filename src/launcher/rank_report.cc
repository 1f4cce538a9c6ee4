#include "launcher/rank_report.h"

#include <limits>

#include "base/text.h"

namespace viaduct::launcher {
namespace {

constexpr std::string_view line_start = "\x1eviaduct ";

// Takes "key=value" and the blank after it off the front of the line.
std::optional<std::string_view> take(std::string_view& line, std::string_view key) {
  if (!line.starts_with(key) || line.substr(key.size(), 1) != "=") return std::nullopt;
  line.remove_prefix(key.size() + 1);
  const auto value = line.substr(0, line.find(' '));
  line.remove_prefix(value.size());
  if (!line.empty()) line.remove_prefix(1);
  return value;
}

std::optional<int> take_number(std::string_view& line, std::string_view key) {
  const auto text = take(line, key);
  const auto number = text ? parse_integer(*text) : std::nullopt;
  if (!number || *number < 0 || *number > std::numeric_limits<int>::max()) return std::nullopt;
  return static_cast<int>(*number);
}

}  // namespace

std::string format_hello(const RankHello& hello) {
  return str(line_start, "rank=", hello.rank, " host=", hello.host, " pid=", hello.pid, " cpus=", hello.cpus, '\n');
}

std::optional<RankHello> parse_hello(std::string_view line) {
  if (!line.starts_with(line_start)) return std::nullopt;
  line.remove_prefix(line_start.size());
  const auto rank = take_number(line, "rank");
  const auto host = take(line, "host");
  const auto pid = take(line, "pid");
  const auto cpus = take(line, "cpus");
  if (!rank || !host || !pid || !cpus || !line.empty()) return std::nullopt;
  const auto pid_number = parse_integer(*pid);
  if (!pid_number || *pid_number <= 0) return std::nullopt;
  return RankHello{*rank, std::string(*host), *pid_number, std::string(*cpus)};
}

std::string format_end(const RankEnd& end) {
  return str(line_start, "rank=", end.rank,
             end.signal != 0 ? " signal=" : " exit=", end.signal != 0 ? end.signal : end.exit_code, '\n');
}

std::optional<RankEnd> parse_end(std::string_view line) {
  if (!line.starts_with(line_start)) return std::nullopt;
  line.remove_prefix(line_start.size());
  const auto rank = take_number(line, "rank");
  const auto exit_code = take_number(line, "exit");
  const auto signal = take_number(line, "signal");
  if (!rank || exit_code.has_value() == signal.has_value() || !line.empty()) return std::nullopt;
  if (exit_code.value_or(0) > 255 || signal.value_or(0) > 127) return std::nullopt;
  return RankEnd{*rank, exit_code.value_or(0), signal.value_or(0)};
}

}  // namespace viaduct::launcher
