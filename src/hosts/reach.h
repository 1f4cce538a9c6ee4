#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/environment.h"
#include "launcher/hostfile.h"

namespace viaduct::hosts {

// `viaduct-agent reach`: carries a plan out on hosts that the user's own ssh reaches, as `viaduct-agent launch` does on
// this one; the two look alike from outside.
struct ReachOptions {
  std::filesystem::path plan_file;
  std::filesystem::path attempt_directory;  // gets started and exit/<node>
  int attempt = 1;
  std::filesystem::path hosts_file;  // hosts and their slots, in order; the first one launches
  pid_t parent = 0;                  // end when this process ends; 0: nobody's
};

// Reaches every host once with the user's ssh ($VIADUCT_SSH, else ssh: his configuration, his agent, his jump hosts),
// places viaduct-agent there where this version is not there yet, and starts `viaduct-agent node`, which serves the
// job's SSH with keys made here for this attempt. The first host then launches the run. Prints the run's log, and
// writes the exit record when nothing is left on any host. SIGTERM, SIGINT and SIGHUP go to the launch; the end of this
// process ends everything. Returns what to exit with.
//
// From the environment: VIADUCT_SSH; VIADUCT_REMOTE_DIR, where viaduct-agent is placed (default ~/.cache/viaduct
// there); and PATH, LD_LIBRARY_PATH and VIADUCT_MPIRUN, which the run gets too.
int reach(const ReachOptions& options, const Environment& environment, const Clock& clock);

}  // namespace viaduct::hosts
