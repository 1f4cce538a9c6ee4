#include "launcher/launch.h"

#include <poll.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <optional>

#include "base/error.h"
#include "base/fd.h"
#include "base/files.h"
#include "base/json.h"
#include "base/process.h"
#include "base/text.h"
#include "launcher/exit_file.h"
#include "launcher/job_ssh.h"
#include "launcher/output_log.h"
#include "launcher/rank_streams.h"
#include "launcher/remote_hosts.h"
#include "model/exit_record.h"

namespace viaduct::launcher {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

constexpr milliseconds mpirun_grace(3000);     // for mpirun to end its ranks after TERM
constexpr milliseconds survivor_grace(1000);   // for the other ranks when one has failed, as Open MPI has it
constexpr milliseconds far_grace(3000);        // the same over several hosts: Open MPI 4 crashes when it is hurried
constexpr milliseconds leftover_grace(1000);   // for what ranks left behind
constexpr milliseconds drain_limit(500);       // for output in the pipes after mpirun's end
constexpr milliseconds far_drain_limit(5000);  // for output on its way from other hosts, of which nothing comes
constexpr milliseconds report_interval(1000);  // between words on hosts that are not ready
constexpr std::size_t own_descriptors = 512;   // with those of the ranks of this host, two each
constexpr std::size_t descriptors_of_a_host = 6;

constexpr int parent_died = SIGHUP;  // the supervisor asks with TERM and INT

sigset_t stop_signals() {
  sigset_t set;
  sigemptyset(&set);
  for (const int signal : {SIGTERM, SIGINT, SIGHUP}) sigaddset(&set, signal);
  return set;
}

class Launch {
 public:
  Launch(const LaunchOptions& options, PreparedLaunch prepared, const Clock& clock, Fd signals)
      : options_(options),
        prepared_(std::move(prepared)),
        streams_(output_address_of_node(prepared_.output_address, prepared_.own_node)),
        clock_(clock),
        signals_(std::move(signals)),
        log_(static_cast<int>(prepared_.plan.ranks()), prepared_.mpirun.flavour, prepared_.output_nonce) {
    record_.node = host_name();
    record_.attempt = options_.attempt;
    record_.started = clock_.now();
  }

  model::ExitRecord run() {
    write_file_atomically(prepared_.hostfile, prepared_.hostfile_text, 0644);
    if (!prepared_.only_this_host) place_job_ssh(options_.attempt_directory, prepared_.agent);
    if (!reach_hosts()) {
      conclude_without_run();
      return record_;
    }
    start();
    if (prepared_.plan.launch == model::LaunchStyle::own_launcher) tell_started();
    while (!mpirun_->poll()) step();
    drain();
    end_descendants(stopping_ ? SIGKILL : SIGTERM, leftover_grace);
    log_.flush();
    conclude(*mpirun_->poll());
    if (!told_started_ && !asked_to_stop_ && record_.exit_code != 0) hint_at_ports();
    return record_;
  }

 private:
  // Waits until every other host of the run answers. False when one can't, or when the run is to be ended.
  bool reach_hosts() {
    std::vector<RemoteHosts::Host> others;
    for (std::size_t node = 0; node < prepared_.hosts.size() && !prepared_.only_this_host; ++node)
      if (static_cast<int>(node) != prepared_.own_node)
        others.push_back({static_cast<int>(node), prepared_.hosts[node].host});
    const RemoteHosts::Options how = {own_executable().string(), options_.ssh_config, prepared_.output_address,
                                      prepared_.plan.remote.ready_seconds};
    if (!others.empty()) raise_descriptor_limit(own_descriptors + others.size() * descriptors_of_a_host);
    remote_.emplace(std::move(others), how, prepared_.environment);
    auto next_report = steady_clock::now() + report_interval;
    std::string reported;
    while (remote_->ready_count() < remote_->size()) {
      std::vector<pollfd> fds = {{signals_.get(), POLLIN, 0}};
      remote_->add_polls(fds);
      ::poll(fds.data(), fds.size(), static_cast<int>(report_interval.count()));
      if (fds[0].revents != 0) take_signals();
      log_.take(*remote_);
      if (stopping_ || remote_->lost()) return false;
      if (steady_clock::now() < next_report) continue;
      next_report = steady_clock::now() + report_interval;
      const std::string report = str(remote_->ready_count(), "/", remote_->size(), " other hosts ready, waiting for ",
                                     remote_->describe_waiting());
      if (report != reported) log_.remark(report, true);
      reported = report;
    }
    finish_command(prepared_, remote_->ready());
    for (const auto& remark : prepared_.remarks) log_.remark(remark);
    return true;
  }

  void conclude_without_run() {
    record_.ended = clock_.now();
    if (stopping_) {
      conclude_request();
    } else {
      record_.cause = model::ExitRecord::Cause::launch_failed;
      conclude_lost_host("can't be used", *remote_->lost());
    }
    end_descendants(SIGKILL, milliseconds(0));
  }

  void start() {
    Pipe out = make_pipe();
    Pipe err = make_pipe();
    SpawnOptions spawn;
    spawn.argv = {own_executable().string(), "tether", std::to_string(::getpid()), "--"};
    spawn.argv.insert(spawn.argv.end(), prepared_.command.argv.begin(), prepared_.command.argv.end());
    spawn.environment = &prepared_.environment;
    spawn.stdout_fd = out.write_end.get();
    spawn.stderr_fd = err.write_end.get();
    if (prepared_.plan.launch == model::LaunchStyle::own_launcher) spawn.directory = prepared_.plan.working_directory;
    mpirun_.emplace(Process::spawn(spawn));
    for (Pipe* pipe : {&out, &err}) set_non_blocking(pipe->read_end.get());
    stdout_ = std::move(out.read_end);
    stderr_ = std::move(err.read_end);
  }

  // Waits for one thing to happen and deals with it.
  void step() {
    std::vector<pollfd> fds = {{signals_.get(), POLLIN, 0},
                               {mpirun_->pidfd(), POLLIN, 0},
                               {stdout_.get(), POLLIN, 0},
                               {stderr_.get(), POLLIN, 0}};
    streams_.add_polls(fds);
    remote_->add_polls(fds);
    ::poll(fds.data(), fds.size(), timeout_ms());
    if (fds[0].revents != 0) take_signals();
    if (fds[2].revents != 0) pump(stdout_, false);
    if (fds[3].revents != 0) pump(stderr_, true);
    log_.take(streams_);
    log_.take(*remote_);
    if (!told_started_ && log_.all_started()) tell_started();
    if (!stopping_ && remote_->lost()) begin_stopping(survivor_grace);
    if (!stopping_ && log_.first_bad_end()) begin_stopping(remote_->empty() ? survivor_grace : far_grace);
    if (stopping_ && steady_clock::now() >= next_stop_) escalate();
  }

  void begin_stopping(milliseconds grace) {
    stopping_ = true;
    grace_ = grace;
    next_stop_ = steady_clock::now();
  }

  int timeout_ms() const {
    if (!stopping_) return -1;
    const auto left = std::chrono::duration_cast<milliseconds>(next_stop_ - steady_clock::now()).count() + 1;
    return static_cast<int>(std::max<std::int64_t>(left, 0));
  }

  void pump(Fd& fd, bool is_error) {
    const auto [chunk, ready] = read_some(fd.get(), 1 << 18);
    if (!ready) return;
    if (chunk.empty()) fd.reset();
    log_.feed(is_error, chunk);
  }

  // Reads what is left in the pipes. A process that a rank left behind may hold them open for ever.
  void drain() {
    remote_->finish();
    const auto until = steady_clock::now() + drain_limit;
    const milliseconds far_limit = stopping_ ? drain_limit : far_drain_limit;
    auto far_until = steady_clock::now() + far_limit;
    const auto more_to_come = [&] {
      const auto now = steady_clock::now();
      return ((stdout_ || stderr_ || streams_.open()) && now < until) || (remote_->open() && now < far_until);
    };
    while (more_to_come()) {
      std::vector<pollfd> fds = {{stdout_.get(), POLLIN, 0}, {stderr_.get(), POLLIN, 0}};
      streams_.add_polls(fds);
      remote_->add_polls(fds);
      constexpr int pause_ms = 20;
      if (::poll(fds.data(), fds.size(), pause_ms) == 0 && !children_left()) break;
      if (fds[0].revents != 0) pump(stdout_, false);
      if (fds[1].revents != 0) pump(stderr_, true);
      log_.take(streams_);
      if (log_.take(*remote_)) far_until = steady_clock::now() + far_limit;
    }
    if (stdout_) log_.feed(false, "");
    if (stderr_) log_.feed(true, "");
    log_.finish(streams_);
    if (!stopping_) remote_->give_up();
  }

  void tell_started() {
    told_started_ = true;
    try {
      write_file_atomically(options_.attempt_directory / "started", format_rfc3339(clock_.now()) + "\n");
    } catch (const Error& e) {
      log_.remark(e.what());
    }
    if (prepared_.plan.launch == model::LaunchStyle::wrapped)
      log_.remark(str(count_of(prepared_.plan.ranks(), "rank"), " started on ",
                      count_of(static_cast<std::int64_t>(prepared_.hosts.size()), "host")));
  }

  void take_signals() {
    signalfd_siginfo info{};
    while (::read(signals_.get(), &info, sizeof info) == static_cast<ssize_t>(sizeof info)) {
      if (!stopping_) {
        asked_to_stop_ = true;
        stop_signal_ = static_cast<int>(info.ssi_signo);
        begin_stopping(std::chrono::seconds(prepared_.plan.grace_seconds));
      }
      if (info.ssi_signo == SIGINT) {
        stage_ = StopStage::kill;
        next_stop_ = steady_clock::now();
      }
    }
  }

  // TERM to the ranks, so that they can write a checkpoint; then TERM to mpirun, which gives its ranks a second; then
  // KILL to everything. (Open MPI's own TERM handling leaves the ranks one second and can't be made to wait for less
  // than its full time-out, so it comes second.)
  void escalate() {
    switch (stage_) {
      case StopStage::ranks:
        stage_ = StopStage::mpirun;
        if (signal_ranks(SIGTERM) > 0) {
          next_stop_ = steady_clock::now() + grace_;
          return;
        }
        [[fallthrough]];
      case StopStage::mpirun:
        mpirun_->signal_group(SIGTERM);
        next_stop_ = steady_clock::now() + own_grace();
        stage_ = StopStage::kill;
        return;
      case StopStage::kill:
        signal_descendants(SIGKILL);
        next_stop_ = steady_clock::now() + mpirun_grace;
        return;
    }
  }

  // A command that is its own launcher gets the plan's grace itself.
  milliseconds own_grace() const {
    const bool own = prepared_.plan.launch == model::LaunchStyle::own_launcher;
    return own ? grace_ + mpirun_grace : mpirun_grace;
  }

  // Only to processes that came from here: a rank's pid may be another's by now, or was never told truly.
  int signal_ranks(int signal) {
    const auto living = living_descendants();
    int count = static_cast<int>(remote_->ready_count());
    remote_->signal_ranks(signal);
    for (const auto& [rank, hello] : log_.started())
      if (hello.host == record_.node && std::binary_search(living.begin(), living.end(), hello.pid) &&
          ::kill(static_cast<pid_t>(hello.pid), signal) == 0)
        ++count;
    return count;
  }

  void conclude(const ExitStatus& mpirun_status) {
    record_.ended = clock_.now();
    record_.exit_code = mpirun_status.shell_code();
    if (asked_to_stop_) return conclude_request();
    if (remote_->lost()) return conclude_lost_host("went away", *remote_->lost());
    const auto told = log_.failures().first_failure(mpirun_status.shell_code());
    const auto& end = log_.first_bad_end();
    // When a rank fails on another host, the ends of those that mpirun then sends TERM may be known here sooner.
    const bool ended_by_mpirun = end && end->signal == SIGTERM && told;
    if (end && !ended_by_mpirun) return conclude_bad_end(*end);
    // Open MPI 5 may well end with 0 then.
    if (told && told->lost_host) return conclude_lost_host("went away", {told->host, "mpirun lost its daemon there"});
    if (mpirun_status.ok() && !end) return;
    conclude_by_mpirun(mpirun_status, told);
  }

  void conclude_bad_end(const RankEnd& end) {
    RankFailure told;
    told.rank = end.rank;
    told.exit_code = end.exit_code;
    told.signal = end.signal;
    record_.failure = failed_rank(told);
    record_.message = model::describe(*record_.failure);
    record_.exit_code = ExitStatus{end.exit_code, end.signal}.shell_code();
  }

  void conclude_by_mpirun(const ExitStatus& mpirun_status, const std::optional<RankFailure>& told) {
    record_.hint = log_.failures().hint().value_or("");
    const std::string program = prepared_.command.argv.front();
    if (mpirun_status.signal != 0 && !(stopping_ && told)) {  // whatever the ranks died of came after
      record_.message = str(program, " on ", record_.node, " was ended by ", describe(mpirun_status));
    } else if (told) {
      record_.failure = failed_rank(*told);
      record_.message = model::describe(*record_.failure);
      record_.exit_code = record_.failure->signal != 0 ? 128 + record_.failure->signal : record_.failure->exit_code;
      if (record_.exit_code == 0) record_.exit_code = mpirun_status.shell_code();
      if (record_.exit_code == 0) record_.exit_code = static_cast<int>(ExitCode::failure);
    } else {
      record_.message = str(program, " on ", record_.node, " ended with ", describe(mpirun_status));
    }
  }

  // No MPI says it when its daemons find no port.
  void hint_at_ports() {
    const auto& ports = prepared_.plan.remote.daemon_ports;
    if (!ports || prepared_.only_this_host) return;
    const std::string host = record_.failure && !record_.failure->host.empty() ? record_.failure->host : record_.node;
    record_.hint += str(record_.hint.empty() ? "" : "; or ", "all ports ", ports->first, "-", ports->last,
                        " of viaduct.dev/daemon-ports may be taken on ", host);
  }

  void conclude_request() {
    const bool orphaned = options_.parent > 0 && stop_signal_ == parent_died;
    record_.cause = orphaned ? model::ExitRecord::Cause::supervisor_died : model::ExitRecord::Cause::stopped;
    record_.message = orphaned ? str("the viaduct process that ran it (pid ", options_.parent, " on ", record_.node,
                                     ") was killed; its ranks were ended")
                               : str("ended on request (", describe(ExitStatus{0, stop_signal_}), ")");
    record_.exit_code = 128 + stop_signal_;
  }

  void conclude_lost_host(std::string_view what, const RemoteHosts::Lost& lost) {
    const auto& [host, reason] = lost;
    record_.failure = model::FailedRank{};
    record_.failure->host = host;
    record_.message = str("host ", host, " ", what, ": ", reason);
    record_.exit_code = static_cast<int>(ExitCode::failure);
  }

  model::FailedRank failed_rank(const RankFailure& told) const {
    model::FailedRank failed;
    if (told.rank) failed.rank = *told.rank;
    failed.host = told.host;
    // Hydra names the process, not the rank.
    for (const auto& [rank, hello] : log_.started())
      if (!failed.rank && told.pid > 0 && hello.pid == told.pid && (told.host.empty() || hello.host == told.host))
        failed.rank = rank;
    if (failed.rank) {
      const auto hello = log_.started().find(static_cast<int>(*failed.rank));
      if (hello != log_.started().end()) failed.host = hello->second.host;
      failed.last_lines = log_.last_lines(static_cast<int>(*failed.rank));
    }
    failed.exit_code = told.exit_code.value_or(0);
    failed.signal = told.signal.value_or(0);
    return failed;
  }

  enum class StopStage { ranks, mpirun, kill };

  const LaunchOptions& options_;
  PreparedLaunch prepared_;
  RankStreams streams_;                // of this host's ranks
  std::optional<RemoteHosts> remote_;  // empty where every node is this host
  const Clock& clock_;
  Fd signals_;
  OutputLog log_;
  model::ExitRecord record_;
  std::optional<Process> mpirun_;
  Fd stdout_;
  Fd stderr_;
  bool told_started_ = false;
  bool stopping_ = false;
  bool asked_to_stop_ = false;  // and not stopped because a rank failed
  milliseconds grace_{0};
  int stop_signal_ = SIGTERM;
  StopStage stage_ = StopStage::ranks;
  steady_clock::time_point next_stop_;
};

}  // namespace

int launch(const LaunchOptions& options, const Environment& environment, const Clock& clock) {
  // Signals first: from here on a request to stop waits in the signalfd until it can be dealt with.
  const sigset_t set = stop_signals();
  ::sigprocmask(SIG_BLOCK, &set, nullptr);
  Fd signals(::signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK));
  become_subreaper();
  if (options.parent > 0) {
    ::prctl(PR_SET_PDEATHSIG, parent_died, 0, 0, 0);
    if (::getppid() != options.parent) ::kill(::getpid(), parent_died);  // it was gone before we asked
  }
  model::ExitRecord record;
  try {
    PreparedLaunch prepared = prepare_launch(options, environment, own_executable());
    if (options.dry_run) {
      finish_command(prepared, {});
      write_all(STDOUT_FILENO, describe(prepared));
      return 0;
    }
    record = Launch(options, std::move(prepared), clock, std::move(signals)).run();
  } catch (const Error& e) {
    if (options.dry_run) throw;
    end_descendants(SIGKILL, milliseconds(0));
    record = record_of_error(e, options.attempt, clock.now());
  }
  write_exit_file(options.attempt_directory, record);
  if (options.parent == 0 && !record.message.empty())  // nobody else reads the record out
    write_to_reader(STDERR_FILENO, str("viaduct-agent launch: ", printable(record.message), "\n",
                                       record.hint.empty() ? "" : str("  hint: ", printable(record.hint), "\n")));
  return record.exit_code;
}

}  // namespace viaduct::launcher
