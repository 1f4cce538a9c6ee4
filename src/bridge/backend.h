#pragma once

#include <vector>

#include "bridge/decide.h"
#include "bridge/resolve.h"
#include "model/job_record.h"
#include "model/run_plan.h"

namespace viaduct::bridge {

// A track: what carries a plan out. The one interface between the core and a place where jobs run. Called from one
// thread.
class Backend {
 public:
  virtual ~Backend() = default;

  virtual const Capabilities& capabilities() const = 0;

  // Starts the record's attempt. Idempotent by uid and attempt: asked twice, it finds the first submission again.
  // Fills in what identifies the submission in the record. Throws Error when it can't be started.
  virtual void submit(const model::RunPlan& plan, model::JobRecord& record) = 0;
  virtual Observation observe(const model::JobRecord& record) = 0;
  // Asks the attempt to end: TERM, the plan's grace, KILL. Returns at once; a second call shortens the grace to
  // nothing.
  virtual void stop(const model::JobRecord& record) = 0;
  // Descriptors that become readable when `observe` may have something new; polled beside a clock.
  virtual std::vector<int> wake_fds() const = 0;
};

}  // namespace viaduct::bridge
