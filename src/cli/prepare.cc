#include "cli/prepare.h"

#include <sys/random.h>

#include <filesystem>

#include "base/error.h"
#include "base/files.h"
#include "base/text.h"
#include "bridge/resolve.h"
#include "launcher/mpirun_search.h"

namespace fs = std::filesystem;

namespace viaduct::cli {

std::vector<PreparedJob> prepare_jobs(Context& context, const std::vector<std::string>& files) {
  Diagnostics diagnostics;
  model::Objects objects = bridge::read_inputs(files, diagnostics);
  std::vector<PreparedJob> prepared;
  for (const auto& job : objects.trainjobs) {
    const model::Runtime* runtime =
        job.runtime_ref.name.empty() ? nullptr : bridge::find_runtime(job, objects, context.runtimes, diagnostics);
    if (!runtime) continue;
    auto plan = bridge::resolve(job, *runtime, bridge::local_capabilities(), diagnostics);
    if (plan) prepared.push_back({job, *runtime, std::move(*plan)});
  }
  if (objects.trainjobs.empty() && !diagnostics.has_errors())
    throw Error(str("no TrainJob in ", join(files, ", ")), ExitCode::bad_input,
                "a TrainJob begins with kind: TrainJob");
  if (!diagnostics.all().empty()) context.terminal.err(diagnostics.render(context.terminal.colour_err()));
  if (diagnostics.has_errors())
    throw Error(str(count_of(static_cast<std::int64_t>(diagnostics.error_count()), "mistake"),
                    " in the input; nothing was created"),
                ExitCode::bad_input);
  return prepared;
}

// Linux takes no longer word, and no longer "NAME=value", for a new program (MAX_ARG_STRLEN), whatever ulimit says.
constexpr std::size_t longest_word = 131071;  // bytes

static void check_lengths(const model::RunPlan& plan) {
  const auto check = [](std::size_t size, const std::string& what) {
    if (size <= longest_word) return;
    throw Error(str(what, " has ", size, " bytes; Linux starts no program with more than ", longest_word, " in one"),
                ExitCode::bad_input, "put it in a file, and name that");
  };
  for (std::size_t i = 0; i < plan.command.size(); ++i)
    check(plan.command[i].size(), str("word ", i + 1, " of the command"));
  for (const auto& [name, value] : plan.environment)
    check(name.size() + 1 + value.size(), str("the environment variable ", abbreviated(name, 60)));
}

void check_this_machine(const Context& context, const model::RunPlan& plan) {
  check_lengths(plan);
  if (!fs::exists(context.agent))
    throw Error(str("viaduct-agent is not beside viaduct: there is no ", context.agent.string()),
                ExitCode::missing_on_host, "install both in one directory");
  Environment environment = context.environment;
  for (const auto& [name, value] : plan.environment) environment.set(name, value);
  const fs::path directory = fs::current_path() / plan.working_directory;
  if (!fs::is_directory(directory))
    throw Error(str("the working directory ", directory.string(), " of the runtime is not on this machine"),
                ExitCode::missing_on_host, "create it, or change workingDir of the runtime's container");
  const std::string& program = plan.command.front();
  const auto lookup = find_program(program, environment.get_or("PATH", "/usr/local/bin:/usr/bin:/bin"), directory);
  if (lookup.found.empty())
    throw Error(
        str("program not found: ", program,
            program.find('/') == std::string::npos ? " (looked along PATH)" : str(" (in ", directory.string(), ")")),
        ExitCode::program_not_found,
        "build it, or correct spec.trainer.command; a relative path counts from where viaduct is called");
  if (!lookup.executable)
    throw Error(str("can't execute ", lookup.found.string()), ExitCode::cannot_execute,
                str("chmod +x ", shell_quote(lookup.found.string())));
  launcher::find_mpirun(plan, environment, context.store.home() / "cache");
}

static std::string random_uid() {
  unsigned char bytes[16];
  if (::getrandom(bytes, sizeof bytes, 0) != static_cast<ssize_t>(sizeof bytes))
    throw Error::from_errno("getrandom", errno);
  bytes[6] = static_cast<unsigned char>((bytes[6] & 0x0f) | 0x40);  // RFC 9562: version 4
  bytes[8] = static_cast<unsigned char>((bytes[8] & 0x3f) | 0x80);
  constexpr std::string_view digits = "0123456789abcdef";
  std::string text;
  for (std::size_t i = 0; i < sizeof bytes; ++i) {
    if (i == 4 || i == 6 || i == 8 || i == 10) text += '-';
    text += digits[bytes[i] >> 4];
    text += digits[bytes[i] & 0x0f];
  }
  return text;
}

model::JobRecord create_job(Context& context, const PreparedJob& prepared) {
  model::JobRecord record;
  record.name = prepared.plan.job;
  record.name_space = prepared.plan.name_space;
  record.uid = random_uid();
  record.backend = prepared.plan.backend;
  record.runtime = prepared.plan.runtime_name;
  record.nodes = prepared.plan.nodes;
  record.ranks = prepared.plan.ranks();
  record.submit_directory = fs::current_path();
  record.created = context.clock.now();
  record.supervisor = identify_self();
  for (const auto& job : prepared.runtime.job_template.replicated_jobs) {
    model::JobStatus status;
    status.name = job.name;
    record.jobs_status.push_back(std::move(status));
  }
  context.store.create(record, prepared.job, prepared.runtime, prepared.plan);
  return record;
}

}  // namespace viaduct::cli
