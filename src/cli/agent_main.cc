#include <unistd.h>

#include <algorithm>

#include "base/error.h"
#include "base/text.h"
#include "cli/main_common.h"
#include "launcher/exec.h"
#include "launcher/launch.h"
#include "model/hostlist.h"

namespace {

using viaduct::Environment;
using viaduct::Error;
using Words = std::vector<std::string>;
using Chosen = std::function<int(const Environment&)>;

// What stands after "--", which never goes through CLI11: that takes words like "[a b]" apart.
Words command_after_dashes(int argc, char** argv) {
  const auto dashes = std::find(argv, argv + argc, std::string_view("--"));
  return dashes == argv + argc ? Words() : Words(dashes + 1, argv + argc);
}

void require_command(const Words& command) {
  if (command.empty()) throw Error("no command", viaduct::ExitCode::bad_input, "write it after --");
}

// "NODE=SLOTS" or "NODE"; a hostlist stands for all its nodes.
std::vector<viaduct::launcher::HostSlots> parse_hosts(const std::vector<std::string>& words) {
  std::vector<viaduct::launcher::HostSlots> hosts;
  for (const auto& word : words) {
    const auto colon = word.rfind(':');
    const auto slots = colon == std::string::npos ? std::optional<std::int64_t>(1)
                                                  : viaduct::parse_integer(std::string_view(word).substr(colon + 1));
    if (!slots || *slots < 1 || *slots > 65536)
      throw Error(viaduct::str("--host ", word, ": the slots must be from 1 to 65536"), viaduct::ExitCode::bad_input);
    for (auto& host : viaduct::model::expand_hostlist(std::string_view(word).substr(0, colon)))
      hosts.push_back({std::move(host), static_cast<int>(*slots)});
  }
  return hosts;
}

viaduct::launcher::Rendezvous parse_rendezvous(const std::string& text) {
  const auto parts = viaduct::split(text, ':');
  const auto port = parts.size() == 3 ? viaduct::parse_integer(parts[1]) : std::nullopt;
  const auto jax_port = parts.size() == 3 ? viaduct::parse_integer(parts[2]) : std::nullopt;
  if (!port || !jax_port)
    throw Error(viaduct::str("--rendezvous ", text, ": must be HOST:PORT:JAX_PORT"), viaduct::ExitCode::bad_input);
  return {parts[0], static_cast<int>(*port), static_cast<int>(*jax_port)};
}

void add_launch(CLI::App& app, Chosen& chosen) {
  struct Args {
    viaduct::launcher::LaunchOptions options;
    std::vector<std::string> hosts;
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
  auto* hosts = command->add_option("--host", args->hosts,
                                    "HOST:SLOTS of the allocation, in order; a hostlist (node[1-4]:8) is fine");
  command->add_flag("--this-host", args->this_host, "Every node of the plan is this host")->excludes(hosts);
  command->add_option("--with-parent", args->options.parent, "End when this process, the parent, ends");
  command->add_flag("--dry-run", args->options.dry_run, "Print hostfile, environment and command; start nothing");
  command->callback([args, &chosen] {
    chosen = [args](const Environment& environment) {
      if (!args->this_host && args->hosts.empty())
        throw Error("no hosts", viaduct::ExitCode::bad_input, "give --host HOST:SLOTS, or --this-host");
      args->options.hosts = parse_hosts(args->hosts);
      return viaduct::launcher::launch(args->options, environment, viaduct::SystemClock());
    };
  });
}

void add_exec(CLI::App& app, Chosen& chosen, const Words& program) {
  struct Args {
    viaduct::launcher::ExecOptions options;
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
      if (!args->slots.empty()) args->options.slots = viaduct::model::expand_counts(args->slots);
      if (!args->rendezvous.empty()) args->options.rendezvous = parse_rendezvous(args->rendezvous);
      viaduct::launcher::exec_rank(args->options, environment);
    };
  });
}

void add_tether(CLI::App& app, Chosen& chosen, const Words& program) {
  auto parent = std::make_shared<pid_t>(0);
  CLI::App* command = app.add_subcommand("tether", "Become a program that ends with its parent (used by launch)");
  command->group("");
  command->add_option("PARENT", *parent, "Process id of the parent")->required();
  command->callback([parent, &chosen, program] {
    chosen = [parent, program](const Environment& environment) -> int {
      require_command(program);
      viaduct::launcher::exec_tethered(*parent, program, environment);
    };
  });
}

}  // namespace

int main(int argc, char** argv) {
  viaduct::cli::set_up_process();
  const auto environment = Environment::of_process(environ);
  CLI::App app("Viaduct's hands inside an allocation: starts MPI runs and prepares each rank.", "viaduct-agent");
  app.set_version_flag("--version", std::string("viaduct-agent " VIADUCT_VERSION));
  app.require_subcommand(1);
  Chosen chosen;
  add_launch(app, chosen);
  const Words program = command_after_dashes(argc, argv);
  add_exec(app, chosen, program);
  add_tether(app, chosen, program);
  const int own_words = argc - static_cast<int>(program.size());
  return viaduct::cli::run_main(app, own_words, argv, [&] { return chosen(environment); });
}
