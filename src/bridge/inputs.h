#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "base/diagnostics.h"
#include "model/load.h"

namespace viaduct::bridge {

// Reads objects from files, directories (every *.yaml, *.yml and *.json in them, by name) and "-" (standard input).
// YAML or JSON, several documents in a file. Mistakes in the content go to `diagnostics`; a path that can't be read
// throws Error.
model::Objects read_inputs(const std::vector<std::string>& paths, Diagnostics& diagnostics);

// Where runtimes are looked up when the given files have none of that name: $VIADUCT_RUNTIMES (directories, separated
// by colons), the site's directory, the directory shipped with Viaduct.
struct RuntimeSearch {
  std::vector<std::filesystem::path> directories;
};

// The runtime a TrainJob names. Not found: a diagnostic at runtimeRef that lists the names there are and the nearest.
// Mistakes in the runtime's own file are diagnostics too. Null after either. Points into `objects`, until the next
// call.
const model::Runtime* find_runtime(const model::TrainJob& job, model::Objects& objects, const RuntimeSearch& search,
                                   Diagnostics& diagnostics);

}  // namespace viaduct::bridge
