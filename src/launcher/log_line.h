#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace viaduct::launcher {

// One line of a job's log, logs/<attempt>.log, which is what `viaduct-agent launch` prints:
//
//   [3] text      rank 3, standard output
//   [3]! text     rank 3, standard error
//   [-] text      the MPI launcher itself, or a command that is its own launcher
//   [-]! text     the same, standard error
//   [=] text      a remark of Viaduct
//   [=]! text     the same, for whoever watches the run: what it waits for
//
// A line that does not look like this (from a program that writes to the log by itself) reads as [-].
struct LogLine {
  enum class Source { rank, launcher, viaduct };
  Source source = Source::launcher;
  std::int64_t rank = 0;
  bool is_error = false;  // standard error
  std::string_view text;  // without the newline
};

LogLine parse_log_line(std::string_view line);
void append_log_line(std::string& out, const LogLine& line);  // with the newline

}  // namespace viaduct::launcher
