#include "model/trainjob.h"

#include <algorithm>
#include <cctype>
#include <functional>
#include <set>

#include "base/reader.h"
#include "base/text.h"

namespace viaduct::model {
namespace {

constexpr std::size_t longest_argument = 1'048'576;
constexpr std::size_t most_arguments = 128;

bool is_lower_alnum(char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'); }
bool is_alnum(char c) { return is_lower_alnum(c) || (c >= 'A' && c <= 'Z'); }

bool is_dns_1035_label(std::string_view name) {
  if (name.empty() || name[0] < 'a' || name[0] > 'z' || name.back() == '-') return false;
  return std::all_of(name.begin(), name.end(), [](char c) { return is_lower_alnum(c) || c == '-'; });
}

// A DNS-1123 subdomain, a slash, and a path: "acme.io/foo".
bool is_domain_prefixed_path(std::string_view text) {
  const auto slash = text.find('/');
  if (slash == std::string_view::npos || slash + 1 == text.size()) return false;
  for (const auto& label : split(text.substr(0, slash), '.')) {
    const bool fits = !label.empty() && label.size() <= 63 && is_lower_alnum(label.front()) &&
                      is_lower_alnum(label.back()) &&
                      std::all_of(label.begin(), label.end(), [](char c) { return is_lower_alnum(c) || c == '-'; });
    if (!fits) return false;
  }
  constexpr std::string_view path_marks = "/-._~%!$&'()*+,;=:";
  return std::all_of(text.begin() + static_cast<std::ptrdiff_t>(slash) + 1, text.end(),
                     [&](char c) { return is_alnum(c) || path_marks.find(c) != std::string_view::npos; });
}

bool is_storage_uri(std::string_view uri) {
  const auto colon = uri.find("://");
  if (colon == std::string_view::npos || colon == 0 || colon + 3 == uri.size() ||
      std::isalpha(static_cast<unsigned char>(uri[0])) == 0)
    return false;
  return std::all_of(uri.begin(), uri.begin() + static_cast<std::ptrdiff_t>(colon),
                     [](char c) { return is_alnum(c) || c == '+' || c == '.' || c == '-'; });
}

void check_name(ObjectReader& object, const ObjectMeta& metadata) {
  if (metadata.name.empty()) return;
  const Value* value = object.value().find_path({"metadata", "name"});
  const Mark mark = value ? value->mark() : object.mark();
  if (!is_dns_1035_label(metadata.name))
    object.context().error(mark, "metadata.name", "metadata.name must match RFC 1035 DNS label format",
                           "lower case letters, digits and '-'; begins with a letter, ends with a letter or digit");
  if (metadata.name.size() > 63)
    object.context().error(mark, "metadata.name", "metadata.name must be no more than 63 characters");
}

RuntimeRef read_runtime_ref(ObjectReader& spec) {
  RuntimeRef ref;
  const bool there = spec.object("runtimeRef", [&](ObjectReader& reader) {
    ref.name = reader.required_string("name");
    ref.api_group = reader.string("apiGroup").value_or(ref.api_group);
    ref.kind = reader.string("kind").value_or(ref.kind);
    check_not_empty(reader, "name");
    check_length(reader, "name", ref.name, 253);
    check_length(reader, "apiGroup", ref.api_group, 253);
    check_length(reader, "kind", ref.kind, 253);
    if (ref.api_group != api_group || (ref.kind != "ClusterTrainingRuntime" && ref.kind != "TrainingRuntime"))
      reader.error_here(str("unsupported runtime: ", ref.kind, ".", ref.api_group),
                        "kind is ClusterTrainingRuntime or TrainingRuntime");
  });
  if (!there) spec.required("runtimeRef", "add runtimeRef: {name: mpi}");
  return ref;
}

std::optional<InitializerSource> read_initializer(ObjectReader& initializer, std::string_view key) {
  InitializerSource source;
  const bool there = initializer.object(key, [&](ObjectReader& reader) {
    source.storage_uri = reader.string("storageUri").value_or("");
    source.env = read_env(reader, "env");
    reader.object("secretRef", [&](ObjectReader& secret) { source.secret_name = secret.string("name").value_or(""); });
    check_length(reader, "storageUri", source.storage_uri, 2048);
    if (!source.storage_uri.empty() && !is_storage_uri(source.storage_uri))
      reader.error("storageUri", "storageUri may be empty, or it must be a valid URI (scheme://...)");
  });
  return there ? std::optional(source) : std::nullopt;
}

std::optional<std::vector<std::string>> read_arguments(ObjectReader& trainer, std::string_view key) {
  auto arguments = trainer.strings(key);
  if (!arguments) return arguments;
  check_items(trainer, key, arguments->size(), most_arguments);
  for (const auto& argument : *arguments) {
    check_length(trainer, key, argument, longest_argument);
    if (argument.find('\0') != std::string::npos) trainer.error(key, "must not contain a zero byte");
  }
  return arguments;
}

Trainer read_trainer(ObjectReader& reader) {
  Trainer trainer;
  trainer.image = reader.string("image");
  if (trainer.image) check_length(reader, "image", *trainer.image, 500);
  trainer.command = read_arguments(reader, "command");
  trainer.args = read_arguments(reader, "args");
  trainer.env = read_env(reader, "env");
  trainer.num_nodes = reader.int32("numNodes", 0, "should be greater than or equal to 0");
  trainer.num_proc_per_node = reader.int32("numProcPerNode", 1, "numProcPerNode must be greater than or equal to 1");
  trainer.resources_per_node = read_resources(reader, "resourcesPerNode");
  return trainer;
}

// What a manager may patch: labels and annotations, and in a pod the fields of the CRD's PodSpecPatch.
void check_metadata_patch(ObjectReader& object) {
  object.object("metadata", [](ObjectReader& metadata) {
    metadata.string_map("labels");
    metadata.string_map("annotations");
  });
}

// A list whose items have a name of their own; `read` may look at more of an item.
void check_named_list(ObjectReader& object, std::string_view key, std::size_t most,
                      const std::function<void(ObjectReader&, const std::string&)>& read) {
  std::size_t count = 0;
  std::set<std::string> names;
  object.objects(key, [&](ObjectReader& item) {
    ++count;
    const std::string name = item.required_string("name");
    if (!names.insert(name).second) item.error("name", str("Duplicate value: \"", name, "\""));
    read(item, name);
  });
  check_items(object, key, count, most);
}

void accept_everything(ObjectReader& item, const std::string& /*name*/) {
  for (const auto& member : item.value().members()) item.ignore(member.key);
}

void check_container_patches(ObjectReader& pod, std::string_view key) {
  check_named_list(pod, key, 64, [&](ObjectReader& container, const std::string& name) {
    const auto env = read_env(container, "env");
    check_named_list(container, "volumeMounts", 128, accept_everything);
    container.ignore("securityContext");
    const bool ours = name == "node" || name == "dataset-initializer" || name == "model-initializer";
    if (key == "containers" && ours && !env.empty())
      container.error("env", "must not have envs for the dataset-initializer, model-initializer, node containers",
                      "set spec.trainer.env or spec.initializer.*.env instead");
  });
}

void check_pod_patch(ObjectReader& pod) {
  pod.string("serviceAccountName");
  check_container_patches(pod, "initContainers");
  check_container_patches(pod, "containers");
  check_named_list(pod, "volumes", 128, accept_everything);
  check_named_list(pod, "imagePullSecrets", 64, accept_everything);
  check_named_list(pod, "schedulingGates", 16, accept_everything);
  pod.integer("terminationGracePeriodSeconds", 0, std::numeric_limits<std::int64_t>::max(),
              "should be greater than or equal to 0");
  if (const Value* tolerations = pod.any("tolerations"))
    check_items(pod, "tolerations", tolerations->items().size(), 128);
  for (const auto* key : {"securityContext", "nodeSelector", "affinity"}) pod.ignore(key);
}

void check_template_patch(ObjectReader& patch) {
  check_metadata_patch(patch);
  patch.object("spec", [](ObjectReader& jobset) {
    check_named_list(jobset, "replicatedJobs", 100, [](ObjectReader& job, const std::string& /*name*/) {
      job.object("template", [](ObjectReader& job_template) {
        check_metadata_patch(job_template);
        job_template.object("spec", [](ObjectReader& job_spec) {
          job_spec.object("template", [](ObjectReader& pod_template) {
            check_metadata_patch(pod_template);
            pod_template.object("spec", [](ObjectReader& pod) { check_pod_patch(pod); });
          });
        });
      });
    });
  });
}

std::vector<RuntimePatch> read_patches(ObjectReader& spec) {
  std::vector<RuntimePatch> patches;
  std::set<std::string> managers;
  spec.objects("runtimePatches", [&](ObjectReader& reader) {
    RuntimePatch patch;
    patch.manager = reader.required_string("manager");
    reader.ignore("time");
    check_not_empty(reader, "manager");
    check_length(reader, "manager", patch.manager, 253);
    if (!managers.insert(patch.manager).second)
      reader.error("manager", str("Duplicate value: \"", patch.manager, "\""));
    if (!patch.manager.empty() && !is_domain_prefixed_path(patch.manager))
      reader.error("manager", "must be a domain-prefixed path (such as \"acme.io/foo\")");
    reader.object("trainingRuntimeSpec", [&](ObjectReader& runtime_spec) {
      runtime_spec.object("template", [&](ObjectReader& job_template) {
        patch.template_patch = job_template.value();
        check_template_patch(job_template);
      });
    });
    patches.push_back(std::move(patch));
  });
  check_items(spec, "runtimePatches", patches.size(), 16);
  return patches;
}

void read_spec(ObjectReader& spec, TrainJob& job) {
  job.runtime_ref = read_runtime_ref(spec);
  spec.object("initializer", [&](ObjectReader& initializer) {
    job.dataset = read_initializer(initializer, "dataset");
    job.model = read_initializer(initializer, "model");
  });
  job.has_trainer = spec.object("trainer", [&](ObjectReader& trainer) { job.trainer = read_trainer(trainer); });
  job.runtime_patches = read_patches(spec);
  job.suspend = spec.boolean("suspend").value_or(false);
  job.active_deadline_seconds = spec.integer("activeDeadlineSeconds", 1, std::numeric_limits<std::int64_t>::max(),
                                             "should be greater than or equal to 1");
  job.managed_by = spec.string("managedBy").value_or(job.managed_by);
  if (job.managed_by != "trainer.kubeflow.org/trainjob-controller" && job.managed_by != "kueue.x-k8s.io/multikueue")
    spec.error("managedBy",
               "ManagedBy must be trainer.kubeflow.org/trainjob-controller or kueue.x-k8s.io/multikueue if set");
}

}  // namespace

TrainJob read_trainjob(const Document& document, Diagnostics& diagnostics) {
  TrainJob job;
  job.document = document;
  ReadContext context(document.source, diagnostics);
  ObjectReader object(job.document.root, context, "");
  object.ignore("apiVersion");
  object.ignore("kind");
  object.ignore("status");
  job.metadata = read_metadata(object);
  check_name(object, job.metadata);
  const bool there = object.object("spec", [&](ObjectReader& spec) { read_spec(spec, job); });
  if (!there) object.required("spec");
  object.done();
  return job;
}

}  // namespace viaduct::model
