#pragma once

#include <string>

#include "base/clock.h"
#include "bridge/backend.h"
#include "bridge/job_store.h"

namespace viaduct::bridge {

// Who is told while a job is supervised. Called on the supervisor's thread, after every change; must not block, or
// requests to stop would wait.
class Watcher {
 public:
  virtual ~Watcher() = default;
  virtual void on_record(const model::JobRecord& record) = 0;
};

// Drives one job from where it stands until it is final or suspended: observe, decide, act, write down, wait. Takes
// SIGINT, SIGTERM and SIGHUP as a request to cancel (the second one ends the grace), SIGPIPE likewise, for nobody sees
// the run any more (but it never ends the grace), and SIGUSR1 as "look at the requests", from a signalfd, so these must
// be blocked in the process; the second, third … attempt included.
// Throws Error (conflict) when another process runs this attempt already.
model::JobRecord supervise(const std::string& name, const JobStore& store, Backend& backend, const Clock& clock,
                           Watcher& watcher);

// Blocks the signals `supervise` listens to, but for those the caller ignores (nohup). Call once, before any thread or
// child exists. `restore` gives them back to their usual ends.
void block_supervisor_signals();
void restore_supervisor_signals();

// The record brought to the truth: when the process that supervised a job is gone, what the job's files tell becomes
// its state. Called by every command before it shows or changes a job. Safe to be done by several at once.
model::JobRecord load_and_repair(const std::string& name, const JobStore& store, Backend& backend, const Clock& clock);

// Makes the supervisor look at changed requests. False when no process supervises the job on this host.
bool wake_supervisor(const model::JobRecord& record);

}  // namespace viaduct::bridge
