#include "bridge/decide.h"

#include <catch2/catch.hpp>
#include <limits>

#include "base/json.h"
#include "base/text.h"

using namespace viaduct;
using namespace viaduct::bridge;
using model::ExitRecord;
using model::JobRecord;
using model::Phase;
using model::RunPlan;
using model::StopCause;
using State = Observation::State;

namespace {

constexpr Timestamp created{100'000};
constexpr Timestamp now{200'000};

JobRecord record_in(Phase phase, StopCause cause = StopCause::none) {
  JobRecord record;
  record.name = "a";
  record.uid = "u";
  record.backend = "local";
  record.phase = phase;
  record.stop_cause = cause;
  record.created = created;
  record.attempt = phase == Phase::created ? 0 : 1;
  record.jobs_status.resize(2);
  record.jobs_status[0].name = "node";
  record.jobs_status[1].name = "launcher";
  return record;
}

Observation seen(State state) {
  Observation observation;
  observation.state = state;
  observation.ranks_up = state == State::active;
  observation.why_gone = "the host was restarted";
  return observation;
}

Observation ended(std::int32_t exit_code, ExitRecord::Cause cause = ExitRecord::Cause::finished,
                  const std::string& message = "") {
  Observation observation = seen(State::ended);
  observation.exit.cause = cause;
  observation.exit.exit_code = exit_code;
  observation.exit.message = message;
  return observation;
}

const Requests nothing;
const Requests suspend{true, false, 143};
const Requests cancel{false, true, 130};

Decision decided(const JobRecord& record, const Observation& observation, const Requests& requests = nothing,
                 const RunPlan& plan = {}) {
  return decide(record, observation, requests, plan, now);
}

std::string text(const JobRecord& record) { return write_json(to_value(record)); }

void check_condition(const JobRecord& record, const std::string& type, bool status, const std::string& reason,
                     const std::string& message) {
  const auto* condition = model::find_condition(record, type);
  REQUIRE(condition);
  CHECK(condition->status == status);
  CHECK(condition->reason == reason);
  CHECK(condition->message == message);
}

RunPlan with_deadline(std::int64_t seconds) {
  RunPlan plan;
  plan.deadline_seconds = seconds;
  return plan;
}

RunPlan with_restarts(std::int32_t count) {
  RunPlan plan;
  plan.max_restarts = count;
  return plan;
}

}  // namespace

TEST_CASE("decide: every phase, observation and request has its next phase and action") {
  struct Row {
    Phase phase;
    StopCause cause;
    Observation observation;
    Requests requests;
    Phase next;
    Action action;
  };
  const auto none = StopCause::none;
  const std::vector<Row> table = {
      {Phase::created, none, seen(State::absent), nothing, Phase::running, Action::submit},
      {Phase::created, none, seen(State::absent), suspend, Phase::suspended, Action::none},
      {Phase::created, none, seen(State::absent), cancel, Phase::cancelled, Action::none},
      {Phase::created, none, seen(State::absent), {true, true, 143}, Phase::cancelled, Action::none},
      {Phase::suspended, none, seen(State::absent), nothing, Phase::running, Action::submit},
      {Phase::suspended, none, ended(143, ExitRecord::Cause::stopped), nothing, Phase::running, Action::submit},
      {Phase::suspended, none, seen(State::absent), suspend, Phase::suspended, Action::none},
      {Phase::suspended, none, seen(State::absent), cancel, Phase::cancelled, Action::none},
      {Phase::running, none, seen(State::absent), nothing, Phase::running, Action::none},
      {Phase::running, none, seen(State::active), nothing, Phase::running, Action::none},
      {Phase::running, none, seen(State::active), suspend, Phase::stopping, Action::stop},
      {Phase::running, none, seen(State::active), cancel, Phase::stopping, Action::stop},
      {Phase::running, none, ended(0), nothing, Phase::succeeded, Action::none},
      {Phase::running, none, ended(0), suspend, Phase::succeeded, Action::none},
      {Phase::running, none, ended(0), cancel, Phase::succeeded, Action::none},
      {Phase::running, none, ended(3), nothing, Phase::failed, Action::none},
      {Phase::running, none, ended(3), cancel, Phase::failed, Action::none},
      {Phase::running, none, ended(143, ExitRecord::Cause::stopped), nothing, Phase::cancelled, Action::none},
      {Phase::running, none, ended(143, ExitRecord::Cause::supervisor_died), nothing, Phase::lost, Action::none},
      {Phase::running, none, ended(1, ExitRecord::Cause::launch_failed), nothing, Phase::failed, Action::none},
      {Phase::running, none, seen(State::gone), nothing, Phase::lost, Action::none},
      {Phase::running, none, seen(State::gone), cancel, Phase::lost, Action::none},
      {Phase::stopping, StopCause::suspend, seen(State::active), nothing, Phase::stopping, Action::none},
      {Phase::stopping, StopCause::suspend, seen(State::active), cancel, Phase::stopping, Action::none},
      {Phase::stopping, StopCause::suspend, ended(143, ExitRecord::Cause::stopped), suspend, Phase::suspended,
       Action::none},
      {Phase::stopping, StopCause::suspend, ended(143, ExitRecord::Cause::stopped), cancel, Phase::cancelled,
       Action::none},
      {Phase::stopping, StopCause::suspend, ended(3), suspend, Phase::suspended, Action::none},
      {Phase::stopping, StopCause::suspend, ended(0), suspend, Phase::succeeded, Action::none},
      {Phase::stopping, StopCause::suspend, seen(State::gone), suspend, Phase::suspended, Action::none},
      {Phase::stopping, StopCause::cancel, seen(State::active), cancel, Phase::stopping, Action::none},
      {Phase::stopping, StopCause::cancel, ended(143, ExitRecord::Cause::stopped), cancel, Phase::cancelled,
       Action::none},
      {Phase::stopping, StopCause::cancel, ended(0), cancel, Phase::succeeded, Action::none},
      {Phase::stopping, StopCause::cancel, seen(State::gone), cancel, Phase::cancelled, Action::none},
      {Phase::stopping, StopCause::deadline, seen(State::active), nothing, Phase::stopping, Action::none},
      {Phase::stopping, StopCause::deadline, ended(143, ExitRecord::Cause::stopped), cancel, Phase::failed,
       Action::none},
      {Phase::stopping, StopCause::deadline, ended(0), nothing, Phase::failed, Action::none},
      {Phase::stopping, StopCause::deadline, seen(State::gone), nothing, Phase::failed, Action::none},
  };
  for (std::size_t i = 0; i < table.size(); ++i) {
    const Row& row = table[i];
    INFO("row " << i);
    const Decision decision = decided(record_in(row.phase, row.cause), row.observation, row.requests);
    CHECK(to_string(decision.record.phase) == to_string(row.next));
    CHECK(decision.action == row.action);
    // The same once more, from the same record; and a job that has come to rest does not move again.
    CHECK(text(decided(record_in(row.phase, row.cause), row.observation, row.requests).record) ==
          text(decision.record));
    if (decision.action == Action::none)
      CHECK(text(decided(decision.record, row.observation, row.requests).record) == text(decision.record));
  }
}

TEST_CASE("decide: nothing changes a final job") {
  for (const auto phase : {Phase::succeeded, Phase::failed, Phase::cancelled, Phase::lost})
    for (const auto state : {State::absent, State::active, State::ended, State::gone})
      for (const auto& requests : {nothing, suspend, cancel}) {
        const JobRecord before = record_in(phase);
        const Decision decision = decided(before, seen(state), requests, with_deadline(1));
        CHECK(text(decision.record) == text(before));
        CHECK(decision.action == Action::none);
        CHECK_FALSE(decision.wake_at);
      }
}

TEST_CASE("decide: a submission is a new attempt that has forgotten the last one's end") {
  JobRecord record = record_in(Phase::suspended);
  record.exit_code = 3;
  record.failure = model::FailedRank();
  record.reason = record.message = record.hint = "old";
  record.ended = created;
  record.ranks_up = true;
  const JobRecord after = decided(record, seen(State::absent)).record;
  CHECK(after.attempt == 2);
  CHECK(after.restarts == 0);
  CHECK(after.started == now);
  CHECK_FALSE(after.ended);
  CHECK_FALSE(after.exit_code);
  CHECK_FALSE(after.failure);
  CHECK_FALSE(after.ranks_up);
  CHECK((after.reason + after.message + after.hint).empty());
}

TEST_CASE("decide: a job that never was suspended has no condition while it runs") {
  const JobRecord submitted = decided(record_in(Phase::created), seen(State::absent)).record;
  CHECK(submitted.conditions.empty());
  CHECK(decided(submitted, seen(State::active)).record.conditions.empty());
}

TEST_CASE("decide: suspended and resumed are told in Kubeflow's words") {
  const JobRecord asleep = decided(record_in(Phase::created), seen(State::absent), suspend).record;
  check_condition(asleep, "Suspended", true, "Suspended", "TrainJob is suspended");
  const JobRecord awake = decided(asleep, seen(State::absent)).record;
  check_condition(awake, "Suspended", false, "Resumed", "TrainJob is resumed");
  CHECK(awake.conditions.size() == 1);
  const JobRecord again =
      decided(decided(awake, seen(State::active), suspend).record, ended(143, ExitRecord::Cause::stopped), suspend)
          .record;
  check_condition(again, "Suspended", true, "Suspended", "TrainJob is suspended");
  CHECK(again.stop_cause == StopCause::none);
}

TEST_CASE("decide: complete is told in Kubeflow's words") {
  const JobRecord done = decided(record_in(Phase::running), ended(0)).record;
  check_condition(done, "Complete", true, "AllJobsCompleted", "jobset completed successfully");
  CHECK(done.exit_code == 0);
  CHECK(done.ended == now);
  CHECK(model::find_condition(done, "Failed") == nullptr);
}

TEST_CASE("decide: a failure keeps its message, code, rank and hint") {
  Observation observation = ended(3, ExitRecord::Cause::finished, "rank 1 on n exited with code 3");
  observation.exit.hint = "try this";
  observation.exit.failure = model::FailedRank{1, "n", 3, 0, {"last words"}};
  const JobRecord failed = decided(record_in(Phase::running), observation).record;
  check_condition(failed, "Failed", true, "FailedJobs", "rank 1 on n exited with code 3");
  CHECK(failed.exit_code == 3);
  CHECK(failed.hint == "try this");
  CHECK(failed.failure->last_lines.at(0) == "last words");
  CHECK(decided(record_in(Phase::running), ended(0, ExitRecord::Cause::launch_failed)).record.exit_code == 1);
}

TEST_CASE("decide: cancelled and lost are failures with these reasons") {
  const JobRecord cancelled = decided(record_in(Phase::created), seen(State::absent), cancel).record;
  check_condition(cancelled, "Failed", true, "Cancelled", "TrainJob was cancelled");
  CHECK(cancelled.exit_code == 130);
  const JobRecord lost = decided(record_in(Phase::running), seen(State::gone)).record;
  check_condition(lost, "Failed", true, "Lost", "the host was restarted");
  CHECK(lost.exit_code == 1);
}

TEST_CASE("decide: the deadline counts from creation and ends the job when it is reached, not before") {
  const JobRecord running = record_in(Phase::running);  // created 100 s before now
  const Decision before = decided(running, seen(State::active), nothing, with_deadline(101));
  CHECK(before.action == Action::none);
  CHECK(before.wake_at == Timestamp{201'000});
  const Decision at = decided(running, seen(State::active), nothing, with_deadline(100));
  CHECK(at.action == Action::stop);
  CHECK(at.record.stop_cause == StopCause::deadline);
  CHECK(model::find_condition(at.record, "Failed") == nullptr);  // it still runs
  const JobRecord over = decided(at.record, ended(143, ExitRecord::Cause::stopped), nothing, with_deadline(100)).record;
  check_condition(over, "Failed", true, "DeadlineExceeded", "TrainJob exceeded its active deadline");
  CHECK(over.exit_code == 124);
}

TEST_CASE("decide: the deadline counts from the last resume, and not while suspended") {
  JobRecord record = record_in(Phase::running);
  model::set_condition(record, "Suspended", false, "Resumed", "TrainJob is resumed", {150'000});
  CHECK(decided(record, seen(State::active), nothing, with_deadline(100)).wake_at == Timestamp{250'000});
  CHECK(decided(record, seen(State::active), nothing, with_deadline(50)).action == Action::stop);
  const Decision asleep = decided(record_in(Phase::suspended), seen(State::absent), suspend, with_deadline(1));
  CHECK(asleep.record.phase == Phase::suspended);
  CHECK_FALSE(asleep.wake_at);
}

TEST_CASE("decide: a deadline beyond all time is never reached") {
  const Decision decision = decided(record_in(Phase::running), seen(State::active), nothing,
                                    with_deadline(std::numeric_limits<std::int64_t>::max()));
  CHECK(decision.action == Action::none);
  CHECK(decision.wake_at > now);
}

TEST_CASE("decide: a failed program is run again until its restarts are used up") {
  JobRecord record = record_in(Phase::running);
  for (int restart = 1; restart <= 2; ++restart) {
    const Decision again = decided(record, ended(3, ExitRecord::Cause::finished, "boom"), nothing, with_restarts(2));
    CHECK(again.action == Action::submit);
    CHECK(again.record.attempt == restart + 1);
    CHECK(again.record.restarts == restart);
    CHECK(again.record.message == str("restart ", restart, " of 2 after: boom"));
    CHECK(again.record.conditions.empty());
    record = again.record;
  }
  const Decision last = decided(record, ended(3, ExitRecord::Cause::finished, "boom"), nothing, with_restarts(2));
  CHECK(last.action == Action::none);
  check_condition(last.record, "Failed", true, "ReachedMaxRestarts", "boom");
}

TEST_CASE("decide: only a program's own failure is worth a restart") {
  const JobRecord record = record_in(Phase::running);
  for (const auto cause :
       {ExitRecord::Cause::stopped, ExitRecord::Cause::supervisor_died, ExitRecord::Cause::launch_failed})
    CHECK(decided(record, ended(1, cause), nothing, with_restarts(5)).action == Action::none);
  CHECK(decided(record, seen(State::gone), nothing, with_restarts(5)).record.phase == Phase::lost);
}

TEST_CASE("decide: what would be stopped at once is not restarted") {
  const JobRecord record = record_in(Phase::running);
  CHECK(decided(record, ended(3), cancel, with_restarts(5)).record.phase == Phase::cancelled);
  CHECK(decided(record, ended(3), suspend, with_restarts(5)).record.phase == Phase::suspended);
  RunPlan late = with_restarts(5);
  late.deadline_seconds = 100;
  check_condition(decided(record, ended(3), nothing, late).record, "Failed", true, "DeadlineExceeded",
                  "TrainJob exceeded its active deadline");
}

TEST_CASE("decide: the replicated jobs are counted, the last one's end is the run's end") {
  const auto counts = [](const JobRecord& record) {
    std::string out;
    for (const auto& job : record.jobs_status)
      out += str(job.name, " ready ", job.ready, " active ", job.active, " succeeded ", job.succeeded, " failed ",
                 job.failed, " suspended ", job.suspended, "; ");
    return out;
  };
  CHECK(counts(decided(record_in(Phase::running), seen(State::active)).record) ==
        "node ready 1 active 1 succeeded 0 failed 0 suspended 0; launcher ready 1 active 1 succeeded 0 failed 0 "
        "suspended 0; ");
  CHECK(counts(decided(record_in(Phase::running), ended(0)).record) ==
        "node ready 0 active 0 succeeded 0 failed 0 suspended 0; launcher ready 0 active 0 succeeded 1 failed 0 "
        "suspended 0; ");
  CHECK(counts(decided(record_in(Phase::running), ended(1)).record) ==
        "node ready 0 active 0 succeeded 0 failed 0 suspended 0; launcher ready 0 active 0 succeeded 0 failed 1 "
        "suspended 0; ");
  CHECK(counts(decided(record_in(Phase::created), seen(State::absent), suspend).record) ==
        "node ready 0 active 0 succeeded 0 failed 0 suspended 1; launcher ready 0 active 0 succeeded 0 failed 0 "
        "suspended 1; ");
}

TEST_CASE("decide: a job ended when its exit record says, not when somebody looked") {
  Observation observation = ended(0);
  observation.exit.ended = Timestamp{5'000};
  const Decision decision = decide(record_in(Phase::running), observation, nothing, RunPlan(), Timestamp{60'000});
  REQUIRE(decision.record.ended);
  CHECK(decision.record.ended->ms == 5'000);
}
