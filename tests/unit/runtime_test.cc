#include "model/runtime.h"

#include <catch2/catch.hpp>

#include "base/files.h"
#include "unit/objects.h"

using namespace viaduct;
using namespace viaduct::test;

namespace {

// A runtime with these lines in its spec (the first is line 5).
std::string with_spec(const std::string& spec) {
  return "apiVersion: trainer.kubeflow.org/v1alpha1\nkind: ClusterTrainingRuntime\nmetadata: {name: r}\nspec:\n" + spec;
}
const std::string no_jobs = "  template: {spec: {replicatedJobs: []}}\n";

Lines mistakes(const std::string& spec) {
  Diagnostics diagnostics;
  runtime(with_spec(spec), diagnostics);
  return places(diagnostics);
}

model::Runtime good(const std::string& spec) {
  Diagnostics diagnostics;
  auto read = runtime(with_spec(spec), diagnostics);
  CHECK(places(diagnostics) == Lines{});
  return read;
}

}  // namespace

TEST_CASE("runtime: the runtimes Viaduct ships have no mistake") {
  const std::filesystem::path shipped = std::filesystem::path(VIADUCT_SOURCE_DIR) / "runtimes";
  int count = 0;
  for (const auto& file : list_directory(shipped)) {
    if (!file.ends_with(".yaml")) continue;
    ++count;
    Diagnostics diagnostics;
    const auto read = runtime(read_file(shipped / file), diagnostics);
    INFO(file);
    CHECK(places(diagnostics) == Lines{});
    CHECK(read.metadata.name + ".yaml" == file);
    CHECK(read.ml_policy.kind == model::PolicyKind::mpi);
    CHECK(read.ml_policy.mpi.run_launcher_as_node);
    CHECK(read.job_template.job_with_ancestor("trainer")->name == "launcher");
  }
  CHECK(count >= 5);
}

TEST_CASE("runtime: an MPI policy has Kubeflow's defaults") {
  const auto read = good("  mlPolicy: {mpi: {}}\n" + no_jobs);
  CHECK(read.kind == "ClusterTrainingRuntime");
  CHECK(read.ml_policy.kind == model::PolicyKind::mpi);
  CHECK_FALSE(read.ml_policy.num_nodes);
  CHECK(read.ml_policy.mpi.num_proc_per_node == 1);
  CHECK(read.ml_policy.mpi.implementation == model::MpiImplementation::open_mpi);
  CHECK(read.ml_policy.mpi.ssh_auth_mount_path == "/root/.ssh");
  CHECK_FALSE(read.ml_policy.mpi.run_launcher_as_node);
}

TEST_CASE("runtime: mpiImplementation is OpenMPI, Intel or MPICH; the empty text is OpenMPI") {
  const auto implementation = [](const std::string& name) {
    return good("  mlPolicy: {mpi: {mpiImplementation: " + name + "}}\n" + no_jobs).ml_policy.mpi.implementation;
  };
  CHECK(implementation("\"\"") == model::MpiImplementation::open_mpi);
  CHECK(implementation("OpenMPI") == model::MpiImplementation::open_mpi);
  CHECK(implementation("Intel") == model::MpiImplementation::intel);
  CHECK(implementation("MPICH") == model::MpiImplementation::mpich);
  CHECK(
      mistakes("  mlPolicy: {mpi: {mpiImplementation: invalid}}\n" + no_jobs) ==
      Lines{"runtime.yaml:5:39: spec.mlPolicy.mpi.mpiImplementation: Unsupported value: \"invalid\": supported values: "
            "\"OpenMPI\", \"Intel\", \"MPICH\""});
}

TEST_CASE("runtime: numbers and lengths keep Kubeflow's bounds") {
  CHECK(mistakes("  mlPolicy: {mpi: {numProcPerNode: 0}}\n" + no_jobs) ==
        Lines{"runtime.yaml:5:36: spec.mlPolicy.mpi.numProcPerNode: NumProcPerNode in mpiPolicy must be >= 1"});
  CHECK(mistakes("  mlPolicy: {flux: {numProcPerNode: 0}}\n" + no_jobs) ==
        Lines{"runtime.yaml:5:37: spec.mlPolicy.flux.numProcPerNode: NumProcPerNode in fluxPolicy must be >= 1"});
  CHECK(mistakes("  mlPolicy: {numNodes: -1}\n" + no_jobs).size() == 1);
  CHECK(mistakes("  mlPolicy: {mpi: {sshAuthMountPath: /" + std::string(4095, 'x') + "}}\n" + no_jobs) == Lines{});
  CHECK(mistakes("  mlPolicy: {mpi: {sshAuthMountPath: /" + std::string(4096, 'x') + "}}\n" + no_jobs) ==
        Lines{"runtime.yaml:5:38: spec.mlPolicy.mpi.sshAuthMountPath: Too long: may not be more than 4096 bytes"});
}

TEST_CASE("runtime: each policy is known by its key, and only one may be there") {
  const auto kind = [](const std::string& policy) {
    return good("  mlPolicy: " + policy + "\n" + no_jobs).ml_policy.kind;
  };
  CHECK(kind("{}") == model::PolicyKind::none);
  CHECK(kind("{numNodes: 2}") == model::PolicyKind::none);
  CHECK(kind("{torch: {}}") == model::PolicyKind::torch);
  CHECK(kind("{jax: {}}") == model::PolicyKind::jax);
  CHECK(kind("{xgboost: {}}") == model::PolicyKind::xgboost);
  CHECK(kind("{flux: {}}") == model::PolicyKind::flux);
  CHECK(good(no_jobs).ml_policy.kind == model::PolicyKind::none);
  for (const auto& other : Lines{"torch", "jax", "xgboost", "flux"}) {
    const auto wrong = mistakes("  mlPolicy: {mpi: {}, " + other + ": {}}\n" + no_jobs);
    REQUIRE(wrong.size() == 1);
    CHECK(wrong[0].ends_with("Only one of the policy can be configured"));
  }
}

TEST_CASE("runtime: torch's injection targets keep Kubeflow's bounds") {
  const auto targets = [](const std::string& list) {
    return mistakes("  mlPolicy: {torch: {envInjection: {targets: [" + list + "]}}}\n" + no_jobs);
  };
  CHECK(targets("{jobName: a, containerNames: [b]}") == Lines{});
  CHECK(targets("{jobName: a, containerNames: [node]}").at(0).ends_with("containerNames: may not contain 'node'"));
  CHECK(targets("{jobName: a}, {jobName: a}").at(0).ends_with("jobName: Duplicate value: \"a\""));
  CHECK(targets("{jobName: a, containerNames: [a,b,c,d,e,f,g,h,i]}").at(0).ends_with("must have at most 8 items"));
  CHECK(targets("{jobName: a, containerNames: [" + std::string(64, 'x') + "]}")
            .at(0)
            .ends_with("not be more than 63 bytes"));
}

TEST_CASE("runtime: pod group policies are checked, unknown ones refused") {
  CHECK(
      mistakes("  podGroupPolicy: {coscheduling: {scheduleTimeoutSeconds: 60}, volcano: {networkTopology: {mode: hard, "
               "highestTierAllowed: 1}}}\n" +
               no_jobs) == Lines{});
  CHECK(mistakes("  podGroupPolicy: {volcano: {networkTopology: {mode: firm}}}\n" + no_jobs) ==
        Lines{"runtime.yaml:5:54: spec.podGroupPolicy.volcano.networkTopology.mode: Unsupported value: \"firm\": "
              "supported values: "
              "\"hard\", \"soft\""});
  CHECK(mistakes("  podGroupPolicy: {kueue: {}}\n" + no_jobs) ==
        Lines{"runtime.yaml:5:20: spec.podGroupPolicy.kueue: unknown field"});
}

TEST_CASE("runtime: spec and template must be there, also when they are null") {
  CHECK(mistakes("  mlPolicy: {}\n") == Lines{"runtime.yaml:5:3: spec.template: required, but missing"});
  CHECK(mistakes("  mlPolicy: {}\n  template:\n") == Lines{"runtime.yaml:5:3: spec.template: required, but missing"});
  CHECK(mistakes("") == Lines{"runtime.yaml:1:1: spec: required, but missing"});
}

TEST_CASE("runtime: a job that is an ancestor has one replica and the container of that step") {
  const auto job = [](const std::string& step, const std::string& container, const std::string& more = "") {
    return "  template:\n    spec:\n      replicatedJobs:\n        - name: x\n" + more +
           "          template:\n            metadata: {labels: {trainer.kubeflow.org/trainjob-ancestor-step: " + step +
           "}}\n            spec: {template: {spec: {containers: [{name: " + container + "}]}}}\n";
  };
  CHECK(mistakes(job("trainer", "node")) == Lines{});
  CHECK(mistakes(job("dataset-initializer", "dataset-initializer")) == Lines{});
  CHECK(mistakes(job("model-initializer", "model-initializer", "          replicas: 1\n")) == Lines{});
  CHECK(mistakes(job("something", "else", "          replicas: 3\n")) == Lines{});
  CHECK(mistakes(job("trainer", "node", "          replicas: 2\n")) ==
        Lines{"runtime.yaml:9:21: spec.template.spec.replicatedJobs[0].replicas: always must be 1"});
  for (const auto& step : Lines{"trainer", "dataset-initializer", "model-initializer"})
    CHECK(mistakes(job(step, "other")) ==
          Lines{"runtime.yaml:10:13: spec.template.spec.replicatedJobs[0].template: must contain "
                "the required container for the ancestor: " +
                step});
}

TEST_CASE("runtime: names are not given twice in a list") {
  CHECK(mistakes("  template: {spec: {replicatedJobs: [{name: x}, {name: x}]}}\n") ==
        Lines{"runtime.yaml:5:56: spec.template.spec.replicatedJobs[1].name: Duplicate value: \"x\""});
  const auto wrong = mistakes(
      "  template: {spec: {replicatedJobs: [{name: x, template: {spec: {template: {spec: {containers: [{name: c}, "
      "{name: c}]}}}}}]}}\n");
  REQUIRE(wrong.size() == 1);
  CHECK(wrong[0].ends_with("containers[1].name: Duplicate value: \"c\""));
}

TEST_CASE("runtime: what Viaduct acts on is read from the template, the rest is kept") {
  const auto read = good(R"(  template:
    metadata: {annotations: {a: b}, labels: {l: m}}
    spec:
      network: {publishNotReadyAddresses: true}
      failurePolicy: {maxRestarts: 2, rules: [{name: x}]}
      replicatedJobs:
        - name: node
          dependsOn: [{name: x, status: Ready}]
          template:
            metadata: {labels: {trainer.kubeflow.org/trainjob-ancestor-step: trainer}}
            spec:
              parallelism: 3
              backoffLimit: 1
              template:
                spec:
                  terminationGracePeriodSeconds: 5
                  hostNetwork: true
                  volumes: [{name: v, emptyDir: {}}]
                  initContainers: [{name: i}]
                  containers:
                    - name: node
                      image: im
                      command: [c]
                      args: [d]
                      workingDir: /w
                      env: [{name: A, value: x}]
                      resources: {limits: {cpu: 2}}
                      volumeMounts: [{name: v, mountPath: /v}]
                      readinessProbe: {tcpSocket: {port: 1}}
)");
  const auto& job_template = read.job_template;
  CHECK(job_template.annotations.at(0).second == "b");
  CHECK(job_template.max_restarts == 2);
  const auto* job = job_template.job("node");
  REQUIRE(job);
  CHECK(job_template.job_with_ancestor("trainer") == job);
  CHECK(job_template.job("nodes") == nullptr);
  CHECK(job->parallelism == 3);
  CHECK(job->backoff_limit == 1);
  CHECK(job->termination_grace_seconds == 5);
  CHECK(job->init_containers.at(0).name == "i");
  CHECK(job->volumes.items().size() == 1);
  const auto* container = job->container("node");
  REQUIRE(container);
  CHECK(container->image == "im");
  CHECK(container->command == Lines{"c"});
  CHECK(container->args == Lines{"d"});
  CHECK(container->working_dir == "/w");
  CHECK(container->env.at(0).name == "A");
  CHECK(container->resources.limits.at(0).second.value() == 2);
  CHECK(container->volume_mounts.items().size() == 1);
  CHECK(read.template_tree.find_path({"spec", "network", "publishNotReadyAddresses"})->text() == "true");
}
