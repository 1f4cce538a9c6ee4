#pragma once

#include <string>
#include <vector>

#include "base/environment.h"
#include "launcher/rank_environment.h"

namespace viaduct::launcher {

// `viaduct-agent exec`: what happens in each rank before the user's program. See `exec --help`.
struct ExecOptions {
  std::vector<int> slots;  // ranks of each node, in the order of the run; empty: not known
  Rendezvous rendezvous;
  std::string binding = "cpu";
  std::string directory;  // change to it first; "": stay
  std::string output;     // hand the program's output to `launch` here (launcher/rank_streams.h); "": leave it as it is
  bool hello = false;     // tell `launch` about this rank on standard error (launcher/rank_report.h)
  bool die_with_parent = false;
  bool watch = false;  // stay beside the program and report when it ends badly: no MPI launcher always tells
  std::vector<std::string> command;  // the program and its arguments
};

// A word ":" would end the program for every mpirun, so it travels as "\:" (and "\:" with one more backslash).
std::string escape_word(std::string word);
std::string unescape_word(std::string word);

// Sets the rank's variables, binds it, and becomes the program (with `watch`: its parent, which exits as it did).
// Returns only by throwing: Error with the code a shell gives (127 not found, 126 not executable).
[[noreturn]] void exec_rank(const ExecOptions& options, Environment environment);

// Becomes `command`, which gets SIGKILL when the parent `parent` ends. For mpirun, so that it never outlives `launch`.
[[noreturn]] void exec_tethered(pid_t parent, const std::vector<std::string>& command, const Environment& environment);

}  // namespace viaduct::launcher
