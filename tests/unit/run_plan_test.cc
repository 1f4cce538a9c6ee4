#include "model/run_plan.h"

#include <catch2/catch.hpp>

#include "base/error.h"
#include "base/json.h"

using namespace viaduct;
using model::RunPlan;

namespace {

RunPlan full_plan() {
  RunPlan plan;
  plan.job = "a";
  plan.name_space = "space";
  plan.runtime_kind = "TrainingRuntime";
  plan.runtime_name = "r";
  plan.framework = "deepspeed";
  plan.backend = "local";
  plan.policy = model::PolicyKind::mpi;
  plan.mpi = model::MpiImplementation::mpich;
  plan.nodes = 3;
  plan.slots_per_node = 4;
  plan.launcher_is_node = true;
  plan.resources = {1500, 1 << 30, 4, "nvidia.com/gpu", {{"hugepages-2Mi", "4Mi"}}};
  plan.launch = model::LaunchStyle::own_launcher;
  plan.command = {"mpirun", "a b", ""};
  plan.working_directory = "/w";
  plan.environment = {{"Z", "1"}, {"A", "line\nline"}, {"E", ""}};
  plan.binding = "none";
  plan.image = "im:1";
  plan.volumes = {{"v", "/v", true, Value::mapping()}, {"w", "/w", false, Value()}};
  plan.initializers = {{"dataset", "im", "s3://b", {{"STORAGE", "x"}}, "secret"}};
  plan.deadline_seconds = 60;
  plan.max_restarts = 2;
  plan.grace_seconds = 5;
  plan.suspend = true;
  plan.losses = {{"TrainJob.spec.trainer.image", "why"}};
  return plan;
}

RunPlan read(const std::string& json) { return model::read_run_plan(read_json_document("plan.json", json)); }

std::string message_of(const std::string& json) {
  try {
    read(json);
  } catch (const Error& e) {
    CHECK(e.code() == ExitCode::bad_input);
    return e.what();
  }
  return "";
}

// A plan's JSON with one member changed.
std::string changed(const std::string& key, const Value& value) {
  Value tree = model::to_value(full_plan());
  tree.set(key, value);
  return write_json(tree);
}

}  // namespace

TEST_CASE("run plan: what is written reads back the same") {
  for (const auto& plan : {full_plan(), [] {
                             RunPlan least;
                             least.job = "a";
                             least.runtime_kind = "ClusterTrainingRuntime";
                             least.runtime_name = "r";
                             least.backend = "local";
                             least.command = {"x"};
                             return least;
                           }()}) {
    const std::string json = write_json(model::to_value(plan));
    const RunPlan back = read(json);
    CHECK(write_json(model::to_value(back)) == json);
    CHECK(back.environment == plan.environment);
    CHECK(back.command == plan.command);
    CHECK(back.launch == plan.launch);
    CHECK(back.mpi == plan.mpi);
    CHECK(back.policy == plan.policy);
    CHECK(back.resources.cpu_milli == plan.resources.cpu_milli);
    CHECK(back.deadline_seconds == plan.deadline_seconds);
    CHECK(back.grace_seconds == plan.grace_seconds);
    CHECK(back.suspend == plan.suspend);
  }
}

TEST_CASE("run plan: ranks are nodes times slots, without overflow") {
  RunPlan plan;
  plan.nodes = 2'000'000;
  plan.slots_per_node = 2'000'000;
  CHECK(plan.ranks() == 4'000'000'000'000);
}

TEST_CASE("run plan: a damaged plan is refused with every mistake in it") {
  CHECK_THAT(message_of("{}"),
             Catch::Contains("/kind: required, but missing") && Catch::Contains("/job: required, but missing") &&
                 Catch::Contains("/nodes: required, but missing") && Catch::Contains("/command: must not be empty"));
  CHECK_THAT(message_of(changed("kind", "Pod")), Catch::Contains("/kind: must be RunPlan"));
  CHECK_THAT(message_of(changed("nodes", 0)), Catch::Contains("/nodes: must be 1 or more, not 0"));
  CHECK_THAT(message_of(changed("nodes", 1'000'000'000)), Catch::Contains("/nodes: too many ranks: 4000000000"));
  CHECK_THAT(message_of(changed("command", Value::sequence())), Catch::Contains("/command: must not be empty"));
  CHECK_THAT(message_of(changed("policy", "torch")), Catch::Contains("/policy: must be mpi or none"));
  CHECK_THAT(message_of(changed("binding", "gpu")), Catch::Contains("/binding: must be cpu or none"));
  CHECK_THAT(message_of(changed("launch", "fork")), Catch::Contains("/launch: must be wrapped or ownLauncher"));
  CHECK_THAT(message_of(changed("mpiImplementation", "LAM")), Catch::Contains("must be OpenMPI, Intel or MPICH"));
  CHECK_THAT(message_of(changed("graceSeconds", std::int64_t{31'536'001})), Catch::Contains("/graceSeconds: must be"));
  CHECK_THAT(message_of(changed("slots", 3)), Catch::Contains("/slots: unknown field"));
}
