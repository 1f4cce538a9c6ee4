#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/environment.h"
#include "launcher/hostfile.h"
#include "launcher/launch_command.h"
#include "launcher/mpirun_search.h"
#include "model/run_plan.h"

namespace viaduct::launcher {

// `viaduct-agent launch`: carries a plan out inside an allocation, on the node that was allocated first.
struct LaunchOptions {
  std::filesystem::path plan_file;
  std::filesystem::path attempt_directory;  // gets hostfile, started, exit/<node>
  int attempt = 1;
  std::filesystem::path cache_directory;  // "" : none
  std::vector<HostSlots> hosts;           // the allocation; empty: every node of the plan is this host
  pid_t parent = 0;                       // end when this process ends; 0: nobody's
  bool dry_run = false;                   // print what would be done
};

// Everything that is decided before the first process starts. Pure but for the plan's file.
struct PreparedLaunch {
  model::RunPlan plan;
  std::vector<HostSlots> hosts;
  bool only_this_host = true;
  std::filesystem::path hostfile;
  std::string hostfile_text;
  FoundMpirun mpirun;
  LaunchCommand command;  // argv and what is added to the environment
  Environment environment;
  std::string output_nonce;  // marks the ranks' output (launcher/rank_tag.h)
};
// `output_address`: where `launch` listens for the output of ranks on this host (launcher/rank_streams.h).
PreparedLaunch prepare_launch(const LaunchOptions& options, const Environment& environment,
                              const std::filesystem::path& agent, const std::string& output_address);
std::string describe(const PreparedLaunch& launch);  // for --dry-run

// Starts mpirun, prints the ranks' output as log lines (launcher/log_line.h) on standard output, ends everything on
// SIGTERM (ranks get TERM, then after the plan's grace mpirun, then KILL) and at once on SIGINT, and writes the exit
// record when nothing is left running. Returns what to exit with.
int launch(const LaunchOptions& options, const Environment& environment, const Clock& clock);

}  // namespace viaduct::launcher
