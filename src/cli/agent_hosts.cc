#include <memory>

#include "cli/agent_commands.h"
#include "hosts/node.h"
#include "hosts/reach.h"

// viaduct-agent reach and node: a run on machines without a scheduler.
namespace viaduct::cli {

void add_reach(CLI::App& app, AgentChosen& chosen) {
  auto options = std::make_shared<hosts::ReachOptions>();
  CLI::App* command = app.add_subcommand("reach", "Carry out a plan on hosts that your own ssh reaches");
  command->add_option("--plan", options->plan_file, "The RunPlan, as `viaduct plan -o json` prints it")->required();
  command->add_option("--hosts-file", options->hosts_file, "The hosts and their slots, as a hostfile")->required();
  command->add_option("--attempt-dir", options->attempt_directory, "Directory for started and exit/<node>")->required();
  command->add_option("--attempt", options->attempt, "Number of this attempt; 1 is the first")->capture_default_str();
  command->add_option("--with-parent", options->parent, "End when this process, the parent, ends");
  command->callback([options, &chosen] {
    chosen = [options](const Environment& environment) { return hosts::reach(*options, environment, SystemClock()); };
  });
}

void add_node(CLI::App& app, AgentChosen& chosen) {
  CLI::App* command = app.add_subcommand("node", "On each host: what `reach` talks to");
  command->group("");
  command->callback([&chosen] { chosen = [](const Environment& environment) { return hosts::node(environment); }; });
}

}  // namespace viaduct::cli
