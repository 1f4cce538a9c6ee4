#pragma once

#include <string>
#include <vector>

#include "base/environment.h"

namespace viaduct::sshkeys {

// `viaduct-agent ssh`, called as OpenSSH's client is (`words` come after the program's name): runs one command on one
// host, with this process' standard input, output and error. Without -F it reads the file that VIADUCT_SSH_CONFIG
// names.
//
// The host's key must be in known_hosts under the host's alias; there is no way to turn that off. Resolving the name,
// connecting and the key exchange are tried again, with back-off, until ConnectTimeout (seconds) is over.
//
// Returns the command's exit code; 255 when there was an error, or when a signal ended the command, as OpenSSH's does.
// Errors are one line on standard error.
int ssh(const std::vector<std::string>& words, const Environment& environment);

}  // namespace viaduct::sshkeys
