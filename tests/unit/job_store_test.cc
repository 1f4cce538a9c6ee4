#include "bridge/job_store.h"

#include <sys/stat.h>

#include <atomic>
#include <catch2/catch.hpp>
#include <functional>
#include <thread>

#include "base/error.h"
#include "base/files.h"
#include "base/json.h"
#include "bridge/local_backend.h"
#include "unit/objects.h"
#include "unit/scratch.h"

namespace fs = std::filesystem;
using namespace viaduct;
using namespace viaduct::test;
using bridge::JobStore;

namespace {

struct Job {
  model::JobRecord record;
  model::TrainJob job;
  model::Runtime runtime;
  model::RunPlan plan;
};

Job job_named(const std::string& name, const std::string& uid = "u", bool suspend = false) {
  Diagnostics diagnostics;
  Job made;
  made.job = trainjob("apiVersion: trainer.kubeflow.org/v1alpha1\nkind: TrainJob\nmetadata: {name: " + name +
                          "}\nspec:\n  runtimeRef: {name: r}\n  suspend: " + (suspend ? "true" : "false") +
                          "\n  trainer: {command: [x]}\n",
                      diagnostics);
  made.runtime = runtime(
      "apiVersion: trainer.kubeflow.org/v1alpha1\nkind: ClusterTrainingRuntime\nmetadata: {name: r}\n"
      "spec: {template: {}}\n",
      diagnostics);
  made.plan = bridge::resolve(made.job, made.runtime, bridge::local_capabilities(), diagnostics).value();
  made.record.name = name;
  made.record.uid = uid;
  made.record.backend = "local";
  made.record.created = {1000};
  REQUIRE(places(diagnostics) == Lines{});
  return made;
}

void create(const JobStore& store, const Job& job) { store.create(job.record, job.job, job.runtime, job.plan); }

Error error_of(const std::function<void()>& act) {
  try {
    act();
  } catch (const Error& e) {
    return e;
  }
  FAIL("no Error was thrown");
  return Error("");
}

mode_t mode_of(const fs::path& path) {
  struct stat status {};
  REQUIRE(::stat(path.c_str(), &status) == 0);
  return status.st_mode & 07777;
}

}  // namespace

TEST_CASE("job store: what is created can be loaded again") {
  const Scratch scratch;
  const JobStore store(scratch / "home");
  const Job job = job_named("a");
  create(store, job);
  CHECK(store.exists("a"));
  CHECK(store.names() == Lines{"a"});
  CHECK(write_json(to_value(store.load("a"))) == write_json(to_value(job.record)));
  CHECK(write_json(to_value(store.load_plan("a"))) == write_json(to_value(job.plan)));
  CHECK(write_json(store.load_trainjob("a")) == write_json(job.job.document.root));
  CHECK_FALSE(store.load_requests("a").suspend);
  CHECK_FALSE(store.load_requests("a").cancel);
  CHECK(fs::is_directory(store.log_file("a", 1).parent_path()));
}

TEST_CASE("job store: a job is its owner's alone") {
  const Scratch scratch;
  const JobStore store(scratch / "home");
  create(store, job_named("a", "u", true));
  CHECK(mode_of(scratch / "home/jobs") == 0700);
  CHECK(mode_of(store.directory("a")) == 0700);
  for (const auto* file : {"record.json", "plan.json", "trainjob.yaml", "runtime.yaml", "request.suspend"})
    CHECK(mode_of(store.directory("a") / file) == 0600);
}

TEST_CASE("job store: a job that is to begin suspended has that as its request") {
  const Scratch scratch;
  const JobStore store(scratch / "home");
  create(store, job_named("a", "u", true));
  CHECK(store.load_requests("a").suspend);
  CHECK_FALSE(store.load_requests("a").cancel);
  store.request_cancel("a");
  store.request_cancel("a");
  store.request_suspend("a", false);
  CHECK_FALSE(store.load_requests("a").suspend);
  CHECK(store.load_requests("a").cancel);
}

TEST_CASE("job store: a taken name is a conflict with a way out, and nothing is left behind") {
  const Scratch scratch;
  const JobStore store(scratch / "home");
  create(store, job_named("a", "first"));
  const Error error = error_of([&] { create(store, job_named("a", "second")); });
  CHECK(error.code() == ExitCode::conflict);
  CHECK(std::string(error.what()) == "there is a job named \"a\" already");
  CHECK_THAT(error.hint(), Catch::Contains("`viaduct status a`") && Catch::Contains("`viaduct delete a`"));
  CHECK(list_directory(scratch / "home/jobs") == Lines{"a"});
  CHECK(store.load("a").uid == "first");
}

TEST_CASE("job store: a home that can't be written says so, and nothing is left behind") {
  const Scratch scratch;
  write_file_atomically(scratch / "file", "");
  for (const auto& home : {scratch / "file", scratch / "file/below", fs::path("/proc/viaduct")}) {
    const Error error = error_of([&] { create(JobStore(home), job_named("a")); });
    CHECK(error.code() == ExitCode::missing_on_host);
    CHECK_THAT(error.what(), Catch::StartsWith("can't keep jobs in " + home.string() + ": "));
    CHECK(error.hint() == "set VIADUCT_HOME to a directory you may write");
  }
  CHECK(list_directory(scratch.path()) == Lines{"file"});
}

TEST_CASE("job store: what is in the way of a name and no job is not overwritten, and nothing is left behind") {
  const Scratch scratch;
  const JobStore store(scratch / "home");
  fs::create_directories(store.directory("a"));
  write_file_atomically(store.directory("a") / "something", "");
  CHECK_THAT(error_of([&] { create(store, job_named("a")); }).what(),
             Catch::StartsWith("can't create " + store.directory("a").string()));
  CHECK(list_directory(scratch / "home/jobs") == Lines{"a"});
  CHECK(list_directory(store.directory("a")) == Lines{"something"});
}

TEST_CASE("job store: half-made jobs and strange files are no jobs") {
  const Scratch scratch;
  const JobStore store(scratch / "home");
  create(store, job_named("b"));
  create(store, job_named("a"));
  fs::create_directory(store.directory("empty"));
  fs::create_directory(store.directory(".new-x-u"));
  write_file_atomically(store.directory(".new-x-u") / "record.json", "{}");
  write_file_atomically(store.directory("file"), "");
  CHECK(store.names() == Lines{"a", "b"});
  CHECK_FALSE(store.exists("empty"));
  CHECK_FALSE(store.exists(".new-x-u"));
  create(store, job_named("empty"));  // an empty directory is nobody's
  CHECK(store.exists("empty"));
}

TEST_CASE("job store: names that are no names are not there") {
  const Scratch scratch;
  const JobStore store(scratch / "home");
  create(store, job_named("a"));
  for (const auto& name : Lines{"", ".", "..", "../jobs/a", "a/", "/", std::string(5000, 'x')})
    CHECK_FALSE(store.exists(name));
}

TEST_CASE("job store: an unknown name names the nearest") {
  const Scratch scratch;
  const JobStore store(scratch / "home");
  CHECK(store.names().empty());
  create(store, job_named("finetune"));
  const Error typo = error_of([&] { store.load("finetun"); });
  CHECK(typo.code() == ExitCode::not_found);
  CHECK(std::string(typo.what()) == "there is no job named \"finetun\"");
  CHECK(typo.hint() == "did you mean finetune?");
  CHECK(error_of([&] { store.load("other"); }).hint() == "`viaduct list` shows the jobs there are");
}

TEST_CASE("job store: a damaged file is an error that names it") {
  const Scratch scratch;
  const JobStore store(scratch / "home");
  create(store, job_named("a"));
  const auto damaged = [&](const char* file, const std::string& content, const std::function<void()>& load) {
    write_file_atomically(store.directory("a") / file, content);
    const Error error = error_of(load);
    CHECK_THAT(error.what(), Catch::Contains((store.directory("a") / file).string()));
  };
  for (const auto* content : {"", "{\"name\": \"a\"", "[]", "{}", "{\"name\": 3}"}) {
    damaged("record.json", content, [&] { store.load("a"); });
    damaged("plan.json", content, [&] { store.load_plan("a"); });
  }
  damaged("trainjob.yaml", "a: [", [&] { store.load_trainjob("a"); });
  damaged("trainjob.yaml", "", [&] { store.load_trainjob("a"); });
}

TEST_CASE("job store: a record is replaced as a whole, and removing takes everything") {
  const Scratch scratch;
  const JobStore store(scratch / "home");
  Job job = job_named("a");
  create(store, job);
  job.record.phase = model::Phase::running;
  store.save(job.record);
  CHECK(store.load("a").phase == model::Phase::running);
  CHECK(list_directory(store.directory("a")) ==
        Lines{"attempts", "logs", "plan.json", "record.json", "runtime.yaml", "trainjob.yaml"});
  store.remove("a");
  CHECK_FALSE(store.exists("a"));
  CHECK(list_directory(scratch / "home/jobs") == Lines{});
  CHECK_THAT(error_of([&] { store.remove("a"); }).what(), Catch::StartsWith("can't remove "));
}

TEST_CASE("job store: of two that create a job at once, exactly one does") {
  const Scratch scratch;
  const JobStore store(scratch / "home");
  for (int round = 0; round < 20; ++round) {
    const std::string name = "job" + std::to_string(round);
    std::atomic<int> waiting{2};
    std::atomic<int> created{0};
    std::atomic<int> conflicts{0};
    const auto contend = [&](const Job& job) {
      --waiting;
      while (waiting > 0) std::this_thread::yield();
      try {
        create(store, job);
        ++created;
      } catch (const Error& e) {
        conflicts += e.code() == ExitCode::conflict ? 1 : 0;
      }
    };
    const Job one = job_named(name, "one");
    const Job two = job_named(name, "two");
    std::thread other([&] { contend(two); });
    contend(one);
    other.join();
    CHECK(created == 1);
    CHECK(conflicts == 1);
  }
  CHECK(list_directory(scratch / "home/jobs").size() == 20);
}

TEST_CASE("job store: an attempt is claimed once, by one of all that want it") {
  const Scratch scratch;
  const JobStore store(scratch / "home");
  create(store, job_named("a"));
  for (int attempt = 1; attempt <= 50; ++attempt) {
    std::atomic<int> waiting{2};
    std::atomic<int> claimed{0};
    const auto contend = [&] {
      --waiting;
      while (waiting > 0) std::this_thread::yield();
      claimed += store.claim_attempt("a", attempt, identify_self()) ? 1 : 0;
    };
    std::thread other(contend);
    contend();
    other.join();
    CHECK(claimed == 1);
    CHECK_FALSE(JobStore(scratch / "home").claim_attempt("a", attempt, identify_self()));
    CHECK(fs::is_directory(store.attempt_directory("a", attempt) / "exit"));
  }
  CHECK_FALSE(store.attempt_is_abandoned("a", 1));
  ProcessIdentity gone = identify_self();
  gone.start_ticks += 1;
  CHECK(store.claim_attempt("a", 51, gone));
  CHECK(store.attempt_is_abandoned("a", 51));
  CHECK_THROWS_AS(store.claim_attempt("nobody", 1, identify_self()), Error);
}
