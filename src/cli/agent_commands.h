#pragma once

#include <CLI/CLI.hpp>
#include <functional>
#include <string>
#include <vector>

#include "base/environment.h"

// Each sub-command of viaduct-agent adds itself to the application and stores what to run in `chosen`; the result is
// the exit code. `program` is what stands after "--", which never goes through CLI11: that takes words like "[a b]"
// apart.
namespace viaduct::cli {

using AgentChosen = std::function<int(const Environment&)>;

void add_launch(CLI::App& app, AgentChosen& chosen);
void add_exec(CLI::App& app, AgentChosen& chosen, const std::vector<std::string>& program);
void add_tether(CLI::App& app, AgentChosen& chosen, const std::vector<std::string>& program);
void add_sshd(CLI::App& app, AgentChosen& chosen);
void add_ssh(CLI::App& app);  // for --help alone: main hands its words on before they are parsed
void add_gate(CLI::App& app, AgentChosen& chosen);
void add_relay(CLI::App& app, AgentChosen& chosen);
void add_reach(CLI::App& app, AgentChosen& chosen);
void add_node(CLI::App& app, AgentChosen& chosen);

}  // namespace viaduct::cli
