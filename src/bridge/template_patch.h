#pragma once

#include "base/value.h"

namespace viaduct::bridge {

// Kubernetes' strategic merge of a patch into a JobSet template: mappings merge by key, lists whose items Kubernetes
// keys (replicatedJobs, containers, volumes, env by name; volumeMounts by mountPath) merge item by item and keep the
// template's order, every other list or scalar is replaced; a null removes.
void merge_template(Value& target, const Value& patch);

}  // namespace viaduct::bridge
