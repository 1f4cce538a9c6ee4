#include <optional>

#include "base/error.h"
#include "base/text.h"
#include "bridge/supervisor.h"
#include "cli/commands.h"
#include "cli/detached.h"
#include "cli/run_view.h"

// The commands that change jobs: cancel, delete, suspend, resume.
namespace viaduct::cli {
namespace {

using model::JobRecord;
using model::Phase;

// Beyond the job's own grace: twice what the supervisor gives a launcher that hangs, and a little.
constexpr std::chrono::seconds winding_up(25);

// After a request was written down: makes whoever drives the job look at it, and waits until `done`. Without a
// supervisor (a suspended job) the state machine is asked here.
JobRecord carry_out(Context& context, const JobRecord& record, const std::function<bool(const JobRecord&)>& done) {
  const model::RunPlan plan = context.store.load_plan(record.name);
  if (record.phase == Phase::suspended) {
    const auto decision =
        bridge::decide(record, {}, context.store.load_requests(record.name), plan, context.clock.now());
    context.store.save(decision.record);
    return decision.record;
  }
  if (!bridge::wake_supervisor(record) && liveness(record.supervisor) == Liveness::on_another_host)
    context.terminal.err(str("viaduct: ", record.name, " is supervised on ", record.supervisor.host,
                             "; it will see the request within a second or two\n"));
  const auto limit = std::chrono::seconds(plan.grace_seconds) + winding_up;
  const auto changed = wait_for(context, record.name, done, limit);
  if (!changed)
    throw Error(str(record.name, " is still ", state_of(look_at(context, record.name)), " after ", limit.count(), " s"),
                ExitCode::failure, str("`viaduct status ", record.name, "` shows who supervises it"));
  return *changed;
}

JobRecord cancel_job(Context& context, const JobRecord& record) {
  context.store.request_cancel(record.name);
  return carry_out(context, record, [](const JobRecord& r) { return model::is_final(r.phase); });
}

int cancel(Context& context, const std::vector<std::string>& names) {
  for (const auto& name : names) {
    const JobRecord record = look_at(context, name);
    if (model::is_final(record.phase))
      throw Error(str(name, " has ended already: ", state_of(record)), ExitCode::conflict);
    const JobRecord ended = cancel_job(context, record);
    context.terminal.out(
        str(name, ended.phase == Phase::cancelled ? " cancelled" : str(" had ended: ", state_of(ended)), "\n"));
  }
  return 0;
}

struct DeleteArgs {
  std::vector<std::string> names;
  bool force = false;
};

int delete_jobs(Context& context, const DeleteArgs& args) {
  for (const auto& name : args.names) {
    std::optional<JobRecord> record;
    try {
      record = look_at(context, name);
    } catch (const Error& e) {  // a damaged record must not make the job immortal
      if (!args.force || !context.store.exists(name)) throw;
      context.terminal.err(str("viaduct: ", name, ": ", e.what(), "\n"));
    }
    if (record && !model::is_final(record->phase) && record->phase != Phase::suspended) {
      if (!args.force)
        throw Error(str(name, " is ", state_of(*record)), ExitCode::conflict,
                    str("`viaduct cancel ", name, "` ends it first; `viaduct delete --force ", name, "` does both"));
      cancel_job(context, *record);
    }
    context.store.remove(name);
    context.terminal.out(str(name, " deleted\n"));
  }
  return 0;
}

int suspend(Context& context, const std::string& name) {
  const JobRecord record = look_at(context, name);
  if (record.phase == Phase::suspended) throw Error(str(name, " is suspended already"), ExitCode::conflict);
  if (model::is_final(record.phase)) throw Error(str(name, " has ended: ", state_of(record)), ExitCode::conflict);
  context.store.request_suspend(name, true);
  const JobRecord now = carry_out(
      context, record, [](const JobRecord& r) { return r.phase == Phase::suspended || model::is_final(r.phase); });
  if (now.phase != Phase::suspended)
    throw Error(str(name, " ended before it could be suspended: ", state_of(now)), ExitCode::conflict);
  context.terminal.out(str(name, " suspended\n"));
  return 0;
}

int resume(Context& context, const std::string& name) {
  const JobRecord record = look_at(context, name);
  if (record.phase != Phase::suspended)
    throw Error(str(name, " is not suspended but ", state_of(record)), ExitCode::conflict,
                model::is_final(record.phase) ? "an ended job can't be resumed; delete it and submit it again" : "");
  context.store.request_suspend(name, false);
  start_supervisor(context, name);
  context.terminal.out(str(name, " resumed\n"));
  return 0;
}

}  // namespace

void add_cancel(CLI::App& app, Chosen& chosen) {
  auto names = std::make_shared<std::vector<std::string>>();
  CLI::App* command = app.add_subcommand("cancel", "End jobs: TERM, the job's grace, KILL");
  command->add_option("NAME", *names, "The jobs")->required();
  command->callback([names, &chosen] { chosen = [names](Context& context) { return cancel(context, *names); }; });
}

void add_delete(CLI::App& app, Chosen& chosen) {
  auto args = std::make_shared<DeleteArgs>();
  CLI::App* command = app.add_subcommand("delete", "Remove jobs that have ended, with their logs");
  command->add_option("NAME", args->names, "The jobs")->required();
  command->add_flag("--force", args->force, "Cancel jobs that still run first");
  command->callback([args, &chosen] { chosen = [args](Context& context) { return delete_jobs(context, *args); }; });
}

void add_suspend(CLI::App& app, Chosen& chosen) {
  auto name = std::make_shared<std::string>();
  CLI::App* command = app.add_subcommand("suspend", "End a job's ranks, and keep the job to be resumed");
  command->add_option("NAME", *name, "The job")->required();
  command->callback([name, &chosen] { chosen = [name](Context& context) { return suspend(context, *name); }; });
}

void add_resume(CLI::App& app, Chosen& chosen) {
  auto name = std::make_shared<std::string>();
  CLI::App* command =
      app.add_subcommand("resume", "Start a suspended job again, in the background, in the environment of this call");
  command->add_option("NAME", *name, "The job")->required();
  command->callback([name, &chosen] { chosen = [name](Context& context) { return resume(context, *name); }; });
}

}  // namespace viaduct::cli
