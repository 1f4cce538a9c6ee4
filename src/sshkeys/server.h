#pragma once

#include <chrono>
#include <string>
#include <vector>

#include "base/environment.h"
#include "base/fd.h"
#include "sshkeys/gate.h"
#include "sshkeys/key.h"

namespace viaduct::sshkeys {

// `viaduct-agent sshd`: the job's own SSH server (RFC 4251 to 4254). It needs no root, no passwd entry, no home and no
// capability, and writes nothing but its port and its log.
struct ServerOptions {
  std::vector<PublicKey> authorized;  // who may log in; never empty
  std::string user;                   // the only login name
  std::string address = "0.0.0.0";    // to listen on; "::" for IPv6 too
  int port = 2222;                    // 0: any free one
  std::string port_file;              // gets the port when it listens; "": none
  GatePolicy gate;
  std::vector<std::string> accepted_environment = {"LANG", "LC_*"};  // names a client may set; * stands for any rest
  Environment environment;                                           // of every command
  int most_sessions = 512;  // commands at once; fewer where there are not enough file descriptors
  std::chrono::seconds login_limit{60};
  std::chrono::seconds idle_limit{60};  // of a client that has logged in and runs nothing
};

// A socket that listens, so that the port is known before anything is served.
class ListeningSocket {
 public:
  ListeningSocket(const std::string& address, int port);  // throws Error: "port 2222 … is taken"
  int fd() const { return socket_.get(); }
  int port() const { return port_; }

 private:
  Fd socket_;
  int port_ = 0;
};

// Serves until SIGTERM, SIGINT or SIGHUP (from a signalfd: they are blocked here). Then every command it started is
// ended, with all that came from it. Single-threaded; the process becomes a subreaper. Log lines go to standard error.
//
// A client that logs in gets one channel, and one command that the gate lets through. Commands beyond most_sessions
// wait for their turn. Of clients that have not logged in there are at most twice as many; then one that says nothing,
// or takes its time, has to go for a new one.
//
// A dropped connection ends its command with the command's process group. A daemon that has left its session (orted
// --daemonize, whose ssh ends at once) lives on: it ends with the job's `relay`, with the server, or by itself. The end
// of a connection that ran `relay` is the end of the run on this host: everything that was started here is ended, and
// until it has, new commands wait.
void serve(ListeningSocket socket, const PrivateKey& host_key, const ServerOptions& options);

}  // namespace viaduct::sshkeys
