#pragma once

#include <mutex>
#include <thread>
#include <vector>

#include "base/fd.h"
#include "bridge/supervisor.h"
#include "cli/log_follower.h"
#include "cli/log_printer.h"
#include "cli/terminal.h"

namespace viaduct::cli {

// What `viaduct run` shows while it supervises: the ranks' output as it comes, the state in one line at the bottom of a
// terminal, or a line for each change of state elsewhere. Quiet: the output alone. It reads the log and writes on a
// thread of its own, so that a slow or stalled reader of our output never keeps the supervisor from its work.
class RunView : public bridge::Watcher {
 public:
  struct Options {
    bool labels = true;
    bool quiet = false;
    bool launcher_lines = true;  // what mpirun says by itself
  };
  // `hosts`: of each rank (cli/log_printer.h).
  RunView(Terminal& terminal, const bridge::JobStore& store, const Clock& clock, const model::RunPlan& plan,
          std::vector<std::string> hosts, Options options);
  ~RunView() override;

  void on_record(const model::JobRecord& record) override;
  void finish(const model::JobRecord& record);  // shows what is left, and how it ended

 private:
  void show();  // the thread
  void take_record(const model::JobRecord& record);
  void say(const std::string& text);
  void show_progress();
  void say_how_it_ended();

  Terminal& terminal_;
  const bridge::JobStore& store_;
  const Clock& clock_;
  std::int64_t grace_seconds_;
  Options options_;
  LogPrinter printer_;
  LogFollower follower_;
  model::JobRecord record_;

  std::mutex mutex_;  // over what the supervisor hands in
  std::vector<model::JobRecord> news_;
  bool ended_ = false;
  Pipe wake_;
  std::thread thread_;
};

// "Starting", "Running", …: the phase, and whether the ranks are up yet.
std::string state_of(const model::JobRecord& record);
// How long the attempt ran, or has been running.
std::string duration_of(const model::JobRecord& record, Timestamp now);

}  // namespace viaduct::cli
