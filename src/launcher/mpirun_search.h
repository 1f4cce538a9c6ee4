#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "base/environment.h"
#include "launcher/mpi_flavour.h"
#include "model/run_plan.h"

namespace viaduct::launcher {

struct FoundMpirun {
  std::filesystem::path path;  // empty: none is needed
  MpiFlavour flavour;
};

// The mpirun that fits a plan: along PATH, under the names distributions give it (mpirun, mpirun.mpich, mpiexec.hydra,
// …), or $VIADUCT_MPIRUN alone when that is set. What it is, the real `mpirun --version` tells; the answer is kept in
// `cache` (a directory; empty: no cache) until the file changes. A plan without MPI takes any, and one whose command
// is a launcher of another kind (torchrun, deepspeed, …) none. Throws Error (missing_on_host) that says what was found
// instead and what to install.
FoundMpirun find_mpirun(const model::RunPlan& plan, const Environment& environment, const std::filesystem::path& cache);

}  // namespace viaduct::launcher
