#include "sshkeys/gated_run.h"

#include <unistd.h>

#include <cerrno>

#include "base/error.h"
#include "base/files.h"
#include "base/text.h"

namespace viaduct::sshkeys {

bool is_relay(const GatedCommand& command, const GatePolicy& policy) {
  return !policy.agent.empty() && command.program == policy.agent;
}

GatedRun prepare_run(const GatedCommand& command, const GatePolicy& policy, Environment environment) {
  GatedRun run = {command.argv, std::move(environment)};
  const auto lookup = find_program(command.program, join(policy.program_directories, ":"), "/");
  if (lookup.found.empty())
    throw Error(str(command.program, " is not on this host (looked in ", join(policy.program_directories, ", "), ")"),
                ExitCode::program_not_found);
  if (!lookup.executable) throw Error(str(lookup.found.string(), " can't be executed"), ExitCode::cannot_execute);
  run.argv.front() = lookup.found;
  for (const auto& [name, value, prepend] : command.environment) {
    const std::string before = prepend ? run.environment.get_or(name, "") : "";
    run.environment.set(name, before.empty() ? value : str(value, ":", before));
  }
  return run;
}

void run_gate(const GatePolicy& policy, const Environment& environment) {
  const auto asked = environment.get("SSH_ORIGINAL_COMMAND");
  if (!asked)
    throw Error("refused: no command (this key is for a job's MPI launcher, not for logging in)",
                ExitCode::cannot_execute);
  const auto verdict = judge_command(*asked, policy);
  if (const auto* refusal = std::get_if<GateRefusal>(&verdict))
    throw Error(str("refused: ", refusal->reason), ExitCode::cannot_execute);
  const GatedRun run = prepare_run(std::get<GatedCommand>(verdict), policy, environment);
  const CStrings argv(run.argv);
  const CStrings envp(run.environment.as_strings());
  ::execve(run.argv.front().c_str(), argv.data(), envp.data());
  throw Error::from_errno(str("can't run ", run.argv.front()), errno, ExitCode::cannot_execute);
}

}  // namespace viaduct::sshkeys
