#include "sshkeys/gated_run.h"

#include <sys/wait.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <filesystem>

#include "base/error.h"
#include "base/files.h"
#include "unit/scratch.h"

namespace viaduct::sshkeys {
namespace {

using Catch::Matchers::Contains;

GatedCommand command_of(std::string program) { return {std::move(program), {"orted", "-x"}, {}}; }

GatePolicy policy_of(const std::filesystem::path& directory) {
  GatePolicy policy;
  policy.program_directories = {"/nonexistent", directory};
  policy.agent = "/opt/viaduct-agent";
  return policy;
}

ExitCode refusal_of(const GatePolicy& policy, const Environment& environment, const std::string& reason) {
  try {
    run_gate(policy, environment);
  } catch (const Error& e) {
    CHECK_THAT(e.what(), Contains(reason));
    return e.code();
  }
}

}  // namespace

TEST_CASE("gated run: only the policy's own agent is a relay") {
  const GatePolicy policy = policy_of("/bin");
  CHECK(is_relay(command_of("/opt/viaduct-agent"), policy));
  CHECK_FALSE(is_relay(command_of("orted"), policy));
  CHECK_FALSE(is_relay(command_of(""), GatePolicy{}));
}

TEST_CASE("gated run: a program comes from the policy's directories, and keeps its arguments") {
  const test::Scratch scratch;
  create_file_exclusively(scratch / "orted", "#!/bin/sh\n", 0755);
  const GatedRun run = prepare_run(command_of("orted"), policy_of(scratch.path()), {});
  CHECK(run.argv == std::vector<std::string>{scratch / "orted", "-x"});
  CHECK(prepare_run(command_of("/bin/sh"), policy_of(scratch.path()), {}).argv.front() == "/bin/sh");
}

TEST_CASE("gated run: a program that is missing or can't be executed is said to be so") {
  const test::Scratch scratch;
  const auto code = [&](const std::string& reason) {
    try {
      prepare_run(command_of("orted"), policy_of(scratch.path()), {});
    } catch (const Error& e) {
      CHECK_THAT(e.what(), Contains(reason));
      return e.code();
    }
    return ExitCode::ok;
  };
  CHECK(code("orted is not on this host (looked in /nonexistent, " + scratch.path().string() + ")") ==
        ExitCode::program_not_found);
  create_file_exclusively(scratch / "orted", "", 0644);
  CHECK(code("can't be executed") == ExitCode::cannot_execute);
}

TEST_CASE("gated run: variables are set, or put before what is there") {
  GatedCommand command = command_of("/bin/sh");
  command.environment = {{"PATH", "/a", true}, {"NEW", "/b", true}, {"OLD", "/c", false}, {"PATH", "/d", true}};
  Environment environment;
  environment.set("PATH", "/bin");
  environment.set("OLD", "x");
  environment.set("KEPT", "y");
  const GatedRun run = prepare_run(command, policy_of("/bin"), environment);
  CHECK(run.environment.as_strings() == std::vector<std::string>{"KEPT=y", "NEW=/b", "OLD=/c", "PATH=/d:/a:/bin"});
}

TEST_CASE("gated run: what is no command, or not an MPI daemon's, is refused with the reason") {
  Environment environment;
  const GatePolicy policy = policy_of("/bin");
  CHECK(refusal_of(policy, environment, "refused: no command") == ExitCode::cannot_execute);
  environment.set("SSH_ORIGINAL_COMMAND", "");
  CHECK(refusal_of(policy, environment, "refused: ") == ExitCode::cannot_execute);
  environment.set("SSH_ORIGINAL_COMMAND", "rm -rf /nonexistent");
  CHECK(refusal_of(policy, environment, "refused: ") == ExitCode::cannot_execute);
  environment.set("SSH_ORIGINAL_COMMAND", "orted -mca ess env; id");
  CHECK(refusal_of(policy, environment, "refused: ") == ExitCode::cannot_execute);
}

TEST_CASE("gated run: the gate becomes the program it let through") {
  const test::Scratch scratch;
  create_file_exclusively(scratch / "orted", "#!/bin/sh\necho \"$@\" > \"$OUT\"\nexit 7\n", 0755);
  Environment environment;
  environment.set("OUT", scratch / "out");
  environment.set("SSH_ORIGINAL_COMMAND", "orted -mca ess \"env\"");
  const pid_t child = ::fork();
  if (child == 0) {
    try {
      run_gate(policy_of(scratch.path()), environment);
    } catch (...) {
      ::_exit(99);
    }
  }
  int status = 0;
  REQUIRE(::waitpid(child, &status, 0) == child);
  REQUIRE(WIFEXITED(status));
  CHECK(WEXITSTATUS(status) == 7);
  CHECK(read_file(scratch / "out") == "-mca ess env\n");
}

}  // namespace viaduct::sshkeys
