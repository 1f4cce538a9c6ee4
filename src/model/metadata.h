#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/reader.h"
#include "model/quantity.h"

// The parts of Kubernetes' API that TrainJobs and runtimes are made of. Only what Viaduct acts on is typed.
namespace viaduct::model {

using StringMap = std::vector<std::pair<std::string, std::string>>;  // in the order written
const std::string* find(const StringMap& map, std::string_view key);

// metav1.ObjectMeta.
struct ObjectMeta {
  std::string name;
  std::string name_space;  // "" when not given
  StringMap labels;
  StringMap annotations;
};
ObjectMeta read_metadata(ObjectReader& object);  // reads the member "metadata"

// corev1.EnvVar. A variable with `valueFrom` has `from_source` set and no value.
struct EnvVar {
  std::string name;
  std::string value;
  bool from_source = false;
};
// A list of EnvVar keyed by name; a name given twice is an error. Nothing when the key is missing.
std::vector<EnvVar> read_env(ObjectReader& object, std::string_view key, std::size_t most = 128);

// corev1.ResourceRequirements, in the order written.
struct ResourceRequirements {
  std::vector<std::pair<std::string, Quantity>> limits;
  std::vector<std::pair<std::string, Quantity>> requests;
  bool empty() const { return limits.empty() && requests.empty(); }
};
std::optional<ResourceRequirements> read_resources(ObjectReader& object, std::string_view key);

// Complaints worded as the API server words them. It says bytes, but counts characters.
void check_length(ObjectReader& object, std::string_view key, const std::string& text, std::size_t most);
void check_not_empty(ObjectReader& object, std::string_view key);  // of text; a missing key is no mistake here
void check_items(ObjectReader& object, std::string_view key, std::size_t count, std::size_t most);

}  // namespace viaduct::model
