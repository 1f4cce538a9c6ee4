#include "model/job_record.h"

#include <algorithm>

#include "model/record_fields.h"

namespace viaduct::model {

static constexpr std::array<std::pair<Phase, std::string_view>, 8> phase_names = {{
    {Phase::created, "Created"},
    {Phase::running, "Running"},
    {Phase::stopping, "Stopping"},
    {Phase::suspended, "Suspended"},
    {Phase::succeeded, "Succeeded"},
    {Phase::failed, "Failed"},
    {Phase::cancelled, "Cancelled"},
    {Phase::lost, "Lost"},
}};
static constexpr std::array<std::pair<StopCause, std::string_view>, 4> stop_cause_names = {{
    {StopCause::none, "None"},
    {StopCause::suspend, "Suspend"},
    {StopCause::cancel, "Cancel"},
    {StopCause::deadline, "Deadline"},
}};

std::string_view to_string(Phase phase) {
  for (const auto& [candidate, name] : phase_names)
    if (candidate == phase) return name;
  return "";
}

bool is_final(Phase phase) {
  return phase == Phase::succeeded || phase == Phase::failed || phase == Phase::cancelled || phase == Phase::lost;
}

void set_condition(JobRecord& record, const std::string& type, bool status, const std::string& reason,
                   const std::string& message, Timestamp now) {
  const auto found = std::find_if(record.conditions.begin(), record.conditions.end(),
                                  [&](const Condition& c) { return c.type == type; });
  if (found == record.conditions.end()) {
    record.conditions.push_back({type, status, reason, message, now});
  } else {
    const Timestamp since = found->status == status ? found->last_transition : now;
    *found = {type, status, reason, message, since};
  }
}

const Condition* find_condition(const JobRecord& record, std::string_view type) {
  const auto found = std::find_if(record.conditions.begin(), record.conditions.end(),
                                  [&](const Condition& c) { return c.type == type; });
  return found == record.conditions.end() ? nullptr : &*found;
}

Value trainjob_status(const JobRecord& record) {
  Value conditions = Value::sequence();
  for (const auto& condition : record.conditions) {
    Value entry = Value::mapping();
    entry.set("type", condition.type);
    entry.set("status", condition.status ? "True" : "False");
    entry.set("reason", condition.reason);
    entry.set("message", condition.message);
    entry.set("lastTransitionTime", format_rfc3339_seconds(condition.last_transition));
    conditions.push(std::move(entry));
  }
  Value jobs = Value::sequence();
  for (const auto& job : record.jobs_status) {
    Value entry = Value::mapping();
    entry.set("name", job.name);
    entry.set("ready", job.ready);
    entry.set("succeeded", job.succeeded);
    entry.set("failed", job.failed);
    entry.set("active", job.active);
    entry.set("suspended", job.suspended);
    jobs.push(std::move(entry));
  }
  Value status = Value::mapping();
  if (!record.conditions.empty()) status.set("conditions", std::move(conditions));
  if (!record.jobs_status.empty()) status.set("jobsStatus", std::move(jobs));
  return status;
}

namespace {

ProcessIdentity read_identity_fields(ObjectReader& reader) {
  ProcessIdentity identity;
  identity.host = reader.string("host").value_or("");
  identity.boot_id = reader.string("bootId").value_or("");
  identity.pid_namespace = reader.string("pidNamespace").value_or("");
  identity.pid = reader.integer("pid").value_or(0);
  identity.start_ticks = reader.integer("startTicks").value_or(0);
  return identity;
}

void read_status(ObjectReader& status, JobRecord& record) {
  status.objects("conditions", [&](ObjectReader& reader) {
    Condition condition;
    condition.type = reader.required_string("type");
    condition.status = reader.required_string("status") == "True";
    condition.reason = reader.required_string("reason");
    condition.message = reader.required_string("message");
    condition.last_transition = read_time(reader, "lastTransitionTime").value_or(Timestamp());
    record.conditions.push_back(std::move(condition));
  });
  status.objects("jobsStatus", [&](ObjectReader& reader) {
    JobStatus job;
    job.name = reader.required_string("name");
    job.ready = reader.int32("ready", 0).value_or(0);
    job.succeeded = reader.int32("succeeded", 0).value_or(0);
    job.failed = reader.int32("failed", 0).value_or(0);
    job.active = reader.int32("active", 0).value_or(0);
    job.suspended = reader.int32("suspended", 0).value_or(0);
    record.jobs_status.push_back(std::move(job));
  });
}

JobRecord read_fields(ObjectReader& reader) {
  JobRecord record;
  record.name = reader.required_string("name");
  record.name_space = reader.string("namespace").value_or("");
  record.uid = reader.required_string("uid");
  record.backend = reader.required_string("backend");
  record.runtime = reader.string("runtime").value_or("");
  record.nodes = reader.int32("nodes", 1).value_or(1);
  record.ranks = reader.integer("ranks", 1).value_or(1);
  record.phase = value_in(phase_names, reader, "phase");
  record.stop_cause = value_in(stop_cause_names, reader, "stopCause");
  record.ranks_up = reader.boolean("ranksUp").value_or(false);
  record.attempt = reader.int32("attempt", 0).value_or(0);
  record.restarts = reader.int32("restarts", 0).value_or(0);
  record.reason = reader.string("reason").value_or("");
  record.message = reader.string("message").value_or("");
  record.hint = reader.string("hint").value_or("");
  record.exit_code = reader.int32("exitCode", 0);
  reader.object("failure", [&](ObjectReader& failure) { record.failure = read_failed_rank(failure); });
  record.submit_directory = reader.string("submitDirectory").value_or("");
  reader.required("created");
  record.created = read_time(reader, "created").value_or(Timestamp());
  record.started = read_time(reader, "started");
  record.ended = read_time(reader, "ended");
  reader.object("supervisor", [&](ObjectReader& identity) { record.supervisor = read_identity_fields(identity); });
  reader.object("launcher", [&](ObjectReader& identity) { record.launcher = read_identity_fields(identity); });
  reader.object("status", [&](ObjectReader& status) { read_status(status, record); });
  return record;
}

}  // namespace

Value to_value(const ProcessIdentity& identity) {
  Value out = Value::mapping();
  out.set("host", identity.host);
  out.set("bootId", identity.boot_id);
  out.set("pidNamespace", identity.pid_namespace);
  out.set("pid", identity.pid);
  out.set("startTicks", identity.start_ticks);
  return out;
}

ProcessIdentity read_identity(const Document& document) {
  return read_record<ProcessIdentity>(document, read_identity_fields);
}

Value to_value(const JobRecord& record) {
  Value out = Value::mapping();
  out.set("name", record.name);
  if (!record.name_space.empty()) out.set("namespace", record.name_space);
  out.set("uid", record.uid);
  out.set("backend", record.backend);
  out.set("runtime", record.runtime);
  out.set("nodes", record.nodes);
  out.set("ranks", record.ranks);
  out.set("phase", name_in(phase_names, record.phase));
  out.set("stopCause", name_in(stop_cause_names, record.stop_cause));
  out.set("ranksUp", record.ranks_up);
  out.set("attempt", record.attempt);
  out.set("restarts", record.restarts);
  if (!record.reason.empty()) out.set("reason", record.reason);
  if (!record.message.empty()) out.set("message", record.message);
  if (!record.hint.empty()) out.set("hint", record.hint);
  if (record.exit_code) out.set("exitCode", *record.exit_code);
  if (record.failure) out.set("failure", to_value(*record.failure));
  out.set("submitDirectory", record.submit_directory);
  out.set("created", format_rfc3339(record.created));
  if (record.started) out.set("started", format_rfc3339(*record.started));
  if (record.ended) out.set("ended", format_rfc3339(*record.ended));
  if (record.supervisor.pid > 0) out.set("supervisor", to_value(record.supervisor));
  if (record.launcher.pid > 0) out.set("launcher", to_value(record.launcher));
  out.set("status", trainjob_status(record));
  return out;
}

JobRecord read_job_record(const Document& document) { return read_record<JobRecord>(document, read_fields); }

}  // namespace viaduct::model
