#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/value.h"

namespace viaduct::model {

// The first rank that failed, as far as mpirun told.
struct FailedRank {
  std::optional<std::int64_t> rank;  // unset when only the host is known
  std::string host;                  // "" when not known
  std::int32_t exit_code = 0;        // meaningful when signal is 0
  std::int32_t signal = 0;
  std::vector<std::string> last_lines;  // what it printed last, oldest first
};
std::string describe(const FailedRank& failure);  // "rank 1 on node02 exited with code 3"
Value to_value(const FailedRank& failure);

// How one attempt ended, written by `viaduct-agent launch` when nothing of it runs any more: the file exit/<node>.
struct ExitRecord {
  enum class Cause {
    finished,         // the program ended by itself, well or badly: exit_code tells
    stopped,          // somebody asked for it to end
    supervisor_died,  // the viaduct process that had started it went away
    launch_failed,    // the ranks could not be started: message tells why
  };
  std::string node;
  std::int32_t attempt = 1;
  Cause cause = Cause::finished;
  std::int32_t exit_code = 0;  // as a shell would tell it: 128+signal for a signal
  std::string message;         // one line; "" when all went well
  std::string hint;
  std::optional<FailedRank> failure;
  Timestamp started;
  Timestamp ended;
};

Value to_value(const ExitRecord& record);
ExitRecord read_exit_record(const Document& document);  // throws Error

}  // namespace viaduct::model
