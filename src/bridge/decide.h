#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "model/exit_record.h"
#include "model/job_record.h"
#include "model/run_plan.h"

namespace viaduct::bridge {

// What a backend sees of a job's current attempt.
struct Observation {
  enum class State {
    absent,  // nothing was ever submitted
    active,  // it is starting, running or being ended
    ended,   // `exit` tells how
    gone,    // it is not there any more, and nobody wrote down how it ended
  };
  State state = State::absent;
  bool ranks_up = false;
  model::ExitRecord exit;
  std::string why_gone;
};

// What the user asks for, apart from the TrainJob itself.
struct Requests {
  bool suspend = false;
  bool cancel = false;
  std::int32_t cancel_exit_code = 143;  // what `run` exits with: 128 + the signal that asked
};

enum class Action { none, submit, stop };

struct Decision {
  model::JobRecord record;
  Action action = Action::none;
  std::optional<Timestamp> wake_at;  // when to decide again even if nothing happens
};

// The state machine of a job: the only place that changes a job's state. Pure, and the same for every backend.
//
//   Created ──────────────► Running ──────────────► Succeeded
//      │  ▲ suspended at     │  ▲ │ │ └─ failed ───► Failed      (restarts used up)
//      │  │ birth            │  └─┘ └─── gone ─────► Lost
//      ▼  │        restart ──┘      \  (attempt+1)
//   Suspended ◄──── Stopping ◄───────┘ suspend, cancel or deadline
//      │               ├──► Cancelled
//      └─► Cancelled   └──► Failed (DeadlineExceeded)
//
// Deciding twice on the same observation gives the same record. Conditions, reasons and messages are Kubeflow
// Trainer's where it has them; Cancelled and Lost are conditions Failed with these reasons.
Decision decide(const model::JobRecord& record, const Observation& observation, const Requests& requests,
                const model::RunPlan& plan, Timestamp now);

}  // namespace viaduct::bridge
