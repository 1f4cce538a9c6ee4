#include "base/json.h"
#include "base/text.h"
#include "base/yaml.h"
#include "cli/commands.h"
#include "cli/prepare.h"

namespace viaduct::cli {
namespace {

struct PlanArgs {
  std::vector<std::string> files;
  HostChoice where;
  std::string output = "text";
};

std::string memory_text(std::int64_t bytes) {
  constexpr std::int64_t mebi = 1024 * 1024;
  return bytes % mebi == 0 ? str(bytes / mebi, " MiB") : str(bytes, " bytes");
}

std::string resources_text(const model::NodeResources& resources) {
  std::vector<std::string> parts;
  if (resources.cpu_milli)
    parts.push_back(*resources.cpu_milli % 1000 == 0 ? count_of(*resources.cpu_milli / 1000, "CPU")
                                                     : str(*resources.cpu_milli, "m CPU"));
  if (resources.memory_bytes) parts.push_back(str(memory_text(*resources.memory_bytes), " memory"));
  if (resources.gpus > 0) parts.push_back(str(count_of(resources.gpus, "GPU"), " (", resources.gpu_resource, ")"));
  for (const auto& [name, quantity] : resources.other) parts.push_back(str(name, " ", quantity));
  return join(parts, ", ");
}

// How other hosts are reached, and what that means for the job's keys.
std::string remote_text(const model::RunPlan& plan, std::size_t hosts) {
  const auto& remote = plan.remote;
  const std::string ports = str(
      remote.daemon_ports ? str("; daemons on ports ", remote.daemon_ports->first, "-", remote.daemon_ports->last) : "",
      remote.mpi_ports ? str("; MPI on ports ", remote.mpi_ports->first, "-", remote.mpi_ports->last) : "");
  if (static_cast<std::int64_t>(hosts) > remote.tree_spawn_above)
    return str("MPI daemons start each other, for there are more than ", remote.tree_spawn_above,
               " hosts: the job's private key goes to every host, in memory", ports);
  return str("the first host starts all MPI daemons; the job's private key stays there, in memory", ports);
}

std::string plan_text(const PreparedJob& prepared, bool colour) {
  const model::RunPlan& plan = prepared.plan;
  std::string out;
  const auto row = [&](std::string_view name, const std::string& value) {
    constexpr std::size_t name_width = 12;
    if (!value.empty()) out += str(paint(colour, "1", name), std::string(name_width - name.size(), ' '), value, "\n");
  };
  row("job", plan.job);
  row("runtime", str(plan.runtime_kind, "/", plan.runtime_name,
                     plan.policy == model::PolicyKind::mpi ? str(", ", to_string(plan.mpi)) : ", no MPI"));
  row("backend", prepared.hosts.empty() ? "local: every node is this machine" : "hosts: by your own ssh");
  for (std::size_t i = 0; i < prepared.hosts.size(); ++i)
    row(i == 0 ? "hosts" : "", str(prepared.hosts[i].host, ": ", count_of(prepared.hosts[i].slots, "rank")));
  row("nodes", str(plan.nodes, plan.launcher_is_node ? " (the launcher is one of them)" : ""));
  row("ranks", str(plan.ranks(), ": ", plan.slots_per_node, " on each node"));
  row("each node", resources_text(plan.resources));
  row("command", shell_quote(plan.command));
  row("started", plan.launch == model::LaunchStyle::wrapped ? "once per rank, by Viaduct's launcher"
                                                            : "once, as it is: it is a launcher itself");
  row("directory", plan.working_directory);
  for (std::size_t i = 0; i < plan.environment.size(); ++i)
    row(i == 0 ? "environment" : "", str(plan.environment[i].first, "=", shell_quote(plan.environment[i].second)));
  row("binding", plan.binding == "cpu" ? "cpu: an even share of the allowed cores for each rank" : plan.binding);
  if (!prepared.hosts.empty()) {
    row("reached", str("within ", plan.remote.ready_seconds, " s, or the job fails"));
    row("ssh", remote_text(plan, prepared.hosts.size()));
    row("transports", "TCP and shared memory where no host has a fabric, else as MPI chooses");
  }
  row("image", plan.image);
  for (const auto& step : plan.initializers) row("initializer", str(step.name, " from ", step.storage_uri));
  row("deadline", plan.deadline_seconds ? str(*plan.deadline_seconds, " s") : "");
  row("restarts", plan.max_restarts > 0 ? str("at most ", plan.max_restarts) : "");
  row("grace", str(plan.grace_seconds, " s between TERM and KILL"));
  row("suspended", plan.suspend ? "yes" : "");
  if (plan.losses.empty()) return out;
  out += str("\n", paint(colour, "1", "without effect on this backend"), "\n");
  for (const auto& loss : plan.losses) out += str("  ", loss.path, "\n      ", paint(colour, "2", loss.reason), "\n");
  return out;
}

int plan(Context& context, const PlanArgs& args) {
  const auto jobs = prepare_jobs(context, args.files, args.where);
  for (std::size_t i = 0; i < jobs.size(); ++i) {
    if (args.output == "json") {
      context.terminal.out(write_json(to_value(jobs[i].plan)) + "\n");
    } else if (args.output == "yaml") {
      context.terminal.out(str(i > 0 ? "---\n" : "", write_yaml(to_value(jobs[i].plan))));
    } else {
      context.terminal.out(str(i > 0 ? "\n" : "", plan_text(jobs[i], context.terminal.colour_out())));
    }
  }
  return 0;
}

}  // namespace

void add_plan(CLI::App& app, Chosen& chosen) {
  auto args = std::make_shared<PlanArgs>();
  CLI::App* command = app.add_subcommand("plan", "Show how a TrainJob would be run, without running it");
  command
      ->add_option("FILE", args->files,
                   "TrainJobs and runtimes: YAML or JSON files, directories, or - for standard input")
      ->required();
  add_host_options(*command, args->where);
  command->add_option("-o,--output", args->output, "Form of the plan: text, yaml or json")
      ->check(CLI::IsMember({"text", "yaml", "json"}))
      ->capture_default_str();
  command->callback([args, &chosen] { chosen = [args](Context& context) { return plan(context, *args); }; });
}

}  // namespace viaduct::cli
