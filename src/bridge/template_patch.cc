#include "bridge/template_patch.h"

#include <algorithm>
#include <array>

namespace viaduct::bridge {

// The key of a list's items: k8s.io/api's patchMergeKey tags; JobSet's replicatedJobs are a map by name.
static std::string_view merge_key(std::string_view list) {
  static constexpr std::array<std::pair<std::string_view, std::string_view>, 8> keys = {{
      {"replicatedJobs", "name"},
      {"initContainers", "name"},
      {"containers", "name"},
      {"volumes", "name"},
      {"imagePullSecrets", "name"},
      {"schedulingGates", "name"},
      {"env", "name"},
      {"volumeMounts", "mountPath"},
  }};
  const auto found = std::find_if(keys.begin(), keys.end(), [&](const auto& entry) { return entry.first == list; });
  return found == keys.end() ? std::string_view() : found->second;
}

static void merge_list(Value& target, const Value& patch, std::string_view key) {
  for (const auto& item : patch.items()) {
    const Value* name = item.find(key);
    const auto same = std::find_if(target.items().begin(), target.items().end(), [&](const Value& existing) {
      const Value* existing_name = existing.find(key);
      return name && existing_name && existing_name->text() == name->text();
    });
    if (same == target.items().end()) {
      target.push(item);
    } else {
      merge_template(*same, item);
    }
  }
}

void merge_template(Value& target, const Value& patch) {
  for (const auto& member : patch.members()) {
    Value* existing = target.find(member.key);
    const std::string_view key = merge_key(member.key);
    if (member.value.is_null()) {
      std::erase_if(target.members(), [&](const Value::Member& m) { return m.key == member.key; });
    } else if (existing && existing->is_mapping() && member.value.is_mapping()) {
      merge_template(*existing, member.value);
    } else if (existing && existing->is_sequence() && member.value.is_sequence() && !key.empty()) {
      merge_list(*existing, member.value, key);
    } else {
      target.set(member.key, member.value);
    }
  }
}

}  // namespace viaduct::bridge
