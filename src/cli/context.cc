#include "cli/context.h"

#include <pwd.h>
#include <unistd.h>

#include "base/error.h"
#include "base/files.h"
#include "base/text.h"

namespace fs = std::filesystem;

namespace viaduct::cli {

static fs::path home_directory(const Environment& environment) {
  if (const auto given = environment.get("VIADUCT_HOME"); given && !given->empty()) return fs::absolute(*given);
  if (const auto home = environment.get("HOME"); home && home->starts_with("/")) return fs::path(*home) / ".viaduct";
  const passwd* entry = ::getpwuid(::getuid());
  if (!entry || !entry->pw_dir)
    throw Error("no home directory to keep jobs in", ExitCode::missing_on_host, "set VIADUCT_HOME");
  return fs::path(entry->pw_dir) / ".viaduct";
}

static bridge::RuntimeSearch runtime_search(const Environment& environment, const fs::path& executable) {
  bridge::RuntimeSearch search;
  for (const auto& directory : split(environment.get_or("VIADUCT_RUNTIMES", ""), ':'))
    if (!directory.empty()) search.directories.emplace_back(directory);
  search.directories.emplace_back("/etc/viaduct/runtimes");
  search.directories.push_back(executable.parent_path().parent_path() / "share/viaduct/runtimes");
  return search;
}

Context::Context(Environment process_environment)
    : environment(std::move(process_environment)),
      terminal(environment),
      executable(own_executable()),
      agent(executable.parent_path() / "viaduct-agent"),
      store(home_directory(environment)),
      runtimes(runtime_search(environment, executable)) {}

}  // namespace viaduct::cli
