#include "bridge/resolve.h"

#include <catch2/catch.hpp>

#include "base/files.h"
#include "base/json.h"
#include "base/text.h"
#include "bridge/local_backend.h"
#include "unit/objects.h"

using namespace viaduct;
using namespace viaduct::test;
using model::RunPlan;

namespace {

using Pairs = std::vector<std::pair<std::string, std::string>>;

// An MPI runtime named "r": %policy, and what the launcher's and the worker's container say.
struct RuntimeText {
  std::string policy = "mpi: {runLauncherAsNode: true}";
  std::string launcher = "image: runtime-image";
  std::string worker = "command: [sshd]";
  std::string launcher_pod = "";
  std::string launcher_job = "";
  std::string jobset = "";
  std::string node_job = "";
  std::string metadata = "";

  std::string text() const {
    return "apiVersion: trainer.kubeflow.org/v1alpha1\nkind: ClusterTrainingRuntime\nmetadata: {name: r" + metadata +
           "}\nspec:\n  mlPolicy: {" + policy + "}\n  template:\n    spec:\n" + jobset +
           "      replicatedJobs:\n"
           "        - {name: node, template: {spec: {" +
           node_job + "template: {spec: {containers: [{name: node, " + worker +
           "}]}}}}}\n"
           "        - name: launcher\n          template:\n"
           "            metadata: {labels: {trainer.kubeflow.org/trainjob-ancestor-step: trainer}}\n"
           "            spec: {" +
           launcher_job + "template: {spec: {" + launcher_pod + "containers: [{name: node, " + launcher + "}]}}}\n";
  }
};

const std::string plain_runtime =
    "apiVersion: trainer.kubeflow.org/v1alpha1\nkind: TrainingRuntime\nmetadata: {name: r}\nspec:\n  template:\n    "
    "spec:\n"
    "      replicatedJobs:\n        - name: node\n          template:\n"
    "            metadata: {labels: {trainer.kubeflow.org/trainjob-ancestor-step: trainer}}\n"
    "            spec: {parallelism: 3, template: {spec: {containers: [{name: node, command: [a]}]}}}\n";

std::optional<RunPlan> plan_of(const std::string& spec, const std::string& runtime_text, Diagnostics& diagnostics,
                               const std::string& annotations = "") {
  std::string job_text = trainjob_text(spec);
  if (!annotations.empty())
    job_text.replace(job_text.find("{name: a}"), 9, "{name: a, annotations: {" + annotations + "}}");
  const auto job = trainjob(job_text, diagnostics);
  const auto used = runtime(runtime_text, diagnostics);
  REQUIRE(places(diagnostics) == Lines{});
  return bridge::resolve(job, used, bridge::local_capabilities(), diagnostics);
}

RunPlan plan(const std::string& spec, const std::string& runtime_text = RuntimeText().text(),
             const std::string& annotations = "") {
  Diagnostics diagnostics;
  const auto made = plan_of(spec, runtime_text, diagnostics, annotations);
  CHECK(places(diagnostics) == Lines{});
  REQUIRE(made);
  return *made;
}

Lines refused(const std::string& spec, const std::string& runtime_text = RuntimeText().text(),
              const std::string& annotations = "") {
  Diagnostics diagnostics;
  CHECK_FALSE(plan_of(spec, runtime_text, diagnostics, annotations));
  return places(diagnostics);
}

std::string trainer(const std::string& fields) { return "  trainer: {command: [x], " + fields + "}\n"; }
const std::string least = "  trainer: {command: [x]}\n";

RuntimeText policy(const std::string& text) {
  RuntimeText runtime_text;
  runtime_text.policy = text;
  return runtime_text;
}

std::string patch(const std::string& manager, const std::string& job, const std::string& pod) {
  return "    - {manager: " + manager + ", trainingRuntimeSpec: {template: {spec: {replicatedJobs: [{name: " + job +
         ", template: {spec: {template: {spec: {" + pod + "}}}}}]}}}}\n";
}

}  // namespace

TEST_CASE("resolve: names, runtime, framework and backend are told") {
  RuntimeText runtime_text;
  runtime_text.metadata = ", labels: {trainer.kubeflow.org/framework: deepspeed}";
  const RunPlan made = plan(least + "  suspend: true\n  activeDeadlineSeconds: 9\n", runtime_text.text());
  CHECK(made.job == "a");
  CHECK(made.runtime_kind == "ClusterTrainingRuntime");
  CHECK(made.runtime_name == "r");
  CHECK(made.framework == "deepspeed");
  CHECK(made.backend == "local");
  CHECK(made.policy == model::PolicyKind::mpi);
  CHECK(made.suspend);
  CHECK(made.deadline_seconds == 9);
  CHECK_FALSE(plan(least).suspend);
  CHECK_FALSE(plan(least).deadline_seconds);
}

TEST_CASE("resolve: one node with the launcher as a node is one node") {
  const RunPlan made = plan(trainer("numNodes: 1"));
  CHECK(made.nodes == 1);
  CHECK(made.launcher_is_node);
  CHECK(made.ranks() == 1);
}

TEST_CASE("resolve: N nodes are N nodes, with the launcher as a node and without") {
  CHECK(plan(trainer("numNodes: 3")).nodes == 3);
  const RunPlan apart = plan(trainer("numNodes: 3"), policy("mpi: {}").text());
  CHECK(apart.nodes == 3);
  CHECK_FALSE(apart.launcher_is_node);
}

TEST_CASE(
    "resolve: the TrainJob's number of nodes goes before the policy's, and that before the template's parallelism") {
  RuntimeText runtime_text = policy("numNodes: 4, mpi: {runLauncherAsNode: true}");
  runtime_text.node_job = "parallelism: 6, ";
  CHECK(plan(trainer("numNodes: 2"), runtime_text.text()).nodes == 2);
  CHECK(plan(least, runtime_text.text()).nodes == 4);
  runtime_text.policy = "mpi: {runLauncherAsNode: true}";
  CHECK(plan(least, runtime_text.text()).nodes == 7);  // six workers and the launcher
  runtime_text.policy = "mpi: {}";
  CHECK(plan(least, runtime_text.text()).nodes == 6);
  CHECK(plan(least).nodes == 1);
  CHECK(plan("", plain_runtime).nodes == 3);
}

TEST_CASE("resolve: no node at all is refused") {
  CHECK(refused(trainer("numNodes: 0")) == Lines{"job.yaml:6:37: spec.trainer.numNodes: 0 nodes leave nothing to run"});
}

TEST_CASE("resolve: more ranks than MPI can count are refused") {
  CHECK(plan(trainer("numNodes: 1, numProcPerNode: 2147483647")).ranks() == model::most_ranks);
  CHECK(refused(trainer("numNodes: 2, numProcPerNode: 2147483647")).size() == 1);
  CHECK(refused(trainer("resourcesPerNode: {limits: {nvidia.com/gpu: 5000000000}}")).size() == 1);
}

TEST_CASE(
    "resolve: ranks per node come from the TrainJob, else from the GPUs where the runtime says 1, else from the "
    "runtime") {
  const std::string gpus = "resourcesPerNode: {limits: {nvidia.com/gpu: 4}}";
  CHECK(plan(least).slots_per_node == 1);
  CHECK(plan(trainer("numProcPerNode: 3, " + gpus)).slots_per_node == 3);
  CHECK(plan(trainer("numProcPerNode: 1, " + gpus)).slots_per_node == 1);
  CHECK(plan(trainer(gpus)).slots_per_node == 4);
  CHECK(plan(trainer(gpus), policy("mpi: {numProcPerNode: 2}").text()).slots_per_node == 2);
  CHECK(plan(least, policy("mpi: {numProcPerNode: 8}").text()).slots_per_node == 8);
}

TEST_CASE("resolve: without MPI a node has one rank, unless the TrainJob asks for more") {
  CHECK(plan(trainer("resourcesPerNode: {limits: {nvidia.com/gpu: 4}}"), plain_runtime).slots_per_node == 1);
  CHECK(plan(trainer("numProcPerNode: 2"), plain_runtime).slots_per_node == 2);
  CHECK(plan(least, plain_runtime).policy == model::PolicyKind::none);
}

TEST_CASE("resolve: a GPU is what has gpu in its name, requests before limits") {
  const auto slots = [](const std::string& resources) {
    return plan(trainer("resourcesPerNode: " + resources)).slots_per_node;
  };
  CHECK(slots("{limits: {amd.com/GPU: 2}}") == 2);
  CHECK(slots("{requests: {nvidia.com/gpu: 2}, limits: {nvidia.com/gpu: 4}}") == 2);
  CHECK(slots("{requests: {cpu: 8}, limits: {cpu: 8, nvidia.com/gpu: 4}}") == 4);
  for (const auto* name : {"nvidia.com/mig-1g.5gb", "google.com/tpu", "habana.ai/gaudi"})
    CHECK(slots(str("{limits: {", name, ": 4}}")) == 1);
}

TEST_CASE("resolve: GPUs are counted in the TrainJob's resources alone where it has any, else in the runtime's") {
  RuntimeText runtime_text;
  runtime_text.worker = "resources: {limits: {nvidia.com/gpu: 4, memory: 1Gi}}";
  CHECK(plan(least, runtime_text.text()).slots_per_node == 4);
  const RunPlan made = plan(trainer("resourcesPerNode: {limits: {cpu: 2}}"), runtime_text.text());
  CHECK(made.slots_per_node == 1);
  CHECK(made.resources.gpus == 4);
}

TEST_CASE("resolve: the TrainJob's resources are laid over the runtime's, one by one") {
  RuntimeText runtime_text;
  runtime_text.worker = "resources: {limits: {memory: 1Gi, cpu: 4}, requests: {hugepages-2Mi: 4Mi}}";
  const auto resources =
      plan(trainer("resourcesPerNode: {limits: {cpu: 1500m, rdma/hca: 1}}"), runtime_text.text()).resources;
  CHECK(resources.cpu_milli == 1500);
  CHECK(resources.memory_bytes == 1073741824);
  CHECK(resources.gpus == 0);
  CHECK(resources.gpu_resource.empty());
  CHECK(resources.other == Pairs{{"hugepages-2Mi", "4Mi"}, {"rdma/hca", "1"}});
}

TEST_CASE("resolve: a request is what a node needs, a limit where there is no request") {
  const auto resources =
      plan(trainer("resourcesPerNode: {limits: {cpu: 4, memory: 2Gi, nvidia.com/gpu: 2}, requests: {cpu: 1}}"))
          .resources;
  CHECK(resources.cpu_milli == 1000);
  CHECK(resources.memory_bytes == 2147483648);
  CHECK(resources.gpus == 2);
  CHECK(resources.gpu_resource == "nvidia.com/gpu");
  CHECK(resources.other.empty());
  CHECK_FALSE(plan(least).resources.cpu_milli);
  CHECK_FALSE(plan(least).resources.memory_bytes);
}

TEST_CASE("resolve: command, args and image of the TrainJob each replace the runtime's") {
  RuntimeText runtime_text;
  runtime_text.launcher = "image: im, command: [c, d], args: [e], workingDir: /w";
  CHECK(plan("", runtime_text.text()).command == Lines{"c", "d", "e"});
  CHECK(plan("", runtime_text.text()).image == "im");
  CHECK(plan("", runtime_text.text()).working_directory == "/w");
  CHECK(plan("  trainer: {command: [x]}\n", runtime_text.text()).command == Lines{"x", "e"});
  CHECK(plan("  trainer: {args: [z]}\n", runtime_text.text()).command == Lines{"c", "d", "z"});
  CHECK(plan("  trainer: {command: [x], args: []}\n", runtime_text.text()).command == Lines{"x"});
  CHECK(plan("  trainer: {image: other}\n", runtime_text.text()).image == "other");
  CHECK(plan(least).working_directory.empty());
}

TEST_CASE("resolve: without a command there is nothing to run") {
  CHECK(refused("") == Lines{"job.yaml:5:3: spec.trainer.command: there is no command to run"});
  CHECK(refused("  trainer: {args: [x]}\n").size() == 1);
  CHECK(refused("  trainer: {command: []}\n").size() == 1);
}

TEST_CASE("resolve: a command that starts ranks itself is run once, by its name in any directory") {
  using model::LaunchStyle;
  const auto launch = [](const std::string& command) {
    return plan("  trainer: {command: [" + command + "]}\n").launch;
  };
  for (const auto* program : {"mpirun", "mpiexec", "mpiexec.hydra", "orterun", "prterun", "srun", "torchrun",
                              "deepspeed", "horovodrun", "/opt/x/bin/mpirun", "./mpirun"})
    CHECK(launch(program) == LaunchStyle::own_launcher);
  for (const auto* program : {"python", "mpirun.sh", "my-mpirun", "/opt/mpirun/prog", "sh, -c, mpirun"})
    CHECK(launch(program) == LaunchStyle::wrapped);
  CHECK(plan("  trainer: {command: [$(RUN)], env: [{name: RUN, value: mpirun}]}\n").launch ==
        LaunchStyle::own_launcher);
}

TEST_CASE("resolve: environments merge by name where the variable stands: workers', launcher's, TrainJob's") {
  RuntimeText runtime_text;
  runtime_text.worker = "env: [{name: W, value: worker}, {name: A, value: worker}]";
  runtime_text.launcher = "env: [{name: A, value: launcher}, {name: L, value: launcher}]";
  CHECK(plan(trainer("env: [{name: L, value: job}, {name: J, value: job}]"), runtime_text.text()).environment ==
        Pairs{{"W", "worker"}, {"A", "launcher"}, {"L", "job"}, {"J", "job"}});
}

TEST_CASE("resolve: $(NAME) is expanded as Kubernetes expands it") {
  const auto expanded = [](const std::string& value) {
    const RunPlan made = plan(trainer("env: [{name: A, value: one}, {name: E, value: \"\"}, {name: T, value: '" +
                                      value + "'}, {name: LATER, value: late}]"));
    return made.environment.at(2).second;
  };
  CHECK(expanded("$(A)") == "one");
  CHECK(expanded("x$(A)y$(A)") == "xoneyone");
  CHECK(expanded("[$(E)]") == "[]");
  CHECK(expanded("$$(A)") == "$(A)");
  CHECK(expanded("$$$(A)") == "$one");
  CHECK(expanded("$$") == "$");
  CHECK(expanded("$A ${A} $") == "$A ${A} $");
  CHECK(expanded("$(UNKNOWN)") == "$(UNKNOWN)");
  CHECK(expanded("$(LATER)") == "$(LATER)");
  CHECK(expanded("$(T)") == "$(T)");
  CHECK(expanded("$(A") == "$(A");
  CHECK(expanded("$()") == "$()");
  CHECK(expanded("$(x $(A))") == "$(x $(A))");       // the name ends at the first ')'
  CHECK(expanded("$(date $$)$$") == "$(date $$)$");  // what stays, stays as it is
}

TEST_CASE("resolve: an expanded value is not expanded again, and the command sees all variables") {
  const RunPlan made = plan(
      "  trainer: {command: [sh, '$(B)', '$(NOT)', '$$(A)'], args: ['--a=$(A)'], env: [{name: A, value: '$$(B)'}, "
      "{name: B, value: '<$(A)>'}]}\n");
  CHECK(made.environment == Pairs{{"A", "$(B)"}, {"B", "<$(B)>"}});
  CHECK(made.command == Lines{"sh", "<$(B)>", "$(NOT)", "$(A)", "--a=$(B)"});
}

TEST_CASE("resolve: a variable from the cluster has no value here") {
  const RunPlan made =
      plan(trainer("env: [{name: S, valueFrom: {secretKeyRef: {name: s, key: k}}}, {name: T, value: '$(S)'}]"));
  CHECK(made.environment == Pairs{{"T", "$(S)"}});
}

TEST_CASE("resolve: patches go over the runtime in their order, the TrainJob's own values over both") {
  RuntimeText runtime_text;
  runtime_text.launcher = "image: im, volumeMounts: [{name: v, mountPath: /v}]";
  runtime_text.launcher_pod = "terminationGracePeriodSeconds: 7, volumes: [{name: v, hostPath: {path: /old}}], ";
  const std::string patches =
      "  runtimePatches:\n" +
      patch("a.io/1", "launcher",
            "terminationGracePeriodSeconds: 8, volumes: [{name: w, emptyDir: {}}], containers: [{name: node, "
            "volumeMounts: [{name: w, mountPath: /w, readOnly: true}]}]") +
      patch("a.io/2", "launcher", "terminationGracePeriodSeconds: 9, volumes: [{name: v, hostPath: {path: /new}}]");
  CHECK(plan(least, runtime_text.text()).grace_seconds == 7);
  const RunPlan made = plan(least + patches, runtime_text.text());
  CHECK(made.grace_seconds == 9);
  REQUIRE(made.volumes.size() == 2);
  CHECK(made.volumes[0].mount_path == "/v");
  CHECK(made.volumes[0].source.find_path({"hostPath", "path"})->text() == "/new");
  CHECK_FALSE(made.volumes[0].read_only);
  CHECK(made.volumes[1].name == "w");
  CHECK(made.volumes[1].read_only);
  CHECK(made.volumes[1].source.find("emptyDir"));
}

TEST_CASE("resolve: a patch may only name what the runtime has") {
  CHECK(refused(least + "  runtimePatches:\n" + patch("a.io/1", "worker", "")) ==
        Lines{"job.yaml:8:89: spec.runtimePatches: must not have replicated job that doesn't exist in the runtime job "
              "template"});
  const auto container =
      refused(least + "  runtimePatches:\n" + patch("a.io/1", "node", "containers: [{name: sidecar}]"));
  REQUIRE(container.size() == 1);
  CHECK(container[0].ends_with(
      "spec.runtimePatches: must not have container that doesn't exist in the runtime job node"));
  const auto init = refused(least + "  runtimePatches:\n" + patch("a.io/1", "node", "initContainers: [{name: i}]"));
  REQUIRE(init.size() == 1);
  CHECK(
      init[0].ends_with("spec.runtimePatches: must not have initContainer that doesn't exist in the runtime job node"));
}

TEST_CASE("resolve: patches that make the runtime invalid are the TrainJob's mistake") {
  std::string text = RuntimeText().text();
  text.replace(text.find("containers: [{name: node, command"), 12,
               "initContainers: [{name: i, env: [{name: A, value: x}]}], containers: ");
  const auto wrong =
      refused(least + "  runtimePatches:\n" +
                  patch("a.io/1", "node", "initContainers: [{name: i, env: [{name: A, valueFrom: {fieldRef: {}}}]}]"),
              text);
  REQUIRE(wrong.size() == 1);
  CHECK_THAT(wrong[0],
             Catch::StartsWith(
                 "job.yaml:8:5: spec.runtimePatches: they make ClusterTrainingRuntime/r invalid: spec.template.") &&
                 Catch::Contains("may not be specified when `value` is not empty"));
}

TEST_CASE("resolve: more than one node with the launcher as a node needs both jobs") {
  const std::string only_launcher =
      "apiVersion: trainer.kubeflow.org/v1alpha1\nkind: TrainingRuntime\nmetadata: {name: r}\nspec:\n"
      "  mlPolicy: {mpi: {runLauncherAsNode: true}}\n"
      "  template: {spec: {replicatedJobs: [{name: launcher, template: {spec: {template: {spec: {containers: [{name: "
      "node}]}}}}}]}}\n";
  CHECK(plan(trainer("numNodes: 1"), only_launcher).nodes == 1);
  CHECK(refused(trainer("numNodes: 2"), only_launcher) ==
        Lines{"job.yaml:6:37: spec.trainer.numNodes: must have 1 when MPI trainingRuntime with enabled "
              "runLauncherAsNode does not have "
              "either launcher and node"});
}

TEST_CASE("resolve: the variables that Kubeflow sets for Open MPI are reserved") {
  CHECK(
      refused(trainer("env: [{name: OMPI_MCA_plm_rsh_args}, {name: FINE}, {name: OMPI_MCA_orte_default_hostfile}]")) ==
      Lines{"job.yaml:6:32: spec.trainer.env: must not have reserved envs, invalid envs configured: "
            "[OMPI_MCA_orte_default_hostfile OMPI_MCA_plm_rsh_args]"});
  CHECK(refused(trainer("env: [{name: OMPI_MCA_orte_keep_fqdn_hostnames}, {name: OMPI_MCA_orte_set_default_slots}]"))
            .size() == 1);
  CHECK(plan(trainer("env: [{name: OMPI_MCA_plm_rsh_args, value: x}]"), plain_runtime).environment.size() == 1);
}

TEST_CASE("resolve: initializers need their job, its container and its mount") {
  const std::string both = "  initializer: {dataset: {storageUri: 's3://d'}, model: {storageUri: 's3://m'}}\n";
  CHECK(refused(least + both) == Lines{"job.yaml:5:15: spec.runtimeRef: must have dataset-initializer job when "
                                       "trainJob is configured with input datasetConfig",
                                       "job.yaml:5:15: spec.runtimeRef: must have model-initializer job when trainJob "
                                       "is configured with input modelConfig"});
  const auto with_job = [](const std::string& container) {
    std::string text = RuntimeText().text();
    return text.replace(
        text.find("        - {name: node"), 0,
        "        - {name: dataset-initializer, template: {metadata: {labels: "
        "{trainer.kubeflow.org/trainjob-ancestor-step: dataset-initializer}}, spec: {template: {spec: {containers: [" +
            container + "]}}}}}\n");
  };
  const std::string dataset =
      "  initializer: {dataset: {storageUri: 's3://d', env: [{name: A, value: job}, {name: T, value: '$(A)'}], "
      "secretRef: {name: s}}}\n";
  CHECK(refused(least + dataset, with_job("{name: dataset-initializer}")) ==
        Lines{"job.yaml:5:15: spec.runtimeRef: must have volumeMount with name - initializer in container "
              "dataset-initializer of the "
              "dataset-initializer job"});
  const RunPlan made =
      plan(least + dataset, with_job("{name: dataset-initializer, image: fetch, env: [{name: A, value: runtime}], "
                                     "volumeMounts: [{name: initializer, mountPath: /workspace}]}"));
  REQUIRE(made.initializers.size() == 1);
  CHECK(made.initializers[0].name == "dataset");
  CHECK(made.initializers[0].image == "fetch");
  CHECK(made.initializers[0].storage_uri == "s3://d");
  CHECK(made.initializers[0].secret_name == "s");
  CHECK(made.initializers[0].env == Pairs{{"A", "job"}, {"T", "job"}});
}

TEST_CASE(
    "resolve: an initializer's job without its container is refused, if the runtime's own check was passed over") {
  std::string text = RuntimeText().text();
  text.replace(text.find("        - {name: node"), 0,
               "        - {name: x, template: {metadata: {labels: {trainer.kubeflow.org/trainjob-ancestor-step: "
               "model-initializer}}, "
               "spec: {template: {spec: {containers: [{name: other}]}}}}}\n");
  Diagnostics diagnostics;
  const auto job = trainjob(trainjob_text(least + "  initializer: {model: {storageUri: 's3://m'}}\n"), diagnostics);
  const auto used = runtime(text, diagnostics);
  Diagnostics resolving;
  CHECK_FALSE(bridge::resolve(job, used, bridge::local_capabilities(), resolving));
  CHECK_THAT(messages(resolving),
             Catch::VectorContains(std::string("spec.runtimeRef: must have container with name - model-initializer "
                                               "in the model-initializer job")));
}

TEST_CASE("resolve: a policy without a plan says so") {
  for (const auto* kind : {"torch", "jax", "xgboost", "flux"})
    CHECK(refused(least, policy(str(kind, ": {}")).text()) ==
          Lines{str("job.yaml:5:15: spec.runtimeRef: mlPolicy ", kind,
                    " of ClusterTrainingRuntime/r is not planned by this version")});
}

TEST_CASE("resolve: a deprecated runtime is used, with a warning") {
  RuntimeText runtime_text;
  runtime_text.metadata = ", labels: {trainer.kubeflow.org/support: deprecated}";
  Diagnostics diagnostics;
  CHECK(plan_of(least, runtime_text.text(), diagnostics));
  CHECK(places(diagnostics) ==
        Lines{"job.yaml:5:15: warning: spec.runtimeRef: ClusterTrainingRuntime \"r\" is deprecated"});
}

TEST_CASE(
    "resolve: restarts are the launcher's backoffs in each of the job set's restarts; without either there are none") {
  const auto restarts = [](const std::string& launcher_job, const std::string& jobset) {
    RuntimeText runtime_text;
    runtime_text.launcher_job = launcher_job;
    runtime_text.jobset = jobset;
    return plan(least, runtime_text.text()).max_restarts;
  };
  CHECK(restarts("", "") == 0);
  CHECK(restarts("backoffLimit: 0, ", "") == 0);
  CHECK(restarts("backoffLimit: 2, ", "") == 2);
  CHECK(restarts("", "      failurePolicy: {maxRestarts: 3}\n") == 3);
  CHECK(restarts("backoffLimit: 2, ", "      failurePolicy: {maxRestarts: 3}\n") == 11);
  CHECK(restarts("backoffLimit: 2147483647, ", "      failurePolicy: {maxRestarts: 2147483647}\n") == 1'000'000);
}

TEST_CASE("resolve: the grace is the launcher's, ten seconds without one, a year at most") {
  CHECK(plan(least).grace_seconds == 10);
  RuntimeText runtime_text;
  runtime_text.launcher_pod = "terminationGracePeriodSeconds: 0, ";
  CHECK(plan(least, runtime_text.text()).grace_seconds == 0);
  runtime_text.launcher_pod = "terminationGracePeriodSeconds: 9223372036854775807, ";
  CHECK(plan(least, runtime_text.text()).grace_seconds == model::longest_grace_seconds);
}

TEST_CASE("resolve: the binding comes from the TrainJob's annotation, else from the runtime's") {
  RuntimeText runtime_text;
  CHECK(plan(least).binding == "cpu");
  CHECK(plan(least, runtime_text.text(), "viaduct.dev/binding: none").binding == "none");
  runtime_text.metadata = ", annotations: {viaduct.dev/binding: none}";
  CHECK(plan(least, runtime_text.text()).binding == "none");
  CHECK(plan(least, runtime_text.text(), "viaduct.dev/binding: cpu").binding == "cpu");
  CHECK(refused(least, RuntimeText().text(), "viaduct.dev/binding: gpu") ==
        Lines{"job.yaml:3:56: metadata.annotations.viaduct.dev/binding: unknown binding policy \"gpu\""});
  runtime_text.metadata = ", annotations: {viaduct.dev/binding: gpu}";
  CHECK(refused(least, runtime_text.text()) ==
        Lines{"runtime.yaml:3:56: metadata.annotations.viaduct.dev/binding: unknown binding policy \"gpu\""});
}

TEST_CASE("resolve: how other hosts are reached comes from annotations") {
  const model::RemotePolicy none = plan(least).remote;
  CHECK(none.ready_seconds == 120);
  CHECK(none.tree_spawn_above == 256);
  CHECK_FALSE(none.daemon_ports);
  CHECK_FALSE(none.mpi_ports);
  const model::RemotePolicy all = plan(least, RuntimeText().text(),
                                       "viaduct.dev/ready-seconds: \"86400\", viaduct.dev/tree-spawn-above: \"0\", "
                                       "viaduct.dev/daemon-ports: 1-65535, viaduct.dev/mpi-ports: 31000-31000")
                                      .remote;
  CHECK(all.ready_seconds == 86400);
  CHECK(all.tree_spawn_above == 0);
  CHECK(all.daemon_ports == model::PortRange{1, 65535});
  CHECK(all.mpi_ports == model::PortRange{31000, 31000});
  RuntimeText of_runtime;
  of_runtime.metadata = ", annotations: {viaduct.dev/ready-seconds: \"7\"}";
  CHECK(plan(least, of_runtime.text()).remote.ready_seconds == 7);
  CHECK(plan(least, of_runtime.text(), "viaduct.dev/ready-seconds: \"8\"").remote.ready_seconds == 8);
}

TEST_CASE("resolve: a wrong word on how other hosts are reached is told at its place") {
  const auto complaint = [](const std::string& name, const std::string& value) {
    const auto lines = refused(least, RuntimeText().text(), str(name, ": \"", value, "\""));
    REQUIRE(lines.size() == 1);
    return lines.front().substr(lines.front().find("metadata"));
  };
  CHECK(refused(least, RuntimeText().text(), "viaduct.dev/ready-seconds: \"0\"") ==
        Lines{"job.yaml:3:62: metadata.annotations.viaduct.dev/ready-seconds: must be a whole number from 1 to 86400"});
  for (const auto* value : {"86401", "-1", "1.5", "ten", "", " 5", "99999999999999999999"})
    CHECK(complaint("viaduct.dev/ready-seconds", value) ==
          "metadata.annotations.viaduct.dev/ready-seconds: must be a whole number from 1 to 86400");
  for (const auto* value : {"-1", "2147483648", "many"})
    CHECK(complaint("viaduct.dev/tree-spawn-above", value) ==
          "metadata.annotations.viaduct.dev/tree-spawn-above: must be a whole number from 0 to 2147483647");
  for (const auto* name : {"viaduct.dev/daemon-ports", "viaduct.dev/mpi-ports"})
    for (const auto* value : {"31000", "0-5", "1-65536", "5-4", "1-2-3", "-", "", "a-b", "1 - 2", "1:2", "-1-5"})
      CHECK(complaint(name, value) == str("metadata.annotations.", name, ": must be a range of ports"));
}

TEST_CASE("resolve: all mistakes are told at once") {
  CHECK(
      refused("  trainer: {numNodes: 0, env: [{name: OMPI_MCA_plm_rsh_args}]}\n  initializer: {model: {}}\n").size() ==
      4);
}

TEST_CASE("resolve: the same TrainJob and runtime always give the same plan, and it reads back") {
  const std::string spec = trainer(
      "numNodes: 2, env: [{name: Z, value: z}, {name: A, value: a}], resourcesPerNode: {limits: {cpu: 2, "
      "memory: 1Gi, rdma/hca: 1}}");
  const std::string first = write_json(model::to_value(plan(spec)));
  CHECK(write_json(model::to_value(plan(spec))) == first);
  CHECK(write_json(model::to_value(model::read_run_plan(read_json_document("plan.json", first)))) == first);
}

TEST_CASE("resolve: plans are as they were kept") {
  const std::filesystem::path golden = std::filesystem::path(VIADUCT_TESTS_DIR) / "golden";
  const std::filesystem::path shipped = std::filesystem::path(VIADUCT_SOURCE_DIR) / "runtimes";
  for (const auto& [name, runtime_file] : Pairs{{"pi", "mpi.yaml"}, {"finetune", "deepspeed-distributed.yaml"}}) {
    INFO("tests/golden/" << name << ".plan.json");
    Diagnostics diagnostics;
    const auto job = trainjob(read_file(golden / (name + ".trainjob.yaml")), diagnostics);
    const auto used = runtime(read_file(shipped / runtime_file), diagnostics);
    const auto made = bridge::resolve(job, used, bridge::local_capabilities(), diagnostics);
    CHECK(places(diagnostics) == Lines{});
    REQUIRE(made);
    CHECK(write_json(model::to_value(*made)) + "\n" == read_file(golden / (name + ".plan.json")));
  }
}
