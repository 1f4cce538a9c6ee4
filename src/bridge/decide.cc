#include "bridge/decide.h"

#include <algorithm>

#include "base/text.h"

namespace viaduct::bridge {
namespace {

using model::ExitRecord;
using model::JobRecord;
using model::Phase;
using model::StopCause;

constexpr std::int32_t exit_of_deadline = 124;

void count_jobs(JobRecord& record) {
  for (auto& job : record.jobs_status) {
    const bool is_launcher = &job == &record.jobs_status.back();  // the one whose end is the run's end
    const bool active = record.phase == Phase::running || record.phase == Phase::stopping;
    job.active = active ? 1 : 0;
    job.ready = active && record.ranks_up ? 1 : 0;
    job.suspended = record.phase == Phase::suspended ? 1 : 0;
    job.succeeded = is_launcher && record.phase == Phase::succeeded ? 1 : 0;
    job.failed = is_launcher && (record.phase == Phase::failed || record.phase == Phase::lost) ? 1 : 0;
  }
}

// Where the deadline's clock begins: at creation, or when the job was last resumed (upstream's rule).
Timestamp deadline_start(const JobRecord& record) {
  const model::Condition* suspended = model::find_condition(record, "Suspended");
  return suspended && !suspended->status ? suspended->last_transition : record.created;
}

std::optional<Timestamp> deadline_of(const JobRecord& record, const model::RunPlan& plan) {
  if (!plan.deadline_seconds) return std::nullopt;
  constexpr std::int64_t longest = 1'000'000'000'000;  // thirty thousand years: beyond it nothing is counted
  return Timestamp{deadline_start(record).ms + std::min(*plan.deadline_seconds, longest) * 1000};
}

class Decider {
 public:
  Decider(const JobRecord& record, const Observation& observation, const Requests& requests, const model::RunPlan& plan,
          Timestamp now)
      : observation_(observation), requests_(requests), plan_(plan), now_(now) {
    decision_.record = record;
  }

  Decision decide() {
    switch (job().phase) {
      case Phase::created:
      case Phase::suspended:
        begin();
        break;
      case Phase::running:
        run();
        break;
      case Phase::stopping:
        stop();
        break;
      case Phase::succeeded:
      case Phase::failed:
      case Phase::cancelled:
      case Phase::lost:
        return std::move(decision_);
    }
    count_jobs(job());
    return std::move(decision_);
  }

 private:
  JobRecord& job() { return decision_.record; }

  void begin() {
    if (requests_.cancel) {
      cancelled();
    } else if (requests_.suspend) {
      suspended();
    } else {
      if (job().phase == Phase::suspended)
        model::set_condition(job(), "Suspended", false, "Resumed", "TrainJob is resumed", now_);
      submit();
    }
  }

  void run() {
    job().ranks_up = observation_.ranks_up;
    if (observation_.state == Observation::State::ended) {
      ended(observation_.exit);
    } else if (observation_.state == Observation::State::gone) {
      lost(observation_.why_gone);
    } else if (requests_.cancel) {
      begin_stopping(StopCause::cancel);
    } else if (requests_.suspend) {
      begin_stopping(StopCause::suspend);
    } else if (const auto deadline = deadline_of(job(), plan_)) {
      if (now_ >= *deadline) {
        begin_stopping(StopCause::deadline);
      } else {
        decision_.wake_at = deadline;
      }
    }
  }

  void stop() {
    if (observation_.state == Observation::State::active) return;
    const ExitRecord& exit = observation_.exit;
    const bool done_before = observation_.state == Observation::State::ended &&
                             exit.cause == ExitRecord::Cause::finished && exit.exit_code == 0;
    if (done_before && job().stop_cause != StopCause::deadline) return ended(exit);
    switch (job().stop_cause) {
      case StopCause::suspend:
        if (requests_.cancel) return cancelled();
        return suspended();
      case StopCause::deadline:
        return deadline_exceeded();
      case StopCause::cancel:
      case StopCause::none:
        return cancelled();
    }
  }

  void submit() {
    job().phase = Phase::running;
    job().stop_cause = StopCause::none;
    job().ranks_up = false;
    job().attempt += 1;
    job().started = now_;
    job().ended.reset();
    job().exit_code.reset();
    job().failure.reset();
    job().reason.clear();
    job().message.clear();
    job().hint.clear();
    decision_.action = Action::submit;
  }

  void begin_stopping(StopCause cause) {
    job().phase = Phase::stopping;
    job().stop_cause = cause;
    decision_.action = Action::stop;
  }

  void ended(const ExitRecord& exit) {
    job().failure = exit.failure;
    job().hint = exit.hint;
    if (exit.cause == ExitRecord::Cause::supervisor_died) {
      lost(exit.message);
    } else if (exit.cause == ExitRecord::Cause::stopped) {
      // Somebody ended the launcher behind our back; that is no failure of the program, so it isn't run again.
      finish(Phase::cancelled, "Cancelled", exit.message, exit.exit_code);
    } else if (exit.cause == ExitRecord::Cause::finished && exit.exit_code == 0) {
      finish(Phase::succeeded, "AllJobsCompleted", "jobset completed successfully", 0);
    } else if (exit.cause == ExitRecord::Cause::finished && job().restarts < plan_.max_restarts) {
      // What would be stopped at once is not started again.
      const auto deadline = deadline_of(job(), plan_);
      if (requests_.cancel) return cancelled();
      if (requests_.suspend) return suspended();
      if (deadline && now_ >= *deadline) return deadline_exceeded();
      const int restarts = ++job().restarts;
      submit();
      job().message = str("restart ", restarts, " of ", plan_.max_restarts, " after: ", exit.message);
    } else {
      const bool exhausted = plan_.max_restarts > 0 && exit.cause == ExitRecord::Cause::finished;
      finish(Phase::failed, exhausted ? "ReachedMaxRestarts" : "FailedJobs", exit.message,
             exit.exit_code == 0 ? 1 : exit.exit_code);
    }
  }

  void lost(const std::string& why) { finish(Phase::lost, "Lost", why, 1); }
  void cancelled() { finish(Phase::cancelled, "Cancelled", "TrainJob was cancelled", requests_.cancel_exit_code); }

  void deadline_exceeded() {
    finish(Phase::failed, "DeadlineExceeded", "TrainJob exceeded its active deadline", exit_of_deadline);
  }

  void suspended() {
    job().phase = Phase::suspended;
    job().stop_cause = StopCause::none;
    job().ranks_up = false;
    if (job().started) job().ended = now_;
    job().reason = "Suspended";
    job().message = "TrainJob is suspended";
    model::set_condition(job(), "Suspended", true, "Suspended", "TrainJob is suspended", now_);
  }

  void finish(Phase phase, const std::string& reason, const std::string& message, std::int32_t exit_code) {
    job().phase = phase;
    job().reason = reason;
    job().message = message;
    job().exit_code = exit_code;
    const bool told = observation_.state == Observation::State::ended && observation_.exit.ended.ms > 0;
    job().ended = told ? observation_.exit.ended : now_;
    job().ranks_up = false;
    model::set_condition(job(), phase == Phase::succeeded ? "Complete" : "Failed", true, reason, message, now_);
  }

  const Observation& observation_;
  const Requests& requests_;
  const model::RunPlan& plan_;
  Timestamp now_;
  Decision decision_;
};

}  // namespace

Decision decide(const JobRecord& record, const Observation& observation, const Requests& requests,
                const model::RunPlan& plan, Timestamp now) {
  return Decider(record, observation, requests, plan, now).decide();
}

}  // namespace viaduct::bridge
