#include "launcher/network.h"

#include <algorithm>
#include <catch2/catch.hpp>

using namespace viaduct::launcher;

namespace {

const std::vector<InterfaceAddress> own = {{"lo", "127.0.0.1", 8},
                                           {"docker0", "172.17.0.1", 16},
                                           {"eth0", "10.77.0.1", 16},
                                           {"ib0", "10.9.0.1", 24},
                                           {"tun0", "10.8.0.1", 32}};

RelayReady seen(const std::string& us, const std::string& itself) { return {"n", false, us, itself}; }

}  // namespace

TEST_CASE("network: it is the one in which all others see this host") {
  CHECK(common_network({seen("10.77.0.1", "10.77.3.2"), seen("10.77.0.1", "10.77.0.3")}, own) ==
        Network{"10.77.0.0/16", "eth0"});
  CHECK(common_network({seen("10.9.0.1", "10.9.0.2")}, own) == Network{"10.9.0.0/24", "ib0"});
}

TEST_CASE("network: nothing is said where it can't be told") {
  CHECK_FALSE(common_network({}, own));
  CHECK_FALSE(common_network({seen("10.77.0.1", "10.77.0.2"), seen("10.9.0.1", "10.9.0.2")}, own));  // by two ways
  CHECK_FALSE(common_network({seen("10.77.0.1", "192.168.0.2")}, own));                              // over a router
  CHECK_FALSE(common_network({seen("10.99.0.1", "10.99.0.2")}, own));                                // not ours: NAT
  CHECK_FALSE(common_network({seen("10.8.0.1", "10.8.0.1")}, own));  // a network of one address
  CHECK_FALSE(common_network({seen("", "")}, own));
  CHECK_FALSE(common_network({seen("fd00::1", "fd00::2")}, own));
  CHECK_FALSE(common_network({seen("10.77.0.1", "nonsense")}, own));
}

TEST_CASE("network: this host has its loopback address at least") {
  const auto addresses = own_addresses();
  CHECK(std::ranges::find(addresses, "127.0.0.1", &InterfaceAddress::address) != addresses.end());
}
