#include <unistd.h>

#include <csignal>
#include <set>

#include "base/error.h"
#include "base/fd.h"
#include "base/text.h"
#include "bridge/supervisor.h"
#include "cli/commands.h"
#include "cli/detached.h"
#include "cli/prepare.h"
#include "cli/run_view.h"
#include "model/hostlist.h"

namespace viaduct::cli {
namespace {

struct RunArgs {
  std::vector<std::string> files;
  HostChoice where;
  bool quiet = false;
  bool no_labels = false;
  bool replace = false;
};

std::string where_nodes_are(const PreparedJob& prepared) {
  const model::RunPlan& plan = prepared.plan;
  const std::string shape = str(count_of(plan.nodes, "node"), " x ", count_of(plan.slots_per_node, "rank"));
  if (!prepared.hosts.empty()) {
    std::vector<std::string> names;
    for (const auto& host : prepared.hosts) names.push_back(host.host);
    return str(shape, " on ", abbreviated(model::compress_hostlist(names), 200));
  }
  const std::string this_host = str("this host, ", host_name());
  if (plan.nodes == 1) return str(shape, " on ", this_host);
  return str(shape, "; all ", plan.nodes, " nodes are ", this_host);
}

void remove_ended(Context& context, const std::string& name) {
  if (context.store.exists(name) && model::is_final(look_at(context, name).phase)) context.store.remove(name);
}

int run(Context& context, const RunArgs& args) {
  auto jobs = prepare_jobs(context, args.files, args.where);
  if (jobs.size() != 1)
    throw Error(str("`run` takes one TrainJob, but there are ", jobs.size()), ExitCode::bad_input,
                "`viaduct submit` takes several");
  const PreparedJob& prepared = jobs.front();
  check_this_machine(context, prepared);
  if (args.replace) remove_ended(context, prepared.plan.job);
  bridge::block_supervisor_signals();
  const model::JobRecord created = create_job(context, prepared);
  if (!args.quiet) {
    context.terminal.err(str("viaduct: ", created.name, ": ", where_nodes_are(prepared), "\n"));
    for (const auto& loss : prepared.plan.losses)  // the runtime's own are in `viaduct plan`
      if (loss.path.starts_with("TrainJob."))
        context.terminal.err(str("viaduct: ", created.name, ": ", loss.path, " has no effect: ", loss.reason, "\n"));
  }
  RunView::Options options;
  options.labels = !args.no_labels;
  options.quiet = args.quiet;
  options.launcher_lines = !args.quiet || prepared.plan.launch == model::LaunchStyle::own_launcher;
  RunView view(context.terminal, context.store, context.clock, prepared.plan,
               hosts_of_ranks(context.store, created.name), options);
  const auto backend = context.local_backend();
  const model::JobRecord ended = bridge::supervise(created.name, context.store, *backend, context.clock, view);
  bridge::restore_supervisor_signals();  // the run is over; a stalled reader may only hold up what is left to show
  view.finish(ended);
  return ended.exit_code.value_or(0);
}

struct SubmitArgs {
  std::vector<std::string> files;
  HostChoice where;
  std::string output = "text";
};

int submit(Context& context, const SubmitArgs& args) {
  const auto jobs = prepare_jobs(context, args.files, args.where);
  std::set<std::string> names;
  for (const auto& prepared : jobs) {
    check_this_machine(context, prepared);
    const std::string& name = prepared.plan.job;
    if (context.store.exists(name) || !names.insert(name).second)
      throw Error(str("there is a job named \"", name, "\" already, so nothing was submitted"), ExitCode::conflict,
                  str("`viaduct delete ", name, "` removes it; or choose another metadata.name"));
  }
  for (const auto& prepared : jobs) {
    const model::JobRecord record = create_job(context, prepared);
    start_supervisor(context, record.name);
    const std::string state = prepared.plan.suspend ? " (suspended)" : "";
    context.terminal.out(args.output == "name" ? str(record.name, "\n") : str(record.name, " submitted", state, "\n"));
  }
  return 0;
}

// Tells the process that started this one, by a byte on standard output, that the job is in good hands.
class ReadyWatcher : public bridge::Watcher {
 public:
  void on_record(const model::JobRecord&) override {
    if (!told_) write_to_reader(STDOUT_FILENO, "r");
    told_ = true;
  }

 private:
  bool told_ = false;
};

}  // namespace

void add_run(CLI::App& app, Chosen& chosen) {
  auto args = std::make_shared<RunArgs>();
  CLI::App* command = app.add_subcommand(
      "run", "Run a TrainJob on this machine, or on hosts you name, and show its output until it ends");
  command
      ->add_option("FILE", args->files,
                   "TrainJob and runtimes: YAML or JSON files, directories, or - for standard input")
      ->required();
  add_host_options(*command, args->where);
  command->add_flag("-q,--quiet", args->quiet, "Print what the ranks print, and nothing else but failures");
  command->add_flag("--replace", args->replace, "Delete an ended job of the same name first");
  command->add_flag("--no-labels", args->no_labels, "Don't put [rank] before each line");
  command->footer(
      "Exits with the program's exit code, or 128+S when signal S ended it. Ctrl-C ends the run: the ranks\n"
      "get SIGTERM and, after the runtime's terminationGracePeriodSeconds (10 when not set), SIGKILL; a\n"
      "second Ctrl-C kills at once.");
  command->callback([args, &chosen] { chosen = [args](Context& context) { return run(context, *args); }; });
}

void add_submit(CLI::App& app, Chosen& chosen) {
  auto args = std::make_shared<SubmitArgs>();
  CLI::App* command = app.add_subcommand("submit", "Start TrainJobs in the background and return");
  command
      ->add_option("FILE", args->files,
                   "TrainJobs and runtimes: YAML or JSON files, directories, or - for standard input")
      ->required();
  add_host_options(*command, args->where);
  command->add_option("-o,--output", args->output, "What to print: text or name")
      ->check(CLI::IsMember({"text", "name"}))
      ->capture_default_str();
  command->callback([args, &chosen] { chosen = [args](Context& context) { return submit(context, *args); }; });
}

void add_supervise(CLI::App& app, Chosen& chosen) {
  auto name = std::make_shared<std::string>();
  CLI::App* command = app.add_subcommand("supervise", "Drive a submitted job (started by submit and resume)");
  command->add_option("NAME", *name, "The job")->required();
  command->group("");  // not for people
  command->callback([name, &chosen] {
    chosen = [name](Context& context) {
      ::close_range(STDERR_FILENO + 1, ~0U, 0);  // locks and pipes of the shell that submitted it
      ::signal(SIGPIPE, SIG_IGN);                // `submit` may be gone before it hears from us
      bridge::block_supervisor_signals();
      const auto backend = context.local_backend();
      ReadyWatcher watcher;
      const auto record = bridge::supervise(*name, context.store, *backend, context.clock, watcher);
      return record.exit_code.value_or(0);
    };
  });
}

}  // namespace viaduct::cli
