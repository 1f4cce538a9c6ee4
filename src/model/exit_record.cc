#include "model/exit_record.h"

#include <array>

#include "base/error.h"
#include "base/process.h"
#include "base/text.h"
#include "model/record_fields.h"

namespace viaduct::model {

static constexpr std::array<std::pair<ExitRecord::Cause, std::string_view>, 4> cause_names = {{
    {ExitRecord::Cause::finished, "Finished"},
    {ExitRecord::Cause::stopped, "Stopped"},
    {ExitRecord::Cause::supervisor_died, "SupervisorDied"},
    {ExitRecord::Cause::launch_failed, "LaunchFailed"},
}};

std::string describe(const FailedRank& failure) {
  std::string out = failure.rank ? str("rank ", *failure.rank) : std::string("a rank");
  if (!failure.host.empty()) out += " on " + failure.host;
  if (failure.signal != 0) return out + " was ended by " + describe(ExitStatus{0, failure.signal});
  return out + str(" exited with code ", failure.exit_code);
}

Value to_value(const FailedRank& failure) {
  Value out = Value::mapping();
  if (failure.rank) out.set("rank", *failure.rank);
  if (!failure.host.empty()) out.set("host", failure.host);
  if (failure.signal != 0) {
    out.set("signal", failure.signal);
  } else {
    out.set("exitCode", failure.exit_code);
  }
  out.set("lastLines", Value::strings(failure.last_lines));
  return out;
}

FailedRank read_failed_rank(ObjectReader& reader) {
  FailedRank failure;
  failure.rank = reader.integer("rank", 0);
  failure.host = reader.string("host").value_or("");
  failure.exit_code = reader.int32("exitCode", 0).value_or(0);
  failure.signal = reader.int32("signal", 0).value_or(0);
  failure.last_lines = reader.strings("lastLines").value_or(std::vector<std::string>());
  return failure;
}

Value to_value(const ExitRecord& record) {
  Value out = Value::mapping();
  out.set("node", record.node);
  out.set("attempt", record.attempt);
  out.set("cause", name_in(cause_names, record.cause));
  out.set("exitCode", record.exit_code);
  if (!record.message.empty()) out.set("message", record.message);
  if (!record.hint.empty()) out.set("hint", record.hint);
  if (record.failure) out.set("failure", to_value(*record.failure));
  out.set("started", format_rfc3339(record.started));
  out.set("ended", format_rfc3339(record.ended));
  return out;
}

ExitRecord read_exit_record(const Document& document) {
  return read_record<ExitRecord>(document, [](ObjectReader& reader) {
    ExitRecord record;
    record.node = reader.required_string("node");
    record.attempt = reader.int32("attempt", 1).value_or(1);
    record.cause = value_in(cause_names, reader, "cause");
    record.exit_code = reader.int32("exitCode", 0).value_or(0);
    record.message = reader.string("message").value_or("");
    record.hint = reader.string("hint").value_or("");
    reader.object("failure", [&](ObjectReader& failure) { record.failure = read_failed_rank(failure); });
    record.started = read_time(reader, "started").value_or(Timestamp());
    record.ended = read_time(reader, "ended").value_or(Timestamp());
    return record;
  });
}

}  // namespace viaduct::model
