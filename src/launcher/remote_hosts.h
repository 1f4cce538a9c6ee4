#pragma once

#include <poll.h>

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/environment.h"
#include "base/process.h"
#include "launcher/rank_report.h"
#include "launcher/relay.h"

namespace viaduct::launcher {

// Where what comes from other hosts goes; the views live only during the call.
struct RemoteSink {
  std::function<void(int rank, bool is_error, std::string_view line)> line;
  std::function<void(const RankHello& hello)> hello;
};

// The other hosts of a run, seen from `viaduct-agent launch`: to each one SSH connection, from before the ranks start
// until they have ended, with a `viaduct-agent relay` at its other end. That a host can be reached is known by its
// relay saying so, and that it is lost by the end of that connection. Owns the ssh processes. One thread.
class RemoteHosts {
 public:
  struct Host {
    int node = 0;  // number in the allocation
    std::string name;
  };
  struct Options {
    std::string agent;           // path of viaduct-agent, here and there
    std::string ssh_config;      // of the job
    std::string output;          // rank output's address on node N is this and ".N"
    int deadline_seconds = 120;  // for a host to be reached
  };
  RemoteHosts(std::vector<Host> hosts, const Options& options, const Environment& environment);  // starts to reach them

  bool empty() const { return connections_.empty(); }
  void add_polls(std::vector<pollfd>& fds) const;
  bool read(const RemoteSink& sink);  // takes what is there, without waiting; whether a relay had something to say

  std::size_t size() const { return connections_.size(); }
  std::size_t ready_count() const;
  std::vector<RelayReady> ready() const;  // of those that are
  std::string describe_waiting() const;   // "node07 (Connection refused), node09 and 3 more"

  // The first host that can't be reached, or that went away before its relay had said all.
  struct Lost {
    std::string host;
    std::string reason;
  };
  const std::optional<Lost>& lost() const { return lost_; }

  void signal_ranks(int signal);
  void finish();      // the run is over: the relays are told to say the last and end
  void give_up();     // on those that have not: they are lost
  bool open() const;  // some relay has not ended

 private:
  struct Connection {
    Host host;
    Process ssh;
    Fd input;
    Fd output;
    Fd errors;
    std::optional<RelayReady> ready;
    std::string partial_output;
    std::string partial_errors;
    std::string said;   // the last line of standard error
    bool over = false;  // the relay has ended as it should
  };
  Connection connect(Host host, const Options& options, const Environment& environment) const;
  bool read_output(Connection& connection, const RemoteSink& sink);
  void read_errors(Connection& connection);
  void lose(const Connection& connection, const std::string& otherwise);
  void take_line(Connection& connection, std::string_view line, const RemoteSink& sink);

  std::vector<Connection> connections_;
  std::optional<Lost> lost_;
};

}  // namespace viaduct::launcher
