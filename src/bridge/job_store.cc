#include "bridge/job_store.h"

#include <algorithm>

#include "base/error.h"
#include "base/files.h"
#include "base/json.h"
#include "base/text.h"
#include "base/yaml.h"

namespace fs = std::filesystem;

namespace viaduct::bridge {

static constexpr mode_t private_directory = 0700;
static constexpr mode_t private_file = 0600;

static std::string requests_text(const Requests& requests) {
  Value out = Value::mapping();
  out.set("suspend", requests.suspend);
  out.set("cancel", requests.cancel);
  return write_json(out) + "\n";
}

fs::path JobStore::log_file(const std::string& name, int attempt) const {
  return directory(name) / "logs" / str(attempt, ".log");
}

fs::path JobStore::attempt_directory(const std::string& name, int attempt) const {
  return directory(name) / "attempts" / std::to_string(attempt);
}

static Error name_taken(const std::string& name) {
  return Error(str("there is a job named \"", name, "\" already"), ExitCode::conflict,
               str("`viaduct status ", name, "` shows it; `viaduct delete ", name,
                   "` removes it; or choose another metadata.name"));
}

void JobStore::create(const model::JobRecord& record, const model::TrainJob& job, const model::Runtime& runtime,
                      const model::RunPlan& plan) const {
  const fs::path target = directory(record.name);
  // The job is built aside and moved to its name in one step, so that nobody ever sees half a job. rename() replaces an
  // empty directory only; a job's directory is never empty.
  const fs::path building = home_ / "jobs" / str(".new-", record.name, "-", record.uid);
  try {
    create_directories(home_ / "jobs", private_directory);
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
    Requests requests;
    requests.suspend = plan.suspend;
    if (requests.suspend) write("request.json", requests_text(requests));
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
  const fs::path doomed = home_ / "jobs" / str(".old-", name, "-", identify_self().pid);
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

Requests JobStore::load_requests(const std::string& name) const {
  const fs::path file = directory(name) / "request.json";
  Requests requests;
  const auto text = read_file_if_exists(file);
  if (!text) return requests;
  const Document document = read_json_document(file.string(), *text);
  Diagnostics diagnostics;
  ReadContext context(document.source, diagnostics, ReadContext::PathStyle::pointer);
  ObjectReader reader(document.root, context, "");
  requests.suspend = reader.boolean("suspend").value_or(false);
  requests.cancel = reader.boolean("cancel").value_or(false);
  reader.done();
  if (diagnostics.has_errors()) throw Error(diagnostics.render(false));
  return requests;
}

void JobStore::save_requests(const std::string& name, const Requests& requests) const {
  write_file_atomically(directory(name) / "request.json", requests_text(requests), private_file);
}

bool JobStore::claim_attempt(const std::string& name, int attempt) const {
  if (!create_directory_exclusively(attempt_directory(name, attempt), private_directory)) return false;
  create_directory_exclusively(attempt_directory(name, attempt) / "exit", private_directory);
  return true;
}

}  // namespace viaduct::bridge
