#include "bridge/inputs.h"

#include <unistd.h>

#include <algorithm>

#include "base/error.h"
#include "base/files.h"
#include "base/json.h"
#include "base/text.h"
#include "base/yaml.h"

namespace fs = std::filesystem;

namespace viaduct::bridge {
namespace {

constexpr std::size_t largest_input = 64 << 20;  // bytes; Kubernetes itself takes less than two million

bool is_manifest(const std::string& name) {
  return !name.starts_with(".") && (name.ends_with(".yaml") || name.ends_with(".yml") || name.ends_with(".json"));
}

// JSON when the name says so or the text begins like it: a JSON object is YAML too, but JSON's own reader knows its
// escapes and its errors better.
std::vector<Document> parse(const SourcePtr& source, Diagnostics& diagnostics) {
  const std::string_view text = trim(source->text);
  const bool yaml_name = source->name.ends_with(".yaml") || source->name.ends_with(".yml");
  if (source->name.ends_with(".json") || (!yaml_name && text.starts_with("{"))) {
    Value root = parse_json(source, diagnostics);
    if (root.is_sequence() || root.is_mapping()) return {{source, std::move(root)}};
    return {};
  }
  return parse_yaml(source, diagnostics);
}

void read_text(std::string name, std::string text, model::Objects& objects, Diagnostics& diagnostics) {
  const auto source = std::make_shared<const Source>(Source{std::move(name), std::move(text)});
  const std::size_t errors_before = diagnostics.error_count();
  const auto documents = parse(source, diagnostics);
  if (documents.empty() && diagnostics.error_count() == errors_before)
    diagnostics.error(source, {}, "there is no object in it",
                      "a TrainJob begins with apiVersion: trainer.kubeflow.org/v1alpha1");
  model::read_objects(documents, objects, diagnostics);
}

std::string read_standard_input() {
  try {
    return read_all(STDIN_FILENO, largest_input);
  } catch (Error& e) {
    throw e.with_context("standard input");
  }
}

void refuse_duplicates(const model::Objects& objects, Diagnostics& diagnostics) {
  const auto same = [](const model::ObjectMeta& a, const model::ObjectMeta& b) {
    return a.name == b.name && a.name_space == b.name_space;
  };
  const auto check = [&](const auto& list, const auto& label) {
    for (std::size_t i = 0; i < list.size(); ++i)
      for (std::size_t j = 0; j < i; ++j)
        if (same(list[i].metadata, list[j].metadata) && label(list[i]) == label(list[j])) {
          const Value* name = list[i].document.root.find_path({"metadata", "name"});
          diagnostics.error(list[i].document.source, name ? name->mark() : Mark{},
                            str("a second ", label(list[i]), " named \"", list[i].metadata.name, "\""),
                            "names are unique in one set of files");
          break;
        }
  };
  check(objects.trainjobs, [](const model::TrainJob&) { return std::string("TrainJob"); });
  check(objects.runtimes, [](const model::Runtime& runtime) { return runtime.kind; });
}

}  // namespace

model::Objects read_inputs(const std::vector<std::string>& paths, Diagnostics& diagnostics) {
  model::Objects objects;
  for (const auto& path : paths) {
    if (path == "-") {
      read_text("standard input", read_standard_input(), objects, diagnostics);
    } else if (std::error_code error; fs::is_directory(path, error)) {
      bool any = false;
      for (const auto& name : list_directory(path)) {
        if (!is_manifest(name)) continue;
        any = true;
        const fs::path file = fs::path(path) / name;
        read_text(file.string(), read_file(file, largest_input), objects, diagnostics);
      }
      if (!any) throw Error(str(path, ": the directory has no .yaml, .yml or .json file"), ExitCode::not_found);
    } else {
      read_text(path, read_file(path, largest_input), objects, diagnostics);
    }
  }
  refuse_duplicates(objects, diagnostics);
  return objects;
}

namespace {

const model::Runtime* match(const model::TrainJob& job, const std::vector<model::Runtime>& runtimes) {
  const auto found = std::find_if(runtimes.begin(), runtimes.end(), [&](const model::Runtime& runtime) {
    return runtime.kind == job.runtime_ref.kind && runtime.metadata.name == job.runtime_ref.name;
  });
  return found == runtimes.end() ? nullptr : &*found;
}

}  // namespace

const model::Runtime* find_runtime(const model::TrainJob& job, model::Objects& objects, const RuntimeSearch& search,
                                   Diagnostics& diagnostics) {
  if (const auto* found = match(job, objects.runtimes)) return found;
  std::vector<std::string> names;
  std::vector<std::string> unreadable;
  for (const auto& runtime : objects.runtimes) names.push_back(runtime.metadata.name);
  for (const auto& directory : search.directories) {
    for (const auto& file : list_directory(directory)) {
      if (!is_manifest(file)) continue;
      // Mistakes in a file nobody asked for must not stand in the way.
      Diagnostics in_file;
      model::Objects here;
      try {
        read_text((directory / file).string(), read_file(directory / file, largest_input), here, in_file);
      } catch (const Error& e) {
        unreadable.emplace_back(e.what());
        continue;
      }
      if (const auto* found = match(job, here.runtimes)) {
        for (const auto& d : in_file.all()) {
          const bool is_error = d.severity == Diagnostic::Severity::error;
          is_error ? diagnostics.error(d.source, d.mark, d.message, d.hint)
                   : diagnostics.warning(d.source, d.mark, d.message, d.hint);
        }
        if (in_file.has_errors()) return nullptr;
        objects.runtimes.push_back(*found);
        return &objects.runtimes.back();
      }
      for (const auto& runtime : here.runtimes) names.push_back(runtime.metadata.name);
    }
  }
  std::sort(names.begin(), names.end());
  names.erase(std::unique(names.begin(), names.end()), names.end());
  const bool cluster = job.runtime_ref.kind == "ClusterTrainingRuntime";
  const Value* name = job.document.root.find_path({"spec", "runtimeRef", "name"});
  const auto near = nearest(job.runtime_ref.name, names);
  std::string hint = near ? str("did you mean ", *near, "? ") : "";
  hint += names.empty()
              ? std::string("no runtime was found at all; give its file on the command line or set VIADUCT_RUNTIMES")
              : str("there are: ", join(names, ", "));
  if (std::find(names.begin(), names.end(), job.runtime_ref.name) != names.end())
    hint = str("there is one of that name, but of the other kind; set runtimeRef.kind to ",
               cluster ? "TrainingRuntime" : "ClusterTrainingRuntime");
  for (const auto& directory : search.directories) {
    std::error_code error;
    const bool by_user = &directory != &search.directories.back() && !directory.string().starts_with("/etc/");
    if (by_user && !fs::is_directory(directory, error))
      hint += str("; VIADUCT_RUNTIMES: there is no ", directory.string());
  }
  for (const auto& file : unreadable) hint += "; " + file;
  diagnostics.error(
      job.document.source, name ? name->mark() : Mark{},
      str("spec.runtimeRef: ", job.runtime_ref.kind, " \"", job.runtime_ref.name, "\" not found: specified ",
          cluster ? "clusterTrainingRuntime" : "trainingRuntime", " must be created before the TrainJob is created"),
      hint);
  return nullptr;
}

}  // namespace viaduct::bridge
