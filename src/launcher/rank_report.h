#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace viaduct::launcher {

// One line that `viaduct-agent exec` writes to stderr as a rank starts, for `viaduct-agent launch` to read:
// "\x1eviaduct rank=3 host=node1 pid=4711 cpus=0-7\n". It tells which process is which rank where mpirun's own messages
// name only a process.
struct RankHello {
  int rank = 0;
  std::string host;  // no blanks
  long pid = 0;
  std::string cpus;  // as a cpulist, "0-3,8"; may be empty

  bool operator==(const RankHello&) const = default;
};

std::string format_hello(const RankHello& hello);  // with the newline

// Takes the line without its newline. Anything that is not exactly such a line is nullopt.
std::optional<RankHello> parse_hello(std::string_view line);

// The same from an `exec` that stays beside its rank (`exec --watch`), when the rank has ended badly:
// "\x1eviaduct rank=3 exit=7\n" or "\x1eviaduct rank=3 signal=9\n".
struct RankEnd {
  int rank = 0;
  int exit_code = 0;  // meaningful when signal is 0
  int signal = 0;

  bool operator==(const RankEnd&) const = default;
};

std::string format_end(const RankEnd& end);  // with the newline
std::optional<RankEnd> parse_end(std::string_view line);

}  // namespace viaduct::launcher
