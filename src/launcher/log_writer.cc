#include "launcher/log_writer.h"

#include <unistd.h>

#include <algorithm>

#include "base/error.h"
#include "base/fd.h"
#include "base/text.h"
#include "launcher/log_line.h"

namespace viaduct::launcher {

void LogWriter::write(std::string_view lines) {
  if (lost_lines_ > 0) {
    std::string remark = cut_in_line_ ? "\n" : "";
    append_log_line(remark,
                    {LogLine::Source::viaduct, 0, false, str(count_of(lost_lines_, "line"), " lost: ", why_lost_)});
    if (write_now(remark) == 0) lost_lines_ = 0;
  }
  lost_lines_ += lost_lines_ > 0 ? std::count(lines.begin(), lines.end(), '\n') : write_now(lines);
}

std::int64_t LogWriter::write_now(std::string_view text) {
  std::string_view rest = text;
  try {
    write_off(STDOUT_FILENO, rest);
  } catch (const Error& e) {
    why_lost_ = e.what();
  }
  if (rest.size() < text.size()) cut_in_line_ = text[text.size() - rest.size() - 1] != '\n';
  return std::count(rest.begin(), rest.end(), '\n');
}

}  // namespace viaduct::launcher
