#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/environment.h"
#include "launcher/hostfile.h"
#include "launcher/launch_command.h"
#include "launcher/mpirun_search.h"
#include "launcher/relay.h"
#include "model/run_plan.h"

namespace viaduct::launcher {

// `viaduct-agent launch`: carries a plan out inside an allocation, on the node that was allocated first.
struct LaunchOptions {
  std::filesystem::path plan_file;
  std::filesystem::path attempt_directory;  // gets hostfile, started, exit/<node>
  int attempt = 1;
  std::filesystem::path cache_directory;  // "" : none
  std::vector<HostSlots> hosts;           // the allocation; empty: every node of the plan is this host
  std::optional<int> own_node;            // which of the hosts this one is, from 0; unset: told by its name
  std::string ssh_config;                 // of the job, for hosts other than this one; "": there are none
  bool tree_spawn = false;                // the job's keys are on every host, so that MPI daemons may start each other
  pid_t parent = 0;                       // end when this process ends; 0: nobody's
  bool dry_run = false;                   // print what would be done
};

// Everything that is decided before the first process starts; the command last, when the other hosts have told of
// themselves.
struct PreparedLaunch {
  model::RunPlan plan;
  std::vector<HostSlots> hosts;
  bool only_this_host = true;
  bool tree_spawn = false;
  int own_node = 0;  // which of the hosts this one is; -1: none of them
  std::filesystem::path hostfile;
  std::string hostfile_text;
  FoundMpirun mpirun;
  LaunchCommand command;  // argv and what is added to the environment
  Environment environment;
  std::string output_nonce;          // marks the ranks' output (launcher/rank_tag.h)
  std::string output_address;        // where ranks find who takes it (launcher/rank_streams.h)
  std::filesystem::path agent;       // viaduct-agent, on every host
  std::vector<std::string> remarks;  // what was chosen, for the log
};
PreparedLaunch prepare_launch(const LaunchOptions& options, const Environment& environment,
                              const std::filesystem::path& agent);
// `others`: what the other hosts say of themselves; empty where there are none, or they were not asked.
void finish_command(PreparedLaunch& launch, const std::vector<RelayReady>& others);
std::string describe(const PreparedLaunch& launch);  // for --dry-run

// Waits until every other host answers, starts mpirun, prints the ranks' output as log lines (launcher/log_line.h) on
// standard output, ends everything on SIGTERM (ranks get TERM, then after the plan's grace mpirun, then KILL) and at
// once on SIGINT, and writes the exit record when nothing is left running. Returns what to exit with.
int launch(const LaunchOptions& options, const Environment& environment, const Clock& clock);

}  // namespace viaduct::launcher
