#include "model/run_plan.h"

#include "base/error.h"
#include "base/reader.h"
#include "base/text.h"

namespace viaduct::model {
namespace {

using Pairs = std::vector<std::pair<std::string, std::string>>;

constexpr std::string_view plan_version = "viaduct.dev/v1alpha1";

// Environments keep their order, so they are lists of name and value as in Kubernetes.
Value env_to_value(const Pairs& env) {
  Value list = Value::sequence();
  for (const auto& [name, value] : env) {
    Value entry = Value::mapping();
    entry.set("name", name);
    entry.set("value", value);
    list.push(std::move(entry));
  }
  return list;
}

Pairs env_from(ObjectReader& object, std::string_view key) {
  Pairs env;
  for (auto& variable : read_env(object, key, 1'000'000))
    env.emplace_back(std::move(variable.name), std::move(variable.value));
  return env;
}

Value resources_to_value(const NodeResources& resources) {
  Value out = Value::mapping();
  if (resources.cpu_milli) out.set("cpuMilli", *resources.cpu_milli);
  if (resources.memory_bytes) out.set("memoryBytes", *resources.memory_bytes);
  out.set("gpus", resources.gpus);
  if (!resources.gpu_resource.empty()) out.set("gpuResource", resources.gpu_resource);
  Value other = Value::mapping();
  for (const auto& [name, quantity] : resources.other) other.set(name, quantity);
  if (!resources.other.empty()) out.set("other", std::move(other));
  return out;
}

NodeResources read_node_resources(ObjectReader& reader) {
  NodeResources resources;
  resources.cpu_milli = reader.integer("cpuMilli", 0);
  resources.memory_bytes = reader.integer("memoryBytes", 0);
  resources.gpus = reader.integer("gpus", 0).value_or(0);
  resources.gpu_resource = reader.string("gpuResource").value_or("");
  resources.other = reader.string_map("other");
  return resources;
}

Value volumes_to_value(const std::vector<VolumeMount>& volumes) {
  Value list = Value::sequence();
  for (const auto& volume : volumes) {
    Value entry = Value::mapping();
    entry.set("name", volume.name);
    entry.set("mountPath", volume.mount_path);
    entry.set("readOnly", volume.read_only);
    entry.set("source", volume.source);
    list.push(std::move(entry));
  }
  return list;
}

Value initializers_to_value(const std::vector<InitializerStep>& steps) {
  Value list = Value::sequence();
  for (const auto& step : steps) {
    Value entry = Value::mapping();
    entry.set("name", step.name);
    entry.set("image", step.image);
    entry.set("storageUri", step.storage_uri);
    entry.set("env", env_to_value(step.env));
    if (!step.secret_name.empty()) entry.set("secretName", step.secret_name);
    list.push(std::move(entry));
  }
  return list;
}

Value remote_to_value(const RemotePolicy& remote) {
  const auto ports = [](const PortRange& range) {
    Value out = Value::mapping();
    out.set("first", range.first);
    out.set("last", range.last);
    return out;
  };
  Value out = Value::mapping();
  out.set("readySeconds", remote.ready_seconds);
  out.set("treeSpawnAbove", remote.tree_spawn_above);
  if (remote.daemon_ports) out.set("daemonPorts", ports(*remote.daemon_ports));
  if (remote.mpi_ports) out.set("mpiPorts", ports(*remote.mpi_ports));
  return out;
}

std::optional<PortRange> read_ports(ObjectReader& reader, std::string_view key) {
  std::optional<PortRange> ports;
  reader.object(key, [&](ObjectReader& range) {
    constexpr std::int32_t highest = 65535;
    ports.emplace();
    ports->first = range.int32("first", 1, "", highest).value_or(1);
    ports->last = range.int32("last", ports->first, "", highest).value_or(highest);
  });
  return ports;
}

RemotePolicy read_remote(ObjectReader& reader) {
  RemotePolicy remote;
  remote.ready_seconds = reader.int32("readySeconds", 1, "", longest_ready_seconds).value_or(remote.ready_seconds);
  remote.tree_spawn_above = reader.int32("treeSpawnAbove", 0).value_or(remote.tree_spawn_above);
  remote.daemon_ports = read_ports(reader, "daemonPorts");
  remote.mpi_ports = read_ports(reader, "mpiPorts");
  return remote;
}

Value losses_to_value(const std::vector<Loss>& losses) {
  Value list = Value::sequence();
  for (const auto& loss : losses) {
    Value entry = Value::mapping();
    entry.set("path", loss.path);
    entry.set("reason", loss.reason);
    list.push(std::move(entry));
  }
  return list;
}

RunPlan read_fields(ObjectReader& reader) {
  RunPlan plan;
  reader.ignore("apiVersion");
  if (reader.required_string("kind") != "RunPlan") reader.error("kind", "must be RunPlan");
  plan.job = reader.required_string("job");
  plan.name_space = reader.string("namespace").value_or("");
  reader.object("runtime", [&](ObjectReader& runtime) {
    plan.runtime_kind = runtime.required_string("kind");
    plan.runtime_name = runtime.required_string("name");
    plan.framework = runtime.string("framework").value_or("");
  });
  plan.backend = reader.required_string("backend");
  const std::string policy = reader.required_string("policy");
  if (policy != to_string(PolicyKind::mpi) && policy != to_string(PolicyKind::none))
    reader.error("policy", "must be mpi or none");
  plan.policy = policy == to_string(PolicyKind::mpi) ? PolicyKind::mpi : PolicyKind::none;
  const auto implementation = parse_mpi_implementation(reader.required_string("mpiImplementation"));
  if (!implementation) reader.error("mpiImplementation", "must be OpenMPI, Intel or MPICH");
  plan.mpi = implementation.value_or(MpiImplementation::open_mpi);
  for (const auto* key : {"nodes", "slotsPerNode"}) reader.required(key);
  plan.nodes = reader.int32("nodes", 1).value_or(1);
  plan.slots_per_node = reader.int32("slotsPerNode", 1).value_or(1);
  if (plan.ranks() > most_ranks) reader.error("nodes", str("too many ranks: ", plan.ranks()));
  plan.launcher_is_node = reader.boolean("launcherIsNode").value_or(false);
  reader.object("resourcesPerNode", [&](ObjectReader& resources) { plan.resources = read_node_resources(resources); });
  const std::string launch = reader.required_string("launch");
  if (launch != "wrapped" && launch != "ownLauncher") reader.error("launch", "must be wrapped or ownLauncher");
  plan.launch = launch == "ownLauncher" ? LaunchStyle::own_launcher : LaunchStyle::wrapped;
  plan.command = reader.strings("command").value_or(std::vector<std::string>());
  if (plan.command.empty()) reader.error("command", "must not be empty");
  plan.working_directory = reader.string("workingDirectory").value_or("");
  plan.environment = env_from(reader, "environment");
  plan.binding = reader.required_string("binding");
  if (plan.binding != "cpu" && plan.binding != "none") reader.error("binding", "must be cpu or none");
  reader.object("remote", [&](ObjectReader& remote) { plan.remote = read_remote(remote); });
  plan.image = reader.string("image").value_or("");
  reader.objects("volumes", [&](ObjectReader& volume) {
    VolumeMount mount;
    mount.name = volume.required_string("name");
    mount.mount_path = volume.required_string("mountPath");
    mount.read_only = volume.boolean("readOnly").value_or(false);
    if (const Value* source = volume.any("source")) mount.source = *source;
    plan.volumes.push_back(std::move(mount));
  });
  reader.objects("initializers", [&](ObjectReader& step) {
    InitializerStep initializer;
    initializer.name = step.required_string("name");
    initializer.image = step.string("image").value_or("");
    initializer.storage_uri = step.string("storageUri").value_or("");
    initializer.env = env_from(step, "env");
    initializer.secret_name = step.string("secretName").value_or("");
    plan.initializers.push_back(std::move(initializer));
  });
  plan.deadline_seconds = reader.integer("deadlineSeconds", 1);
  plan.max_restarts = reader.int32("maxRestarts", 0).value_or(0);
  plan.grace_seconds = reader.integer("graceSeconds", 0, longest_grace_seconds).value_or(plan.grace_seconds);
  plan.suspend = reader.boolean("suspend").value_or(false);
  reader.objects("losses", [&](ObjectReader& loss) {
    std::string path = loss.required_string("path");
    plan.losses.push_back({std::move(path), loss.required_string("reason")});
  });
  reader.done();
  return plan;
}

}  // namespace

Value to_value(const RunPlan& plan) {
  Value out = Value::mapping();
  out.set("apiVersion", std::string(plan_version));
  out.set("kind", "RunPlan");
  out.set("job", plan.job);
  if (!plan.name_space.empty()) out.set("namespace", plan.name_space);
  Value runtime = Value::mapping();
  runtime.set("kind", plan.runtime_kind);
  runtime.set("name", plan.runtime_name);
  if (!plan.framework.empty()) runtime.set("framework", plan.framework);
  out.set("runtime", std::move(runtime));
  out.set("backend", plan.backend);
  out.set("policy", std::string(to_string(plan.policy)));
  out.set("mpiImplementation", std::string(to_string(plan.mpi)));
  out.set("nodes", plan.nodes);
  out.set("slotsPerNode", plan.slots_per_node);
  out.set("launcherIsNode", plan.launcher_is_node);
  out.set("resourcesPerNode", resources_to_value(plan.resources));
  out.set("launch", plan.launch == LaunchStyle::wrapped ? "wrapped" : "ownLauncher");
  out.set("command", Value::strings(plan.command));
  if (!plan.working_directory.empty()) out.set("workingDirectory", plan.working_directory);
  out.set("environment", env_to_value(plan.environment));
  out.set("binding", plan.binding);
  out.set("remote", remote_to_value(plan.remote));
  if (!plan.image.empty()) out.set("image", plan.image);
  out.set("volumes", volumes_to_value(plan.volumes));
  out.set("initializers", initializers_to_value(plan.initializers));
  if (plan.deadline_seconds) out.set("deadlineSeconds", *plan.deadline_seconds);
  out.set("maxRestarts", plan.max_restarts);
  out.set("graceSeconds", plan.grace_seconds);
  out.set("suspend", plan.suspend);
  out.set("losses", losses_to_value(plan.losses));
  return out;
}

RunPlan read_run_plan(const Document& document) {
  Diagnostics diagnostics;
  ReadContext context(document.source, diagnostics, ReadContext::PathStyle::pointer);
  ObjectReader reader(document.root, context, "");
  RunPlan plan = read_fields(reader);
  if (diagnostics.has_errors())
    throw Error(str("not a plan Viaduct can run:\n", diagnostics.render(false)), ExitCode::bad_input);
  return plan;
}

}  // namespace viaduct::model
