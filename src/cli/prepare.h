#pragma once

#include <CLI/CLI.hpp>
#include <optional>
#include <string>
#include <vector>

#include "cli/context.h"
#include "launcher/hostfile.h"
#include "model/run_plan.h"
#include "model/runtime.h"
#include "model/trainjob.h"

namespace viaduct::cli {

// Where a job is to run, as the command line says it; all empty: on this machine.
struct HostChoice {
  std::optional<std::string> hosts;  // --hosts
  std::string hostfile;              // --hostfile
};
void add_host_options(CLI::App& command, HostChoice& choice);

// A TrainJob that is ready to be run: read, checked, its runtime found, planned.
struct PreparedJob {
  model::TrainJob job;
  model::Runtime runtime;
  model::RunPlan plan;
  std::vector<launcher::HostSlots> hosts;  // with the ranks of each; empty: this machine
};

// Reads the files and plans every TrainJob in them. All mistakes are printed to standard error, and then Error
// (bad_input, with an empty reason because everything is said) is thrown.
std::vector<PreparedJob> prepare_jobs(Context& context, const std::vector<std::string>& files, const HostChoice& where);

// What must be on this machine before a job is created: viaduct-agent, and ssh or an mpirun that fits and the program.
// Throws Error.
void check_this_machine(const Context& context, const PreparedJob& prepared);

// Creates the job's directory and first record.
model::JobRecord create_job(Context& context, const PreparedJob& prepared);

// The host of each rank of a job that was given hosts, by rank, and the hosts as a hostlist; both empty for a job on
// this machine.
std::vector<std::string> hosts_of_ranks(const bridge::JobStore& store, const std::string& name);
std::string hosts_text(const bridge::JobStore& store, const std::string& name);

}  // namespace viaduct::cli
