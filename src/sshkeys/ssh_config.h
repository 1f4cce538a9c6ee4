#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

// The part of OpenSSH's client configuration that `viaduct-agent ssh` understands: see ssh_config(5). Pure. Mistakes
// throw Error with ExitCode::bad_input, saying the place. Checked against `ssh -G` of OpenSSH 9.2.
namespace viaduct::sshkeys {

// "Keyword value": a line of a file, or an option of the command line.
struct SshSetting {
  std::string keyword;              // in lower case
  std::vector<std::string> values;  // at least one; quotes are taken off, nothing is expanded
  std::string place;                // "ssh_config:3", "-o"
};

enum class AddressFamily { any, ipv4, ipv6 };

// Everything needed to connect to a host.
struct SshTarget {
  std::string host;                      // as it was given
  std::string host_name;                 // to be resolved, in lower case
  std::string alias;                     // the name that known_hosts has its key under
  int port = 22;                         // 1 to 65535
  std::optional<std::string> user;       // absent: the user who runs this
  std::vector<std::string> identities;   // private key files, in the order to try; some may not exist
  std::vector<std::string> known_hosts;  // files; some may not exist
  int deadline_seconds = 30;             // for resolving the name and connecting, with all retries; 1 to 86400
  AddressFamily family = AddressFamily::any;
  int alive_interval_seconds = 0;    // without an answer; 0: never ask
  int alive_count = 3;               // questions without an answer before the connection counts as lost
  bool quiet = false;                // say nothing, not even errors
  int verbosity = 0;                 // 0 to 3, as by that many -v
  bool no_stdin = false;             // give the command an empty standard input
  std::vector<std::string> remarks;  // what was asked for and is not done; for -v
};

// One line; nothing for a blank one and a comment. "K V", "K=V", words in single or double quotes, backslashes before
// quotes, blanks and backslashes; a word that begins with # begins a comment.
std::optional<SshSetting> parse_ssh_setting(std::string_view line, std::string place);

// A file, line by line, with its Host lines. `name` is the file's, for places.
std::vector<SshSetting> parse_ssh_config(std::string_view text, std::string_view name);

// What the settings say of a host: those of the command line first, then the file's. As in OpenSSH the first value
// obtained wins, except that every IdentityFile counts, and settings after a Host line count for its hosts only. `home`
// stands for ~; where it is empty, files under ~ are left out.
//
// Otherwise than in OpenSSH:
// * Hosts' keys are always checked. StrictHostKeyChecking that asks for less is ignored with a remark.
// * ConnectTimeout, times ConnectionAttempts, is the deadline for resolving the name as well as for connecting, since
//   the names of a job's hosts may appear later than the job; "none" and 0 mean the default.
// * Match, Include and whatever would start a program, forward a connection or go through another host are mistakes.
//   What only concerns OpenSSH's own ways (Ciphers, ControlMaster, …) is ignored. Other keywords are mistakes, unless
//   IgnoreUnknown names them.
// * Only the values that count for this host are checked.
// * In files' names %d, %h and %% are expanded, in HostName %h and %%; other % are mistakes.
// * Where no IdentityFile is named, the default keys are id_rsa, id_ecdsa and id_ed25519.
SshTarget resolve_target(const std::vector<SshSetting>& settings, const std::string& host, const std::string& home);

}  // namespace viaduct::sshkeys
