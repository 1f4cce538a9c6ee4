#include "hosts/messages.h"

#include <arpa/inet.h>

#include <algorithm>
#include <cctype>
#include <functional>

#include "base/error.h"
#include "base/reader.h"
#include "base/text.h"

namespace viaduct::hosts {
namespace {

void read(const Document& document, const std::function<void(ObjectReader&)>& fields) {
  Diagnostics diagnostics;
  ReadContext context(document.source, diagnostics, ReadContext::PathStyle::pointer);
  ObjectReader reader(document.root, context, "");
  fields(reader);
  reader.done();
  if (diagnostics.has_errors()) throw Error(str("not what viaduct-agent says:\n", diagnostics.render(false)));
}

bool is_address(const std::string& text) {
  in6_addr any{};
  return ::inet_pton(AF_INET, text.c_str(), &any) == 1 || ::inet_pton(AF_INET6, text.c_str(), &any) == 1;
}

bool is_host_name(const std::string& text) {
  constexpr std::size_t longest = 255;  // bytes
  return !text.empty() && text.size() <= longest && std::ranges::all_of(text, [](unsigned char c) {
    return std::isalnum(c) != 0 || c == '-' || c == '.' || c == '_';
  });
}

}  // namespace

Value to_value(const NodeHello& hello) {
  Value out = Value::mapping();
  out.set("host", hello.host);
  out.set("fullName", hello.full_name);
  out.set("agent", hello.agent);
  out.set("connectedAddress", hello.connected_address);
  out.set("addresses", Value::strings(hello.addresses));
  return out;
}

// A host may say what it likes; what goes on to other hosts must be what it looks like.
NodeHello read_node_hello(const Document& document) {
  NodeHello hello;
  read(document, [&](ObjectReader& reader) {
    hello.host = reader.required_string("host");
    if (!is_host_name(hello.host)) reader.error("host", "must be a host name");
    hello.full_name = reader.string("fullName").value_or("");
    if (!hello.full_name.empty() && !is_host_name(hello.full_name)) reader.error("fullName", "must be a host name");
    hello.agent = reader.required_string("agent");
    if (!hello.agent.starts_with("/") || printable(hello.agent) != hello.agent)
      reader.error("agent", "must be an absolute path");
    hello.connected_address = reader.string("connectedAddress").value_or("");
    if (!is_address(hello.connected_address)) hello.connected_address.clear();  // OpenSSH may not know it: "UNKNOWN"
    hello.addresses = reader.strings("addresses").value_or(std::vector<std::string>());
    if (!std::ranges::all_of(hello.addresses, is_address)) reader.error("addresses", "must be IP addresses");
  });
  return hello;
}

Value to_value(const ServeRequest& request) {
  Value environment = Value::mapping();
  for (const auto& [name, value] : request.environment) environment.set(name, value);
  Value out = Value::mapping();
  out.set("clientKey", request.client_key);
  out.set("members", Value::strings(request.members));
  out.set("directory", request.directory);
  out.set("environment", std::move(environment));
  return out;
}

ServeRequest read_serve_request(const Document& document) {
  ServeRequest request;
  read(document, [&](ObjectReader& reader) {
    request.client_key = reader.required_string("clientKey");
    request.members = reader.strings("members").value_or(std::vector<std::string>());
    request.directory = reader.required_string("directory");
    request.environment = reader.string_map("environment");
  });
  return request;
}

Value to_value(const PeersRequest& request) {
  Value out = Value::mapping();
  out.set("sshConfig", request.ssh_config);
  out.set("knownHosts", request.known_hosts);
  return out;
}

PeersRequest read_peers_request(const Document& document) {
  PeersRequest request;
  read(document, [&](ObjectReader& reader) {
    request.ssh_config = reader.required_string("sshConfig");
    request.known_hosts = reader.required_string("knownHosts");
  });
  return request;
}

Value to_value(const LaunchRequest& request) {
  Value out = Value::mapping();
  out.set("plan", request.plan);
  out.set("hosts", request.hosts);
  out.set("treeSpawn", request.tree_spawn);
  out.set("attempt", request.attempt);
  return out;
}

LaunchRequest read_launch_request(const Document& document) {
  LaunchRequest request;
  read(document, [&](ObjectReader& reader) {
    if (const Value* plan = reader.required("plan")) request.plan = *plan;
    request.hosts = reader.required_string("hosts");
    request.tree_spawn = reader.boolean("treeSpawn").value_or(false);
    request.attempt = reader.integer("attempt", 1).value_or(1);
  });
  return request;
}

}  // namespace viaduct::hosts
