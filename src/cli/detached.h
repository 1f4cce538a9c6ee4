#pragma once

#include <functional>
#include <optional>
#include <string>

#include "cli/context.h"
#include "model/job_record.h"

namespace viaduct::cli {

// The job's record, brought to the truth first. Throws Error (not_found).
model::JobRecord look_at(Context& context, const std::string& name);

// Starts `viaduct supervise NAME` in a session of its own, and returns when it has taken the job over. Throws Error
// with what it said when it could not.
void start_supervisor(Context& context, const std::string& name);

// The job's record once `done` says so, or nothing after `limit` (unset: no limit). Woken by changes of the record.
std::optional<model::JobRecord> wait_for(Context& context, const std::string& name,
                                         const std::function<bool(const model::JobRecord&)>& done,
                                         std::optional<std::chrono::milliseconds> limit);

}  // namespace viaduct::cli
