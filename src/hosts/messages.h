#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "base/value.h"

namespace viaduct::hosts {

// What a node says of itself when it has been reached.
struct NodeHello {
  std::string host;                    // as it calls itself
  std::string full_name;               // as its resolver calls it, which Intel MPI tells others; "" not known
  std::string agent;                   // path of its viaduct-agent
  std::string connected_address;       // its end of the connection it was reached by; "" not known
  std::vector<std::string> addresses;  // all others, without loopback
};

// How a node is to serve the job's SSH. Its host key came before, as a frame of its own.
struct ServeRequest {
  std::string client_key;                                        // public, as a line of authorized_keys
  std::vector<std::string> members;                              // names and addresses of all nodes
  std::string directory;                                         // to run in
  std::vector<std::pair<std::string, std::string>> environment;  // to be set; PATH is put before the node's own
};

// What the job's ssh on a node must know of the others. The client's private key came before. Goes to the node that
// launches, and with tree spawn to all.
struct PeersRequest {
  std::string ssh_config;  // with /@DIRECTORY@ for where known_hosts lies, and /@KEY@ for the private key's file
  std::string known_hosts;
};

// The run, for the node that launches.
struct LaunchRequest {
  Value plan;         // RunPlan
  std::string hosts;  // as `viaduct-agent launch --hosts` takes them
  bool tree_spawn = false;
  std::int64_t attempt = 1;
};

// Each read_… throws Error with every mistake.
Value to_value(const NodeHello& hello);
NodeHello read_node_hello(const Document& document);
Value to_value(const ServeRequest& request);
ServeRequest read_serve_request(const Document& document);
Value to_value(const PeersRequest& request);
PeersRequest read_peers_request(const Document& document);
Value to_value(const LaunchRequest& request);
LaunchRequest read_launch_request(const Document& document);

}  // namespace viaduct::hosts
