#include "launcher/network.h"

#include <arpa/inet.h>
#include <ifaddrs.h>
#include <netdb.h>
#include <netinet/in.h>

#include <algorithm>
#include <bit>
#include <memory>

#include "base/process.h"
#include "base/text.h"

namespace viaduct::launcher {
namespace {

std::optional<std::uint32_t> parse_ipv4(const std::string& text) {
  in_addr address{};
  if (::inet_pton(AF_INET, text.c_str(), &address) != 1) return std::nullopt;
  return ntohl(address.s_addr);
}

std::string format_ipv4(std::uint32_t address) {
  return str(address >> 24, ".", (address >> 16) & 255, ".", (address >> 8) & 255, ".", address & 255);
}

std::uint32_t ipv4_of(const sockaddr* address) {
  return ntohl(reinterpret_cast<const sockaddr_in*>(address)->sin_addr.s_addr);
}

}  // namespace

std::vector<InterfaceAddress> own_addresses() {
  ifaddrs* list = nullptr;
  if (::getifaddrs(&list) != 0) return {};
  const std::unique_ptr<ifaddrs, decltype(&::freeifaddrs)> owner(list, ::freeifaddrs);
  std::vector<InterfaceAddress> addresses;
  for (const ifaddrs* entry = list; entry; entry = entry->ifa_next)
    if (entry->ifa_addr && entry->ifa_netmask && entry->ifa_addr->sa_family == AF_INET)
      addresses.push_back(
          {entry->ifa_name, format_ipv4(ipv4_of(entry->ifa_addr)), std::popcount(ipv4_of(entry->ifa_netmask))});
  return addresses;
}

std::string full_host_name() {
  addrinfo hints{};
  hints.ai_flags = AI_CANONNAME;
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  if (::getaddrinfo(host_name().c_str(), nullptr, &hints, &found) != 0) return "";
  const std::unique_ptr<addrinfo, decltype(&::freeaddrinfo)> owner(found, ::freeaddrinfo);
  return found->ai_canonname ? found->ai_canonname : "";
}

std::optional<Network> common_network(const std::vector<RelayReady>& others, const std::vector<InterfaceAddress>& own) {
  if (others.empty()) return std::nullopt;
  const std::string& seen_as = others.front().client_address;
  const auto mine = std::ranges::find(own, seen_as, &InterfaceAddress::address);
  const auto address = parse_ipv4(seen_as);
  if (mine == own.end() || !address || mine->prefix < 1 || mine->prefix > 31) return std::nullopt;
  const std::uint32_t mask = ~std::uint32_t{0} << (32 - mine->prefix);
  const bool all_there = std::ranges::all_of(others, [&](const RelayReady& other) {
    const auto its = parse_ipv4(other.own_address);
    return other.client_address == seen_as && its && (*its & mask) == (*address & mask);
  });
  if (!all_there) return std::nullopt;
  return Network{str(format_ipv4(*address & mask), "/", mine->prefix), mine->interface};
}

}  // namespace viaduct::launcher
