#pragma once

#include <optional>
#include <string>
#include <vector>

#include "cli/terminal.h"
#include "launcher/log_line.h"

namespace viaduct::cli {

// Prints log lines for people: `[rank]`, or `[rank host]` where there are several hosts, before each, in the rank's
// colour on a terminal; standard error of the ranks on standard error. Lines of the MPI launcher and of commands that
// are launchers themselves have no label.
class LogPrinter {
 public:
  // `hosts`: of each rank, by rank; empty where all are this machine's.
  LogPrinter(Terminal& terminal, std::int64_t ranks, std::vector<std::string> hosts, bool labels,
             std::optional<std::int64_t> only_rank)
      : terminal_(terminal),
        width_(std::to_string(ranks > 0 ? ranks - 1 : 0).size()),
        hosts_(std::move(hosts)),
        labels_(labels),
        only_rank_(only_rank) {}

  void print(const launcher::LogLine& line);

 private:
  std::string label(std::int64_t rank, bool colour) const;

  Terminal& terminal_;
  std::size_t width_;
  std::vector<std::string> hosts_;
  bool labels_;
  std::optional<std::int64_t> only_rank_;
};

}  // namespace viaduct::cli
