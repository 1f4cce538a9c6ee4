#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "bridge/decide.h"
#include "model/job_record.h"
#include "model/run_plan.h"
#include "model/runtime.h"
#include "model/trainjob.h"

namespace viaduct::bridge {

// The jobs of one user: a directory for each under $VIADUCT_HOME/jobs (mode 0700).
//
//   trainjob.yaml  runtime.yaml   what was asked for, as it was resolved
//   plan.json                     the RunPlan
//   hosts                         a hostfile: where it runs; only for backend "hosts"
//   record.json                   where the job stands (model/job_record.h)
//   request.suspend, request.cancel   what the user asks for, by being there
//   logs/<attempt>.log            what the ranks printed (launcher/log_line.h)
//   attempts/<attempt>/           owner.json, hostfile, started, exit/<node>
//
// Files are replaced by atomic rename; a job and an attempt are claimed by mkdir. So everything is safe on NFS, and a
// reader never sees half a file. Nothing is locked: only the supervisor of a job writes its record while it lives.
class JobStore {
 public:
  explicit JobStore(std::filesystem::path home) : home_(std::move(home)) {}

  // Claims the name and writes everything. Throws Error (conflict) when the name is taken, (missing_on_host) when the
  // home can't be written. After any failure nothing is left behind.
  void create(const model::JobRecord& record, const model::TrainJob& job, const model::Runtime& runtime,
              const model::RunPlan& plan, const std::string& hosts = "") const;
  void remove(const std::string& name) const;

  bool exists(const std::string& name) const;
  std::vector<std::string> names() const;                // sorted
  model::JobRecord load(const std::string& name) const;  // throws Error (not_found), naming what there is
  model::RunPlan load_plan(const std::string& name) const;
  Value load_trainjob(const std::string& name) const;
  void save(const model::JobRecord& record) const;
  Requests load_requests(const std::string& name) const;
  void request_cancel(const std::string& name) const;
  void request_suspend(const std::string& name, bool suspend) const;

  // True for exactly one of all callers that want to run this attempt; `owner` is written down with the claim.
  bool claim_attempt(const std::string& name, int attempt, const ProcessIdentity& owner) const;
  // Whether a claimed attempt's owner is gone, so that nobody will ever run it.
  bool attempt_is_abandoned(const std::string& name, int attempt) const;

  std::filesystem::path directory(const std::string& name) const { return home_ / "jobs" / name; }
  std::filesystem::path plan_file(const std::string& name) const { return directory(name) / "plan.json"; }
  std::filesystem::path hosts_file(const std::string& name) const { return directory(name) / "hosts"; }
  std::filesystem::path log_file(const std::string& name, int attempt) const;
  std::filesystem::path attempt_directory(const std::string& name, int attempt) const;
  const std::filesystem::path& home() const { return home_; }

 private:
  std::filesystem::path home_;
};

}  // namespace viaduct::bridge
