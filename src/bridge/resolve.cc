#include "bridge/resolve.h"

#include <algorithm>
#include <array>
#include <limits>
#include <map>
#include <tuple>
#include <unordered_map>

#include "base/reader.h"
#include "base/text.h"
#include "bridge/losses.h"
#include "bridge/template_patch.h"

namespace viaduct::bridge {
namespace {

using model::Container;
using model::EnvVar;
using model::JobTemplate;
using model::PolicyKind;
using model::ReplicatedJob;
using model::RunPlan;
using model::Runtime;
using model::TrainJob;

using Known = std::map<std::string, std::string>;  // variables by name, expanded

constexpr std::string_view binding_annotation = "viaduct.dev/binding";

// Makes one plan; a class because every step may complain about the same TrainJob.
class Resolver {
 public:
  Resolver(const TrainJob& job, const Runtime& runtime, const Capabilities& capabilities, Diagnostics& diagnostics)
      : job_(job),
        runtime_(runtime),
        capabilities_(capabilities),
        diagnostics_(diagnostics),
        patched_(runtime.template_tree) {}

  std::optional<RunPlan> resolve() {
    const std::size_t errors_before = diagnostics_.error_count();
    warn_of_deprecation();
    check_policy();
    check_patches();
    apply_patches();
    find_containers();
    check_initializers();
    plan_nodes();
    plan_command();
    plan_environment();
    plan_volumes();
    plan_initializers();
    plan_lifetime();
    if (diagnostics_.error_count() > errors_before) return std::nullopt;
    plan_.losses = find_losses(job_, runtime_, patched_, trainer_job_ ? trainer_job_->name : "", capabilities_);
    return std::move(plan_);
  }

 private:
  // A complaint at the TrainJob's value of that path (or at the nearest thing above it that is there).
  void complain(std::initializer_list<std::string_view> path, const std::string& reason, std::string hint = "") {
    const Value* at = &job_.document.root;
    std::string shown;
    for (const auto key : path) {
      shown += shown.empty() ? std::string(key) : str(".", key);
      if (const Value* next = at->find(key)) at = next;
    }
    diagnostics_.error(job_.document.source, at->mark(), str(shown, ": ", reason), std::move(hint));
  }

  std::string runtime_label() const { return str(runtime_.kind, "/", runtime_.metadata.name); }

  void warn_of_deprecation() {
    const std::string* support = model::find(runtime_.metadata.labels, "trainer.kubeflow.org/support");
    if (!support || *support != "deprecated") return;
    const Value* reference = job_.document.root.find_path({"spec", "runtimeRef"});
    diagnostics_.warning(job_.document.source, reference ? reference->mark() : Mark{},
                         str("spec.runtimeRef: ", runtime_.kind, " \"", runtime_.metadata.name, "\" is deprecated"));
  }

  void check_policy() {
    const PolicyKind kind = runtime_.ml_policy.kind;
    if (kind != PolicyKind::mpi && kind != PolicyKind::none)
      complain({"spec", "runtimeRef"},
               str("mlPolicy ", to_string(kind), " of ", runtime_label(), " is not planned by this version"),
               "runtimes with mlPolicy mpi, or none, can be run");
    if (kind != PolicyKind::mpi) return;
    static constexpr std::array<std::string_view, 4> reserved = {
        "OMPI_MCA_orte_default_hostfile", "OMPI_MCA_orte_keep_fqdn_hostnames", "OMPI_MCA_orte_set_default_slots",
        "OMPI_MCA_plm_rsh_args"};
    std::vector<std::string> used;
    for (const auto& variable : job_.trainer.env)
      if (std::find(reserved.begin(), reserved.end(), variable.name) != reserved.end()) used.push_back(variable.name);
    std::sort(used.begin(), used.end());
    if (!used.empty())
      complain({"spec", "trainer", "env"},
               str("must not have reserved envs, invalid envs configured: [", join(used, " "), "]"));
    const bool both = runtime_.job_template.job("launcher") && runtime_.job_template.job("node");
    if (job_.trainer.num_nodes.value_or(1) >= 2 && runtime_.ml_policy.mpi.run_launcher_as_node && !both)
      complain(
          {"spec", "trainer", "numNodes"},
          "must have 1 when MPI trainingRuntime with enabled runLauncherAsNode does not have either launcher and node");
  }

  // Patches may only name what the runtime has (the webhook's rule).
  void check_patches() {
    for (const auto& patch : job_.runtime_patches) {
      const Value* jobs = patch.template_patch.find_path({"spec", "replicatedJobs"});
      if (!jobs) continue;
      for (const auto& patched_job : jobs->items()) {
        const Value* name = patched_job.find("name");
        const ReplicatedJob* original = name ? runtime_.job_template.job(name->text()) : nullptr;
        if (!original) {
          complain_at(name ? *name : patched_job,
                      "must not have replicated job that doesn't exist in the runtime job template",
                      str("the runtime has: ", join(job_names(), ", ")));
          continue;
        }
        const Value* pod = patched_job.find_path({"template", "spec", "template", "spec"});
        check_patched_containers(pod, "initContainers", original->init_containers, original->name);
        check_patched_containers(pod, "containers", original->containers, original->name);
      }
    }
  }

  void check_patched_containers(const Value* pod, std::string_view key, const std::vector<Container>& known,
                                const std::string& job_name) {
    const Value* list = pod ? pod->find(key) : nullptr;
    if (!list) return;
    for (const auto& container : list->items()) {
      const Value* name = container.find("name");
      const bool exists =
          name && std::any_of(known.begin(), known.end(), [&](const Container& c) { return c.name == name->text(); });
      if (name && !exists)
        complain_at(*name, str("must not have ", key == "containers" ? "container" : "initContainer",
                               " that doesn't exist in the runtime job ", job_name));
    }
  }

  void complain_at(const Value& value, const std::string& reason, std::string hint = "") {
    diagnostics_.error(job_.document.source, value.mark(), "spec.runtimePatches: " + reason, std::move(hint));
  }

  std::vector<std::string> job_names() const {
    std::vector<std::string> names;
    for (const auto& replicated : runtime_.job_template.replicated_jobs) names.push_back(replicated.name);
    return names;
  }

  void apply_patches() {
    for (const auto& patch : job_.runtime_patches) merge_template(patched_, patch.template_patch);
    // The runtime was right before, so what is wrong now came with the patches.
    Diagnostics in_patched;
    ReadContext context(runtime_.document.source, in_patched);
    ObjectReader reader(patched_, context, "spec.template");
    template_ = model::read_job_template(reader);
    for (const auto& d : in_patched.all())
      complain({"spec", "runtimePatches"}, str("they make ", runtime_label(), " invalid: ", d.message), d.hint);
  }

  void find_containers() {
    trainer_job_ = template_.job_with_ancestor("trainer");
    if (!trainer_job_) trainer_job_ = template_.job("launcher");
    if (!trainer_job_) trainer_job_ = template_.job("node");
    if (!trainer_job_ && !template_.replicated_jobs.empty()) trainer_job_ = &template_.replicated_jobs.front();
    if (trainer_job_) trainer_ = trainer_job_->container("node");
    if (!trainer_ && trainer_job_ && !trainer_job_->containers.empty()) trainer_ = &trainer_job_->containers.front();
    worker_job_ = template_.job("node");
    if (worker_job_ && worker_job_ != trainer_job_) worker_ = worker_job_->container("node");
  }

  void check_initializers() {
    check_initializer(job_.dataset, "dataset", "datasetConfig");
    check_initializer(job_.model, "model", "modelConfig");
  }

  void check_initializer(const std::optional<model::InitializerSource>& source, const std::string& name,
                         std::string_view config) {
    if (!source) return;
    const std::string step = name + "-initializer";
    const ReplicatedJob* replicated = template_.job_with_ancestor(step);
    const auto place = {std::string_view("spec"), std::string_view("runtimeRef")};
    if (!replicated) {
      complain(place, str("must have ", step, " job when trainJob is configured with input ", config));
      return;
    }
    const Container* container = replicated->container(step);
    if (!container) {
      complain(place, str("must have container with name - ", step, " in the ", step, " job"));
      return;
    }
    const auto& mounts = container->volume_mounts.items();
    const bool mounted = std::any_of(mounts.begin(), mounts.end(), [](const Value& mount) {
      const Value* mount_name = mount.find("name");
      return mount_name && mount_name->text() == "initializer";
    });
    if (!mounted)
      complain(place,
               str("must have volumeMount with name - initializer in container ", step, " of the ", step, " job"));
  }

  // The first resource whose name has "gpu" in it, in requests and then in limits, as upstream counts.
  static std::pair<std::string, std::int64_t> gpus_of(const model::ResourceRequirements& resources) {
    for (const auto* list : {&resources.requests, &resources.limits})
      for (const auto& [name, quantity] : *list) {
        std::string lower = name;
        std::transform(lower.begin(), lower.end(), lower.begin(),
                       [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
        if (lower.find("gpu") != std::string::npos) return {name, quantity.value()};
      }
    return {"", 0};
  }

  void plan_nodes() {
    plan_.job = job_.metadata.name;
    plan_.name_space = job_.metadata.name_space;
    plan_.runtime_kind = runtime_.kind;
    plan_.runtime_name = runtime_.metadata.name;
    if (const std::string* framework = model::find(runtime_.metadata.labels, "trainer.kubeflow.org/framework"))
      plan_.framework = *framework;
    plan_.backend = capabilities_.backend;
    plan_.policy = runtime_.ml_policy.kind;
    plan_.mpi = runtime_.ml_policy.mpi.implementation;
    plan_.launcher_is_node = plan_.policy == PolicyKind::mpi && runtime_.ml_policy.mpi.run_launcher_as_node;

    plan_.nodes = job_.trainer.num_nodes.value_or(runtime_.ml_policy.num_nodes.value_or(templated_nodes()));
    if (plan_.nodes < 1)
      complain({"spec", "trainer", "numNodes"}, "0 nodes leave nothing to run", "set numNodes to 1 or more");

    model::ResourceRequirements resources = worker_ ? worker_->resources : model::ResourceRequirements();
    if (resources.empty() && trainer_) resources = trainer_->resources;
    const std::int64_t gpus = gpus_of(job_.trainer.resources_per_node.value_or(resources)).second;
    if (job_.trainer.resources_per_node) {
      override_quantities(resources.limits, job_.trainer.resources_per_node->limits);
      override_quantities(resources.requests, job_.trainer.resources_per_node->requests);
    }
    plan_resources(resources);
    plan_slots(gpus);
  }

  // Without any number of nodes the template's parallelism counts.
  std::int32_t templated_nodes() const {
    const ReplicatedJob* nodes = worker_job_;
    if (!nodes && plan_.policy == PolicyKind::none) nodes = trainer_job_;
    if (!nodes || !nodes->parallelism) return 1;
    return std::min(*nodes->parallelism, std::numeric_limits<std::int32_t>::max() - 1) +
           (plan_.launcher_is_node ? 1 : 0);
  }

  void plan_slots(std::int64_t gpus) {
    const std::int32_t from_runtime = plan_.policy == PolicyKind::mpi ? runtime_.ml_policy.mpi.num_proc_per_node : 1;
    const bool count_gpus = plan_.policy == PolicyKind::mpi && from_runtime == 1 && gpus > 1;
    const std::int64_t slots = job_.trainer.num_proc_per_node ? *job_.trainer.num_proc_per_node
                               : count_gpus                   ? gpus
                                                              : from_runtime;
    if (plan_.nodes > 0 && slots > model::most_ranks / plan_.nodes) {
      complain({"spec", "trainer"}, str("too many ranks: ", plan_.nodes, " nodes of ", slots, " each; at most ",
                                        model::most_ranks, " can be run"));
      return;
    }
    plan_.slots_per_node = static_cast<std::int32_t>(slots);
  }

  using Quantities = std::vector<std::pair<std::string, model::Quantity>>;
  static void override_quantities(Quantities& quantities, const Quantities& with) {
    for (const auto& [name, quantity] : with) {
      const auto same = std::find_if(quantities.begin(), quantities.end(),
                                     [&, wanted = &name](const auto& known) { return known.first == *wanted; });
      if (same == quantities.end()) {
        quantities.emplace_back(name, quantity);
      } else {
        same->second = quantity;
      }
    }
  }

  void plan_resources(const model::ResourceRequirements& resources) {
    std::tie(plan_.resources.gpu_resource, plan_.resources.gpus) = gpus_of(resources);
    std::map<std::string, model::Quantity> asked;  // a limit without a request is a request too, as in Kubernetes
    for (const auto& [name, quantity] : resources.limits) asked[name] = quantity;
    for (const auto& [name, quantity] : resources.requests) asked[name] = quantity;
    for (const auto& [name, quantity] : asked) {
      if (name == "cpu") {
        plan_.resources.cpu_milli = quantity.milli_value();
      } else if (name == "memory") {
        plan_.resources.memory_bytes = quantity.value();
      } else if (name != plan_.resources.gpu_resource) {
        plan_.resources.other.emplace_back(name, quantity.to_string());
      }
    }
  }

  void plan_command() {
    const auto given_or = [](const std::optional<std::vector<std::string>>& given,
                             const std::optional<std::vector<std::string>>& otherwise) {
      return given ? *given : otherwise.value_or(std::vector<std::string>());
    };
    const std::optional<std::vector<std::string>> none;
    plan_.command = given_or(job_.trainer.command, trainer_ ? trainer_->command : none);
    const auto args = given_or(job_.trainer.args, trainer_ ? trainer_->args : none);
    if (plan_.command.empty()) {
      complain({"spec", "trainer", "command"}, "there is no command to run",
               args.empty() ? "set spec.trainer.command"
                            : "set spec.trainer.command: an image's own entrypoint is not known outside Kubernetes");
      return;
    }
    plan_.command.insert(plan_.command.end(), args.begin(), args.end());
    plan_.working_directory = trainer_ ? trainer_->working_dir : "";
    plan_.image = job_.trainer.image.value_or(trainer_ ? trainer_->image : "");
  }

  // "$(NAME)" becomes that variable's value, "$$" a dollar. What is in "$(…)" and no known name stays, dollars and all
  // (Kubernetes' rule).
  static std::string expand(const std::string& text, const Known& known) {
    std::string out;
    for (std::size_t i = 0; i < text.size(); ++i) {
      const auto close = text.compare(i, 2, "$(") == 0 ? text.find(')', i) : std::string::npos;
      if (text.compare(i, 2, "$$") == 0) {
        out += '$';
        ++i;
      } else if (close != std::string::npos) {
        const auto found = known.find(text.substr(i + 2, close - i - 2));
        out += found != known.end() ? found->second : text.substr(i, close + 1 - i);
        i = close;
      } else {
        out += text[i];
      }
    }
    return out;
  }

  // A variable of the same name is replaced where it stands, as Kubernetes merges lists with keys.
  static void override_env(std::vector<EnvVar>& env, const std::vector<EnvVar>& with) {
    std::unordered_map<std::string, std::size_t> places;
    for (std::size_t i = 0; i < env.size(); ++i) places[env[i].name] = i;
    for (const auto& variable : with) {
      const auto [place, is_new] = places.try_emplace(variable.name, env.size());
      if (is_new) {
        env.push_back(variable);
      } else {
        env[place->second] = variable;
      }
    }
  }

  // A value may name the variables before it.
  static std::vector<std::pair<std::string, std::string>> expand_env(const std::vector<EnvVar>& env, Known& known) {
    std::vector<std::pair<std::string, std::string>> expanded;
    for (const auto& variable : env) {
      if (variable.from_source) continue;  // reported as a loss
      expanded.emplace_back(variable.name, expand(variable.value, known));
      known[variable.name] = expanded.back().second;
    }
    return expanded;
  }

  void plan_environment() {
    std::vector<EnvVar> env = worker_ ? worker_->env : std::vector<EnvVar>();
    if (trainer_) override_env(env, trainer_->env);
    override_env(env, job_.trainer.env);
    Known known;
    plan_.environment = expand_env(env, known);
    for (auto& word : plan_.command) word = expand(word, known);
    const bool launcher = !plan_.command.empty() && is_launcher_command(plan_.command.front());
    plan_.launch = launcher ? model::LaunchStyle::own_launcher : model::LaunchStyle::wrapped;
  }

  void plan_volumes() {
    if (!trainer_ || !trainer_job_) return;
    for (const auto& mount : trainer_->volume_mounts.items()) {
      const auto text = [&](std::string_view key) {
        const Value* value = mount.find(key);
        return value ? value->text() : std::string();
      };
      model::VolumeMount volume{text("name"), text("mountPath"), text("readOnly") == "true", Value()};
      for (const auto& source : trainer_job_->volumes.items())
        if (const Value* name = source.find("name"); name && name->text() == volume.name) volume.source = source;
      plan_.volumes.push_back(std::move(volume));
    }
  }

  void plan_initializers() {
    const auto add = [&](const std::optional<model::InitializerSource>& source, const std::string& name) {
      const ReplicatedJob* replicated = template_.job_with_ancestor(name + "-initializer");
      if (!source || !replicated) return;
      const Container* container = replicated->container(name + "-initializer");
      model::InitializerStep step{
          name, container ? container->image : "", source->storage_uri, {}, source->secret_name};
      std::vector<EnvVar> env = container ? container->env : std::vector<EnvVar>();
      override_env(env, source->env);
      Known known;
      step.env = expand_env(env, known);
      plan_.initializers.push_back(std::move(step));
    };
    add(job_.dataset, "dataset");
    add(job_.model, "model");
  }

  void plan_lifetime() {
    plan_.suspend = job_.suspend;
    plan_.deadline_seconds = job_.active_deadline_seconds;
    // Upstream restarts a failed launcher by its Job's backoffLimit and the whole JobSet by failurePolicy.maxRestarts.
    // Kubernetes' default backoffLimit of 6 is not taken over: outside Kubernetes a failed program is not run again
    // unless somebody asked for it.
    const std::int64_t backoff = trainer_job_ ? trainer_job_->backoff_limit.value_or(0) : 0;
    const std::int64_t attempts = (backoff + 1) * (std::int64_t{template_.max_restarts.value_or(0)} + 1);
    plan_.max_restarts = static_cast<std::int32_t>(std::min<std::int64_t>(attempts - 1, 1'000'000));
    if (trainer_job_ && trainer_job_->termination_grace_seconds)
      plan_.grace_seconds = std::min(*trainer_job_->termination_grace_seconds, model::longest_grace_seconds);
    plan_binding();
    plan_remote();
  }

  void plan_binding() {
    const auto chosen = annotation(binding_annotation);
    if (!chosen) return;
    plan_.binding = *chosen->value;
    if (plan_.binding == "cpu" || plan_.binding == "none") return;
    wrong_annotation(*chosen, str("unknown binding policy \"", plan_.binding, "\""), "this version knows cpu and none");
  }

  // An annotation of the TrainJob, or else of the runtime, and who has it.
  struct Annotation {
    std::string_view name;
    const std::string* value;
    const Document& document;
  };
  std::optional<Annotation> annotation(std::string_view name) const {
    if (const std::string* value = model::find(job_.metadata.annotations, name))
      return Annotation{name, value, job_.document};
    if (const std::string* value = model::find(runtime_.metadata.annotations, name))
      return Annotation{name, value, runtime_.document};
    return std::nullopt;
  }

  void wrong_annotation(const Annotation& wrong, const std::string& reason, const std::string& hint) {
    const Value* value = wrong.document.root.find_path({"metadata", "annotations", wrong.name});
    diagnostics_.error(wrong.document.source, value ? value->mark() : Mark{},
                       str("metadata.annotations.", wrong.name, ": ", reason), hint);
  }

  void plan_remote() {
    model::RemotePolicy& remote = plan_.remote;
    const auto number = [&](std::string_view name, std::int32_t least, std::int32_t most, std::int32_t& to) {
      const auto given = annotation(name);
      if (!given) return;
      const auto value = parse_integer(*given->value);
      if (value && *value >= least && *value <= most) {
        to = static_cast<std::int32_t>(*value);
      } else {
        wrong_annotation(*given, str("must be a whole number from ", least, " to ", most), "");
      }
    };
    const auto ports = [&](std::string_view name, std::optional<model::PortRange>& to) {
      const auto given = annotation(name);
      if (!given) return;
      const auto parts = split(*given->value, '-');
      const std::int64_t first = parts.size() == 2 ? parse_integer(parts[0]).value_or(0) : 0;
      const std::int64_t last = parts.size() == 2 ? parse_integer(parts[1]).value_or(0) : 0;
      constexpr std::int64_t highest = 65535;
      if (first >= 1 && first <= last && last <= highest) {
        to = model::PortRange{static_cast<std::int32_t>(first), static_cast<std::int32_t>(last)};
      } else {
        wrong_annotation(*given, "must be a range of ports", "such as 30000-30100");
      }
    };
    number("viaduct.dev/ready-seconds", 1, model::longest_ready_seconds, remote.ready_seconds);
    number("viaduct.dev/tree-spawn-above", 0, std::numeric_limits<std::int32_t>::max(), remote.tree_spawn_above);
    ports("viaduct.dev/daemon-ports", remote.daemon_ports);
    ports("viaduct.dev/mpi-ports", remote.mpi_ports);
  }

  const TrainJob& job_;
  const Runtime& runtime_;
  const Capabilities& capabilities_;
  Diagnostics& diagnostics_;
  Value patched_;
  JobTemplate template_;
  const ReplicatedJob* trainer_job_ = nullptr;  // runs the trainer's command
  const ReplicatedJob* worker_job_ = nullptr;   // the other nodes, where they are a job of their own
  const Container* trainer_ = nullptr;
  const Container* worker_ = nullptr;
  RunPlan plan_;
};

}  // namespace

bool is_launcher_command(std::string_view program) {
  const std::string_view name = program.substr(program.rfind('/') + 1);
  static constexpr std::array<std::string_view, 9> launchers = {
      "mpirun", "mpiexec", "mpiexec.hydra", "prterun", "srun", "torchrun", "deepspeed", "horovodrun", "orterun"};
  return std::find(launchers.begin(), launchers.end(), name) != launchers.end();
}

std::optional<model::RunPlan> resolve(const TrainJob& job, const Runtime& runtime, const Capabilities& capabilities,
                                      Diagnostics& diagnostics) {
  return Resolver(job, runtime, capabilities, diagnostics).resolve();
}

}  // namespace viaduct::bridge
