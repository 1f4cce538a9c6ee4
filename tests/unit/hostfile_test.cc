#include "launcher/hostfile.h"

#include <catch2/catch.hpp>

#include "base/error.h"
#include "base/text.h"
#include "model/hostlist.h"

namespace viaduct::launcher {
namespace {

std::string shown(const std::vector<HostSlots>& hosts) {
  std::vector<std::string> words;
  for (const auto& [host, slots] : hosts) words.push_back(str(host, ':', slots));
  return join(words, " ");
}

SourcePtr source(std::string text) { return std::make_shared<const Source>(Source{"hosts", std::move(text)}); }

std::string read(const std::string& text, int default_slots = 0) {
  Diagnostics diagnostics;
  const auto hosts = parse_hostfile(source(text), default_slots, diagnostics);
  CHECK(diagnostics.all().empty());
  return shown(hosts);
}

// "line:column: message (hint)" of each mistake and warning.
std::string complaints(const std::string& text) {
  Diagnostics diagnostics;
  parse_hostfile(source(text), 1, diagnostics);
  std::vector<std::string> lines;
  for (const auto& d : diagnostics.all())
    lines.push_back(
        str(d.mark.line, ':', d.mark.column, ": ", d.message, d.hint.empty() ? "" : str(" (", d.hint, ')')));
  return join(lines, "\n");
}

std::string words_refusal(std::string_view text) {
  try {
    parse_host_words(text, 1);
    return "";
  } catch (const Error& error) {
    CHECK(error.code() == ExitCode::bad_input);
    return error.what();
  }
}

std::string placed(const std::string& hosts, int nodes, int ranks_per_node) {
  return shown(place_ranks(parse_host_words(hosts, 0), nodes, ranks_per_node));
}

}  // namespace

TEST_CASE("hostfile: each family gets its own form, hosts stay in order") {
  const std::vector<HostSlots> hosts = {{"node2", 8}, {"node10.example.org", 4}};
  CHECK(render_hostfile(hosts, MpiFamily::open_mpi) == "node2 slots=8\nnode10.example.org slots=4\n");
  CHECK(render_hostfile(hosts, MpiFamily::mpich) == "node2:8\nnode10.example.org:4\n");
  CHECK(render_hostfile(hosts, MpiFamily::intel) == "node2:8\nnode10.example.org:4\n");
}

TEST_CASE("hostfile: every form is read, line by line") {
  CHECK(read("node1 slots=4 max_slots=8\nnode2 max-slots=9 slots=2\n") == "node1:4 node2:2");
  CHECK(read("node1:4\r\nnode2:65536\r\n") == "node1:4 node2:65536");
  CHECK(read("# ours\n\n \t\nnode1:4 # fast\n\tnode2\tslots=3") == "node1:4 node2:3");
  CHECK(read("node1\nnode2:2\n", 8) == "node1:8 node2:2");
  CHECK(read("node1\n") == "node1:0");
}

TEST_CASE("hostfile: a line may be a hostlist") {
  CHECK(read("node[01-03] slots=2\nlogin:1\n") == "node01:2 node02:2 node03:2 login:1");
  CHECK(read("node[2,1]:4\na,b\n", 1) == "node2:4 node1:4 a:1 b:1");
}

TEST_CASE("hostfile: what was written can be read") {
  const std::vector<HostSlots> hosts = {{"node2", 8}, {"node10.example.org", 4}};
  for (const auto family : {MpiFamily::open_mpi, MpiFamily::mpich, MpiFamily::intel})
    CHECK(read(render_hostfile(hosts, family)) == shown(hosts));
}

TEST_CASE("hostfile: settings of MPICH's that have no bearing are warned about") {
  Diagnostics diagnostics;
  CHECK(shown(parse_hostfile(source("node1:4 binding=user ifhn=eth1\n"), 1, diagnostics)) == "node1:4");
  CHECK(diagnostics.all().size() == 2);
  CHECK_FALSE(diagnostics.has_errors());
  CHECK(complaints("node1:4 ifhn=eth1\n") == "1:9: ifhn= is ignored");
}

TEST_CASE("hostfile: every mistake is told at its place") {
  CHECK(complaints("node1 slot=4\nnode2 slots=0\nnode3:x\nnode4:\nnode5 slots=65537\n") ==
        "1:7: unknown setting slot (did you mean slots=4?)\n"
        "2:13: the slots must be a number from 1 to 65536, not 0\n"
        "3:7: the slots must be a number from 1 to 65536, not x\n"
        "4:7: the slots must be a number from 1 to 65536, not nothing\n"
        "5:13: the slots must be a number from 1 to 65536, not 65537");
  CHECK(complaints("node1:4 slots=4\n") == "1:15: the slots are given twice");
  CHECK(complaints("node1 4\n") == "1:7: 4 after a host's name (write it as in: node1 slots=4)");
  CHECK(complaints("node1 frobnicate=1\n") == "1:7: unknown setting frobnicate (known are slots and max_slots)");
  CHECK(complaints("  ab[3-1] slots=4\n") == "1:6: the range 3-1 runs backwards (write [1-3])");
  CHECK(complaints("a;b\n").starts_with("1:2: ';' in a host name ("));
  CHECK(complaints("slots=4\n").starts_with("1:6: '=' in a host name ("));
  CHECK(complaints(",\n") == "1:1: no host's name");
}

TEST_CASE("hostfile: users belong elsewhere") {
  CHECK(complaints("me@node1:4\n") == "1:1: a user before a host's name (put User into ~/.ssh/config)");
  CHECK(complaints("node1:4 user=me\n") == "1:9: user= is not supported (put User into ~/.ssh/config)");
}

TEST_CASE("hostfile: a host stands there once") {
  constexpr auto hint = " (write each host once, with all its slots)";
  CHECK(complaints("node1 slots=2\n\n node1 slots=2\n") == str("3:2: host node1 stands in line 1 already", hint));
  CHECK(complaints("a[1-3]\na[1-2]\na3\n") ==
        str("2:1: host a1 stands in line 1 already", hint, "\n", "3:1: host a3 stands in line 1 already", hint));
  CHECK(complaints("a,a\n") == str("1:1: host a stands in line 1 already", hint));
}

TEST_CASE("hostfile: a file without a host is a mistake") {
  CHECK(complaints("") == "0:0: it names no host");
  CHECK(complaints("# nobody\n") == "0:0: it names no host");
}

TEST_CASE("hostfile: there is a limit to the hosts of a file") {
  std::string text;
  for (char c = 'a'; c < 'e'; ++c) text += str(c, "[0-65535]\n");
  Diagnostics diagnostics;
  CHECK(parse_hostfile(source(text), 1, diagnostics).size() == model::max_hosts);
  CHECK(diagnostics.all().empty());
  CHECK(complaints(text + "n\nm\n") == "5:1: more than 262144 hosts up to here");
}

TEST_CASE("hostfile: a command line's hosts have slots of their own") {
  CHECK(shown(parse_host_words("node[01-02,04]:8,login", 1)) == "node01:8 node02:8 node04:8 login:1");
  CHECK(shown(parse_host_words(" a:2 ,, b ,", 0)) == "a:2 b:0");
  CHECK(words_refusal("") == "no hosts");
  CHECK(words_refusal("a:0") == "a:0: the slots must be a number from 1 to 65536");
  CHECK(words_refusal("a:") == "a:: the slots must be a number from 1 to 65536");
  CHECK(words_refusal("b,n[3-1]:2") == "n[3-1]:2: hostlist, column 3: the range 3-1 runs backwards");
  CHECK(words_refusal("n[1:2") == "n[1:2: hostlist, column 2: this '[' is never closed");
  CHECK(words_refusal("me@a") == "me@a: a user before a host's name");
  CHECK(words_refusal("a[1-3],b,a2:4") == "host a2 is given twice");
  CHECK(words_refusal("a[0-65535],b[0-65535],c[0-65535],d[0-65535],e") == "more than 262144 hosts");
}

TEST_CASE("hostfile: each host is a node of the job as long as its slots do for one") {
  CHECK(placed("a,b,c", 3, 2) == "a:2 b:2 c:2");
  CHECK(placed("a:8,b:8,c:8", 2, 2) == "a:2 b:2");
  CHECK(placed("a,b:4,c", 3, 2) == "a:2 b:2 c:2");
}

TEST_CASE("hostfile: ranks that are left over fill the slots that are left, host by host") {
  CHECK(placed("a:1,b:3,c:2", 3, 2) == "a:1 b:3 c:2");
  CHECK(placed("a:8,b", 4, 2) == "a:6 b:2");
  CHECK(placed("a:3,b:8,c:1", 4, 2) == "a:3 b:4 c:1");
  CHECK(placed("a:8", 4, 2) == "a:8");
}

TEST_CASE("hostfile: hosts without a rank are left out") {
  CHECK(placed("a,b,c,d", 2, 4) == "a:4 b:4");
  CHECK(placed("a:1,b,c", 1, 1) == "a:1");
}

TEST_CASE("hostfile: too few slots are told with the numbers") {
  try {
    placed("a:2,b", 3, 2);
    FAIL("not refused");
  } catch (const Error& error) {
    CHECK(error.code() == ExitCode::bad_input);
    CHECK(std::string(error.what()) == "too few slots: the job has 6 ranks (3 nodes of 2), and 2 hosts offer 4 slots");
  }
}

}  // namespace viaduct::launcher
