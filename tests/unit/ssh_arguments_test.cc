#include "sshkeys/ssh_arguments.h"

#include <catch2/catch.hpp>

#include "base/error.h"
#include "base/text.h"

// Expectations come from `ssh -G` of OpenSSH 9.2.
namespace viaduct::sshkeys {
namespace {

SshArguments parse(const std::string& words) { return parse_ssh_arguments(split(words, ' ')); }
SshTarget target(const std::string& words) {
  const auto arguments = parse(words);
  return resolve_target(arguments.settings, arguments.host, "/home/me");
}

std::string refusal(const std::vector<std::string>& words) {
  try {
    const auto arguments = parse_ssh_arguments(words);
    resolve_target(arguments.settings, arguments.host, "/home/me");
    return "";
  } catch (const Error& error) {
    CHECK(error.code() == ExitCode::bad_input);
    return error.what();
  }
}
std::string refusal(const std::string& words) { return refusal(split(words, ' ')); }

}  // namespace

TEST_CASE("ssh arguments: the words of the command are joined by single blanks") {
  const auto arguments =
      parse_ssh_arguments({"-x", "node1", "", "PATH=/opt/bin:$PATH ; export PATH", "orted", "", "-mca", "a b"});
  CHECK(arguments.host == "node1");
  CHECK(arguments.command == " PATH=/opt/bin:$PATH ; export PATH orted  -mca a b");
}

TEST_CASE("ssh arguments: what MPI launchers, pdsh, DeepSpeed and horovodrun write is understood") {
  CHECK(parse("-x -F /job/ssh_config node1 orted").config_file == "/job/ssh_config");
  CHECK(parse("-x node1 /usr/bin/hydra_pmi_proxy --control-port n0:1 --proxy-id 1").command ==
        "/usr/bin/hydra_pmi_proxy --control-port n0:1 --proxy-id 1");
  const auto pdsh = target("-2 -a -x -lme -p 2222 node1 hostname");
  CHECK(pdsh.user == "me");
  CHECK(pdsh.port == 2222);
  const auto horovod =
      parse("-o PasswordAuthentication=no -o StrictHostKeyChecking=no node1 -p 23 -o ConnectTimeout=10 true");
  CHECK(horovod.command == "true");
  const auto resolved = resolve_target(horovod.settings, horovod.host, "/home/me");
  CHECK(resolved.port == 23);
  CHECK(resolved.deadline_seconds == 10);
  CHECK(resolved.remarks ==
        std::vector<std::string>{"-o: StrictHostKeyChecking no is ignored: a host's key is always checked"});
}

TEST_CASE("ssh arguments: a value may stand in the option's word or after it") {
  for (const auto* words : {"-p 33 h c", "-p33 h c", "-xqp33 h c", "-oPort=33 h c", "-o port=33 h c", "h -p33 c"})
    CHECK(target(words).port == 33);
  const auto spaced = parse_ssh_arguments({"-o", "Port  =  33", "h", "c"});
  CHECK(resolve_target(spaced.settings, "h", "").port == 33);
}

TEST_CASE("ssh arguments: the first value wins, also over the host's user") {
  CHECK(target("-p 22 me@h -p 23 -l bob c").port == 22);
  CHECK(target("-p 22 me@h -p 23 -l bob c").user == "me");
  CHECK(target("-o User=z me@h c").user == "z");
  CHECK(target("-l x me@h c").user == "x");
  CHECK(target("-o Port=5 -p 6 h c").port == 5);
}

TEST_CASE("ssh arguments: -q, -v, -4, -6, -n and -T win over -o, the last of them over the others") {
  CHECK(target("-q h c").quiet);
  CHECK(target("-o LogLevel=INFO -q h c").quiet);
  CHECK(target("-q -o LogLevel=INFO h c").quiet);
  CHECK(target("-v -q h c").quiet);
  CHECK_FALSE(target("-q -v h c").quiet);
  CHECK(target("-q -vv h c").verbosity == 2);
  CHECK(target("-vvvv h c").verbosity == 3);
  CHECK(target("-4 -6 -o AddressFamily=any h c").family == AddressFamily::ipv6);
  CHECK(target("-o AddressFamily=inet6 -4 h c").family == AddressFamily::ipv4);
  CHECK(target("-n h c").no_stdin);
  CHECK_FALSE(target("h c").no_stdin);
  CHECK(refusal("-o RequestTTY=yes -T h c").empty());
}

TEST_CASE("ssh arguments: keys are tried in the order they are named") {
  CHECK(target("-i /a -o IdentityFile=~/b -i/c h c").identities == std::vector<std::string>{"/a", "/home/me/b", "/c"});
}

TEST_CASE("ssh arguments: -- ends the options, before the host those after it too") {
  CHECK(parse("-- h -p 3").command == "-p 3");
  CHECK(parse("h -- -p 3").command == "-p 3");
  CHECK(parse("h ls -p 3").command == "ls -p 3");
  CHECK(parse("-xq -T h -n -- ls").command == "ls");
}

TEST_CASE("ssh arguments: the user is what stands before the last @") {
  CHECK(parse("a@b@h c").host == "h");
  CHECK(target("a@b@h c").user == "a@b");
  CHECK(refusal("@h c") == "no user before the @: @h");
  CHECK(refusal("a@ c") == "not a host name: \"\"");
}

TEST_CASE("ssh arguments: a host and a command are needed") {
  CHECK(refusal(std::vector<std::string>{}) == "no host to connect to");
  CHECK(refusal("-x -p 3") == "no host to connect to");
  CHECK(refusal("h") == "no command; an interactive login is not offered");
  CHECK(refusal("h -x") == "no command; an interactive login is not offered");
  CHECK(refusal(std::vector<std::string>{"h", ""}) == "no command; an interactive login is not offered");
  CHECK(refusal("-- -h c") == "not a host name: \"-h\"");
  CHECK(refusal("a;b c") == "not a host name: \"a;b\"");
}

TEST_CASE("ssh arguments: what is not offered is refused with the reason") {
  CHECK(refusal("-t h c") == "option -t is not offered: commands get no terminal");
  CHECK(refusal("-xtt h c") == "option -t is not offered: commands get no terminal");
  for (const auto* option : {"-L1:h:2", "-R1:h:2", "-D1", "-W", "-A", "-X", "-Y", "-g", "-w"})
    CHECK(contains(refusal(str(option, " h c")), "is not offered: connections are not forwarded"));
  CHECK(refusal("-J gate h c") == "option -J is not offered: hosts are reached directly");
  for (const auto* option : {"-M", "-S", "-O"})
    CHECK(contains(refusal(str(option, " h c")), "is not offered: connections are not shared"));
  for (const auto* option : {"-f", "-N", "-s"})
    CHECK(contains(refusal(str(option, " h c")), "is not offered: it stays in the foreground and runs a command"));
  CHECK(refusal("-1 h c") == "option -1 is not offered: version 1 of the protocol is no more");
  for (const auto* option : {"-G", "-Q", "-V", "-h", "-x-", "-\x01"})
    CHECK(contains(refusal(str(option, " h c")), "is not offered: this is not OpenSSH"));
}

TEST_CASE("ssh arguments: a mistake in an option names the option") {
  CHECK(refusal("-p") == "-p: no value");
  CHECK(refusal("-p 65536 h c") == "-p: port is a number from 1 to 65535, not 65536");
  CHECK(refusal("-oPort h c") == "-o: no value after Port");
  CHECK(refusal("-oNonsense=0 h c") == "-o: unknown keyword nonsense");
  CHECK(refusal("-oHost=x h c") == "-o: Host can stand in a file only");
  CHECK(refusal("-oProxyCommand=nc h c") == "-o: proxycommand is not offered: hosts are reached directly");
}

}  // namespace viaduct::sshkeys
