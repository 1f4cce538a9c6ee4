#include "model/job_record.h"

#include <catch2/catch.hpp>

#include "base/error.h"
#include "base/json.h"

using namespace viaduct;
using namespace viaduct::model;

namespace {

JobRecord full_record() {
  JobRecord record;
  record.name = "a";
  record.name_space = "space";
  record.uid = "u";
  record.backend = "local";
  record.runtime = "r";
  record.nodes = 2;
  record.ranks = 8;
  record.phase = Phase::stopping;
  record.stop_cause = StopCause::deadline;
  record.ranks_up = true;
  record.attempt = 3;
  record.restarts = 2;
  record.reason = "Why";
  record.message = "what\nhappened";
  record.hint = "do this";
  record.exit_code = 3;
  record.failure = FailedRank{1, "node02", 3, 0, {"last", ""}};
  record.submit_directory = "/home/u";
  record.created = {1'000'500};
  record.started = Timestamp{2'000'250};
  record.ended = Timestamp{3'000'000};
  record.supervisor = {"host", "boot", "pid:[7]", 12, 34};
  record.launcher = {"host", "boot", "", 13, 35};
  record.conditions = {{"Suspended", false, "Resumed", "TrainJob is resumed", {2'000'000}}};
  record.jobs_status = {{"node", 1, 0, 0, 1, 0}, {"launcher", 0, 1, 2, 3, 4}};
  return record;
}

JobRecord least_record() {
  JobRecord record;
  record.name = "a";
  record.uid = "u";
  record.backend = "local";
  return record;
}

JobRecord read(const std::string& json) { return read_job_record(read_json_document("record.json", json)); }

std::string message_of(const std::string& json) {
  try {
    read(json);
  } catch (const Error& e) {
    return e.what();
  }
  return "";
}

}  // namespace

TEST_CASE("job record: what is written reads back the same") {
  for (const auto& record : {full_record(), least_record()}) {
    const std::string json = write_json(to_value(record));
    const JobRecord back = read(json);
    CHECK(write_json(to_value(back)) == json);
    CHECK(back.created == record.created);
    CHECK(back.supervisor == record.supervisor);
    CHECK(back.launcher == record.launcher);
    CHECK(back.phase == record.phase);
    CHECK(back.stop_cause == record.stop_cause);
    CHECK(back.exit_code == record.exit_code);
    CHECK(back.conditions.size() == record.conditions.size());
    CHECK(back.jobs_status.size() == record.jobs_status.size());
  }
}

TEST_CASE("job record: every phase has a name that reads back, and four are final") {
  int final_phases = 0;
  for (const auto phase : {Phase::created, Phase::running, Phase::stopping, Phase::suspended, Phase::succeeded,
                           Phase::failed, Phase::cancelled, Phase::lost}) {
    JobRecord record = full_record();
    record.phase = phase;
    CHECK(read(write_json(to_value(record))).phase == phase);
    CHECK_FALSE(to_string(phase).empty());
    final_phases += is_final(phase) ? 1 : 0;
  }
  CHECK(final_phases == 4);
  CHECK_FALSE(is_final(Phase::suspended));
}

TEST_CASE("job record: a rank ended by a signal keeps the signal, not a code") {
  JobRecord record = full_record();
  record.failure = FailedRank{std::nullopt, "", 0, 9, {}};
  const JobRecord back = read(write_json(to_value(record)));
  REQUIRE(back.failure);
  CHECK(back.failure->signal == 9);
  CHECK_FALSE(back.failure->rank);
  CHECK(describe(*back.failure) == "a rank was ended by signal 9 (Killed)");
  CHECK(describe(FailedRank{1, "node02", 3, 0, {}}) == "rank 1 on node02 exited with code 3");
}

TEST_CASE("job record: a damaged record says where and what") {
  CHECK_THAT(message_of("{}"), Catch::Contains("damaged, or of another version of Viaduct") &&
                                   Catch::Contains("record.json") && Catch::Contains("/name: required") &&
                                   Catch::Contains("/uid: required") && Catch::Contains("/phase: required") &&
                                   Catch::Contains("/created: required"));
  Value tree = to_value(full_record());
  tree.set("phase", "Sleeping");
  tree.set("started", "yesterday");
  tree.set("nodes", 0);
  tree.set("extra", 1);
  CHECK_THAT(message_of(write_json(tree)),
             Catch::Contains("/phase: unknown value \"Sleeping\"") && Catch::Contains("/started: ") &&
                 Catch::Contains("/nodes: must be 1 or more, not 0") && Catch::Contains("/extra: unknown field"));
}

TEST_CASE("job record: a condition keeps its time until its status changes") {
  JobRecord record;
  set_condition(record, "Suspended", true, "Suspended", "TrainJob is suspended", {1000});
  set_condition(record, "Suspended", true, "Suspended", "again", {2000});
  REQUIRE(record.conditions.size() == 1);
  CHECK(record.conditions[0].last_transition == Timestamp{1000});
  CHECK(record.conditions[0].message == "again");
  set_condition(record, "Suspended", false, "Resumed", "TrainJob is resumed", {3000});
  CHECK(find_condition(record, "Suspended")->last_transition == Timestamp{3000});
  set_condition(record, "Complete", true, "AllJobsCompleted", "", {4000});
  CHECK(record.conditions.back().type == "Complete");
  CHECK(find_condition(record, "Failed") == nullptr);
}

TEST_CASE("job record: the status is written as Kubeflow Trainer writes it") {
  CHECK(
      write_json(trainjob_status(full_record()), 0) ==
      R"({"conditions":[{"type":"Suspended","status":"False","reason":"Resumed","message":"TrainJob is resumed",)"
      R"("lastTransitionTime":"1970-01-01T00:33:20Z"}],"jobsStatus":[{"name":"node","ready":1,"succeeded":0,"failed":0,)"
      R"("active":1,"suspended":0},{"name":"launcher","ready":0,"succeeded":1,"failed":2,"active":3,"suspended":4}]})");
  CHECK(write_json(trainjob_status(JobRecord()), 0) == "{}");
}
