#include "launcher/mpirun_search.h"

#include <sys/stat.h>

#include <functional>
#include <optional>

#include "base/error.h"
#include "base/files.h"
#include "base/process.h"
#include "base/text.h"

namespace fs = std::filesystem;

namespace viaduct::launcher {
namespace {

constexpr std::chrono::seconds version_limit(20);

struct Wanted {
  std::optional<MpiFamily> family;  // unset: any
  std::string_view name;
  std::vector<std::string> programs;
  std::string_view package;
};

Wanted wanted_for(const model::RunPlan& plan) {
  if (plan.policy != model::PolicyKind::mpi)
    return {std::nullopt, "an MPI", {"mpirun", "mpiexec", "mpiexec.hydra"}, "openmpi-bin"};
  switch (plan.mpi) {
    case model::MpiImplementation::mpich:
      return {MpiFamily::mpich, "MPICH", {"mpirun", "mpirun.mpich", "mpiexec.hydra", "mpiexec"}, "mpich"};
    case model::MpiImplementation::intel:
      return {MpiFamily::intel, "Intel MPI", {"mpirun", "mpiexec.hydra", "mpiexec"}, "intel-oneapi-mpi"};
    case model::MpiImplementation::open_mpi:
      break;
  }
  return {MpiFamily::open_mpi, "Open MPI", {"mpirun", "mpirun.openmpi", "mpiexec"}, "openmpi-bin"};
}

bool needs_mpirun(const model::RunPlan& plan) {
  if (plan.launch == model::LaunchStyle::wrapped) return true;
  const std::string name = fs::path(plan.command.front()).filename().string();
  return name == "mpirun" || name == "mpiexec" || name == "mpiexec.hydra" || name == "orterun" || name == "prterun";
}

// Changes whenever the program at that path does.
std::string fingerprint(const fs::path& path) {
  struct stat status {};
  const fs::path real = fs::weakly_canonical(path);
  if (::stat(real.c_str(), &status) != 0) return "";
  return str(real.string(), "|", status.st_size, "|", status.st_mtim.tv_sec, ".", status.st_mtim.tv_nsec, "|",
             status.st_ino);
}

std::string version_output(const fs::path& path, const Environment& environment, const fs::path& cache) {
  const std::string print = fingerprint(path);
  const fs::path kept = cache / str("mpirun-", std::hash<std::string>()(print));
  if (!cache.empty()) {
    const auto known = read_file_if_exists(kept);
    if (known && known->starts_with(print + "\n")) return known->substr(print.size() + 1);
  }
  SpawnOptions options;
  options.argv = {path.string(), "--version"};
  options.environment = &environment;
  const CapturedRun run = run_captured(options, version_limit);
  if (run.timed_out)
    throw Error(str(path.string(), " --version gave no answer in 20 seconds"), ExitCode::missing_on_host);
  if (!run.status.ok())
    throw Error(str(path.string(), " --version ended with ", describe(run.status)), ExitCode::missing_on_host);
  if (!cache.empty()) {
    try {
      create_directories(cache, 0700);
      write_file_atomically(kept, str(print, "\n", run.output), 0600);
    } catch (const Error&) {  // only slower the next time
    }
  }
  return run.output;
}

}  // namespace

FoundMpirun find_mpirun(const model::RunPlan& plan, const Environment& environment, const fs::path& cache) {
  if (!needs_mpirun(plan)) return {};
  Wanted wanted = wanted_for(plan);
  if (const auto chosen = environment.get("VIADUCT_MPIRUN")) wanted.programs = {*chosen};
  std::vector<std::string> others;
  for (const auto& program : wanted.programs) {
    const ProgramLookup lookup = find_program(program, environment.get_or("PATH", "/usr/local/bin:/usr/bin:/bin"), "");
    if (!lookup.executable) continue;
    try {
      MpiFlavour flavour = parse_mpirun_version(version_output(lookup.found, environment, cache));
      if (!wanted.family || flavour.family == *wanted.family) return {lookup.found, std::move(flavour)};
      others.push_back(str(lookup.found.string(), " is ", describe(flavour)));
    } catch (const Error& e) {
      others.push_back(e.what());
    }
  }
  const std::string hint = str("install ", wanted.name, " (Debian: apt-get install ", wanted.package,
                               "), put its bin directory on PATH, or name its mpirun in VIADUCT_MPIRUN");
  if (others.empty())
    throw Error(str("no mpirun on this machine: looked for ", join(wanted.programs, ", "), " along PATH"),
                ExitCode::missing_on_host, hint);
  throw Error(str("the runtime wants ", wanted.name, ", but ", join(others, "; ")), ExitCode::missing_on_host,
              str(hint, "; or choose a runtime for the MPI that is there"));
}

}  // namespace viaduct::launcher
