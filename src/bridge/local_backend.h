#pragma once

#include <optional>

#include "base/clock.h"
#include "base/environment.h"
#include "base/process.h"
#include "bridge/backend.h"
#include "bridge/job_store.h"

namespace viaduct::bridge {

// What the local track honours of a TrainJob and a runtime.
const Capabilities& local_capabilities();
// And what it honours on hosts that the user's own ssh reaches, backend "hosts".
const Capabilities& hosts_capabilities();

// Runs a plan on this machine, or from it on hosts that the user's own ssh reaches: `viaduct-agent launch` or `reach`
// as a child of the supervising process. The child ends its ranks when this process goes away, and writes the exit
// record.
class LocalBackend : public Backend {
 public:
  LocalBackend(const JobStore& store, std::filesystem::path agent, Environment environment)
      : store_(store), agent_(std::move(agent)), environment_(std::move(environment)) {}

  ~LocalBackend() override;  // ends what still runs; LocalBackend stays where it was made
  LocalBackend(const LocalBackend&) = delete;
  LocalBackend& operator=(const LocalBackend&) = delete;

  const Capabilities& capabilities() const override { return local_capabilities(); }
  void submit(const model::RunPlan& plan, model::JobRecord& record) override;
  Observation observe(const model::JobRecord& record) override;
  void stop(const model::JobRecord& record) override;
  std::vector<int> wake_fds() const override;

 private:
  Observation observe_files(const model::JobRecord& record) const;

  const JobStore& store_;
  std::filesystem::path agent_;
  Environment environment_;
  std::optional<Process> launch_;
  Fd events_;      // inotify: something new in the attempt's directory
  int stops_ = 0;  // how often it was asked to end
};

}  // namespace viaduct::bridge
