#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/value.h"
#include "model/runtime.h"

namespace viaduct::model {

// How the ranks come to life.
enum class LaunchStyle {
  wrapped,       // Viaduct's launcher starts the command once per rank
  own_launcher,  // the command is a launcher itself (mpirun, torchrun, …) and is run once, as it is
};

inline constexpr std::int64_t most_ranks = 2'147'483'647;  // MPI counts ranks with an int
inline constexpr std::int32_t longest_ready_seconds = 86'400;
inline constexpr std::int64_t longest_grace_seconds = 31'536'000;  // a year

// What one node of the run is asked to offer. Unset: nothing was asked.
struct NodeResources {
  std::optional<std::int64_t> cpu_milli;  // thousandths of a CPU
  std::optional<std::int64_t> memory_bytes;
  std::int64_t gpus = 0;
  std::string gpu_resource;                                // "nvidia.com/gpu"; "" without GPUs
  std::vector<std::pair<std::string, std::string>> other;  // every other resource, as Kubernetes writes quantities
};

// A place of the job's file system, as the runtime's volumeMounts and volumes have it.
struct VolumeMount {
  std::string name;
  std::string mount_path;
  bool read_only = false;
  Value source;  // the volume, as it stands ({"hostPath": …}); null when the template names none
};

// A step that fetches data or a model before the ranks start.
struct InitializerStep {
  std::string name;  // "dataset" or "model"
  std::string image;
  std::string storage_uri;
  std::vector<std::pair<std::string, std::string>> env;
  std::string secret_name;
};

// A field of the TrainJob or the runtime that the chosen backend does not honour, and why.
struct Loss {
  std::string path;  // "TrainJob.spec.trainer.image", "ClusterTrainingRuntime/mpi.spec.template…"
  std::string reason;
};

struct PortRange {
  std::int32_t first = 1;  // 1 to 65535, as `last`, which is not less
  std::int32_t last = 65535;
  bool operator==(const PortRange&) const = default;
};

// How other hosts are reached where no batch system starts the ranks there, but the job's own SSH.
struct RemotePolicy {
  std::int32_t ready_seconds = 120;       // for every host to answer, 1 to 86400
  std::int32_t tree_spawn_above = 256;    // with more hosts than this MPI daemons start each other
  std::optional<PortRange> daemon_ports;  // for mpirun and its daemons; unset: any free ones
  std::optional<PortRange> mpi_ports;     // for MPI's TCP connections; unset: any free ones
};

// The one value everybody shares: what to run, complete and neutral to the backend. The same TrainJob and runtime
// always give the same plan. Written as JSON (kind RunPlan); read back by viaduct-agent.
struct RunPlan {
  std::string job;
  std::string name_space;
  std::string runtime_kind;
  std::string runtime_name;
  std::string framework;  // label trainer.kubeflow.org/framework of the runtime; ""
  std::string backend;
  PolicyKind policy = PolicyKind::none;  // mpi or none
  MpiImplementation mpi = MpiImplementation::open_mpi;
  std::int32_t nodes = 1;           // >= 1; the launcher's node included when it runs ranks
  std::int32_t slots_per_node = 1;  // ranks on each node, >= 1
  bool launcher_is_node = false;
  NodeResources resources;
  LaunchStyle launch = LaunchStyle::wrapped;
  std::vector<std::string> command;                              // never empty
  std::string working_directory;                                 // "" : where the job was submitted
  std::vector<std::pair<std::string, std::string>> environment;  // for every rank, in order
  std::string binding = "cpu";                                   // "cpu": an even share of the allowed cores; "none"
  RemotePolicy remote;
  std::string image;
  std::vector<VolumeMount> volumes;
  std::vector<InitializerStep> initializers;
  std::optional<std::int64_t> deadline_seconds;
  std::int32_t max_restarts = 0;
  std::int64_t grace_seconds = 10;  // between TERM and KILL
  bool suspend = false;
  std::vector<Loss> losses;

  std::int64_t ranks() const { return std::int64_t{nodes} * slots_per_node; }
};

Value to_value(const RunPlan& plan);
RunPlan read_run_plan(const Document& document);  // throws Error with every mistake in it

}  // namespace viaduct::model
