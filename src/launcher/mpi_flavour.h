#pragma once

#include <string>
#include <string_view>

namespace viaduct::launcher {

// The families of mpirun Viaduct can drive. A family shares options, hostfile format and messages.
enum class MpiFamily { open_mpi, mpich, intel };

// Which mpirun this is, as it says itself.
struct MpiFlavour {
  MpiFamily family = MpiFamily::open_mpi;
  int major = 0;
  int minor = 0;
  std::string version_text;  // as printed: "4.1.4", "5.0.0rc12"
};

// Reads what `mpirun --version` printed (stdout and stderr together). Throws Error (missing_on_host) when it is none of
// Open MPI 3 and later, MPICH 3 and later (Hydra), Intel MPI 2019 and later.
MpiFlavour parse_mpirun_version(std::string_view output);

std::string describe(const MpiFlavour& mpi);  // "Open MPI 4.1.4"

}  // namespace viaduct::launcher
