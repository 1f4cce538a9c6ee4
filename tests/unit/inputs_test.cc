#include "bridge/inputs.h"

#include <catch2/catch.hpp>

#include "base/error.h"
#include "base/files.h"
#include "unit/objects.h"
#include "unit/scratch.h"

namespace fs = std::filesystem;
using namespace viaduct;
using namespace viaduct::test;

namespace {

std::string job_named(const std::string& name, const std::string& reference = "{name: r}") {
  return "apiVersion: trainer.kubeflow.org/v1alpha1\nkind: TrainJob\nmetadata: {name: " + name +
         "}\nspec: {runtimeRef: " + reference + "}\n";
}
std::string runtime_named(const std::string& name, const std::string& kind = "ClusterTrainingRuntime") {
  return "apiVersion: trainer.kubeflow.org/v1alpha1\nkind: " + kind + "\nmetadata: {name: " + name +
         "}\nspec: {template: {}}\n";
}

Lines names(const model::Objects& objects) {
  Lines out;
  for (const auto& job : objects.trainjobs) out.push_back(job.metadata.name);
  for (const auto& used : objects.runtimes) out.push_back(used.kind + "/" + used.metadata.name);
  return out;
}

// Messages with their place, and the file's name without its directory.
Lines short_places(const Diagnostics& diagnostics) {
  Lines out = places(diagnostics);
  for (auto& line : out) line = line.substr(line.substr(0, line.find(':')).rfind('/') + 1);
  return out;
}

struct Looked {
  std::string found;  // "" when not found
  Lines places;
  std::string hint;
};

Looked look(const std::string& job_text, const std::vector<fs::path>& directories, const std::string& given = "") {
  Diagnostics diagnostics;
  model::Objects objects;
  if (!given.empty()) objects.runtimes.push_back(runtime(given, diagnostics));
  const auto job = trainjob(job_text, diagnostics);
  const auto* found = bridge::find_runtime(job, objects, {directories}, diagnostics);
  return {found ? found->kind + "/" + found->metadata.name + " of " +
                      fs::path(found->document.source->name).filename().string()
                : "",
          short_places(diagnostics), diagnostics.all().empty() ? "" : diagnostics.all().back().hint};
}

}  // namespace

TEST_CASE("inputs: files, directories and JSON are read in the order given, a directory by name") {
  const Scratch scratch;
  fs::create_directory(scratch / "dir");
  write_file_atomically(scratch / "z.yaml", job_named("z") + "---\n" + runtime_named("r"));
  write_file_atomically(scratch / "dir/b.yml", job_named("b"));
  write_file_atomically(scratch / "dir/a.json", R"({"apiVersion": "trainer.kubeflow.org/v1alpha1", "kind": "TrainJob",
    "metadata": {"name": "a"}, "spec": {"runtimeRef": {"name": "r"}}})");
  write_file_atomically(scratch / "dir/readme.md", "no manifest");
  write_file_atomically(scratch / "dir/.hidden.yaml", "no manifest");
  write_file_atomically(scratch / "noname", R"(  {"apiVersion": "trainer.kubeflow.org/v1alpha1", "kind": "TrainJob",
    "metadata": {"name": "c\u0064"}, "spec": {"runtimeRef": {"name": "r"}}})");
  Diagnostics diagnostics;
  const auto objects = bridge::read_inputs({scratch / "z.yaml", scratch / "dir", scratch / "noname"}, diagnostics);
  CHECK(short_places(diagnostics) == Lines{});
  CHECK(names(objects) == Lines{"z", "a", "b", "cd", "ClusterTrainingRuntime/r"});
}

TEST_CASE("inputs: each file's own mistakes are told, also after another file's") {
  const Scratch scratch;
  write_file_atomically(scratch / "1.yaml", "a: 1\na: 2\n");
  write_file_atomically(scratch / "2.yaml", job_named("Bad"));
  write_file_atomically(scratch / "3.json", "{\"a\": }");
  write_file_atomically(scratch / "4.yaml", "# nothing\n");
  Diagnostics diagnostics;
  bridge::read_inputs({scratch.path()}, diagnostics);
  const Lines told = short_places(diagnostics);
  REQUIRE(told.size() == 5);
  CHECK(told[0] == "1.yaml:2:1: duplicate key \"a\"");
  CHECK(told[1] == "1.yaml:1:1: no Kubernetes object: apiVersion and kind are required");
  CHECK(told[2] == "2.yaml:3:18: metadata.name: metadata.name must match RFC 1035 DNS label format");
  CHECK_THAT(told[3], Catch::StartsWith("3.json:1:7: not valid JSON"));
  CHECK(told[4] == "4.yaml:0:0: there is no object in it");
}

TEST_CASE("inputs: a path that can't be read is an error that names it") {
  const Scratch scratch;
  const auto message = [](const std::string& path) -> std::string {
    Diagnostics diagnostics;
    try {
      bridge::read_inputs({path}, diagnostics);
    } catch (const Error& e) {
      return e.what();
    }
    return "";
  };
  CHECK(message(scratch / "missing.yaml") == "can't read " + (scratch / "missing.yaml").string() + ": no such file");
  fs::create_directory(scratch / "empty");
  CHECK(message(scratch / "empty") ==
        (scratch / "empty").string() + ": the directory has no .yaml, .yml or .json file");
  fs::create_symlink("loop", scratch / "loop");
  CHECK_THAT(message(scratch / "loop"), Catch::Contains("loop"));
  CHECK_THAT(message(scratch / std::string(5000, 'x')), Catch::Contains("can't read"));
}

TEST_CASE("inputs: two objects of one kind and name are a mistake, of two namespaces or kinds they are not") {
  const Scratch scratch;
  write_file_atomically(scratch / "a.yaml", job_named("a") + "---\n" + runtime_named("a") + "---\n" +
                                                runtime_named("a", "TrainingRuntime") + "---\n" +
                                                job_named("a, namespace: other"));
  write_file_atomically(scratch / "b.yaml", job_named("a") + "---\n" + runtime_named("a"));
  Diagnostics first;
  bridge::read_inputs({scratch / "a.yaml"}, first);
  CHECK(short_places(first) == Lines{});
  Diagnostics both;
  bridge::read_inputs({scratch.path()}, both);
  CHECK(short_places(both) == Lines{"b.yaml:3:18: a second TrainJob named \"a\"",
                                    "b.yaml:8:18: a second ClusterTrainingRuntime named \"a\""});
}

TEST_CASE("inputs: a runtime is looked up in what was given, then directory by directory") {
  const Scratch scratch;
  for (const auto* directory : {"one", "two"}) fs::create_directory(scratch / directory);
  write_file_atomically(scratch / "one/first.yaml", runtime_named("r"));
  write_file_atomically(scratch / "two/second.yaml",
                        runtime_named("r") + "---\n" + runtime_named("s", "TrainingRuntime"));
  const std::vector<fs::path> both = {scratch / "absent", scratch / "one", scratch / "two"};
  CHECK(look(job_named("a"), both, runtime_named("r")).found == "ClusterTrainingRuntime/r of runtime.yaml");
  CHECK(look(job_named("a"), both).found == "ClusterTrainingRuntime/r of first.yaml");
  CHECK(look(job_named("a"), both, runtime_named("r", "TrainingRuntime")).found ==
        "ClusterTrainingRuntime/r of first.yaml");
  CHECK(look(job_named("a", "{name: s, kind: TrainingRuntime}"), both).found == "TrainingRuntime/s of second.yaml");
}

TEST_CASE("inputs: a runtime that isn't there is told in Kubeflow's words, with what there is") {
  const Scratch scratch;
  write_file_atomically(scratch / "x.yaml", runtime_named("mpi") + "---\n" + runtime_named("torch", "TrainingRuntime"));
  const Looked typo = look(job_named("a", "{name: mpj}"), {scratch.path()});
  CHECK(
      typo.places ==
      Lines{
          "job.yaml:4:27: spec.runtimeRef: ClusterTrainingRuntime \"mpj\" not found: specified clusterTrainingRuntime "
          "must be created before the TrainJob is created"});
  CHECK(typo.hint == "did you mean mpi? there are: mpi, torch");
  const Looked kind = look(job_named("a", "{name: mpi, kind: TrainingRuntime}"), {scratch.path()});
  CHECK(kind.places ==
        Lines{"job.yaml:4:27: spec.runtimeRef: TrainingRuntime \"mpi\" not found: specified trainingRuntime "
              "must be created before the TrainJob is created"});
  CHECK(kind.hint == "there is one of that name, but of the other kind; set runtimeRef.kind to ClusterTrainingRuntime");
  CHECK_THAT(look(job_named("a"), {}).hint, Catch::Contains("no runtime was found at all"));
}

TEST_CASE("inputs: only the wanted runtime's mistakes stand in the way") {
  const Scratch scratch;
  write_file_atomically(scratch / "a.yaml", "a: 1\na: 2\n");
  fs::create_directory(scratch / "b.yaml");
  fs::create_symlink("nowhere", scratch / "c.yaml");
  write_file_atomically(scratch / "d.yaml", runtime_named("r"));
  write_file_atomically(scratch / "e.yaml", runtime_named("bad") + "extra: 1\n");
  const Looked good = look(job_named("a"), {scratch.path()});
  CHECK(good.found == "ClusterTrainingRuntime/r of d.yaml");
  CHECK(good.places == Lines{});
  const Looked bad = look(job_named("a", "{name: bad}"), {scratch.path()});
  CHECK(bad.found.empty());
  CHECK(bad.places == Lines{"e.yaml:5:1: extra: unknown field"});
  CHECK_THAT(look(job_named("a", "{name: gone}"), {scratch.path()}).hint, Catch::Contains("c.yaml"));
}
