#include <memory>

#include "base/error.h"
#include "base/files.h"
#include "base/text.h"
#include "cli/agent_commands.h"
#include "launcher/exec.h"
#include "launcher/launch.h"
#include "launcher/relay.h"
#include "model/hostlist.h"

// viaduct-agent launch, relay, exec and tether: an MPI run inside an allocation.
namespace viaduct::cli {
namespace {

using Words = std::vector<std::string>;

void require_command(const Words& command) {
  if (command.empty()) throw Error("no command", ExitCode::bad_input, "write it after --");
}

launcher::Rendezvous parse_rendezvous(const std::string& text) {
  const auto parts = split(text, ':');
  const auto port = parts.size() == 3 ? parse_integer(parts[1]) : std::nullopt;
  const auto jax_port = parts.size() == 3 ? parse_integer(parts[2]) : std::nullopt;
  if (!port || !jax_port) throw Error(str("--rendezvous ", text, ": must be HOST:PORT:JAX_PORT"), ExitCode::bad_input);
  return {parts[0], static_cast<int>(*port), static_cast<int>(*jax_port)};
}

}  // namespace

void add_launch(CLI::App& app, AgentChosen& chosen) {
  struct Args {
    launcher::LaunchOptions options;
    std::string hosts;
    bool this_host = false;
  };
  auto args = std::make_shared<Args>();
  CLI::App* command = app.add_subcommand(
      "launch", "Carry out a plan inside an allocation: write the hostfile, run mpirun, record how it ended");
  command->add_option("--plan", args->options.plan_file, "The RunPlan, as `viaduct plan -o json` prints it")
      ->required();
  command
      ->add_option("--attempt-dir", args->options.attempt_directory, "Directory for hostfile, started and exit/<node>")
      ->required();
  command->add_option("--attempt", args->options.attempt, "Number of this attempt; 1 is the first")
      ->capture_default_str();
  command->add_option("--cache-dir", args->options.cache_directory, "Where to remember what `mpirun --version` said");
  auto* hosts =
      command->add_option("--hosts", args->hosts, "The allocation in order, with its slots: node[1-4]:8,login:2");
  command
      ->add_option("--own-node", args->options.own_node,
                   "Which of the hosts this one is; 0 is the first. Else it is told by its name")
      ->needs(hosts)
      ->check(CLI::NonNegativeNumber);
  command->add_option("--ssh-config", args->options.ssh_config,
                      "How to reach hosts other than this one: the job's configuration for `viaduct-agent ssh`");
  command->add_flag("--tree-spawn", args->options.tree_spawn,
                    "MPI daemons start each other: every host has the job's ssh and keys");
  command->add_flag("--this-host", args->this_host, "Every node of the plan is this host")->excludes(hosts);
  command->add_option("--with-parent", args->options.parent, "End when this process, the parent, ends");
  command->add_flag("--dry-run", args->options.dry_run, "Print hostfile, environment and command; start nothing");
  command->callback([args, &chosen] {
    chosen = [args](const Environment& environment) {
      if (!args->this_host && args->hosts.empty())
        throw Error("no hosts", ExitCode::bad_input, "give --hosts HOST:SLOTS,…, or --this-host");
      if (!args->this_host) args->options.hosts = launcher::parse_host_words(args->hosts, 1);
      args->options.attempt_directory = std::filesystem::absolute(args->options.attempt_directory);
      if (!args->options.dry_run) create_directories(args->options.attempt_directory, 0700);
      return launcher::launch(args->options, environment, SystemClock());
    };
  });
}

void add_relay(CLI::App& app, AgentChosen& chosen) {
  auto output = std::make_shared<std::string>();
  CLI::App* command =
      app.add_subcommand("relay", "On each host of a run: hand the ranks' output to `launch` (started by launch)");
  command->group("");
  command->add_option("--output", *output, "Where the ranks of this host find it")->required();
  command->callback([output, &chosen] { chosen = [output](const Environment&) { return launcher::relay(*output); }; });
}

void add_exec(CLI::App& app, AgentChosen& chosen, const Words& program) {
  struct Args {
    launcher::ExecOptions options;
    std::string slots;
    std::string rendezvous;
  };
  auto args = std::make_shared<Args>();
  CLI::App* command = app.add_subcommand("exec", "In each rank: set RANK, WORLD_SIZE, …, bind CPUs, run the program");
  command->add_option("--slots", args->slots, "Ranks of each node, in order: 4(x2),3");
  command->add_option("--rendezvous", args->rendezvous, "HOST:PORT:JAX_PORT where rank 0 listens");
  command->add_option("--binding", args->options.binding, "cpu: an even share of the allowed cores; none")
      ->check(CLI::IsMember({"cpu", "none"}))
      ->capture_default_str();
  command->add_option("--directory", args->options.directory, "Change to it first");
  command->add_option("--output", args->options.output, "Hand the program's output to the `launch` that listens there");
  command->add_flag("--hello", args->options.hello, "Tell `launch` that the rank has started");
  command->add_flag("--die-with-parent", args->options.die_with_parent, "Get SIGKILL when the parent ends");
  command->add_flag("--watch", args->options.watch, "Stay beside the program and tell `launch` when it ends badly");
  command->footer("The program and its arguments follow after --. A word \":\" is written \"\\:\".");
  args->options.command = program;
  command->callback([args, &chosen] {
    chosen = [args](const Environment& environment) -> int {
      require_command(args->options.command);
      if (!args->slots.empty()) args->options.slots = model::expand_counts(args->slots);
      if (!args->rendezvous.empty()) args->options.rendezvous = parse_rendezvous(args->rendezvous);
      launcher::exec_rank(args->options, environment);
    };
  });
}

void add_tether(CLI::App& app, AgentChosen& chosen, const Words& program) {
  auto parent = std::make_shared<pid_t>(0);
  CLI::App* command = app.add_subcommand("tether", "Become a program that ends with its parent (used by launch)");
  command->group("");
  command->add_option("PARENT", *parent, "Process id of the parent")->required();
  command->callback([parent, &chosen, program] {
    chosen = [parent, program](const Environment& environment) -> int {
      require_command(program);
      launcher::exec_tethered(*parent, program, environment);
    };
  });
}

}  // namespace viaduct::cli
