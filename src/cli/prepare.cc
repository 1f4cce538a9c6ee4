#include "cli/prepare.h"

#include <sys/random.h>

#include <filesystem>

#include "base/error.h"
#include "base/files.h"
#include "base/text.h"
#include "bridge/resolve.h"
#include "launcher/mpirun_search.h"
#include "model/hostlist.h"

namespace fs = std::filesystem;

namespace viaduct::cli {

void add_host_options(CLI::App& command, HostChoice& choice) {
  auto* hosts =
      command.add_option("--hosts,--host,-H", choice.hosts,
                         "Run on these hosts, by your own ssh: node[01-04], with slots node[01-04]:8,login:2");
  command
      .add_option("--hostfile", choice.hostfile, "The same from a hostfile of Open MPI, MPICH, Intel MPI or DeepSpeed")
      ->excludes(hosts);
}

static std::vector<launcher::HostSlots> chosen_hosts(const HostChoice& where, Diagnostics& diagnostics) {
  if (where.hosts) return launcher::parse_host_words(*where.hosts, 0);
  if (where.hostfile.empty()) return {};
  const auto source = std::make_shared<const Source>(Source{where.hostfile, read_file(where.hostfile)});
  return launcher::parse_hostfile(source, 0, diagnostics);
}

std::vector<PreparedJob> prepare_jobs(Context& context, const std::vector<std::string>& files,
                                      const HostChoice& where) {
  Diagnostics diagnostics;
  const auto hosts = chosen_hosts(where, diagnostics);
  model::Objects objects = bridge::read_inputs(files, diagnostics);
  std::vector<PreparedJob> prepared;
  for (auto& job : objects.trainjobs) {
    const model::Runtime* runtime =
        job.runtime_ref.name.empty() ? nullptr : bridge::find_runtime(job, objects, context.runtimes, diagnostics);
    if (!runtime) continue;
    // Hosts that were named are meant to be used.
    if (!hosts.empty() && !job.trainer.num_nodes) job.trainer.num_nodes = static_cast<std::int32_t>(hosts.size());
    auto plan = bridge::resolve(
        job, *runtime, hosts.empty() ? bridge::local_capabilities() : bridge::hosts_capabilities(), diagnostics);
    if (!plan) continue;
    std::vector<launcher::HostSlots> placed;
    if (!hosts.empty()) placed = launcher::place_ranks(hosts, plan->nodes, plan->slots_per_node);
    if (placed.size() < hosts.size())
      context.terminal.err(str("viaduct: ", plan->job, ": ", placed.size(), " of the ", hosts.size(),
                               " hosts are enough for ", count_of(plan->nodes, "node"), " of ",
                               count_of(plan->slots_per_node, "rank"), "; the others are left out\n"));
    prepared.push_back({job, *runtime, std::move(*plan), std::move(placed)});
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

void check_this_machine(const Context& context, const PreparedJob& prepared) {
  const model::RunPlan& plan = prepared.plan;
  check_lengths(plan);
  if (!fs::exists(context.agent))
    throw Error(str("viaduct-agent is not beside viaduct: there is no ", context.agent.string()),
                ExitCode::missing_on_host, "install both in one directory");
  if (!prepared.hosts.empty()) {
    const std::string ssh = context.environment.get_or("VIADUCT_SSH", "ssh");
    if (!find_program(ssh, context.environment.get_or("PATH", "/usr/bin:/bin"), "").executable)
      throw Error(str("no ssh on this machine: ", ssh), ExitCode::missing_on_host,
                  "install it (Debian: apt-get install openssh-client), or name yours in VIADUCT_SSH");
    return;  // the rest is on the hosts
  }
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
  context.store.create(record, prepared.job, prepared.runtime, prepared.plan,
                       launcher::render_hostfile(prepared.hosts, launcher::MpiFamily::open_mpi));
  return record;
}

static std::vector<launcher::HostSlots> hosts_of_job(const bridge::JobStore& store, const std::string& name) {
  const auto text = read_file_if_exists(store.hosts_file(name));
  if (!text) return {};
  Diagnostics ignored;  // it was written by create_job
  return launcher::parse_hostfile(std::make_shared<const Source>(Source{"hosts", *text}), 1, ignored);
}

std::vector<std::string> hosts_of_ranks(const bridge::JobStore& store, const std::string& name) {
  std::vector<std::string> hosts;
  for (const auto& [host, slots] : hosts_of_job(store, name))
    hosts.insert(hosts.end(), static_cast<std::size_t>(slots), host);
  return hosts;
}

std::string hosts_text(const bridge::JobStore& store, const std::string& name) {
  std::vector<std::string> names;
  for (const auto& host : hosts_of_job(store, name)) names.push_back(host.host);
  return abbreviated(model::compress_hostlist(names), 200);
}

}  // namespace viaduct::cli
