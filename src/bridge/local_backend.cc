#include "bridge/local_backend.h"

#include <sys/inotify.h>
#include <unistd.h>

#include <csignal>

#include "base/error.h"
#include "base/files.h"
#include "base/json.h"
#include "base/text.h"

namespace fs = std::filesystem;

namespace viaduct::bridge {

// The same for this machine and for others that are reached by ssh.
static Capabilities make_capabilities(std::string backend) {
  static constexpr std::string_view no_container = "programs run straight on the host, without a container";
  static constexpr std::string_view no_limits =
      "nothing is limited on the host; a GPU count only sets the number of ranks";
  static constexpr std::string_view no_secrets = "values from the cluster (valueFrom) are not known outside it";
  static constexpr std::string_view no_initializer = "initializers run in containers; fetch the data before the job";
  static constexpr std::string_view no_cluster = "it steers Kubernetes objects, and there are none";
  static constexpr std::string_view no_workers =
      "Viaduct starts the ranks of every node itself; there is no worker's process";
  return {
      std::move(backend),
      {
          {"TrainJob.spec.runtimeRef", ""},
          {"TrainJob.spec.runtimePatches", ""},  // merged into the template, which is looked at below
          {"TrainJob.spec.suspend", ""},
          {"TrainJob.spec.activeDeadlineSeconds", ""},
          {"TrainJob.spec.managedBy", ""},
          {"TrainJob.spec.initializer", no_initializer},
          {"TrainJob.spec.trainer.command", ""},
          {"TrainJob.spec.trainer.args", ""},
          {"TrainJob.spec.trainer.numNodes", ""},
          {"TrainJob.spec.trainer.numProcPerNode", ""},
          {"TrainJob.spec.trainer.env.[].name", ""},
          {"TrainJob.spec.trainer.env.[].value", ""},
          {"TrainJob.spec.trainer.env.[].valueFrom", no_secrets},
          {"TrainJob.spec.trainer.image", no_container},
          {"TrainJob.spec.trainer.resourcesPerNode", no_limits},
          {"Runtime.spec.mlPolicy", ""},
          {"Runtime.spec.mlPolicy.mpi.sshAuthMountPath",
           "where SSH is needed, Viaduct makes its keys and hands them over itself"},
          {"Runtime.spec.podGroupPolicy", "nothing schedules here"},
          {"Runtime.spec.template.metadata", no_cluster},
          {"Runtime.spec.template.spec", no_cluster},
          {"Runtime.spec.template.spec.failurePolicy.maxRestarts", ""},
          {"Runtime.spec.template.spec.replicatedJobs.[].name", ""},
          {"Runtime.spec.template.spec.replicatedJobs.[].replicas", ""},
          {"Runtime.spec.template.spec.replicatedJobs.[].dependsOn", no_workers},
          {"Runtime.spec.template.spec.replicatedJobs.[].template.metadata", no_cluster},
          {"Runtime.spec.template.spec.replicatedJobs.[].template.metadata.labels.trainer.kubeflow.org/"
           "trainjob-ancestor-step",
           ""},
          {"Runtime.spec.template.spec.replicatedJobs.[].template.spec.parallelism", ""},
          {"Runtime.spec.template.spec.replicatedJobs.[].template.spec.completions", ""},
          {"Runtime.spec.template.spec.replicatedJobs.[].template.spec.backoffLimit", no_workers},
          {"Runtime.spec.template.spec.replicatedJobs.[trainer].template.spec.backoffLimit", ""},
          {"Runtime.spec.template.spec.replicatedJobs.[].template.spec.template.spec", no_container},
          {"Runtime.spec.template.spec.replicatedJobs.[].template.spec.template.spec.terminationGracePeriodSeconds",
           no_workers},
          {"Runtime.spec.template.spec.replicatedJobs.[trainer].template.spec.template.spec."
           "terminationGracePeriodSeconds",
           ""},
          {"Runtime.spec.template.spec.replicatedJobs.[].template.spec.template.spec.containers.[node].name", ""},
          {"Runtime.spec.template.spec.replicatedJobs.[].template.spec.template.spec.containers.[node].env.[].name",
           ""},
          {"Runtime.spec.template.spec.replicatedJobs.[].template.spec.template.spec.containers.[node].env.[].value",
           ""},
          {"Runtime.spec.template.spec.replicatedJobs.[].template.spec.template.spec.containers.[node].env.[]."
           "valueFrom",
           no_secrets},
          {"Runtime.spec.template.spec.replicatedJobs.[].template.spec.template.spec.containers.[node].resources",
           no_limits},
          {"Runtime.spec.template.spec.replicatedJobs.[].template.spec.template.spec.containers.[node].command",
           no_workers},
          {"Runtime.spec.template.spec.replicatedJobs.[].template.spec.template.spec.containers.[node].args",
           no_workers},
          {"Runtime.spec.template.spec.replicatedJobs.[].template.spec.template.spec.containers.[node].workingDir",
           no_workers},
          {"Runtime.spec.template.spec.replicatedJobs.[trainer].template.spec.template.spec.containers.[node].command",
           ""},
          {"Runtime.spec.template.spec.replicatedJobs.[trainer].template.spec.template.spec.containers.[node].args",
           ""},
          {"Runtime.spec.template.spec.replicatedJobs.[trainer].template.spec.template.spec.containers.[node]."
           "workingDir",
           ""},
      }};
}

const Capabilities& local_capabilities() {
  static const Capabilities capabilities = make_capabilities("local");
  return capabilities;
}

const Capabilities& hosts_capabilities() {
  static const Capabilities capabilities = make_capabilities("hosts");
  return capabilities;
}

// Which of viaduct-agent's commands carries a plan out.
static std::string program_for(const std::string& backend) {
  return backend == hosts_capabilities().backend ? "reach" : "launch";
}

// Only an error of ours comes here with the launcher still running.
LocalBackend::~LocalBackend() {
  if (!launch_ || launch_->poll()) return;
  launch_.reset();
  end_descendants(SIGKILL, std::chrono::milliseconds(0));
}

void LocalBackend::submit(const model::RunPlan& plan, model::JobRecord& record) {
  const fs::path attempt = store_.attempt_directory(record.name, record.attempt);
  const Fd log = open_for_append(store_.log_file(record.name, record.attempt), 0600);
  SpawnOptions options;
  const bool elsewhere = plan.backend == hosts_capabilities().backend;
  options.argv = {agent_.string(), program_for(plan.backend), "--plan",    store_.plan_file(record.name).string(),
                  "--attempt-dir", attempt.string(),          "--attempt", std::to_string(record.attempt),
                  "--with-parent", std::to_string(::getpid())};
  const std::vector<std::string> where =
      elsewhere ? std::vector<std::string>{"--hosts-file", store_.hosts_file(record.name).string()}
                : std::vector<std::string>{"--this-host", "--cache-dir", (store_.home() / "cache").string()};
  options.argv.insert(options.argv.end(), where.begin(), where.end());
  options.environment = &environment_;
  options.stdout_fd = log.get();
  options.stderr_fd = log.get();
  options.directory = record.submit_directory;
  stops_ = 0;
  launch_ = Process::spawn(options);
  record.launcher = identify_process(launch_->pid());
  events_ = Fd(::inotify_init1(IN_CLOEXEC | IN_NONBLOCK));
  if (events_) ::inotify_add_watch(events_.get(), attempt.c_str(), IN_MOVED_TO);
}

Observation LocalBackend::observe_files(const model::JobRecord& record) const {
  Observation seen;
  const fs::path attempt = store_.attempt_directory(record.name, record.attempt);
  seen.ranks_up = fs::exists(attempt / "started");
  seen.state = Observation::State::active;
  for (const auto& node : list_directory(attempt / "exit")) {
    if (node.starts_with(".")) continue;
    const fs::path file = attempt / "exit" / node;
    try {
      seen.exit = model::read_exit_record(read_json_document(file.string(), read_file(file)));
    } catch (const Error& e) {
      seen.exit.cause = model::ExitRecord::Cause::launch_failed;
      seen.exit.exit_code = 1;
      seen.exit.message = str("the exit record can't be read: ", e.what());
    }
    seen.state = Observation::State::ended;
  }
  return seen;
}

Observation LocalBackend::observe(const model::JobRecord& record) {
  if (record.attempt == 0) return {};
  if (events_) read_some(events_.get());
  const bool over = launch_ ? launch_->poll().has_value() : liveness(record.launcher) == Liveness::gone;
  Observation seen = observe_files(record);
  if (seen.state == Observation::State::ended && !over && launch_)
    seen.state = Observation::State::active;  // about to exit
  if (seen.state == Observation::State::active && over) {
    seen.state = Observation::State::gone;
    if (launch_) {
      end_descendants(SIGKILL, std::chrono::milliseconds(0));  // what the launcher could not end any more
      seen.why_gone = str("viaduct-agent ", program_for(record.backend), " was ended by ", describe(*launch_->poll()),
                          "; its ranks were killed");
    } else {
      seen.why_gone =
          str("the processes that ran it on ", record.launcher.host.empty() ? "this host" : record.launcher.host,
              " are gone without an exit record: they were killed, or the machine was restarted");
    }
  }
  return seen;
}

void LocalBackend::stop(const model::JobRecord&) {
  if (!launch_) return;
  const int signal = stops_ == 0 ? SIGTERM : stops_ == 1 ? SIGINT : SIGKILL;
  launch_->signal_group(signal);
  ++stops_;
}

std::vector<int> LocalBackend::wake_fds() const {
  if (!launch_) return {};
  if (!events_) return {launch_->pidfd()};  // no inotify left on this machine: the clock has to do
  return {launch_->pidfd(), events_.get()};
}

}  // namespace viaduct::bridge
