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
using std::chrono::steady_clock;

constexpr std::chrono::seconds beyond_grace(10);  // after this the launcher is taken for stuck
constexpr int tick_ms = 1000;  // requests are looked at this often even when no signal comes (another host, NFS)

sigset_t supervisor_signals() {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGUSR1);
  for (const int signal : {SIGINT, SIGTERM, SIGHUP, SIGPIPE}) {
    struct sigaction now {};  // a blocked signal would reach the signalfd even when it is ignored
    if (::sigaction(signal, nullptr, &now) == 0 && now.sa_handler != SIG_IGN) sigaddset(&set, signal);
  }
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
    if (decision.action == Action::stop) stop();
    unsaved_ = unsaved_ || changed;
    if (unsaved_) save();
    if (changed) watcher_.on_record(record_);
  }

  // A full disk must not end the training: what can't be written now is written later, at the latest when the job ends.
  void save() {
    const bool last_chance = model::is_final(record_.phase) || record_.phase == Phase::suspended;
    try {
      store_.save(record_);
      unsaved_ = false;
    } catch (const Error&) {
      if (last_chance) throw;
    }
  }

  void stop() {
    backend_.stop(record_);
    harsher_at_ = steady_clock::now() + std::chrono::seconds(plan_.grace_seconds) + beyond_grace;
  }

  void submit() {
    while (!store_.claim_attempt(record_.name, record_.attempt, identify_self())) {
      // Claimed before, by a process that died before it could write that down, or by one that runs it now.
      if (!store_.attempt_is_abandoned(record_.name, record_.attempt))
        throw Error(str("another viaduct process runs attempt ", record_.attempt, " of ", record_.name, " already"),
                    ExitCode::conflict);
      ++record_.attempt;
    }
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
    for (const int fd : backend_.wake_fds()) fds.push_back({fd, POLLIN, 0});
    std::int64_t timeout = tick_ms;
    if (wake_at) timeout = std::clamp<std::int64_t>(wake_at->ms - clock_.now().ms, 0, tick_ms);
    ::poll(fds.data(), fds.size(), static_cast<int>(timeout));
    if (take_signals() || steady_clock::now() >= next_look_) look_at_requests();
    if (record_.phase == Phase::stopping && steady_clock::now() >= harsher_at_) {  // the launcher itself hangs
      backend_.stop(record_);
      harsher_at_ = steady_clock::now() + beyond_grace;
    }
  }

  void look_at_requests() {
    next_look_ = steady_clock::now() + std::chrono::milliseconds(tick_ms);
    const Requests asked = store_.load_requests(record_.name);
    requests_.suspend = asked.suspend;
    requests_.cancel = requests_.cancel || asked.cancel;
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
  bool unsaved_ = false;
  steady_clock::time_point next_look_;
  steady_clock::time_point harsher_at_;
};

}  // namespace

void block_supervisor_signals() {
  const sigset_t set = supervisor_signals();
  ::sigprocmask(SIG_BLOCK, &set, nullptr);
}

void restore_supervisor_signals() {
  const sigset_t set = supervisor_signals();
  ::sigprocmask(SIG_UNBLOCK, &set, nullptr);
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
  try {
    store.save(decision.record);
  } catch (const Error&) {  // a full disk: the next look repairs it again
  }
  return decision.record;
}

bool wake_supervisor(const JobRecord& record) {
  if (liveness(record.supervisor) != Liveness::alive) return false;
  return ::kill(static_cast<pid_t>(record.supervisor.pid), SIGUSR1) == 0;
}

}  // namespace viaduct::bridge
