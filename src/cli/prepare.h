#pragma once

#include <string>
#include <vector>

#include "cli/context.h"
#include "model/run_plan.h"
#include "model/runtime.h"
#include "model/trainjob.h"

namespace viaduct::cli {

// A TrainJob that is ready to be run: read, checked, its runtime found, planned.
struct PreparedJob {
  model::TrainJob job;
  model::Runtime runtime;
  model::RunPlan plan;
};

// Reads the files and plans every TrainJob in them. All mistakes are printed to standard error, and then Error
// (bad_input, with an empty reason because everything is said) is thrown.
std::vector<PreparedJob> prepare_jobs(Context& context, const std::vector<std::string>& files);

// What must be on this machine before a job is created: an mpirun that fits, the program, viaduct-agent. Throws Error.
void check_this_machine(const Context& context, const model::RunPlan& plan);

// Creates the job's directory and first record.
model::JobRecord create_job(Context& context, const PreparedJob& prepared);

}  // namespace viaduct::cli
