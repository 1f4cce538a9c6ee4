#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace viaduct::launcher {

// Writes log lines to standard output. A log that can't be written (a full disk) must not end the training: lines are
// lost, and that is told as soon as something can be written again.
class LogWriter {
 public:
  void write(std::string_view lines);  // whole lines

 private:
  std::int64_t write_now(std::string_view text);  // how many lines could not be written, at least in part

  std::int64_t lost_lines_ = 0;
  std::string why_lost_;
  bool cut_in_line_ = false;  // what was written last was no whole line
};

}  // namespace viaduct::launcher
