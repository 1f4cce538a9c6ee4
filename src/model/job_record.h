#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/process.h"
#include "base/value.h"
#include "model/exit_record.h"

namespace viaduct::model {

// Where a job stands. Drawn with the allowed changes in bridge/decide.h.
enum class Phase { created, running, stopping, suspended, succeeded, failed, cancelled, lost };
std::string_view to_string(Phase phase);  // "Created", "Running", …
bool is_final(Phase phase);               // succeeded, failed, cancelled, lost

// Why a running attempt is being ended.
enum class StopCause { none, suspend, cancel, deadline };

// metav1.Condition, as TrainJob.status has it: the types Suspended, Complete and Failed.
struct Condition {
  std::string type;
  bool status = true;
  std::string reason;
  std::string message;
  Timestamp last_transition;
};

// TrainJob.status.jobsStatus[]: one entry for each replicated job of the runtime; counts child Jobs, not ranks.
struct JobStatus {
  std::string name;
  std::int32_t ready = 0;
  std::int32_t succeeded = 0;
  std::int32_t failed = 0;
  std::int32_t active = 0;
  std::int32_t suspended = 0;
};

// What is known of one job: the file record.json. Written by the process that supervises the job, and by whoever
// finds that process gone.
struct JobRecord {
  std::string name;
  std::string name_space;
  std::string uid;  // RFC 9562 version 4
  std::string backend;
  std::string runtime;
  std::int32_t nodes = 1;
  std::int64_t ranks = 1;
  Phase phase = Phase::created;
  StopCause stop_cause = StopCause::none;
  bool ranks_up = false;      // every rank of this attempt has started
  std::int32_t attempt = 0;   // 1 is the first; 0 before it
  std::int32_t restarts = 0;  // attempts that followed a failure
  std::string reason;         // one word; "" while all is well
  std::string message;
  std::string hint;  // the way out of a failure, where one is known
  std::optional<std::int32_t> exit_code;
  std::optional<FailedRank> failure;
  std::string submit_directory;
  Timestamp created;
  std::optional<Timestamp> started;  // of the attempt
  std::optional<Timestamp> ended;
  ProcessIdentity supervisor;  // pid 0 when none
  ProcessIdentity launcher;    // viaduct-agent launch; pid 0 when none
  std::vector<Condition> conditions;
  std::vector<JobStatus> jobs_status;
};

void set_condition(JobRecord& record, const std::string& type, bool status, const std::string& reason,
                   const std::string& message, Timestamp now);
const Condition* find_condition(const JobRecord& record, std::string_view type);

Value to_value(const ProcessIdentity& identity);
ProcessIdentity read_identity(const Document& document);  // throws Error

Value to_value(const JobRecord& record);
JobRecord read_job_record(const Document& document);  // throws Error

// The TrainJob's status as Kubeflow Trainer writes it: conditions and jobsStatus.
Value trainjob_status(const JobRecord& record);

}  // namespace viaduct::model
