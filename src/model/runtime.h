#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/value.h"
#include "model/metadata.h"

namespace viaduct::model {

// Which MPI a runtime's image carries. Kubeflow Trainer accepts only OpenMPI; MPICH and Intel are Viaduct's.
enum class MpiImplementation { open_mpi, intel, mpich };
std::string_view to_string(MpiImplementation implementation);  // "OpenMPI", "Intel", "MPICH"
std::optional<MpiImplementation> parse_mpi_implementation(std::string_view text);

// mlPolicy.mpi, with the CRD's defaults.
struct MpiPolicy {
  std::int32_t num_proc_per_node = 1;  // >= 1
  MpiImplementation implementation = MpiImplementation::open_mpi;
  std::string ssh_auth_mount_path = "/root/.ssh";
  bool run_launcher_as_node = false;
};

// mlPolicy: how the processes of a run find each other. `none` starts one process per node, without MPI.
enum class PolicyKind { none, mpi, torch, jax, xgboost, flux };
std::string_view to_string(PolicyKind kind);

struct MlPolicy {
  PolicyKind kind = PolicyKind::none;
  std::optional<std::int32_t> num_nodes;
  MpiPolicy mpi;                            // for kind mpi
  std::int32_t flux_num_proc_per_node = 1;  // for kind flux
};

// The parts of a runtime's JobSet template that Viaduct acts on; everything else stays in the tree.
struct Container {
  std::string name;
  std::string image;
  std::optional<std::vector<std::string>> command;
  std::optional<std::vector<std::string>> args;
  std::string working_dir;
  std::vector<EnvVar> env;
  ResourceRequirements resources;
  Value volume_mounts;  // as it stands; null when none
};

struct ReplicatedJob {
  std::string name;
  std::string ancestor;  // label trainer.kubeflow.org/trainjob-ancestor-step: "trainer", "dataset-initializer", …; ""
  std::optional<std::int32_t> replicas;
  std::optional<std::int32_t> parallelism;
  std::optional<std::int32_t> backoff_limit;
  std::optional<std::int64_t> termination_grace_seconds;
  std::vector<Container> init_containers;
  std::vector<Container> containers;
  Value volumes;  // as it stands; null when none
  const Container* container(std::string_view container_name) const;
};

struct JobTemplate {
  StringMap annotations;
  std::optional<std::int32_t> max_restarts;  // failurePolicy.maxRestarts
  std::vector<ReplicatedJob> replicated_jobs;
  const ReplicatedJob* job(std::string_view name) const;
  const ReplicatedJob* job_with_ancestor(std::string_view ancestor) const;
};
JobTemplate read_job_template(ObjectReader& reader);

// A TrainingRuntime or ClusterTrainingRuntime of trainer.kubeflow.org/v1alpha1 (Kubeflow Trainer v2.3).
struct Runtime {
  std::string kind;  // "ClusterTrainingRuntime" or "TrainingRuntime"
  ObjectMeta metadata;
  MlPolicy ml_policy;
  JobTemplate job_template;
  Value template_tree;  // spec.template, as it stands
  Document document;
};

// Reads and checks one runtime. Mistakes go to `diagnostics`; the result is only worth using without any.
Runtime read_runtime(const Document& document, Diagnostics& diagnostics);

}  // namespace viaduct::model
