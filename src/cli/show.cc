#include <poll.h>

#include <algorithm>

#include "base/error.h"
#include "base/json.h"
#include "base/text.h"
#include "base/yaml.h"
#include "bridge/supervisor.h"
#include "cli/commands.h"
#include "cli/detached.h"
#include "cli/log_follower.h"
#include "cli/log_printer.h"
#include "cli/prepare.h"
#include "cli/run_view.h"

// The commands that look at jobs: list, status, logs, wait.
namespace viaduct::cli {
namespace {

// The TrainJob as `kubectl get -o yaml` shows it: what was submitted, with its status; what Kubeflow's status has no
// field for is in annotations.
Value trainjob_with_status(Context& context, const model::JobRecord& record) {
  Value object = context.store.load_trainjob(record.name);
  Value metadata = object.find("metadata") ? *object.find("metadata") : Value::mapping();
  Value annotations = metadata.find("annotations") ? *metadata.find("annotations") : Value::mapping();
  const auto annotate = [&](const char* key, const std::string& value) {
    if (!value.empty()) annotations.set(str("viaduct.dev/", key), value);
  };
  annotate("backend", record.backend);
  annotate("state", state_of(record));
  annotate("reason", record.reason);
  annotate("message", record.message);
  annotate("attempt", std::to_string(record.attempt));
  annotate("exit-code", record.exit_code ? std::to_string(*record.exit_code) : "");
  annotate("started", record.started ? format_rfc3339(*record.started) : "");
  annotate("ended", record.ended ? format_rfc3339(*record.ended) : "");
  metadata.set("uid", record.uid);
  metadata.set("creationTimestamp", format_rfc3339_seconds(record.created));
  metadata.set("annotations", std::move(annotations));
  object.set("metadata", std::move(metadata));
  object.set("status", trainjob_status(record));
  return object;
}

std::string render_table(const std::vector<std::vector<std::string>>& rows) {
  std::vector<std::size_t> widths;
  for (const auto& row : rows)
    for (std::size_t i = 0; i < row.size(); ++i) {
      if (i == widths.size()) widths.push_back(0);
      widths[i] = std::max(widths[i], row[i].size());
    }
  std::string out;
  for (const auto& row : rows) {
    std::string line;
    for (std::size_t i = 0; i < row.size(); ++i) line += row[i] + std::string(widths[i] - row[i].size() + 3, ' ');
    out += line.substr(0, line.find_last_not_of(' ') + 1) + "\n";
  }
  return out;
}

int list(Context& context, const std::string& output) {
  std::vector<model::JobRecord> records;
  for (const auto& name : context.store.names()) {
    try {
      records.push_back(look_at(context, name));
    } catch (const Error& e) {  // one damaged record must not hide the others
      context.terminal.err(str("viaduct: ", name, ": ", e.what(), "\n"));
    }
  }
  std::stable_sort(records.begin(), records.end(), [](const auto& a, const auto& b) { return a.created < b.created; });
  if (output == "name") {
    for (const auto& record : records) context.terminal.out(record.name + "\n");
    return 0;
  }
  if (output != "table") {
    Value items = Value::sequence();
    for (const auto& record : records) items.push(trainjob_with_status(context, record));
    Value object = Value::mapping();
    object.set("apiVersion", "v1");
    object.set("kind", "List");
    object.set("items", std::move(items));
    context.terminal.out(output == "json" ? write_json(object) + "\n" : write_yaml(object));
    return 0;
  }
  if (records.empty()) {
    context.terminal.err("no jobs\n");
    return 0;
  }
  const Timestamp now = context.clock.now();
  std::vector<std::vector<std::string>> rows = {
      {"NAME", "STATE", "RANKS", "NODES", "AGE", "TIME", "RUNTIME", "REASON"}};
  for (const auto& record : records)
    rows.push_back({record.name, state_of(record), std::to_string(record.ranks), std::to_string(record.nodes),
                    format_duration(now.ms - record.created.ms), duration_of(record, now), record.runtime,
                    record.phase == model::Phase::succeeded ? "" : record.reason});
  context.terminal.out(render_table(rows));
  return 0;
}

std::string status_text(Context& context, const model::JobRecord& record) {
  const bool colour = context.terminal.colour_out();
  std::string out;
  const auto row = [&](std::string_view name, const std::string& value) {
    constexpr std::size_t name_width = 12;
    if (!value.empty()) out += str(paint(colour, "1", name), std::string(name_width - name.size(), ' '), value, "\n");
  };
  row("job", record.name);
  row("state", str(state_of(record),
                   record.reason.empty() || record.reason == state_of(record) ? "" : str(" (", record.reason, ")")));
  row("message", printable(record.message));
  row("hint", record.hint);
  row("exit code", record.exit_code ? std::to_string(*record.exit_code) : "");
  row("runtime", record.runtime);
  row("backend", record.backend);
  row("ranks", str(record.ranks, " on ", count_of(record.nodes, "node")));
  row("hosts", hosts_text(context.store, record.name));
  row("attempt",
      record.attempt > 0
          ? str(record.attempt, record.restarts > 0 ? str(", after ", count_of(record.restarts, "restart")) : "")
          : "");
  row("created", format_rfc3339_seconds(record.created));
  row("started", record.started ? format_rfc3339_seconds(*record.started) : "");
  row("ended", record.ended ? format_rfc3339_seconds(*record.ended) : "");
  row("time", duration_of(record, context.clock.now()));
  row("directory", context.store.directory(record.name).string());
  if (record.supervisor.pid > 0 && !model::is_final(record.phase) && record.phase != model::Phase::suspended) {
    const bool elsewhere = liveness(record.supervisor) == Liveness::on_another_host;
    row("supervised", str("by process ", record.supervisor.pid, " on ", record.supervisor.host,
                          elsewhere ? " (not this host: the state is as it was last written)" : ""));
  }
  if (record.failure && !record.failure->last_lines.empty()) {
    row("last lines", record.failure->rank ? str("of rank ", *record.failure->rank, ":") : "of that rank:");
    for (const auto& line : record.failure->last_lines) out += str("    ", printable(line), "\n");
  }
  return out;
}

int status(Context& context, const std::string& name, const std::string& output) {
  const auto record = look_at(context, name);
  if (output == "json") {
    context.terminal.out(write_json(trainjob_with_status(context, record)) + "\n");
  } else if (output == "yaml") {
    context.terminal.out(write_yaml(trainjob_with_status(context, record)));
  } else {
    context.terminal.out(output == "name" ? record.name + "\n" : status_text(context, record));
  }
  return 0;
}

struct LogsArgs {
  std::string name;
  bool follow = false;
  bool no_labels = false;
  std::optional<std::int64_t> rank;
  std::optional<int> attempt;
};

int logs(Context& context, const LogsArgs& args) {
  model::JobRecord record = look_at(context, args.name);
  if (args.rank && (*args.rank < 0 || *args.rank >= record.ranks))
    throw Error(str("there is no rank ", *args.rank, ": ", record.name, " has ranks 0 to ", record.ranks - 1),
                ExitCode::bad_input);
  if (args.attempt && (*args.attempt < 1 || *args.attempt > record.attempt))
    throw Error(
        str("there is no attempt ", *args.attempt, ": ", record.name, " has had ", count_of(record.attempt, "attempt")),
        ExitCode::bad_input);
  int attempt = args.attempt.value_or(record.attempt);
  LogPrinter printer(context.terminal, record.ranks, hosts_of_ranks(context.store, record.name),
                     !args.no_labels && !args.rank, args.rank);
  LogFollower follower([&](const launcher::LogLine& line) { printer.print(line); });
  if (attempt > 0) follower.open(context.store.log_file(record.name, attempt));
  follower.read_new();
  const bool follow = args.follow && !args.attempt;
  while (follow && !model::is_final(record.phase) && record.phase != model::Phase::suspended) {
    constexpr int look_again_ms = 250;
    pollfd grown{follower.wake_fd(), POLLIN, 0};
    ::poll(&grown, 1, look_again_ms);
    record = look_at(context, args.name);
    if (record.attempt != attempt) {
      attempt = record.attempt;
      follower.open(context.store.log_file(record.name, attempt));
    }
    follower.read_new();
  }
  follower.finish();
  return 0;
}

struct WaitArgs {
  std::vector<std::string> names;
  std::int64_t timeout = 0;
};

int wait(Context& context, const WaitArgs& args) {
  using std::chrono::steady_clock;
  const auto deadline = steady_clock::now() + std::chrono::seconds(args.timeout);
  int first_bad = 0;
  for (const auto& name : args.names) {
    std::optional<std::chrono::milliseconds> left;
    if (args.timeout > 0)
      left = std::max(std::chrono::milliseconds(0),
                      std::chrono::duration_cast<std::chrono::milliseconds>(deadline - steady_clock::now()));
    const auto record = wait_for(
        context, name, [](const model::JobRecord& r) { return model::is_final(r.phase); }, left);
    if (!record) throw Error(str(name, " has not ended within ", args.timeout, " s"), ExitCode::deadline);
    context.terminal.err(
        str(name, ": ", state_of(*record), record->message.empty() ? "" : ": ", record->message, "\n"));
    if (first_bad == 0) first_bad = record->exit_code.value_or(0);
  }
  return first_bad;
}

}  // namespace

void add_list(CLI::App& app, Chosen& chosen) {
  auto output = std::make_shared<std::string>("table");
  CLI::App* command = app.add_subcommand("list", "List the jobs");
  command->add_option("-o,--output", *output, "Form: table, yaml, json or name")
      ->check(CLI::IsMember({"table", "yaml", "json", "name"}))
      ->capture_default_str();
  command->callback([output, &chosen] { chosen = [output](Context& context) { return list(context, *output); }; });
}

void add_status(CLI::App& app, Chosen& chosen) {
  auto name = std::make_shared<std::string>();
  auto output = std::make_shared<std::string>("text");
  CLI::App* command = app.add_subcommand("status", "Show where a job stands");
  command->add_option("NAME", *name, "The job")->required();
  command->add_option("-o,--output", *output, "Form: text, yaml or json (the TrainJob with its status), or name")
      ->check(CLI::IsMember({"text", "yaml", "json", "name"}))
      ->capture_default_str();
  command->callback([name, output, &chosen] {
    chosen = [name, output](Context& context) { return status(context, *name, *output); };
  });
}

void add_logs(CLI::App& app, Chosen& chosen) {
  auto args = std::make_shared<LogsArgs>();
  CLI::App* command = app.add_subcommand("logs", "Print what a job's ranks printed");
  command->add_option("NAME", args->name, "The job")->required();
  command->add_flag("-f,--follow", args->follow, "Go on until the job ends");
  command->add_option("--rank", args->rank, "Only this rank, without labels");
  command->add_option("--attempt", args->attempt, "This attempt (1 is the first) instead of the last");
  command->add_flag("--no-labels", args->no_labels, "Don't put [rank] before each line");
  command->callback([args, &chosen] { chosen = [args](Context& context) { return logs(context, *args); }; });
}

void add_wait(CLI::App& app, Chosen& chosen) {
  auto args = std::make_shared<WaitArgs>();
  CLI::App* command =
      app.add_subcommand("wait", "Wait until jobs have ended; exits with the first bad exit code among them");
  command->add_option("NAME", args->names, "The jobs")->required();
  command->add_option("--timeout", args->timeout, "Give up after so many seconds in all, with exit code 124; 0: never")
      ->check(CLI::Range(std::int64_t{0}, std::int64_t{100'000'000}))
      ->capture_default_str();
  command->callback([args, &chosen] { chosen = [args](Context& context) { return wait(context, *args); }; });
}

}  // namespace viaduct::cli
