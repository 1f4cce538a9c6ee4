#include "model/load.h"

#include <map>

#include "base/text.h"

namespace viaduct::model {

static void refuse(const Document& document, const std::string& kind, const std::string& version,
                   Diagnostics& diagnostics) {
  const auto place = [&](std::string_view key) {
    const Value* value = document.root.find(key);
    return value ? value->mark() : document.root.mark();
  };
  if (kind.empty() || version.empty()) {
    diagnostics.error(document.source, document.root.mark(), "no Kubernetes object: apiVersion and kind are required",
                      str("begin with apiVersion: ", api_version, " and kind: TrainJob"));
    return;
  }
  const std::vector<std::string> kinds = {"TrainJob", "ClusterTrainingRuntime", "TrainingRuntime"};
  if (version != api_version) {
    const bool ours = version.starts_with(api_group);
    diagnostics.error(document.source, place("apiVersion"), str(version, " ", kind, " is not an object Viaduct reads"),
                      ours || nearest(version, {std::string(api_version)})
                          ? str("the version is ", api_version)
                          : str("it reads ", join(kinds, ", "), " of ", api_version));
    return;
  }
  const auto near = nearest(kind, kinds);
  diagnostics.error(document.source, place("kind"), str("unknown kind \"", kind, "\" in ", version),
                    near ? str("did you mean ", *near, "?") : str("known: ", join(kinds, ", ")));
}

void read_objects(const std::vector<Document>& documents, Objects& objects, Diagnostics& diagnostics) {
  for (const auto& document : documents) {
    const auto text_of = [&](std::string_view key) {
      const Value* value = document.root.find(key);
      return value ? value->text() : std::string();
    };
    const std::string kind = text_of("kind");
    const std::string version = text_of("apiVersion");
    if (version == "v1" && kind == "List") {
      std::vector<Document> items;
      if (const Value* list = document.root.find("items"))
        for (const auto& item : list->items()) items.push_back({document.source, item});
      read_objects(items, objects, diagnostics);
    } else if (version == api_version && kind == "TrainJob") {
      objects.trainjobs.push_back(read_trainjob(document, diagnostics));
    } else if (version == api_version && (kind == "ClusterTrainingRuntime" || kind == "TrainingRuntime")) {
      objects.runtimes.push_back(read_runtime(document, diagnostics));
    } else {
      refuse(document, kind, version, diagnostics);
    }
  }
}

}  // namespace viaduct::model
