#include "hosts/bootstrap.h"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <catch2/catch.hpp>
#include <filesystem>

#include "base/environment.h"
#include "base/error.h"
#include "base/files.h"
#include "base/process.h"
#include "base/text.h"
#include "unit/scratch.h"

using namespace viaduct;
using namespace viaduct::hosts;
using viaduct::test::Scratch;
namespace fs = std::filesystem;

namespace {

const std::string program = "#!/bin/sh\necho \"I am $0 $*\"\n";

// What a host's login shell says to the line, with `input` from us.
std::string said(const std::string& command, const Scratch& home, const std::string& input,
                 const std::string& shell = "/bin/sh") {
  Environment environment;
  environment.set("PATH", "/usr/bin:/bin");
  environment.set("HOME", home.path().string());
  write_file_atomically(home.path() / "input", input);
  SpawnOptions options;
  options.argv = {shell, "-c", str(command, " < ", (home.path() / "input").string())};
  options.environment = &environment;
  return run_captured(options, std::chrono::seconds(10)).output;
}

}  // namespace

TEST_CASE("bootstrap: the agent is wanted once, then it is there") {
  const Scratch home;
  const std::string command = bootstrap_command("d1", program.size(), "");
  const std::string agent = (home.path() / ".cache/viaduct/agents/d1/viaduct-agent").string();
  const std::string end = str(bootstrap_have, "\nI am ", agent, " node\n");
  CHECK(said(command, home, program) == str(bootstrap_want, "\n", end));
  CHECK(said(command, home, "") == end);
  CHECK(read_file(agent) == program);
  struct stat status {};
  REQUIRE(::stat(agent.c_str(), &status) == 0);
  CHECK((status.st_mode & 07777) == 0700);
  CHECK(list_directory(home.path() / ".cache/viaduct/agents/d1").size() == 1);
}

TEST_CASE("bootstrap: an agent that came in part is thrown away") {
  const Scratch home;
  const std::string command = bootstrap_command("d1", program.size(), "");
  CHECK(said(command, home, program.substr(1)) == str(bootstrap_want, "\n"));
  CHECK(list_directory(home.path() / ".cache/viaduct/agents/d1").empty());
}

TEST_CASE("bootstrap: it goes where it is told") {
  const Scratch home;
  const std::string base = (home.path() / "elsewhere").string();
  said(bootstrap_command("d2", program.size(), base), home, program);
  CHECK(read_file(base + "/agents/d2/viaduct-agent") == program);
}

TEST_CASE("bootstrap: an agent that somebody else may have placed is not started") {
  const Scratch home;
  const fs::path base = home.path() / ".cache/viaduct";
  const std::string command = bootstrap_command("d1", program.size(), "");
  said(command, home, program);
  for (const auto& path : {base, base / "agents", base / "agents/d1", base / "agents/d1/viaduct-agent"}) {
    const std::string refusal =
        str("viaduct: refused: ", path.string(), " belongs to somebody else or others may write it\n");
    for (const mode_t mode : {0720, 0702}) {
      REQUIRE(::chmod(path.c_str(), mode) == 0);
      CHECK(said(command, home, program) == refusal);
    }
    REQUIRE(::chmod(path.c_str(), 0755) == 0);
    if (::chown(path.c_str(), 20001, 20001) == 0) {  // as root
      CHECK(said(command, home, program) == refusal);
      REQUIRE(::chown(path.c_str(), ::geteuid(), ::getegid()) == 0);
    }
    fs::rename(path, home.path() / "moved");
    fs::create_symlink(home.path() / "moved", path);
    CHECK(said(command, home, program) == refusal);
    fs::remove(path);
    fs::rename(home.path() / "moved", path);
  }
  CHECK(contains(said(command, home, ""), bootstrap_have));
}

TEST_CASE("bootstrap: the line is for any login shell") {
  const std::string command = bootstrap_command("d1", 1, "");
  CHECK(std::ranges::count(command, '\'') == 2);  // all the rest stands between the two
  CHECK(command.starts_with("exec sh -c '"));
  CHECK(command.ends_with("'"));
  CHECK_FALSE(contains(command, "!\""));  // csh looks for ! in single quotes, unless a blank follows
  CHECK_FALSE(contains(command, "\n"));
}

TEST_CASE("bootstrap: a directory that a shell would read otherwise is refused") {
  for (const auto* directory : {"relative", "/a b", "/a'b", "/a\"b", "/$HOME", "/a;b", "/a\nb", "/a!b", "~/x"})
    CHECK_THROWS_AS(bootstrap_command("d1", 1, directory), Error);
  CHECK_NOTHROW(bootstrap_command("d1", 1, "/scratch/me@site/v-1.2_3+4:5,6"));
}
