#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/value.h"
#include "model/metadata.h"

namespace viaduct::model {

inline constexpr std::string_view api_group = "trainer.kubeflow.org";
inline constexpr std::string_view api_version = "trainer.kubeflow.org/v1alpha1";

struct RuntimeRef {
  std::string name;
  std::string api_group = "trainer.kubeflow.org";
  std::string kind = "ClusterTrainingRuntime";
};

// spec.initializer.dataset and spec.initializer.model.
struct InitializerSource {
  std::string storage_uri;
  std::vector<EnvVar> env;
  std::string secret_name;  // secretRef.name; "" when none
};

// spec.trainer. An unset field leaves the runtime's value in force.
struct Trainer {
  std::optional<std::string> image;
  std::optional<std::vector<std::string>> command;
  std::optional<std::vector<std::string>> args;
  std::vector<EnvVar> env;
  std::optional<std::int32_t> num_nodes;  // >= 0
  std::optional<ResourceRequirements> resources_per_node;
  std::optional<std::int32_t> num_proc_per_node;  // >= 1
};

// spec.runtimePatches[]: changes to the runtime's template by one manager.
struct RuntimePatch {
  std::string manager;   // "acme.io/foo"
  Value template_patch;  // trainingRuntimeSpec.template, as it stands; null when none
};

// A TrainJob of trainer.kubeflow.org/v1alpha1 (Kubeflow Trainer v2.3), with its rules checked as the CRD and the
// admission webhook check them. `document` is the object as it was written.
struct TrainJob {
  ObjectMeta metadata;
  RuntimeRef runtime_ref;
  std::optional<InitializerSource> dataset;
  std::optional<InitializerSource> model;
  Trainer trainer;
  bool has_trainer = false;
  std::vector<RuntimePatch> runtime_patches;
  bool suspend = false;
  std::optional<std::int64_t> active_deadline_seconds;  // >= 1
  std::string managed_by = "trainer.kubeflow.org/trainjob-controller";
  Document document;
};

// Reads and checks one TrainJob. Mistakes go to `diagnostics`; the result is only worth using without any.
TrainJob read_trainjob(const Document& document, Diagnostics& diagnostics);

}  // namespace viaduct::model
