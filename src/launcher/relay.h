#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace viaduct::launcher {

// What a relay says first: that it is ready, and what it knows of its host.
struct RelayReady {
  std::string host;            // as the host calls itself; no blanks
  bool fabric = false;         // it has a network beside Ethernet (launcher/fabric.h)
  std::string client_address;  // the two ends of the SSH connection, as SSH_CONNECTION has them; "" not known
  std::string own_address;

  bool operator==(const RelayReady&) const = default;
};
std::string format_ready(const RelayReady& ready);  // one line, with its newline
std::optional<RelayReady> parse_ready(std::string_view line);

// What it says last, when it has been told to end: all that the ranks said has come before.
inline constexpr std::string_view relay_over = "\x1eviaduct over";

// `viaduct-agent relay`: runs on each host of a run but the launcher's own, as a command of the job's SSH. It takes the
// output of the ranks there (launcher/rank_streams.h, at the address `output`) and hands it on as log lines
// (launcher/log_line.h) on standard output, with each rank's hello. On standard input it takes lines "signal N", which
// go to the ranks. At its end it waits a second for what the ranks have still to say, and kills those that are left.
int relay(const std::string& output);

}  // namespace viaduct::launcher
