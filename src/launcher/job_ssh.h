#pragma once

#include <filesystem>

#include "base/environment.h"

namespace viaduct::launcher {

// Makes `ssh` mean the job's own, with that configuration, to all that run in `environment`: puts <directory>/bin first
// on PATH. MPI launchers take no path with a blank or a colon in it for their remote shell, but a bare name. Throws
// Error (bad_input) when the directory's name has a colon.
void put_job_ssh_first(Environment& environment, const std::filesystem::path& directory,
                       const std::filesystem::path& ssh_config);
// Makes that <directory>/bin, in which ssh is `agent`.
void place_job_ssh(const std::filesystem::path& directory, const std::filesystem::path& agent);

}  // namespace viaduct::launcher
