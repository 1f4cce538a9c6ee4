#pragma once

#include <vector>

#include "bridge/resolve.h"

namespace viaduct::bridge {

// Every field of the TrainJob and of the (patched) runtime template that the backend does not honour. Complete by
// construction: a field without a rule is reported too. Rules call the replicated job that runs the trainer's command
// (`trainer_job`) "[trainer]", whatever its name is.
std::vector<model::Loss> find_losses(const model::TrainJob& job, const model::Runtime& runtime,
                                     const Value& patched_template, std::string_view trainer_job,
                                     const Capabilities& capabilities);

}  // namespace viaduct::bridge
