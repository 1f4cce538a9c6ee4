#pragma once

#include <filesystem>

#include "base/clock.h"
#include "base/error.h"
#include "model/exit_record.h"

namespace viaduct::launcher {

// The record of an attempt that an error of ours ended.
model::ExitRecord record_of_error(const Error& error, int attempt, Timestamp now);

// Writes exit/<this host> in the attempt's directory. The file is never named by the record, which may come from
// another host.
void write_exit_file(const std::filesystem::path& attempt_directory, const model::ExitRecord& record);

}  // namespace viaduct::launcher
