#include "bridge/losses.h"

#include <catch2/catch.hpp>

#include "base/files.h"
#include "bridge/local_backend.h"
#include "unit/objects.h"

using namespace viaduct;
using namespace viaduct::test;

namespace {

Lines losses(const std::string& job_text, const std::string& runtime_text, const bridge::Capabilities& capabilities,
             const std::string& trainer_job = "launcher") {
  Diagnostics diagnostics;
  const auto job = trainjob(job_text, diagnostics);
  const auto used = runtime(runtime_text, diagnostics);
  CHECK(places(diagnostics) == Lines{});
  Lines out;
  for (const auto& loss : bridge::find_losses(job, used, used.template_tree, trainer_job, capabilities))
    out.push_back(loss.path + ": " + loss.reason);
  return out;
}

Lines paths(const std::string& job_text, const std::string& runtime_text, const bridge::Capabilities& capabilities,
            const std::string& trainer_job = "launcher") {
  Lines out = losses(job_text, runtime_text, capabilities, trainer_job);
  for (auto& line : out) line = line.substr(0, line.find(": "));
  return out;
}

const std::string no_template =
    "apiVersion: trainer.kubeflow.org/v1alpha1\nkind: TrainingRuntime\nmetadata: {name: r}\nspec: {template: {}}\n";

const std::string jobs = "Runtime.spec.template.spec.replicatedJobs";

}  // namespace

TEST_CASE("losses: a field nobody has a rule for is reported") {
  CHECK(losses(trainjob_text("  suspend: true\n  trainer: {image: x, env: [{name: A, value: x}]}\n"), no_template,
               {"slurm", {{"TrainJob.spec.runtimeRef", ""}, {"Runtime.spec.template", ""}}}) ==
        Lines{"TrainJob.spec.suspend: the slurm backend has nothing like it",
              "TrainJob.spec.trainer: the slurm backend has nothing like it"});
}

TEST_CASE("losses: without any rule the whole of both is reported") {
  CHECK(paths(trainjob_text(""), no_template, {"slurm", {}}) == Lines{"TrainJob.spec", "TrainingRuntime/r.spec"});
}

TEST_CASE("losses: the longest rule counts, for all below it") {
  const bridge::Capabilities capabilities = {"slurm",
                                             {{"TrainJob.spec", ""},
                                              {"TrainJob.spec.trainer", "no trainer"},
                                              {"TrainJob.spec.trainer.env.[]", ""},
                                              {"TrainJob.spec.trainer.env.[SECRET]", "no secrets"},
                                              {"TrainJob.spec.trainer.env.[].valueFrom", "no sources"},
                                              {"Runtime.spec", ""}}};
  CHECK(losses(trainjob_text(
                   "  suspend: true\n  trainer:\n    image: x\n    command: [a]\n    env: [{name: A, value: x}, {name: "
                   "SECRET, value: x}, {name: B, valueFrom: {fieldRef: {}}}]\n"),
               no_template, capabilities) == Lines{"TrainJob.spec.trainer.image: no trainer",
                                                   "TrainJob.spec.trainer.command: no trainer",
                                                   "TrainJob.spec.trainer.env[SECRET].name: no secrets",
                                                   "TrainJob.spec.trainer.env[SECRET].value: no secrets",
                                                   "TrainJob.spec.trainer.env[B].valueFrom: no sources"});
}

TEST_CASE("losses: a key with dots in it is named by the rule as it is written") {
  const std::string text =
      "apiVersion: trainer.kubeflow.org/v1alpha1\nkind: TrainingRuntime\nmetadata: {name: r}\n"
      "spec: {template: {metadata: {labels: {a.io/known: x, a.io/other: x}}}}\n";
  CHECK(paths(trainjob_text(""), text,
              {"slurm", {{"TrainJob", ""}, {"Runtime.spec.template.metadata.labels.a.io/known", ""}}}) ==
        Lines{"TrainingRuntime/r.spec.template.metadata.labels.a.io/other"});
}

TEST_CASE("losses: rules for the trainer hold for the job that runs the command, whatever its name") {
  const std::string text =
      "apiVersion: trainer.kubeflow.org/v1alpha1\nkind: TrainingRuntime\nmetadata: {name: r}\n"
      "spec: {template: {spec: {replicatedJobs: [{name: x}, {name: z}]}}}\n";
  const std::string trainer_name = jobs + ".[trainer].name";
  const bridge::Capabilities capabilities = {"slurm", {{"TrainJob", ""}, {trainer_name, ""}}};
  CHECK(paths(trainjob_text(""), text, capabilities, "z") ==
        Lines{"TrainingRuntime/r.spec.template.spec.replicatedJobs[x]"});
  CHECK(paths(trainjob_text(""), text, capabilities, "x") ==
        Lines{"TrainingRuntime/r.spec.template.spec.replicatedJobs[z]"});
}

TEST_CASE("losses: null is nothing, so it is no loss") {
  CHECK(paths(trainjob_text("  suspend:\n"), no_template,
              {"slurm", {{"TrainJob.spec.runtimeRef", ""}, {"Runtime", ""}}}) == Lines{});
}

TEST_CASE("losses: the local track honours what makes a run, and tells what it does not") {
  const auto shipped = read_file(std::filesystem::path(VIADUCT_SOURCE_DIR) / "runtimes" / "mpi.yaml");
  const std::string job = trainjob_text(
      "  suspend: true\n  activeDeadlineSeconds: 9\n  managedBy: trainer.kubeflow.org/trainjob-controller\n"
      "  initializer: {model: {storageUri: ''}}\n"
      "  trainer: {image: im, command: [x], args: [z], numNodes: 2, numProcPerNode: 2, resourcesPerNode: {limits: "
      "{cpu: 1}},\n"
      "            env: [{name: A, value: x}, {name: B, valueFrom: {fieldRef: {}}}]}\n");
  Lines of_job;
  Lines of_runtime;
  for (const auto& path : paths(job, shipped, bridge::local_capabilities()))
    (path.starts_with("TrainJob") ? of_job : of_runtime).push_back(path);
  CHECK(of_job == Lines{"TrainJob.spec.initializer", "TrainJob.spec.trainer.image",
                        "TrainJob.spec.trainer.resourcesPerNode", "TrainJob.spec.trainer.env[B].valueFrom"});
  const std::string spec = "ClusterTrainingRuntime/mpi.spec.";
  const std::string replicated = spec + "template.spec.replicatedJobs";
  CHECK(of_runtime ==
        Lines{spec + "mlPolicy.mpi.sshAuthMountPath", spec + "template.spec.network",
              spec + "template.spec.successPolicy", replicated + "[node].template.spec.template.spec.securityContext",
              replicated + "[node].template.spec.template.spec.containers[node].image",
              replicated + "[node].template.spec.template.spec.containers[node].command",
              replicated + "[node].template.spec.template.spec.containers[node].args",
              replicated + "[node].template.spec.template.spec.containers[node].securityContext",
              replicated + "[node].template.spec.template.spec.containers[node].readinessProbe",
              replicated + "[launcher].dependsOn", replicated + "[launcher].template.spec.template.spec.restartPolicy",
              replicated + "[launcher].template.spec.template.spec.securityContext",
              replicated + "[launcher].template.spec.template.spec.containers[node].image",
              replicated + "[launcher].template.spec.template.spec.containers[node].securityContext"});
}

TEST_CASE("losses: on the local track the command of a node that is the trainer itself is honoured") {
  const std::string text =
      "apiVersion: trainer.kubeflow.org/v1alpha1\nkind: TrainingRuntime\nmetadata: {name: r}\nspec:\n  template:\n    "
      "spec:\n"
      "      replicatedJobs:\n        - name: node\n          replicas: 1\n          template:\n"
      "            metadata: {labels: {trainer.kubeflow.org/trainjob-ancestor-step: trainer}}\n"
      "            spec: {parallelism: 3, backoffLimit: 1, template: {spec: {terminationGracePeriodSeconds: 3, "
      "containers: [{name: node, "
      "command: [a], args: [b], workingDir: /w}]}}}\n";
  CHECK(paths(trainjob_text(""), text, bridge::local_capabilities(), "node") == Lines{});
}
