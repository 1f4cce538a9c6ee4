#include <unistd.h>

#include <algorithm>
#include <string_view>

#include "cli/agent_commands.h"
#include "cli/main_common.h"
#include "sshkeys/client.h"
#include "sshkeys/transport.h"

namespace {

using Words = std::vector<std::string>;

Words command_after_dashes(int argc, char** argv) {
  const auto dashes = std::find(argv, argv + argc, std::string_view("--"));
  return dashes == argv + argc ? Words() : Words(dashes + 1, argv + argc);
}

// The words of an `ssh` that this program was called as, or asked to be.
bool is_ssh(int argc, char** argv, Words& words) {
  const std::string_view name = argc > 0 ? argv[0] : "";
  const int first = name.substr(name.rfind('/') + 1) == "ssh" ? 1 : 2;
  if (first == 2 && (argc < 3 || argv[1] != std::string_view("ssh") || argv[2] == std::string_view("--help")))
    return false;
  words.assign(argv + first, argv + argc);
  return true;
}

}  // namespace

int main(int argc, char** argv) {
  using namespace viaduct::cli;
  set_up_process();
  viaduct::sshkeys::look_up_in_files_and_dns();
  const auto environment = viaduct::Environment::of_process(environ);
  Words ssh_words;
  if (is_ssh(argc, argv, ssh_words)) return viaduct::sshkeys::ssh(ssh_words, environment);

  CLI::App app("Viaduct's hands inside an allocation: starts MPI runs and prepares each rank.", "viaduct-agent");
  app.set_version_flag("--version", std::string("viaduct-agent " VIADUCT_VERSION));
  app.require_subcommand(1);
  AgentChosen chosen;
  const Words program = command_after_dashes(argc, argv);
  add_launch(app, chosen);
  add_exec(app, chosen, program);
  add_sshd(app, chosen);
  add_ssh(app);
  add_gate(app, chosen);
  add_tether(app, chosen, program);
  add_relay(app, chosen);
  add_reach(app, chosen);
  add_node(app, chosen);
  const int own_words = argc - static_cast<int>(program.size());
  return run_main(app, own_words, argv, [&] { return chosen(environment); });
}
