#pragma once

#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace viaduct::sshkeys {

// Which commands the job's remote shell carries out. Everything else is refused.
struct GatePolicy {
  // Absolute. From these an MPI launcher's daemon may be started, and they may stand in PATH=…, which has no effect, so
  // that the job's own ssh stays the first on PATH; the library directories beside them (<dir>/../lib, lib64,
  // lib/<triplet> …) may stand in LD_LIBRARY_PATH=…, and <dir>/.. is where an MPI may be told it is installed.
  std::vector<std::string> program_directories;
  std::vector<std::string> members;  // host names and addresses of the job; empty: not checked
  std::string agent;                 // path of viaduct-agent, which may be asked to `relay`; "": may not
  std::string ssh_config;            // the one file that a daemon may hand to its own ssh, by -F; "": none
};

// A variable to set: `value`, or, to prepend, `value` before ':' and what the variable held, when it held anything.
struct Assignment {
  std::string name;
  std::string value;
  bool prepend = false;

  bool operator==(const Assignment&) const = default;
};

// A command that may run, taken apart: nothing of it is left for a shell.
struct GatedCommand {
  std::string program;                  // "orted" (to be found in program_directories) or an absolute path, normalised
  std::vector<std::string> argv;        // argv[0] is the program's base name
  std::vector<Assignment> environment;  // in order; a name may come more than once
};
struct GateRefusal {
  std::string reason;  // one line, printable, of bounded length; for the log
};

// The daemons of Open MPI 4 and 5, MPICH and Intel MPI, as their launchers ask ssh for them, and the agent's relay.
// What a daemon goes on to start is not judged: the gate says who may start daemons, not what ranks do.
std::variant<GatedCommand, GateRefusal> judge_command(std::string_view command, const GatePolicy& policy);

}  // namespace viaduct::sshkeys
