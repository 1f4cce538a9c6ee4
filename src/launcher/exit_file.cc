#include "launcher/exit_file.h"

#include "base/files.h"
#include "base/json.h"
#include "base/process.h"

namespace viaduct::launcher {

model::ExitRecord record_of_error(const Error& error, int attempt, Timestamp now) {
  model::ExitRecord record;
  record.node = host_name();
  record.attempt = attempt;
  record.cause = model::ExitRecord::Cause::launch_failed;
  record.exit_code = static_cast<int>(error.code());
  record.message = error.what();
  record.hint = error.hint();
  record.started = record.ended = now;
  return record;
}

void write_exit_file(const std::filesystem::path& attempt_directory, const model::ExitRecord& record) {
  const auto directory = attempt_directory / "exit";
  create_directories(directory, 0700);
  write_file_atomically(directory / host_name(), write_json(to_value(record)) + "\n", 0600);
}

}  // namespace viaduct::launcher
