#include "model/runtime.h"

#include <algorithm>
#include <set>

#include "base/reader.h"
#include "base/text.h"

namespace viaduct::model {

std::string_view to_string(MpiImplementation implementation) {
  switch (implementation) {
    case MpiImplementation::open_mpi:
      return "OpenMPI";
    case MpiImplementation::intel:
      return "Intel";
    case MpiImplementation::mpich:
      return "MPICH";
  }
  return "";
}

std::optional<MpiImplementation> parse_mpi_implementation(std::string_view text) {
  for (const auto implementation : {MpiImplementation::open_mpi, MpiImplementation::intel, MpiImplementation::mpich})
    if (text == to_string(implementation)) return implementation;
  return std::nullopt;
}

std::string_view to_string(PolicyKind kind) {
  switch (kind) {
    case PolicyKind::none:
      return "none";
    case PolicyKind::mpi:
      return "mpi";
    case PolicyKind::torch:
      return "torch";
    case PolicyKind::jax:
      return "jax";
    case PolicyKind::xgboost:
      return "xgboost";
    case PolicyKind::flux:
      return "flux";
  }
  return "";
}

const Container* ReplicatedJob::container(std::string_view container_name) const {
  const auto found =
      std::find_if(containers.begin(), containers.end(), [&](const Container& c) { return c.name == container_name; });
  return found == containers.end() ? nullptr : &*found;
}

const ReplicatedJob* JobTemplate::job(std::string_view name) const {
  const auto found = std::find_if(replicated_jobs.begin(), replicated_jobs.end(),
                                  [&](const ReplicatedJob& j) { return j.name == name; });
  return found == replicated_jobs.end() ? nullptr : &*found;
}

const ReplicatedJob* JobTemplate::job_with_ancestor(std::string_view ancestor) const {
  const auto found = std::find_if(replicated_jobs.begin(), replicated_jobs.end(),
                                  [&](const ReplicatedJob& j) { return j.ancestor == ancestor; });
  return found == replicated_jobs.end() ? nullptr : &*found;
}

namespace {

constexpr std::string_view ancestor_label = "trainer.kubeflow.org/trainjob-ancestor-step";

MpiPolicy read_mpi(ObjectReader& reader) {
  MpiPolicy mpi;
  mpi.num_proc_per_node =
      reader.int32("numProcPerNode", 1, "NumProcPerNode in mpiPolicy must be >= 1").value_or(mpi.num_proc_per_node);
  mpi.ssh_auth_mount_path = reader.string("sshAuthMountPath").value_or(mpi.ssh_auth_mount_path);
  mpi.run_launcher_as_node = reader.boolean("runLauncherAsNode").value_or(false);
  check_length(reader, "sshAuthMountPath", mpi.ssh_auth_mount_path, 4096);
  const std::string name = reader.string("mpiImplementation").value_or("OpenMPI");
  if (const auto implementation = parse_mpi_implementation(name.empty() ? "OpenMPI" : name)) {
    mpi.implementation = *implementation;
  } else {
    const auto near = nearest(name, {"OpenMPI", "Intel", "MPICH"});
    reader.error("mpiImplementation",
                 str("Unsupported value: \"", name, "\": supported values: \"OpenMPI\", \"Intel\", \"MPICH\""),
                 near ? str("did you mean ", *near, "?") : "");
  }
  return mpi;
}

void check_torch(ObjectReader& torch) {
  torch.object("envInjection", [](ObjectReader& injection) {
    std::size_t targets = 0;
    std::set<std::string> names;
    injection.objects("targets", [&](ObjectReader& target) {
      ++targets;
      const std::string name = target.required_string("jobName");
      check_length(target, "jobName", name, 253);
      if (!names.insert(name).second) target.error("jobName", str("Duplicate value: \"", name, "\""));
      const auto containers = target.strings("containerNames").value_or(std::vector<std::string>());
      check_items(target, "containerNames", containers.size(), 8);
      for (const auto& container : containers) check_length(target, "containerNames", container, 63);
      if (std::find(containers.begin(), containers.end(), "node") != containers.end())
        target.error("containerNames", "may not contain 'node'");
    });
    check_items(injection, "targets", targets, 16);
  });
}

MlPolicy read_ml_policy(ObjectReader& reader) {
  MlPolicy policy;
  policy.num_nodes = reader.int32("numNodes", 0, "should be greater than or equal to 0");
  int sources = 0;
  const auto source = [&](std::string_view key, PolicyKind kind, const std::function<void(ObjectReader&)>& read) {
    if (!reader.object(key, read)) return;
    policy.kind = kind;
    if (++sources == 2)
      reader.error(key, "Only one of the policy can be configured", "keep one of mpi, torch, jax, xgboost, flux");
  };
  source("mpi", PolicyKind::mpi, [&](ObjectReader& mpi) { policy.mpi = read_mpi(mpi); });
  source("torch", PolicyKind::torch, check_torch);
  source("jax", PolicyKind::jax, [](ObjectReader&) {});
  source("xgboost", PolicyKind::xgboost, [](ObjectReader&) {});
  source("flux", PolicyKind::flux, [&](ObjectReader& flux) {
    policy.flux_num_proc_per_node =
        flux.int32("numProcPerNode", 1, "NumProcPerNode in fluxPolicy must be >= 1").value_or(1);
  });
  return policy;
}

void check_pod_group_policy(ObjectReader& policy) {
  policy.object("coscheduling", [](ObjectReader& coscheduling) { coscheduling.int32("scheduleTimeoutSeconds", 0); });
  policy.object("volcano", [](ObjectReader& volcano) {
    volcano.object("networkTopology", [](ObjectReader& topology) {
      const auto mode = topology.string("mode");
      if (mode && *mode != "hard" && *mode != "soft")
        topology.error("mode", str("Unsupported value: \"", *mode, "\": supported values: \"hard\", \"soft\""));
      topology.int32("highestTierAllowed", 0);
    });
  });
}

Container read_container(ObjectReader& reader) {
  Container container;
  container.name = reader.required_string("name");
  container.image = reader.string("image").value_or("");
  container.command = reader.strings("command");
  container.args = reader.strings("args");
  container.working_dir = reader.string("workingDir").value_or("");
  container.env = read_env(reader, "env", 10'000);
  container.resources = read_resources(reader, "resources").value_or(ResourceRequirements());
  if (const Value* mounts = reader.any("volumeMounts")) container.volume_mounts = *mounts;
  return container;
}

// The tree below a template is JobSet's and Kubernetes': keys that Viaduct does not know stay, and are no mistake.
void accept_everything(ObjectReader& reader) {
  for (const auto& member : reader.value().members()) reader.ignore(member.key);
}

void read_pod(ObjectReader& pod, ReplicatedJob& job) {
  const auto read_list = [&](std::string_view key, std::vector<Container>& list) {
    std::set<std::string> names;
    pod.objects(key, [&](ObjectReader& reader) {
      list.push_back(read_container(reader));
      if (!names.insert(list.back().name).second)
        reader.error("name", str("Duplicate value: \"", list.back().name, "\""));
      accept_everything(reader);
    });
  };
  read_list("initContainers", job.init_containers);
  read_list("containers", job.containers);
  job.termination_grace_seconds = pod.integer("terminationGracePeriodSeconds", 0);
  if (const Value* volumes = pod.any("volumes")) job.volumes = *volumes;
  accept_everything(pod);
}

void check_ancestor(ObjectReader& reader, const ReplicatedJob& job) {
  const std::string container = job.ancestor == "trainer" ? "node" : job.ancestor;
  if (container != "node" && container != "dataset-initializer" && container != "model-initializer") return;
  if (job.replicas && *job.replicas != 1) reader.error("replicas", "always must be 1");
  if (!job.container(container))
    reader.error("template", str("must contain the required container for the ancestor: ", job.ancestor),
                 str("name one of its containers \"", container, "\""));
}

ReplicatedJob read_replicated_job(ObjectReader& reader) {
  ReplicatedJob job;
  job.name = reader.required_string("name");
  job.replicas = reader.int32("replicas", 0);
  reader.object("template", [&](ObjectReader& job_template) {
    job_template.object("metadata", [&](ObjectReader& metadata) {
      const StringMap labels = metadata.string_map("labels");
      if (const std::string* step = find(labels, ancestor_label)) job.ancestor = *step;
      accept_everything(metadata);
    });
    job_template.object("spec", [&](ObjectReader& spec) {
      job.parallelism = spec.int32("parallelism", 0);
      job.backoff_limit = spec.int32("backoffLimit", 0);
      spec.object("template", [&](ObjectReader& pod_template) {
        pod_template.object("spec", [&](ObjectReader& pod) { read_pod(pod, job); });
        accept_everything(pod_template);
      });
      accept_everything(spec);
    });
    accept_everything(job_template);
  });
  check_ancestor(reader, job);
  accept_everything(reader);
  return job;
}

}  // namespace

JobTemplate read_job_template(ObjectReader& reader) {
  JobTemplate job_template;
  reader.object("metadata", [&](ObjectReader& metadata) {
    metadata.string_map("labels");
    job_template.annotations = metadata.string_map("annotations");
    accept_everything(metadata);
  });
  reader.object("spec", [&](ObjectReader& jobset) {
    jobset.object("failurePolicy", [&](ObjectReader& policy) {
      job_template.max_restarts = policy.int32("maxRestarts", 0);
      accept_everything(policy);
    });
    std::set<std::string> names;
    jobset.objects("replicatedJobs", [&](ObjectReader& job) {
      job_template.replicated_jobs.push_back(read_replicated_job(job));
      const std::string& name = job_template.replicated_jobs.back().name;
      if (!names.insert(name).second) job.error("name", str("Duplicate value: \"", name, "\""));
    });
    accept_everything(jobset);
  });
  return job_template;
}

Runtime read_runtime(const Document& document, Diagnostics& diagnostics) {
  Runtime runtime;
  runtime.document = document;
  ReadContext context(document.source, diagnostics);
  ObjectReader object(runtime.document.root, context, "");
  object.ignore("apiVersion");
  runtime.kind = object.string("kind").value_or("");
  object.ignore("status");
  runtime.metadata = read_metadata(object);
  const bool there = object.object("spec", [&](ObjectReader& spec) {
    spec.object("mlPolicy", [&](ObjectReader& policy) { runtime.ml_policy = read_ml_policy(policy); });
    spec.object("podGroupPolicy", check_pod_group_policy);
    const bool has_template = spec.object("template", [&](ObjectReader& job_template) {
      runtime.template_tree = job_template.value();
      runtime.job_template = read_job_template(job_template);
    });
    if (!has_template) spec.required("template");
  });
  if (!there) object.required("spec");
  object.done();
  return runtime;
}

}  // namespace viaduct::model
