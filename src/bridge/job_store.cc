#include "bridge/job_store.h"

#include <algorithm>
#include <atomic>
#include <chrono>

#include "base/error.h"
#include "base/files.h"
#include "base/json.h"
#include "base/text.h"
#include "base/yaml.h"

namespace fs = std::filesystem;

namespace viaduct::bridge {

static constexpr mode_t private_directory = 0700;
static constexpr mode_t private_file = 0600;

// Directories of jobs that were being made or removed when their process was killed.
static void sweep_leftovers(const fs::path& jobs) {
  constexpr auto old_enough = std::chrono::hours(1);
  for (const auto& name : list_directory(jobs)) {
    if (!name.starts_with(".new-") && !name.starts_with(".old-")) continue;
    std::error_code error;
    const auto changed = fs::last_write_time(jobs / name, error);
    if (!error && fs::file_time_type::clock::now() - changed > old_enough) fs::remove_all(jobs / name, error);
  }
}

fs::path JobStore::log_file(const std::string& name, int attempt) const {
  return directory(name) / "logs" / str(attempt, ".log");
}

fs::path JobStore::attempt_directory(const std::string& name, int attempt) const {
  return directory(name) / "attempts" / std::to_string(attempt);
}

static Error name_taken(const std::string& name) {
  return Error(
      str("there is a job named \"", name, "\" already"), ExitCode::conflict,
      str("`viaduct status ", name, "` shows it; `viaduct delete ", name,
          "` removes it; `viaduct run --replace` does so for one that has ended; or choose another metadata.name"));
}

void JobStore::create(const model::JobRecord& record, const model::TrainJob& job, const model::Runtime& runtime,
                      const model::RunPlan& plan, const std::string& hosts) const {
  const fs::path target = directory(record.name);
  // The job is built aside and moved to its name in one step, so that nobody ever sees half a job. rename() replaces an
  // empty directory only; a job's directory is never empty.
  const fs::path building = home_ / "jobs" / str(".new-", record.name, "-", record.uid);
  try {
    create_directories(home_ / "jobs", private_directory);
    sweep_leftovers(home_ / "jobs");
    create_directory_exclusively(building, private_directory);
  } catch (const Error& e) {
    throw Error(str("can't keep jobs in ", home_.string(), ": ", e.what()), ExitCode::missing_on_host,
                "set VIADUCT_HOME to a directory you may write");
  }
  try {
    if (exists(record.name)) throw name_taken(record.name);
    for (const auto* part : {"logs", "attempts"}) create_directory_exclusively(building / part, private_directory);
    const auto write = [&](const char* name, const std::string& content) {
      create_file_exclusively(building / name, content, private_file);
    };
    write("trainjob.yaml", write_yaml(job.document.root));
    write("runtime.yaml", write_yaml(runtime.document.root));
    write("plan.json", write_json(to_value(plan)) + "\n");
    if (!hosts.empty()) write("hosts", hosts);
    if (plan.suspend) write("request.suspend", "");
    write("record.json", write_json(to_value(record)) + "\n");
    std::error_code error;
    fs::rename(building, target, error);
    if (error && exists(record.name)) throw name_taken(record.name);  // it was created this very moment
    if (error) throw Error(str("can't create ", target.string(), ": ", error.message()), ExitCode::missing_on_host);
  } catch (...) {
    std::error_code ignored;
    fs::remove_all(building, ignored);
    throw;
  }
}

void JobStore::remove(const std::string& name) const {
  // Renamed first, so that a reader sees the whole job or none of it.
  const fs::path doomed =
      home_ / "jobs" / str(".old-", name, "-", host_name(), "-", identify_self().pid, "-", identify_self().start_ticks);
  std::error_code error;
  fs::rename(directory(name), doomed, error);
  if (error) throw Error(str("can't remove ", directory(name).string(), ": ", error.message()));
  remove_tree(doomed);
}

bool JobStore::exists(const std::string& name) const {
  std::error_code error;
  return !name.empty() && name.find('/') == std::string::npos && !name.starts_with(".") &&
         fs::exists(directory(name) / "record.json", error);
}

std::vector<std::string> JobStore::names() const {
  std::vector<std::string> names = list_directory(home_ / "jobs");
  std::erase_if(names, [&](const std::string& name) { return !exists(name); });
  return names;
}

model::JobRecord JobStore::load(const std::string& name) const {
  if (!exists(name)) {
    const auto known = names();
    const auto near = nearest(name, known);
    throw Error(str("there is no job named \"", name, "\""), ExitCode::not_found,
                near ? str("did you mean ", *near, "?") : std::string("`viaduct list` shows the jobs there are"));
  }
  const fs::path file = directory(name) / "record.json";
  return model::read_job_record(read_json_document(file.string(), read_file(file)));
}

model::RunPlan JobStore::load_plan(const std::string& name) const {
  return model::read_run_plan(read_json_document(plan_file(name).string(), read_file(plan_file(name))));
}

Value JobStore::load_trainjob(const std::string& name) const {
  const fs::path file = directory(name) / "trainjob.yaml";
  Diagnostics diagnostics;
  auto documents = parse_yaml(std::make_shared<const Source>(Source{file.string(), read_file(file)}), diagnostics);
  if (diagnostics.has_errors() || documents.size() != 1)
    throw Error(str(file.string(), " is damaged:\n", diagnostics.render(false)));
  return std::move(documents.front().root);
}

void JobStore::save(const model::JobRecord& record) const {
  write_file_atomically(directory(record.name) / "record.json", write_json(to_value(record)) + "\n", private_file);
}

// Each wish is a file of its own that is only ever created or removed, so that two commands at once lose nothing.
Requests JobStore::load_requests(const std::string& name) const {
  std::error_code error;
  Requests requests;
  requests.suspend = fs::exists(directory(name) / "request.suspend", error);
  requests.cancel = fs::exists(directory(name) / "request.cancel", error);
  return requests;
}

void JobStore::request_cancel(const std::string& name) const {
  create_file_exclusively(directory(name) / "request.cancel", "", private_file);
}

void JobStore::request_suspend(const std::string& name, bool suspend) const {
  const fs::path file = directory(name) / "request.suspend";
  std::error_code ignored;
  if (suspend) {
    create_file_exclusively(file, "", private_file);
  } else {
    fs::remove(file, ignored);
  }
}

bool JobStore::claim_attempt(const std::string& name, int attempt, const ProcessIdentity& owner) const {
  // Built aside and renamed, so that a claim always tells its owner.
  static std::atomic<unsigned> serial{0};
  const fs::path building =
      directory(name) / "attempts" /
      str(".new-", attempt, "-", owner.host, "-", owner.pid, "-", owner.start_ticks, "-", serial++);
  create_directory_exclusively(building, private_directory);
  create_directory_exclusively(building / "exit", private_directory);
  create_file_exclusively(building / "owner.json", write_json(model::to_value(owner)) + "\n", private_file);
  std::error_code error;
  fs::rename(building, attempt_directory(name, attempt), error);
  if (!error) return true;
  std::error_code ignored;
  fs::remove_all(building, ignored);
  if (fs::exists(attempt_directory(name, attempt))) return false;
  throw Error(str("can't create ", attempt_directory(name, attempt).string(), ": ", error.message()));
}

bool JobStore::attempt_is_abandoned(const std::string& name, int attempt) const {
  const fs::path file = attempt_directory(name, attempt) / "owner.json";
  const auto text = read_file_if_exists(file);
  return text && liveness(model::read_identity(read_json_document(file.string(), *text))) == Liveness::gone;
}

}  // namespace viaduct::bridge
