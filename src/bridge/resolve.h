#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/diagnostics.h"
#include "model/run_plan.h"
#include "model/trainjob.h"

namespace viaduct::bridge {

// What a backend can honour of a TrainJob and its runtime: for each field path (dots, `[name]` for the list item of
// that name, `[]` for any) and all below it either nothing (honoured) or the reason why not. The longest pattern
// counts, and of two of the same length the later. In Runtime.spec.template the replicated job that runs the trainer's
// command is [trainer].
struct FieldRule {
  std::string_view pattern;
  std::string_view reason;  // "" : honoured
};
struct Capabilities {
  std::string backend;           // "local", "slurm", "k8s"
  std::vector<FieldRule> rules;  // over "TrainJob.spec…" and "Runtime.spec…"
};

// A TrainJob and its runtime become one RunPlan. Pure. The order of merging is Kubeflow Trainer's (v2.3): the
// runtime's template, then spec.runtimePatches in the order given, then the TrainJob's own values.
//
// Two rules differ from upstream on purpose: N nodes are N nodes also when the launcher is one of them, and the
// trainer's image, command, environment and resources hold for every node that runs ranks.
//
// Mistakes that need both objects to be seen go to `diagnostics`; then there is no plan.
std::optional<model::RunPlan> resolve(const model::TrainJob& job, const model::Runtime& runtime,
                                      const Capabilities& capabilities, Diagnostics& diagnostics);

// True for commands that start ranks themselves: mpirun, mpiexec, srun, torchrun, deepspeed, horovodrun.
bool is_launcher_command(std::string_view program);

}  // namespace viaduct::bridge
