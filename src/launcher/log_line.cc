#include "launcher/log_line.h"

#include "base/text.h"

namespace viaduct::launcher {

LogLine parse_log_line(std::string_view line) {
  LogLine parsed;
  parsed.text = line;
  const auto close = line.find(']');
  if (!line.starts_with("[") || close == std::string_view::npos || close < 2) return parsed;
  const std::string_view who = line.substr(1, close - 1);
  std::string_view rest = line.substr(close + 1);
  const bool is_error = rest.starts_with("!");
  if (is_error) rest.remove_prefix(1);
  if (!rest.starts_with(" ")) return parsed;
  if (who == "=") {
    parsed.source = LogLine::Source::viaduct;
  } else if (who != "-") {
    const auto rank = who.find_first_not_of("0123456789") == std::string_view::npos ? parse_integer(who) : std::nullopt;
    if (!rank) return parsed;
    parsed.source = LogLine::Source::rank;
    parsed.rank = *rank;
  }
  parsed.is_error = is_error;
  parsed.text = rest.substr(1);
  return parsed;
}

void append_log_line(std::string& out, const LogLine& line) {
  out += '[';
  switch (line.source) {
    case LogLine::Source::rank:
      out += std::to_string(line.rank);
      break;
    case LogLine::Source::launcher:
      out += '-';
      break;
    case LogLine::Source::viaduct:
      out += '=';
      break;
  }
  out += line.is_error ? "]! " : "] ";
  out += line.text;
  out += '\n';
}

}  // namespace viaduct::launcher
