#pragma once

#include <optional>
#include <string>
#include <vector>

#include "launcher/relay.h"

namespace viaduct::launcher {

// An IPv4 address of this host, and how many bits of it are the network's.
struct InterfaceAddress {
  std::string interface;  // "eth0"
  std::string address;
  int prefix = 32;
};
std::vector<InterfaceAddress> own_addresses();

// This host's name with its domain, as its resolver has it; "" where that knows none.
std::string full_host_name();

struct Network {
  std::string cidr;       // "10.77.0.0/16"
  std::string interface;  // of this host in it
  bool operator==(const Network&) const = default;
};

// The IPv4 network over which this host and all the others see each other: each of them sees this one at the same
// address, and stands in that address' network. Nothing when it can't be told. MPI hangs when it picks by itself an
// interface that has the same address on every host, such as a container bridge.
std::optional<Network> common_network(const std::vector<RelayReady>& others, const std::vector<InterfaceAddress>& own);

}  // namespace viaduct::launcher
