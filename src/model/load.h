#pragma once

#include <vector>

#include "model/runtime.h"
#include "model/trainjob.h"

namespace viaduct::model {

// What a set of documents holds.
struct Objects {
  std::vector<TrainJob> trainjobs;
  std::vector<Runtime> runtimes;
};

// Sorts documents by kind and reads each; a `v1` List is taken apart. A document of another kind or version is a
// mistake. All mistakes go to `diagnostics`.
void read_objects(const std::vector<Document>& documents, Objects& objects, Diagnostics& diagnostics);

}  // namespace viaduct::model
