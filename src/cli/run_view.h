#pragma once

#include "bridge/supervisor.h"
#include "cli/log_follower.h"
#include "cli/log_printer.h"
#include "cli/terminal.h"

namespace viaduct::cli {

// What `viaduct run` shows while it supervises: the ranks' output as it comes, the state in one line at the bottom of a
// terminal, or a line for each change of state elsewhere. Quiet: the output alone.
class RunView : public bridge::Watcher {
 public:
  RunView(Terminal& terminal, const bridge::JobStore& store, const Clock& clock, std::int64_t ranks, bool labels,
          bool quiet);

  void on_record(const model::JobRecord& record) override;
  void on_wake() override;
  int wake_fd() const override { return follower_.wake_fd(); }
  void finish(const model::JobRecord& record);  // the last word: how it ended

 private:
  void say(const std::string& text);
  void show_progress();

  Terminal& terminal_;
  const bridge::JobStore& store_;
  const Clock& clock_;
  LogPrinter printer_;
  LogFollower follower_;
  bool quiet_;
  model::JobRecord record_;
};

// "Starting", "Running", …: the phase, and whether the ranks are up yet.
std::string state_of(const model::JobRecord& record);
// How long the attempt ran, or has been running.
std::string duration_of(const model::JobRecord& record, Timestamp now);

}  // namespace viaduct::cli
