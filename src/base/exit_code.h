#pragma once

namespace viaduct {

// What viaduct and viaduct-agent exit with. `run`, `wait` and `launch` exit with the program's own code when a
// program ran; a program ended by signal S gives 128+S, as in a shell. Everything else is in this one table.
enum class ExitCode : int {
  ok = 0,
  failure = 1,           // anything not named below
  bad_input = 2,         // a mistake in a file or on the command line; nothing was created
  not_found = 3,         // no such job, runtime or file
  conflict = 4,          // the job exists already, or is in a state that forbids the request
  missing_on_host = 5,   // this machine lacks something: mpirun, viaduct-agent, a writable home
  deadline = 124,        // activeDeadlineSeconds passed (as timeout(1) says it)
  cannot_execute = 126,  // the program is there but can't be executed
  program_not_found = 127,
};

}  // namespace viaduct
