#pragma once

#include <vector>

#include "bridge/resolve.h"

namespace viaduct::bridge {

// Every field of the TrainJob and of the (patched) runtime template that the backend does not honour. Complete by
// construction: a field without a rule is reported too.
std::vector<model::Loss> find_losses(const model::TrainJob& job, const model::Runtime& runtime, const Value& patched_template,
                                     const Capabilities& capabilities);

}  // namespace viaduct::bridge
