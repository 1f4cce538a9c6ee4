#pragma once

#include <string>
#include <vector>

#include "sshkeys/ssh_config.h"

namespace viaduct::sshkeys {

// What `viaduct-agent ssh` was asked to do.
struct SshArguments {
  std::vector<SshSetting> settings;  // of the options, by falling precedence; the file's settings come after them
  std::string config_file;           // of -F; "": none was named. "none" stands for no file
  std::string host;                  // as it was given, not checked
  std::string command;               // not empty
};

// Reads the command line of OpenSSH's ssh as MPI launchers, pdsh, DeepSpeed and horovodrun write it: see ssh(1).
// `words` are those after argv[0]. Options may also stand between the host and the command. The words of the command
// are joined by single blanks. -2, -a, -C, -c, -e, -k, -m and -x are accepted and change nothing. Pure.
//
// Throws Error with ExitCode::bad_input for what is not offered (terminals, forwarding, …), for a mistake in an option,
// and where there is no command.
SshArguments parse_ssh_arguments(const std::vector<std::string>& words);

}  // namespace viaduct::sshkeys
