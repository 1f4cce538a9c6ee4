#pragma once

#include <string>
#include <vector>

#include "base/environment.h"
#include "sshkeys/gate.h"

namespace viaduct::sshkeys {

// A command that the gate let through, ready for execve.
struct GatedRun {
  std::vector<std::string> argv;  // argv[0] is the program's path
  Environment environment;
};

bool is_relay(const GatedCommand& command, const GatePolicy& policy);

// Looks the program up in the policy's directories and adds the command's variables to `environment`. Throws Error
// (program_not_found, cannot_execute).
GatedRun prepare_run(const GatedCommand& command, const GatePolicy& policy, Environment environment);

// `viaduct-agent gate`, the forced command where the server is OpenSSH's: judges SSH_ORIGINAL_COMMAND and becomes it.
// Throws Error (cannot_execute) with the reason of a refusal.
[[noreturn]] void run_gate(const GatePolicy& policy, const Environment& environment);

}  // namespace viaduct::sshkeys
