#include "model/load.h"

#include <catch2/catch.hpp>

#include "unit/objects.h"

using namespace viaduct;
using namespace viaduct::test;

namespace {

model::Objects load(const std::string& text, Diagnostics& diagnostics) {
  model::Objects objects;
  model::read_objects(parse_yaml(source(text), diagnostics), objects, diagnostics);
  return objects;
}

struct Refusal {
  Lines places;
  std::string hint;
};
Refusal refused(const std::string& text) {
  Diagnostics diagnostics;
  load(text, diagnostics);
  return {places(diagnostics), diagnostics.all().empty() ? "" : diagnostics.all().front().hint};
}

const std::string job_text = trainjob_text("");
const std::string runtime_text =
    "apiVersion: trainer.kubeflow.org/v1alpha1\nkind: TrainingRuntime\nmetadata: {name: r}\nspec: {template: {}}\n";

}  // namespace

TEST_CASE("load: documents are sorted by kind") {
  Diagnostics diagnostics;
  const auto objects = load(job_text + "---\n" + runtime_text + "---\n# nothing\n---\n" + job_text, diagnostics);
  CHECK(places(diagnostics) == Lines{});
  CHECK(objects.trainjobs.size() == 2);
  REQUIRE(objects.runtimes.size() == 1);
  CHECK(objects.runtimes[0].kind == "TrainingRuntime");
}

TEST_CASE("load: a List is taken apart, mistakes in it keep their place") {
  Diagnostics diagnostics;
  const auto objects = load(
      "apiVersion: v1\nkind: List\nitems:\n- apiVersion: trainer.kubeflow.org/v1alpha1\n  kind: TrainJob\n  metadata: "
      "{name: a}\n"
      "  spec:\n    runtimeRef: {name: r}\n    suspend: 3\n",
      diagnostics);
  CHECK(objects.trainjobs.size() == 1);
  CHECK(places(diagnostics) == Lines{"job.yaml:9:14: spec.suspend: must be true or false, not the number 3"});
}

TEST_CASE("load: an empty List holds nothing and is no mistake") {
  Diagnostics diagnostics;
  CHECK(load("apiVersion: v1\nkind: List\nitems: []\n", diagnostics).trainjobs.empty());
  CHECK(places(diagnostics) == Lines{});
}

TEST_CASE("load: what is no Kubernetes object is refused") {
  for (const auto* text : {"hello\n", "[1, 2]\n", "kind: TrainJob\n", "apiVersion: trainer.kubeflow.org/v1alpha1\n"})
    CHECK(refused(text).places == Lines{"job.yaml:1:1: no Kubernetes object: apiVersion and kind are required"});
}

TEST_CASE("load: another kind or version is refused with a way out") {
  const auto misspelt = refused("apiVersion: trainer.kubeflow.org/v1alpha1\nkind: Trainjob\n");
  CHECK(misspelt.places == Lines{"job.yaml:2:7: unknown kind \"Trainjob\" in trainer.kubeflow.org/v1alpha1"});
  CHECK(misspelt.hint == "did you mean TrainJob?");
  const auto version = refused("apiVersion: trainer.kubeflow.org/v2\nkind: TrainJob\n");
  CHECK(version.places == Lines{"job.yaml:1:13: trainer.kubeflow.org/v2 TrainJob is not an object Viaduct reads"});
  CHECK(version.hint == "the version is trainer.kubeflow.org/v1alpha1");
  const auto foreign = refused("kind: Deployment\napiVersion: apps/v1\n");
  CHECK(foreign.places == Lines{"job.yaml:2:13: apps/v1 Deployment is not an object Viaduct reads"});
  CHECK(foreign.hint == "it reads TrainJob, ClusterTrainingRuntime, TrainingRuntime of trainer.kubeflow.org/v1alpha1");
}
