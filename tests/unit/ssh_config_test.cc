#include "sshkeys/ssh_config.h"

#include <catch2/catch.hpp>

#include "base/error.h"
#include "base/text.h"

// Expectations come from `ssh -G` of OpenSSH 9.2, except where the header says that this is stricter.
namespace viaduct::sshkeys {
namespace {

using Strings = std::vector<std::string>;

SshTarget target(std::string_view text, const std::string& host = "h", const std::string& home = "/home/me") {
  return resolve_target(parse_ssh_config(text, "config"), host, home);
}

std::string refusal(std::string_view text, const std::string& host = "h") {
  try {
    target(text, host);
    return "";
  } catch (const Error& error) {
    CHECK(error.code() == ExitCode::bad_input);
    return error.what();
  }
}

// The words of a value.
std::string words(std::string_view text) {
  const auto setting = parse_ssh_setting(text, "-o");
  return setting ? str(setting->keyword, '|', join(setting->values, "|")) : "";
}
std::string user(std::string_view value) { return target(str("User ", value)).user.value_or("none"); }

}  // namespace

TEST_CASE("ssh config: nothing said gives the defaults") {
  const auto plain = target("", "Node1.Example");
  CHECK(plain.host == "Node1.Example");
  CHECK(plain.host_name == "node1.example");
  CHECK(plain.alias == "node1.example");
  CHECK(plain.port == 22);
  CHECK_FALSE(plain.user);
  CHECK(plain.identities == Strings{"/home/me/.ssh/id_rsa", "/home/me/.ssh/id_ecdsa", "/home/me/.ssh/id_ed25519"});
  CHECK(plain.known_hosts == Strings{"/home/me/.ssh/known_hosts", "/home/me/.ssh/known_hosts2",
                                     "/etc/ssh/ssh_known_hosts", "/etc/ssh/ssh_known_hosts2"});
  CHECK(plain.deadline_seconds == 30);
  CHECK(plain.remarks.empty());
}

TEST_CASE("ssh config: the first value wins, and every IdentityFile counts") {
  constexpr std::string_view text =
      "User first\n"
      "Host node* !node9\n"
      "  HostName %h.cluster\n"
      "  Port 2200\n"
      "  IdentityFile ~/.ssh/a\n"
      "Host node1\n"
      "  IdentityFile ~/.ssh/b\n"
      "  User second\n"
      "Host *\n"
      "  Port=22\n"
      "  UserKnownHostsFile \"/tmp/x y\" /tmp/z\n"
      "  GlobalKnownHostsFile none\n"
      "  ConnectTimeout 1m\n"
      "  LogLevel QUIET\n";
  const auto node1 = target(text, "node1");
  CHECK(node1.host == "node1");
  CHECK(node1.host_name == "node1.cluster");
  CHECK(node1.alias == "[node1.cluster]:2200");
  CHECK(node1.user == "first");
  CHECK(node1.port == 2200);
  CHECK(node1.identities == Strings{"/home/me/.ssh/a", "/home/me/.ssh/b"});
  CHECK(node1.known_hosts == Strings{"/tmp/x y", "/tmp/z"});
  CHECK(node1.deadline_seconds == 60);
  CHECK(node1.quiet);
  const auto node9 = target(text, "node9");
  CHECK(node9.host_name == "node9");
  CHECK(node9.port == 22);
  CHECK(node9.alias == "node9");
}

TEST_CASE("ssh config: a Host line's patterns choose its hosts") {
  constexpr std::string_view text = "Host a* !ab* b?\nPort 7\n";
  CHECK(target(text, "a1").port == 7);
  CHECK(target(text, "ab1").port == 22);
  CHECK(target(text, "b1").port == 7);
  CHECK(target(text, "b").port == 22);
  CHECK(target("Host !ab\nPort 7\n", "x").port == 22);
  CHECK(target("Host N1\nPort 5\nHost n1\nPort 6\n", "N1").port == 5);
  CHECK(target("Host N1\nPort 5\nHost n1\nPort 6\n", "n1").port == 6);
  CHECK(target("Host \"a b\" c,d\nPort 7\n", "c").port == 22);
}

TEST_CASE("ssh config: a line is a keyword and words, with or without =") {
  CHECK(words("Port 5") == "port|5");
  CHECK(words(" \tPORT  =  5 \r\n") == "port|5");
  CHECK(words("User=a=b") == "user|a=b");
  CHECK(words("Port==5") == "port|=5");
  CHECK(words("UserKnownHostsFile \"/tmp/x y\"\t/tmp/z") == "userknownhostsfile|/tmp/x y|/tmp/z");
  CHECK(words("").empty());
  CHECK(words(" # Port 5").empty());
  CHECK(target("\r\n  \tport = 5\r\nHost=c\r\nUser=me\r\n", "c").user == "me");
  CHECK(target("Port 5 # five\n").port == 5);
}

TEST_CASE("ssh config: quotes and backslashes keep blanks in a word") {
  CHECK(user("\"a b\"") == "a b");
  CHECK(user("'a b'") == "a b");
  CHECK(user("a\\ b") == "a b");
  CHECK(user("x\"y z\"w") == "xy zw");
  CHECK(user("a#b") == "a#b");
  CHECK(user("a #b") == "a");
  CHECK(words("User a\\\\\\\"\\x") == "user|a\\\"\\x");
  CHECK(refusal("User \"a\n") == "config:1: a quote is not closed");
  CHECK(refusal("User #b\n") == "config:1: no value after User");
  CHECK(refusal("User \"\"\n") == "config:1: user has an empty value");
}

TEST_CASE("ssh config: HostKeyAlias is the name of the key, whatever the port") {
  CHECK(target("HostKeyAlias node1.job\nPort 2222\n").alias == "node1.job");
  CHECK(target("HostKeyAlias Node1\n").alias == "node1");
  CHECK(target("HostName 10.0.0.1\n").alias == "10.0.0.1");
}

TEST_CASE("ssh config: HostName expands %h and %%") {
  CHECK(target("HostName %h.A.example\n").host_name == "h.a.example");
  CHECK(target("HostName fe80::1%%eth0\n").host_name == "fe80::1%eth0");
  CHECK(refusal("HostName %n\n") == "config:1: a % in hostname that is not understood: %n");
  CHECK(refusal("HostName h%\n") == "config:1: a % in hostname that is not understood: h%");
  CHECK(refusal("HostName a;b\n") == "config:1: hostname is a host name, not a;b");
}

TEST_CASE("ssh config: ~ and %d are the home directory, without one such files are left out") {
  const std::string text = "UserKnownHostsFile ~/x %d/%h.%%\nGlobalKnownHostsFile none\nIdentityFile ~/k\n";
  CHECK(target(text).known_hosts == Strings{"/home/me/x", "/home/me/h.%"});
  const auto homeless = target(text, "h", "");
  CHECK(homeless.known_hosts.empty());
  CHECK(homeless.identities.empty());
  CHECK(homeless.remarks.front() == "config:3: ~/k is left out: there is no home directory");
  CHECK(target("", "h", "").known_hosts == Strings{"/etc/ssh/ssh_known_hosts", "/etc/ssh/ssh_known_hosts2"});
}

TEST_CASE("ssh config: none is no file") {
  CHECK(target("IdentityFile none\n").identities.empty());
  CHECK(target("UserKnownHostsFile none\nGlobalKnownHostsFile /g\n").known_hosts == Strings{"/g"});
  CHECK(target("IdentityFile /a\nIdentityFile /b\nIdentityFile /a\n").identities == Strings{"/a", "/b"});
}

TEST_CASE("ssh config: times have units, and the deadline counts all attempts") {
  CHECK(target("ConnectTimeout 1h30m\n").deadline_seconds == 5400);
  CHECK(target("ConnectTimeout 5S\n").deadline_seconds == 5);
  CHECK(target("ConnectTimeout none\n").deadline_seconds == 30);
  CHECK(target("ConnectTimeout 0\n").deadline_seconds == 30);
  CHECK(target("ConnectTimeout 20\nConnectionAttempts 3\n").deadline_seconds == 60);
  CHECK(target("ConnectionAttempts 2147483647\n").deadline_seconds == 86400);
  CHECK(target("ServerAliveInterval 1m\nServerAliveCountMax 5\n").alive_interval_seconds == 60);
  CHECK(target("ServerAliveInterval 1m\nServerAliveCountMax 5\n").alive_count == 5);
  for (const auto* wrong : {"-1", "5x", "m", "99999999999", "3000w3000w"})
    CHECK(refusal(str("ConnectTimeout ", wrong)) ==
          str("config:1: connecttimeout is a time, as in 90 or 1m30s, not ", wrong));
  CHECK(refusal("ConnectionAttempts 0\n") == "config:1: connectionattempts is a number from 1 to 2147483647, not 0");
}

TEST_CASE("ssh config: log levels") {
  CHECK(target("LogLevel quiet\n").quiet);
  CHECK(target("LogLevel FATAL\n").quiet);
  CHECK_FALSE(target("LogLevel ERROR\n").quiet);
  CHECK(target("LogLevel VERBOSE\n").verbosity == 1);
  CHECK(target("LogLevel DEBUG3\n").verbosity == 3);
  CHECK(refusal("LogLevel FOO\n") == "config:1: loglevel is QUIET, FATAL, ERROR, INFO, VERBOSE or DEBUG, not FOO");
}

TEST_CASE("ssh config: a host's key is checked whatever the file says") {
  CHECK(target("StrictHostKeyChecking yes\n").remarks.empty());
  CHECK(target("StrictHostKeyChecking ask\n").remarks.empty());
  for (const auto* value : {"no", "off", "accept-new"})
    CHECK(target(str("Port 1\nStrictHostKeyChecking ", value)).remarks ==
          Strings{str("config:2: StrictHostKeyChecking ", value, " is ignored: a host's key is always checked")});
  CHECK(refusal("StrictHostKeyChecking maybe\n") ==
        "config:1: stricthostkeychecking is yes, no, ask, off or accept-new, not maybe");
}

TEST_CASE("ssh config: what is not done is refused where it would count") {
  CHECK(refusal("\nProxyCommand nc %h %p\n") == "config:2: proxycommand is not offered: hosts are reached directly");
  CHECK(refusal("ProxyJump gate\n") == "config:1: proxyjump is not offered: hosts are reached directly");
  CHECK(refusal("LocalForward 1 h:2\n") == "config:1: localforward is not offered: connections are not forwarded");
  CHECK(refusal("LocalCommand true\n") == "config:1: localcommand is not offered: no other program is started");
  CHECK(refusal("RequestTTY force\n") == "config:1: requesttty is not offered: commands get no terminal");
  CHECK(refusal("ProxyCommand none\nProxyCommand nc\nRequestTTY auto\nTunnel no\n").empty());
  CHECK(refusal("Host other\nProxyJump gate\n").empty());
}

TEST_CASE("ssh config: Match and Include are refused anywhere") {
  CHECK(refusal("Host other\nMatch all\n") == "config:2: Match is not understood");
  CHECK(refusal("Host other\nInclude /x\n") == "config:2: Include is not understood");
}

TEST_CASE("ssh config: what has no bearing is ignored, what is unknown is a mistake") {
  CHECK(refusal("Ciphers a,b\nSendEnv LANG LC_*\nControlPath /x\nForwardAgent yes\nProtocol 2\n").empty());
  CHECK(refusal("Host x\nNonsense 7\n") == "config:2: unknown keyword nonsense");
  CHECK(refusal("IgnoreUnknown a*,Non*\nHost x\nNonsense 7\n").empty());
  CHECK(refusal("Host x\nIgnoreUnknown Non*\nNonsense 7\n") == "config:3: unknown keyword nonsense");
  CHECK(refusal("IgnoreUnknown a\nIgnoreUnknown Non*\nNonsense 7\n") == "config:3: unknown keyword nonsense");
  try {
    target("HostNme x\n");
    FAIL("accepted");
  } catch (const Error& error) {
    CHECK(error.hint() == "did you mean hostname?");
  }
}

TEST_CASE("ssh config: a value that can't be is refused at its line") {
  CHECK(refusal("\n\nPort bad\n") == "config:3: port is a number from 1 to 65535, not bad");
  for (const auto* port : {"0", "65536", "5x", "-1"}) CHECK_FALSE(refusal(str("Port ", port)).empty());
  CHECK(refusal("Port 5 6\n") == "config:1: port takes one value");
  CHECK(refusal("Port\r\n") == "config:1: no value after Port");
  CHECK(refusal("BatchMode maybe\n") == "config:1: batchmode is yes or no, not maybe");
  CHECK(refusal("BatchMode YES\nIdentitiesOnly True\n").empty());
  CHECK(refusal("AddressFamily inet5\n") == "config:1: addressfamily is any, inet or inet6, not inet5");
  CHECK(refusal("User -x\n") == "config:1: user is the name of a user, not -x");
  CHECK(refusal("User a\x1b\n") == "config:1: user is the name of a user, not a\\x1b");
  CHECK(refusal("\"Port\" 5\n") == "config:1: no keyword at its beginning: \"Port\" 5");
  CHECK(refusal(std::string_view("Port 5\0 6\n", 10)) == "config:1: a NUL byte");
}

}  // namespace viaduct::sshkeys
