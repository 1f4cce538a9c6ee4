#pragma once

#include <memory>
#include <string>
#include <vector>

#include "base/diagnostics.h"
#include "base/text.h"
#include "base/yaml.h"
#include "bridge/resolve.h"
#include "model/runtime.h"
#include "model/trainjob.h"

// TrainJobs and runtimes from text, for tests.
namespace viaduct::test {

using Lines = std::vector<std::string>;

inline SourcePtr source(std::string text, std::string name = "job.yaml") {
  return std::make_shared<const Source>(Source{std::move(name), std::move(text)});
}

// "job.yaml:3:5: message", and "warning: " before the message of a warning.
inline Lines places(const Diagnostics& diagnostics) {
  Lines out;
  for (const auto& d : diagnostics.all())
    out.push_back(str(d.source ? d.source->name : "", ":", d.mark.line, ":", d.mark.column, ": ",
                      d.severity == Diagnostic::Severity::warning ? "warning: " : "", d.message));
  return out;
}

inline Lines messages(const Diagnostics& diagnostics) {
  Lines out;
  for (const auto& d : diagnostics.all()) out.push_back(d.message);
  return out;
}

inline Document document(const std::string& text, Diagnostics& diagnostics, const std::string& name = "job.yaml") {
  auto documents = parse_yaml(source(text, name), diagnostics);
  return documents.empty() ? Document{source(text, name), Value()} : std::move(documents.front());
}

inline model::TrainJob trainjob(const std::string& text, Diagnostics& diagnostics) {
  return model::read_trainjob(document(text, diagnostics), diagnostics);
}

inline model::Runtime runtime(const std::string& text, Diagnostics& diagnostics) {
  return model::read_runtime(document(text, diagnostics, "runtime.yaml"), diagnostics);
}

// A TrainJob named "a" that refers to the runtime "r"; `spec` is the rest of its spec, indented by two.
inline std::string trainjob_text(const std::string& spec) {
  return "apiVersion: trainer.kubeflow.org/v1alpha1\nkind: TrainJob\nmetadata: {name: a}\nspec:\n  runtimeRef: {name: "
         "r}\n" +
         spec;
}
constexpr int first_spec_line = 6;

}  // namespace viaduct::test
