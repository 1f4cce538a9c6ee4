#include "hosts/messages.h"

#include <catch2/catch.hpp>

#include "base/error.h"
#include "base/json.h"

using namespace viaduct;
using namespace viaduct::hosts;

namespace {

Document sent(const Value& value) { return read_json_document("test", write_json(value, 0)); }
Document text(const std::string& json) { return read_json_document("test", json); }

}  // namespace

TEST_CASE("messages: a hello arrives as it was sent") {
  const NodeHello hello =
      read_node_hello(sent(to_value(NodeHello{"n1", "n1.lab", "/a/viaduct-agent", "10.0.0.1", {"10.0.0.1", "::2"}})));
  CHECK(hello.host == "n1");
  CHECK(hello.full_name == "n1.lab");
  CHECK(hello.agent == "/a/viaduct-agent");
  CHECK(hello.connected_address == "10.0.0.1");
  CHECK(hello.addresses == std::vector<std::string>{"10.0.0.1", "::2"});
}

TEST_CASE("messages: a request to serve arrives as it was sent") {
  const ServeRequest request = read_serve_request(
      sent(to_value(ServeRequest{"ssh-ed25519 AAAA", {"n1", "n2"}, "/w", {{"PATH", "/b"}, {"A", ""}}})));
  CHECK(request.client_key == "ssh-ed25519 AAAA");
  CHECK(request.members == std::vector<std::string>{"n1", "n2"});
  CHECK(request.directory == "/w");
  CHECK(request.environment == std::vector<std::pair<std::string, std::string>>{{"PATH", "/b"}, {"A", ""}});
}

TEST_CASE("messages: word on the others arrives as it was sent") {
  const PeersRequest request = read_peers_request(sent(to_value(PeersRequest{"Host a\n", "a ssh-ed25519 AAAA\n"})));
  CHECK(request.ssh_config == "Host a\n");
  CHECK(request.known_hosts == "a ssh-ed25519 AAAA\n");
}

TEST_CASE("messages: a run arrives as it was sent") {
  Value plan = Value::mapping();
  plan.set("kind", "RunPlan");
  const LaunchRequest request = read_launch_request(sent(to_value(LaunchRequest{plan, "n1:2,n2:2", true, 3})));
  CHECK(write_json(request.plan, 0) == write_json(plan, 0));
  CHECK(request.hosts == "n1:2,n2:2");
  CHECK(request.tree_spawn);
  CHECK(request.attempt == 3);
}

TEST_CASE("messages: what lacks a part, or has one too many, is refused") {
  CHECK_THROWS_AS(read_node_hello(text("{}")), Error);
  CHECK_THROWS_AS(read_node_hello(text(R"({"host": "a", "agent": "/b", "more": 1})")), Error);
  CHECK_THROWS_AS(read_node_hello(text(R"({"host": 1, "agent": "/b"})")), Error);
  CHECK_NOTHROW(read_node_hello(text(R"({"host": "a", "agent": "/b"})")));
  CHECK_THROWS_AS(read_serve_request(text(R"({"clientKey": "k"})")), Error);
  CHECK_THROWS_AS(read_peers_request(text(R"({"sshConfig": "x"})")), Error);
  CHECK_THROWS_AS(read_launch_request(text(R"({"plan": {}, "hosts": "a", "attempt": 0})")), Error);
  CHECK_THROWS_AS(read_launch_request(text("[]")), Error);
}
