#include "bridge/supervisor.h"

#include <poll.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <filesystem>

#include "base/error.h"
#include "base/fd.h"
#include "base/process.h"
#include "base/text.h"

namespace viaduct::bridge {
namespace {

using model::JobRecord;
using model::Phase;

constexpr int tick_ms = 1000;  // requests are looked at this often even when no signal comes (another host, NFS)

sigset_t supervisor_signals() {
  sigset_t set;
  sigemptyset(&set);
  for (const int signal : {SIGINT, SIGTERM, SIGHUP, SIGPIPE, SIGUSR1}) sigaddset(&set, signal);
  return set;
}

class Supervision {
 public:
  Supervision(const JobStore& store, Backend& backend, const Clock& clock, Watcher& watcher, const std::string& name)
      : store_(store),
        backend_(backend),
        clock_(clock),
        watcher_(watcher),
        record_(store.load(name)),
        plan_(store.load_plan(name)) {
    const sigset_t set = supervisor_signals();
    signals_ = Fd(::signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK));
  }

  JobRecord run() {
    requests_ = store_.load_requests(record_.name);
    for (;;) {
      const Observation seen = launch_error_.empty() ? backend_.observe(record_) : failed_submission();
      watcher_.on_wake();
      const Decision decision = decide(record_, seen, requests_, plan_, clock_.now());
      apply(decision);
      if (model::is_final(record_.phase) || record_.phase == Phase::suspended) return record_;
      if (decision.action == Action::none) wait(decision.wake_at);
    }
  }

 private:
  void apply(const Decision& decision) {
    const bool changed = decision.action != Action::none || decision.record.phase != record_.phase ||
                         decision.record.ranks_up != record_.ranks_up;
    record_ = decision.record;
    if (decision.action == Action::submit) submit();
    if (decision.action == Action::stop) backend_.stop(record_);
    if (!changed) return;
    store_.save(record_);
    watcher_.on_record(record_);
  }

  void submit() {
    if (!store_.claim_attempt(record_.name, record_.attempt))
      throw Error(str("another viaduct process runs attempt ", record_.attempt, " of ", record_.name, " already"),
                  ExitCode::conflict);
    record_.supervisor = identify_self();
    try {
      backend_.submit(plan_, record_);
    } catch (const Error& e) {
      launch_error_ = e.what();
    }
  }

  Observation failed_submission() const {
    Observation seen;
    seen.state = Observation::State::ended;
    seen.exit.cause = model::ExitRecord::Cause::launch_failed;
    seen.exit.exit_code = 1;
    seen.exit.message = launch_error_;
    return seen;
  }

  void wait(std::optional<Timestamp> wake_at) {
    std::vector<pollfd> fds = {{signals_.get(), POLLIN, 0}};
    if (watcher_.wake_fd() >= 0) fds.push_back({watcher_.wake_fd(), POLLIN, 0});
    for (const int fd : backend_.wake_fds()) fds.push_back({fd, POLLIN, 0});
    std::int64_t timeout = tick_ms;
    if (wake_at) timeout = std::clamp<std::int64_t>(wake_at->ms - clock_.now().ms, 0, tick_ms);
    const int ready = ::poll(fds.data(), fds.size(), static_cast<int>(timeout));
    const bool signalled = take_signals();
    if (ready == 0 || signalled) {
      const bool cancel = requests_.cancel;
      const std::int32_t code = requests_.cancel_exit_code;
      requests_ = store_.load_requests(record_.name);
      requests_.cancel = requests_.cancel || cancel;
      requests_.cancel_exit_code = code;
    }
  }

  bool take_signals() {
    bool any = false;
    signalfd_siginfo info{};
    while (::read(signals_.get(), &info, sizeof info) == static_cast<ssize_t>(sizeof info)) {
      any = true;
      if (info.ssi_signo == SIGUSR1) continue;
      const bool again = requests_.cancel && record_.phase == Phase::stopping;
      if (again && info.ssi_signo == SIGPIPE) continue;  // nobody asked: a second stream has lost its reader
      if (again) backend_.stop(record_);                 // asked again: no more grace
      requests_.cancel = true;
      requests_.cancel_exit_code = 128 + static_cast<std::int32_t>(info.ssi_signo);
    }
    return any;
  }

  const JobStore& store_;
  Backend& backend_;
  const Clock& clock_;
  Watcher& watcher_;
  JobRecord record_;
  model::RunPlan plan_;
  Requests requests_;
  Fd signals_;
  std::string launch_error_;
};

}  // namespace

void block_supervisor_signals() {
  const sigset_t set = supervisor_signals();
  ::sigprocmask(SIG_BLOCK, &set, nullptr);
}

JobRecord supervise(const std::string& name, const JobStore& store, Backend& backend, const Clock& clock,
                    Watcher& watcher) {
  become_subreaper();
  return Supervision(store, backend, clock, watcher, name).run();
}

JobRecord load_and_repair(const std::string& name, const JobStore& store, Backend& backend, const Clock& clock) {
  JobRecord record = store.load(name);
  const auto unattended = [](const JobRecord& r) {
    return !model::is_final(r.phase) && r.phase != Phase::suspended && liveness(r.supervisor) == Liveness::gone;
  };
  if (!unattended(record)) return record;
  record = store.load(name);  // its supervisor may have finished between our two looks
  if (!unattended(record)) return record;
  Observation seen = backend.observe(record);
  if (seen.state == Observation::State::absent) {
    seen.state = Observation::State::gone;
    seen.why_gone = "the viaduct process that was to start it is gone";
    record.phase = Phase::running;  // `gone` is an end only for what was to run
  }
  model::RunPlan plan = store.load_plan(name);
  plan.max_restarts = 0;  // nobody is there to restart it
  plan.deadline_seconds.reset();
  const Decision decision = decide(record, seen, store.load_requests(name), plan, clock.now());
  if (seen.state == Observation::State::active) return record;  // its launcher is still ending the ranks
  store.save(decision.record);
  return decision.record;
}

bool wake_supervisor(const JobRecord& record) {
  if (liveness(record.supervisor) != Liveness::alive) return false;
  return ::kill(static_cast<pid_t>(record.supervisor.pid), SIGUSR1) == 0;
}

}  // namespace viaduct::bridge
