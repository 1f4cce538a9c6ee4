#include "model/trainjob.h"

#include <catch2/catch.hpp>

#include "unit/objects.h"

using namespace viaduct;
using namespace viaduct::test;

namespace {

// What is wrong with a TrainJob whose spec has these lines (the first is line 6).
Lines mistakes(const std::string& spec) {
  Diagnostics diagnostics;
  trainjob(trainjob_text(spec), diagnostics);
  return places(diagnostics);
}

Lines mistakes_of(const std::string& whole) {
  Diagnostics diagnostics;
  trainjob(whole, diagnostics);
  return places(diagnostics);
}

model::TrainJob good(const std::string& spec) {
  Diagnostics diagnostics;
  auto job = trainjob(trainjob_text(spec), diagnostics);
  CHECK(places(diagnostics) == Lines{});
  return job;
}

std::string named(const std::string& name) {
  return "apiVersion: trainer.kubeflow.org/v1alpha1\nkind: TrainJob\nmetadata:\n  name: " + name +
         "\nspec:\n  runtimeRef: {name: r}\n";
}

// key: [item0, item1, …] in flow style.
std::string flow_list(const std::string& key, int count, const std::string& before, const std::string& after) {
  std::string out = key + ": [";
  for (int i = 0; i < count; ++i) out += (i > 0 ? ", " : "") + before + std::to_string(i) + after;
  return out + "]";
}

std::string in_pod_patch(const std::string& field) {
  return "  runtimePatches: [{manager: acme.io/x, trainingRuntimeSpec: {template: {spec: {replicatedJobs: [{name: "
         "node, "
         "template: {spec: {template: {spec: {" +
         field + "}}}}}]}}}}]\n";
}

}  // namespace

TEST_CASE("trainjob: what is not written has Kubeflow's defaults") {
  const auto job = good("");
  CHECK(job.metadata.name == "a");
  CHECK(job.runtime_ref.name == "r");
  CHECK(job.runtime_ref.api_group == "trainer.kubeflow.org");
  CHECK(job.runtime_ref.kind == "ClusterTrainingRuntime");
  CHECK(job.managed_by == "trainer.kubeflow.org/trainjob-controller");
  CHECK_FALSE(job.suspend);
  CHECK_FALSE(job.has_trainer);
  CHECK_FALSE(job.dataset);
  CHECK_FALSE(job.model);
  CHECK_FALSE(job.active_deadline_seconds);
  CHECK_FALSE(job.trainer.image);
  CHECK_FALSE(job.trainer.command);
  CHECK_FALSE(job.trainer.num_nodes);
  CHECK(job.runtime_patches.empty());
}

TEST_CASE("trainjob: every field of the spec is read") {
  const auto job = good(R"(
  initializer:
    dataset: {storageUri: "hf://org/data", env: [{name: TOKEN, value: t}], secretRef: {name: s}}
    model: {storageUri: ""}
  trainer:
    image: registry/image:1
    command: [python]
    args: [train.py, --epochs=2]
    env: [{name: A, value: "1"}, {name: B, valueFrom: {secretKeyRef: {name: s, key: k}}}]
    numNodes: 3
    numProcPerNode: 4
    resourcesPerNode: {limits: {nvidia.com/gpu: 4}, requests: {cpu: 500m, memory: 1Gi}}
  runtimePatches:
    - manager: acme.io/foo
      time: "2026-01-01T00:00:00Z"
      trainingRuntimeSpec:
        template: {metadata: {labels: {a: b}, annotations: {c: d}}}
  suspend: true
  activeDeadlineSeconds: 60
  managedBy: kueue.x-k8s.io/multikueue
)");
  REQUIRE(job.dataset);
  CHECK(job.dataset->storage_uri == "hf://org/data");
  CHECK(job.dataset->env.at(0).value == "t");
  CHECK(job.dataset->secret_name == "s");
  REQUIRE(job.model);
  CHECK(job.model->storage_uri.empty());
  CHECK(job.has_trainer);
  CHECK(job.trainer.image == "registry/image:1");
  CHECK(job.trainer.command == Lines{"python"});
  CHECK(job.trainer.args == Lines{"train.py", "--epochs=2"});
  CHECK(job.trainer.env.at(0).value == "1");
  CHECK_FALSE(job.trainer.env.at(0).from_source);
  CHECK(job.trainer.env.at(1).from_source);
  CHECK(job.trainer.num_nodes == 3);
  CHECK(job.trainer.num_proc_per_node == 4);
  REQUIRE(job.trainer.resources_per_node);
  CHECK(job.trainer.resources_per_node->limits.at(0).first == "nvidia.com/gpu");
  CHECK(job.trainer.resources_per_node->requests.at(0).second.milli_value() == 500);
  CHECK(job.runtime_patches.at(0).manager == "acme.io/foo");
  CHECK(job.runtime_patches.at(0).template_patch.find_path({"metadata", "labels", "a"})->text() == "b");
  CHECK(job.suspend);
  CHECK(job.active_deadline_seconds == 60);
  CHECK(job.managed_by == "kueue.x-k8s.io/multikueue");
}

TEST_CASE("trainjob: the name is an RFC 1035 label of 63 characters at most") {
  for (const auto& name : Lines{"a", "a-1", std::string(63, 'a')}) CHECK(mistakes_of(named(name)) == Lines{});
  for (const auto& name : Lines{"A", "1a", "a-", "-a", "a_b", "a.b", "aä"})
    CHECK(mistakes_of(named("\"" + name + "\"")) ==
          Lines{"job.yaml:4:9: metadata.name: metadata.name must match RFC 1035 DNS label format"});
  CHECK(mistakes_of(named(std::string(64, 'a'))) ==
        Lines{"job.yaml:4:9: metadata.name: metadata.name must be no more than 63 characters"});
}

TEST_CASE("trainjob: what must be there is missed, also when it is null or empty") {
  const std::string head = "apiVersion: trainer.kubeflow.org/v1alpha1\nkind: TrainJob\n";
  CHECK(mistakes_of(head) ==
        Lines{"job.yaml:1:1: metadata: required, but missing", "job.yaml:1:1: spec: required, but missing"});
  CHECK(mistakes_of(head + "metadata:\nspec:\n") ==
        Lines{"job.yaml:1:1: metadata: required, but missing", "job.yaml:1:1: spec: required, but missing"});
  CHECK(mistakes_of(head + "metadata: {labels: {a: b}}\nspec: {runtimeRef: {name: r}}\n") ==
        Lines{"job.yaml:3:11: metadata.name: required, but missing"});
  CHECK(mistakes_of(head + "metadata: {name: \"\"}\nspec: {runtimeRef: {name: r}}\n") ==
        Lines{"job.yaml:3:18: metadata.name: should be at least 1 chars long"});
  CHECK(mistakes_of(head + "metadata: {name: a}\nspec: {suspend: true}\n") ==
        Lines{"job.yaml:4:7: spec.runtimeRef: required, but missing"});
  CHECK(mistakes_of(head + "metadata: {name: a}\nspec: {runtimeRef: }\n") ==
        Lines{"job.yaml:4:7: spec.runtimeRef: required, but missing"});
  CHECK(mistakes_of(head + "metadata: {name: a}\nspec: {runtimeRef: {kind: TrainingRuntime}}\n") ==
        Lines{"job.yaml:4:20: spec.runtimeRef.name: required, but missing"});
  CHECK(mistakes_of(head + "metadata: {name: a}\nspec: {runtimeRef: {name: \"\"}}\n") ==
        Lines{"job.yaml:4:27: spec.runtimeRef.name: should be at least 1 chars long"});
  CHECK(mistakes_of(head + "metadata: {generateName: a-}\nspec: {runtimeRef: {name: r}}\n") ==
        Lines{"job.yaml:3:26: metadata.generateName: a generated name is not supported"});
}

TEST_CASE("trainjob: an object read back from a cluster is no mistake") {
  CHECK(mistakes_of(
            "apiVersion: trainer.kubeflow.org/v1alpha1\nkind: TrainJob\n"
            "metadata: {name: a, namespace: space, uid: u, resourceVersion: \"1\", generation: 1, creationTimestamp: "
            "\"2026-01-01T00:00:00Z\", managedFields: [], finalizers: [], ownerReferences: []}\n"
            "spec: {runtimeRef: {name: r}}\nstatus: {conditions: []}\n") == Lines{});
}

TEST_CASE("trainjob: a mistake of the type is told at the value, and all mistakes at once") {
  CHECK(mistakes("  trainer:\n    numNodes: \"2\"\n    command: python x.py\n    image: 3\n  suspend: \"yes\"\n  "
                 "trianer: {}\n") ==
        Lines{"job.yaml:9:12: spec.trainer.image: must be text, not the number 3",
              "job.yaml:8:14: spec.trainer.command: must be a list, not the text \"python x.py\"",
              "job.yaml:7:15: spec.trainer.numNodes: must be a whole number, not the text \"2\"",
              "job.yaml:10:12: spec.suspend: must be true or false, not the text \"yes\"",
              "job.yaml:11:3: spec.trianer: unknown field"});
}

TEST_CASE("trainjob: a runtime is a ClusterTrainingRuntime or a TrainingRuntime of Kubeflow") {
  const auto with_ref = [](const std::string& ref) {
    return mistakes_of(
        "apiVersion: trainer.kubeflow.org/v1alpha1\nkind: TrainJob\nmetadata: {name: a}\nspec:\n  runtimeRef: " + ref +
        "\n");
  };
  CHECK(with_ref("{name: r, kind: TrainingRuntime, apiGroup: trainer.kubeflow.org}") == Lines{});
  CHECK(with_ref("{name: r, kind: SlurmRuntime}") ==
        Lines{"job.yaml:5:15: spec.runtimeRef: unsupported runtime: SlurmRuntime.trainer.kubeflow.org"});
  CHECK(with_ref("{name: r, apiGroup: acme.io}") ==
        Lines{"job.yaml:5:15: spec.runtimeRef: unsupported runtime: ClusterTrainingRuntime.acme.io"});
  CHECK(with_ref("{name: " + std::string(253, 'r') + "}") == Lines{});
  CHECK(with_ref("{name: " + std::string(254, 'r') + "}") ==
        Lines{"job.yaml:5:22: spec.runtimeRef.name: Too long: may not be more than 253 bytes"});
}

TEST_CASE("trainjob: numbers keep Kubeflow's bounds") {
  CHECK(mistakes("  trainer: {numNodes: 0, numProcPerNode: 1}\n  activeDeadlineSeconds: 1\n") == Lines{});
  CHECK(mistakes("  trainer: {numNodes: 2147483647, numProcPerNode: 2147483647}\n  activeDeadlineSeconds: "
                 "9223372036854775807\n") == Lines{});
  CHECK(mistakes("  trainer: {numNodes: -1}\n") ==
        Lines{"job.yaml:6:23: spec.trainer.numNodes: should be greater than or equal to 0"});
  CHECK(mistakes("  trainer: {numNodes: 2147483648}\n") ==
        Lines{"job.yaml:6:23: spec.trainer.numNodes: must be at most 2147483647, not 2147483648"});
  CHECK(mistakes("  trainer: {numProcPerNode: 0}\n") ==
        Lines{"job.yaml:6:29: spec.trainer.numProcPerNode: numProcPerNode must be greater than or equal to 1"});
  CHECK(mistakes("  trainer: {numProcPerNode: auto}\n") ==
        Lines{"job.yaml:6:29: spec.trainer.numProcPerNode: must be a whole number, not the text \"auto\""});
  CHECK(mistakes("  activeDeadlineSeconds: 0\n") ==
        Lines{"job.yaml:6:26: spec.activeDeadlineSeconds: should be greater than or equal to 1"});
}

TEST_CASE("trainjob: managedBy is one of two") {
  CHECK(mistakes("  managedBy: kueue.x-k8s.io/multikueue\n") == Lines{});
  CHECK(mistakes("  managedBy: me\n") ==
        Lines{"job.yaml:6:14: spec.managedBy: ManagedBy must be "
              "trainer.kubeflow.org/trainjob-controller or kueue.x-k8s.io/multikueue if set"});
}

TEST_CASE("trainjob: a storage URI has a scheme, or is empty, and 2048 characters at most") {
  const auto with_uri = [](const std::string& uri) {
    return mistakes("  initializer: {dataset: {storageUri: \"" + uri + "\"}}\n");
  };
  for (const auto& uri : Lines{"", "s3://b", "hf://a/b", "a+b.c-1://x", "pvc://claim/path"})
    CHECK(with_uri(uri) == Lines{});
  for (const auto& uri : Lines{"b", "/data", "s3://", "://x", "3s://x", "s_3://x", "s3:/x"})
    CHECK(with_uri(uri) ==
          Lines{"job.yaml:6:39: spec.initializer.dataset.storageUri: storageUri may be empty, or it must be a "
                "valid URI (scheme://...)"});
  CHECK(with_uri("s3://" + std::string(2043, 'x')) == Lines{});
  CHECK(with_uri("s3://" + std::string(2044, 'x')) ==
        Lines{"job.yaml:6:39: spec.initializer.dataset.storageUri: Too long: may not be more than 2048 bytes"});
}

TEST_CASE("trainjob: lengths and counts are kept at the edge and refused one beyond") {
  const auto image = [](std::size_t size) { return mistakes("  trainer: {image: " + std::string(size, 'i') + "}\n"); };
  CHECK(image(500) == Lines{});
  CHECK(image(501) == Lines{"job.yaml:6:20: spec.trainer.image: Too long: may not be more than 500 bytes"});
  const auto args = [](int count) { return mistakes("  trainer: {" + flow_list("args", count, "a", "") + "}\n"); };
  CHECK(args(128) == Lines{});
  CHECK(args(129) == Lines{"job.yaml:6:19: spec.trainer.args: Too many: 129: must have at most 128 items"});
  const auto word = [](std::size_t size) {
    return mistakes("  trainer: {command: [" + std::string(size, 'w') + "]}\n");
  };
  CHECK(word(1'048'576) == Lines{});
  CHECK(word(1'048'577) == Lines{"job.yaml:6:22: spec.trainer.command: Too long: may not be more than 1048576 bytes"});
  const auto env = [](int count) {
    return mistakes("  trainer: {" + flow_list("env", count, "{name: E", ", value: x}") + "}\n");
  };
  CHECK(env(128) == Lines{});
  CHECK(env(129) == Lines{"job.yaml:6:18: spec.trainer.env: Too many: 129: must have at most 128 items"});
  const auto patches = [](int count) {
    return mistakes("  " + flow_list("runtimePatches", count, "{manager: a.io/p", "}") + "\n");
  };
  CHECK(patches(16) == Lines{});
  CHECK(patches(17) == Lines{"job.yaml:6:19: spec.runtimePatches: Too many: 17: must have at most 16 items"});
}

TEST_CASE("trainjob: lengths count characters, not bytes") {
  std::string image;
  for (int i = 0; i < 500; ++i) image += "é";
  CHECK(mistakes("  trainer: {image: " + image + "}\n") == Lines{});
  CHECK(mistakes("  trainer: {image: " + image + "é}\n").size() == 1);
}

TEST_CASE("trainjob: environment variables have a name that a process can have, once") {
  const auto env = [](const std::string& list) { return mistakes("  trainer: {env: [" + list + "]}\n"); };
  CHECK(env("{name: a.b-c d, value: x}, {name: E}") == Lines{});
  for (const auto& name : Lines{"", "A=B", "ä", "tab\\t"})
    CHECK(env("{name: \"" + name + "\"}") ==
          Lines{"job.yaml:6:26: spec.trainer.env[0].name: a valid environment variable name must "
                "consist only of printable ASCII characters other than '='"});
  CHECK(env("{name: A, value: \"1\"}, {name: A, value: \"2\"}") ==
        Lines{"job.yaml:6:49: spec.trainer.env[1].name: Duplicate value: \"A\""});
  CHECK(env("{name: A, value: x, valueFrom: {fieldRef: {fieldPath: p}}}") ==
        Lines{"job.yaml:6:50: spec.trainer.env[0].valueFrom: may not be specified when `value` is not empty"});
  CHECK(env("{name: A, value: 1}") ==
        Lines{"job.yaml:6:36: spec.trainer.env[0].value: must be text, not the number 1"});
  CHECK(env("{name: A, value: \"a\\0b\"}") ==
        Lines{"job.yaml:6:36: spec.trainer.env[0].value: must not contain a zero byte"});
  CHECK(env("{value: x}") == Lines{"job.yaml:6:19: spec.trainer.env[0].name: required, but missing"});
}

TEST_CASE("trainjob: resources are quantities, not below zero, requests within limits") {
  const auto resources = [](const std::string& text) {
    return mistakes("  trainer: {resourcesPerNode: " + text + "}\n");
  };
  CHECK(resources("{requests: {cpu: 1, memory: 1Gi}, limits: {cpu: 1000m, memory: 1Gi}}") == Lines{});
  CHECK(resources("{requests: {cpu: -1}}") ==
        Lines{"job.yaml:6:48: spec.trainer.resourcesPerNode.requests.cpu: must be greater than or equal to 0"});
  CHECK(
      resources("{requests: {cpu: 2}, limits: {cpu: 1}}") ==
      Lines{
          "job.yaml:6:42: spec.trainer.resourcesPerNode.requests: cpu: must be less than or equal to cpu limit of 1"});
  CHECK(
      resources("{limits: {cpu: true}}") ==
      Lines{"job.yaml:6:46: spec.trainer.resourcesPerNode.limits.cpu: must be a quantity such as 4, \"500m\" or 8Gi"});
  CHECK(resources("{limits: {cpu: 4 cores}}").size() == 1);
}

TEST_CASE("trainjob: a patch's manager is a domain-prefixed path, and each manager patches once") {
  const auto manager = [](const std::string& name) {
    return mistakes("  runtimePatches: [{manager: \"" + name + "\"}]\n");
  };
  for (const auto& name : Lines{"acme.io/foo", "trainer.kubeflow.org/kubeflow-sdk", "a/b/c"})
    CHECK(manager(name) == Lines{});
  for (const auto& name : Lines{"foo", "acme.io/", "/foo", "Acme.io/foo", "-a.io/x", "a..io/x"})
    CHECK(
        manager(name) ==
        Lines{
            "job.yaml:6:30: spec.runtimePatches[0].manager: must be a domain-prefixed path (such as \"acme.io/foo\")"});
  CHECK(manager("") == Lines{"job.yaml:6:30: spec.runtimePatches[0].manager: should be at least 1 chars long"});
  CHECK(manager("a.io/" + std::string(248, 'x')) == Lines{});
  CHECK(manager("a.io/" + std::string(249, 'x')) ==
        Lines{"job.yaml:6:30: spec.runtimePatches[0].manager: Too long: may not be more than 253 bytes"});
  CHECK(mistakes("  runtimePatches: [{manager: a.io/b}, {manager: a.io/b}]\n") ==
        Lines{"job.yaml:6:49: spec.runtimePatches[1].manager: Duplicate value: \"a.io/b\""});
}

TEST_CASE("trainjob: a patch may change the fields Kubeflow lets it change, and no other") {
  CHECK(mistakes(in_pod_patch(
            "serviceAccountName: s, nodeSelector: {a: b}, tolerations: [{key: k}], affinity: {}, "
            "securityContext: {runAsUser: 1}, schedulingGates: [{name: g}], imagePullSecrets: [{name: s}], "
            "terminationGracePeriodSeconds: 0, volumes: [{name: v, emptyDir: {}}], "
            "containers: [{name: node, volumeMounts: [{name: v, mountPath: /v}], securityContext: {}}], "
            "initContainers: [{name: i, env: [{name: A, value: x}]}]")) == Lines{});
  const auto paths = [](const std::string& field) {
    Diagnostics diagnostics;
    trainjob(trainjob_text(in_pod_patch(field)), diagnostics);
    return messages(diagnostics);
  };
  const std::string pod =
      "spec.runtimePatches[0].trainingRuntimeSpec.template.spec.replicatedJobs[0].template.spec.template.spec.";
  CHECK(paths("hostNetwork: true") == Lines{pod + "hostNetwork: unknown field"});
  CHECK(paths("containers: [{name: node, image: x}]") == Lines{pod + "containers[0].image: unknown field"});
  CHECK(paths("terminationGracePeriodSeconds: -1") ==
        Lines{pod + "terminationGracePeriodSeconds: should be greater than or equal to 0"});
  for (const auto* name : {"node", "dataset-initializer", "model-initializer"})
    CHECK(
        paths(str("containers: [{name: ", name, ", env: [{name: A, value: x}]}]")) ==
        Lines{pod +
              "containers[0].env: must not have envs for the dataset-initializer, model-initializer, node containers"});
  CHECK(paths("containers: [{name: node, env: []}, {name: sidecar, env: [{name: A, value: x}]}]") == Lines{});
}

TEST_CASE("trainjob: a patch's lists have Kubeflow's sizes and no name twice") {
  struct Limit {
    std::string list;
    int most;
  };
  for (const auto& [list, most] : {Limit{"volumes", 128}, Limit{"initContainers", 64}, Limit{"containers", 64},
                                   Limit{"imagePullSecrets", 64}, Limit{"schedulingGates", 16}}) {
    INFO(list);
    CHECK(mistakes(in_pod_patch(flow_list(list, most, "{name: n", "}"))) == Lines{});
    CHECK(mistakes(in_pod_patch(flow_list(list, most + 1, "{name: n", "}"))).size() == 1);
    CHECK(mistakes(in_pod_patch(list + ": [{name: same}, {name: same}]")).size() == 1);
  }
  CHECK(mistakes(in_pod_patch(flow_list("tolerations", 128, "{key: n", "}"))) == Lines{});
  CHECK(mistakes(in_pod_patch(flow_list("tolerations", 129, "{key: n", "}"))).size() == 1);
  const auto mounts = [](int count) {
    return mistakes(in_pod_patch("containers: [{name: node, " +
                                 flow_list("volumeMounts", count, "{name: v", ", mountPath: /v}") + "}]"));
  };
  CHECK(mounts(128) == Lines{});
  CHECK(mounts(129).size() == 1);
}

TEST_CASE("trainjob: the document is kept as it was written") {
  const auto job = good("  trainer: {numNodes: 2}\n");
  CHECK(job.document.root.find_path({"spec", "trainer", "numNodes"})->text() == "2");
  CHECK(job.document.source->name == "job.yaml");
}
