#include "sshkeys/known_hosts.h"

#include <catch2/catch.hpp>

namespace viaduct::sshkeys {
namespace {

// The key "AAAA" of type ssh-ed25519.
KeyVerdict check(std::string_view text, std::string_view name) {
  return check_known_host(text, name, "ssh-ed25519", "AAAA");
}

}  // namespace

TEST_CASE("known_hosts: a key that stands there for the name matches") {
  CHECK(check("n1 ssh-ed25519 AAAA", "n1") == KeyVerdict::match);
  CHECK(check("  n1\tssh-ed25519  AAAA a comment\r\n", "n1") == KeyVerdict::match);
  CHECK(check("# n1\n\nn0 ssh-ed25519 BBBB\nn1,n2 ssh-ed25519 AAAA\n", "n2") == KeyVerdict::match);
  CHECK(check("n1 ssh-ed25519 AAAA==", "n1") == KeyVerdict::match);
}

TEST_CASE("known_hosts: nothing for the name is unknown, and so are keys of other types alone") {
  CHECK(check("", "n1") == KeyVerdict::unknown);
  CHECK(check("n2 ssh-ed25519 AAAA\n", "n1") == KeyVerdict::unknown);
  CHECK(check("n1 ssh-rsa AAAA\n", "n1") == KeyVerdict::unknown);
  CHECK(check("#n1 ssh-ed25519 AAAA\n", "n1") == KeyVerdict::unknown);
}

TEST_CASE("known_hosts: another key of the same type is a change, unless the right one stands there too") {
  CHECK(check("n1 ssh-ed25519 BBBB\n", "n1") == KeyVerdict::changed);
  CHECK(check("n1 ssh-ed25519 AAAAB\n", "n1") == KeyVerdict::changed);
  CHECK(check("n1 ssh-ed25519 BBBB\nn1 ssh-ed25519 AAAA\n", "n1") == KeyVerdict::match);
  CHECK(check("n1 ssh-ed25519 AAAA\nn1 ssh-ed25519 BBBB\n", "n1") == KeyVerdict::match);
}

TEST_CASE("known_hosts: names are patterns, and one with ! takes its hosts out of the line") {
  CHECK(check("n* ssh-ed25519 AAAA\n", "n12") == KeyVerdict::match);
  CHECK(check("n? ssh-ed25519 AAAA\n", "n12") == KeyVerdict::unknown);
  CHECK(check("n*,!n12 ssh-ed25519 AAAA\n", "n12") == KeyVerdict::unknown);
  CHECK(check("!n12,n* ssh-ed25519 AAAA\n", "n13") == KeyVerdict::match);
  CHECK(check("!n12 ssh-ed25519 AAAA\n", "n13") == KeyVerdict::unknown);
}

TEST_CASE("known_hosts: case does not count in names") {
  CHECK(check("Node1.Example ssh-ed25519 AAAA\n", "node1.EXAMPLE") == KeyVerdict::match);
}

TEST_CASE("known_hosts: a port other than 22 is part of the name") {
  CHECK(check("[n1]:2222 ssh-ed25519 AAAA\n", "[n1]:2222") == KeyVerdict::match);
  CHECK(check("n1 ssh-ed25519 AAAA\n", "[n1]:2222") == KeyVerdict::unknown);
  CHECK(check("[n1]:2222 ssh-ed25519 AAAA\n", "n1") == KeyVerdict::unknown);
}

TEST_CASE("known_hosts: a revoked key is revoked whatever other lines say") {
  CHECK(check("n1 ssh-ed25519 AAAA\n@revoked * ssh-ed25519 AAAA\n", "n1") == KeyVerdict::revoked);
  CHECK(check("@revoked * ssh-ed25519 AAAA\nn1 ssh-ed25519 AAAA\n", "n1") == KeyVerdict::revoked);
  CHECK(check("@revoked n2 ssh-ed25519 AAAA\nn1 ssh-ed25519 AAAA\n", "n1") == KeyVerdict::match);
  CHECK(check("@revoked * ssh-ed25519 BBBB\n", "n1") == KeyVerdict::unknown);
}

TEST_CASE("known_hosts: authorities, hashed names and malformed lines match nothing") {
  CHECK(check("@cert-authority * ssh-ed25519 AAAA\n", "n1") == KeyVerdict::unknown);
  CHECK(check("@unheard-of * ssh-ed25519 AAAA\n", "n1") == KeyVerdict::unknown);
  CHECK(check("|1|c2FsdA==|aGFzaA== ssh-ed25519 AAAA\n", "|1|c2FsdA==|aGFzaA==") == KeyVerdict::unknown);
  CHECK(check("n1\nn1 ssh-ed25519\nn1 ssh-ed25519 ==\n", "n1") == KeyVerdict::unknown);
}

TEST_CASE("known_hosts: a star stands for any text, a question mark for one byte") {
  CHECK(matches_pattern("", ""));
  CHECK(matches_pattern("", "**"));
  CHECK_FALSE(matches_pattern("", "?"));
  CHECK_FALSE(matches_pattern("a", ""));
  CHECK(matches_pattern("abcabd", "*ab?"));
  CHECK(matches_pattern("node1.a.example", "node?.*.example"));
  CHECK_FALSE(matches_pattern("node1.a.example", "*.b.*"));
  CHECK_FALSE(matches_pattern("node12", "node?"));
  CHECK_FALSE(matches_pattern("Node", "node"));
}

}  // namespace viaduct::sshkeys
