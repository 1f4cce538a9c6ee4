#include "base/process.h"

#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <map>

#include "base/error.h"
#include "base/files.h"
#include "base/text.h"

namespace viaduct {

std::string describe(const ExitStatus& status) {
  if (status.signal == 0) return str("exit code ", status.code);
  const char* name = ::strsignal(status.signal);
  return str("signal ", status.signal, " (", name ? name : "unknown", ")");
}

static ExitStatus from_wait_status(int status) {
  if (WIFSIGNALED(status)) return {0, WTERMSIG(status)};
  return {WEXITSTATUS(status), 0};
}

namespace {

class FileActions {
 public:
  FileActions() { posix_spawn_file_actions_init(&actions_); }
  FileActions(const FileActions&) = delete;
  FileActions& operator=(const FileActions&) = delete;
  ~FileActions() { posix_spawn_file_actions_destroy(&actions_); }
  posix_spawn_file_actions_t* get() { return &actions_; }

 private:
  posix_spawn_file_actions_t actions_;
};

class Attributes {
 public:
  explicit Attributes(bool new_session) {
    posix_spawnattr_init(&attributes_);
    sigset_t all;
    sigset_t none;
    sigfillset(&all);
    sigemptyset(&none);
    posix_spawnattr_setsigdefault(&attributes_, &all);
    posix_spawnattr_setsigmask(&attributes_, &none);
    posix_spawnattr_setpgroup(&attributes_, 0);
    const int group = new_session ? POSIX_SPAWN_SETSID : POSIX_SPAWN_SETPGROUP;
    posix_spawnattr_setflags(&attributes_, static_cast<short>(POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK | group));
  }
  Attributes(const Attributes&) = delete;
  Attributes& operator=(const Attributes&) = delete;
  ~Attributes() { posix_spawnattr_destroy(&attributes_); }
  posix_spawnattr_t* get() { return &attributes_; }

 private:
  posix_spawnattr_t attributes_;
};

// Why posix_spawn gave `error`: it says the same for a missing program and for a missing directory.
Error cannot_start(const SpawnOptions& options, int error) {
  const std::string what = str("can't start ", options.argv[0]);
  std::error_code ignored;
  if (!options.directory.empty() && !std::filesystem::is_directory(options.directory, ignored))
    return Error(str(what, ": no such directory: ", options.directory.string()), ExitCode::cannot_execute);
  if (error == ENOENT) return Error(what + ": no such program", ExitCode::program_not_found);
  return Error::from_errno(what, error, ExitCode::cannot_execute);
}

// glibc 2.36 declares pidfd_open without C linkage, so the system call is made by hand.
Fd open_pidfd(pid_t pid) { return Fd(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0))); }

}  // namespace

Process Process::spawn(const SpawnOptions& options) {
  FileActions actions;
  if (!options.directory.empty()) posix_spawn_file_actions_addchdir_np(actions.get(), options.directory.c_str());
  if (options.stdin_fd < 0) {
    posix_spawn_file_actions_addopen(actions.get(), 0, "/dev/null", O_RDONLY, 0);
  } else {
    posix_spawn_file_actions_adddup2(actions.get(), options.stdin_fd, 0);
  }
  posix_spawn_file_actions_adddup2(actions.get(), options.stdout_fd, 1);
  posix_spawn_file_actions_adddup2(actions.get(), options.stderr_fd, 2);

  Attributes attributes(options.new_session);
  const CStrings argv(options.argv);
  const CStrings envp(options.environment ? options.environment->as_strings() : std::vector<std::string>());
  pid_t pid = -1;
  const int error =
      ::posix_spawnp(&pid, options.argv.at(0).c_str(), actions.get(), attributes.get(), argv.data(), envp.data());
  if (error != 0) throw cannot_start(options, error);
  Process process(pid, open_pidfd(pid));
  if (!process.pidfd_) throw Error::from_errno("pidfd_open (Linux 5.3 has it)", errno);
  return process;
}

Process::Process(Process&& other) noexcept
    : pid_(std::exchange(other.pid_, -1)), pidfd_(std::move(other.pidfd_)), status_(other.status_) {}

Process& Process::operator=(Process&& other) noexcept {
  if (this != &other) {
    kill_and_reap();
    pid_ = std::exchange(other.pid_, -1);
    pidfd_ = std::move(other.pidfd_);
    status_ = other.status_;
  }
  return *this;
}

Process::~Process() { kill_and_reap(); }

void Process::kill_and_reap() {
  if (pid_ < 0 || status_) return;
  signal_group(SIGKILL);
  wait();
}

std::optional<ExitStatus> Process::poll() {
  if (status_) return status_;
  int status = 0;
  const pid_t got = ::waitpid(pid_, &status, WNOHANG);
  if (got == pid_) status_ = from_wait_status(status);
  if (got < 0 && errno == ECHILD) status_ = ExitStatus{0, SIGKILL};
  return status_;
}

ExitStatus Process::wait() {
  while (!status_) {
    int status = 0;
    const pid_t got = ::waitpid(pid_, &status, 0);
    if (got == pid_) status_ = from_wait_status(status);
    if (got < 0 && errno == ECHILD) status_ = ExitStatus{0, SIGKILL};
  }
  return *status_;
}

void Process::signal_group(int signal) const {
  if (pid_ > 0 && !status_) ::kill(-pid_, signal);
}

void Process::release() { pid_ = -1; }

CapturedRun run_captured(SpawnOptions options, std::chrono::milliseconds limit) {
  constexpr std::size_t most = 1 << 20;
  Pipe pipe = make_pipe();
  set_non_blocking(pipe.read_end.get());
  options.stdout_fd = options.stderr_fd = pipe.write_end.get();
  Process process = Process::spawn(options);
  pipe.write_end.reset();
  const auto deadline = std::chrono::steady_clock::now() + limit;
  CapturedRun run;
  // First its output to the end, then its own end: a program may close its output and go on.
  for (bool output_open = true; output_open || !process.poll();) {
    const auto left =
        std::chrono::duration_cast<std::chrono::milliseconds>(deadline - std::chrono::steady_clock::now()).count();
    if (left <= 0) {
      run.timed_out = true;
      process.signal_group(SIGKILL);
      break;
    }
    pollfd ready{output_open ? pipe.read_end.get() : process.pidfd(), POLLIN, 0};
    if (::poll(&ready, 1, static_cast<int>(std::min<std::int64_t>(left, 60'000))) <= 0 || !output_open) continue;
    const auto [chunk, got] = read_some(pipe.read_end.get());
    output_open = !got || !chunk.empty();
    run.output.append(chunk, 0, most - run.output.size());
  }
  run.status = process.wait();
  return run;
}

void become_subreaper() { ::prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0); }

// Parent pid and start time from /proc/PID/stat, whose second field may hold blanks and parentheses.
static std::optional<std::pair<pid_t, std::int64_t>> parent_and_start(pid_t pid) {
  std::optional<std::string> content;
  try {
    content = read_file_if_exists(str("/proc/", pid, "/stat"));
  } catch (const Error&) {
    return std::nullopt;  // it ended while we read
  }
  if (!content) return std::nullopt;
  const auto close = content->rfind(')');
  if (close == std::string::npos || close + 2 > content->size()) return std::nullopt;
  const auto fields = split(std::string_view(*content).substr(close + 2), ' ');
  if (fields.size() < 20 || fields[0] == "X") return std::nullopt;
  // Threads may run on after the first one has ended; then the process is no zombie, though it is shown as one.
  if (fields[0] == "Z" && parse_integer(fields[17]).value_or(0) <= 1) return std::nullopt;
  return std::pair(static_cast<pid_t>(parse_integer(fields[1]).value_or(0)), parse_integer(fields[19]).value_or(0));
}

std::vector<pid_t> living_descendants() {
  std::map<pid_t, pid_t> parents;
  for (const auto& name : list_directory("/proc")) {
    const auto pid = parse_integer(name);
    if (!pid) continue;
    if (const auto stat = parent_and_start(static_cast<pid_t>(*pid))) parents[static_cast<pid_t>(*pid)] = stat->first;
  }
  std::vector<pid_t> found;
  const pid_t self = ::getpid();
  for (const auto& [pid, parent] : parents) {
    pid_t ancestor = parent;
    for (int depth = 0; ancestor > 1 && ancestor != self && depth < 1000; ++depth) {
      const auto next = parents.find(ancestor);
      ancestor = next == parents.end() ? 0 : next->second;
    }
    if (ancestor == self) found.push_back(pid);
  }
  return found;
}

int signal_descendants(int signal, const std::vector<pid_t>& spare) {
  int count = 0;
  for (const pid_t pid : living_descendants()) {
    if (std::find(spare.begin(), spare.end(), pid) != spare.end()) continue;
    ::kill(pid, signal);
    ++count;
  }
  return count;
}

void reap_orphans() {
  while (::waitpid(-1, nullptr, WNOHANG) > 0) {
  }
}

bool children_left() {
  siginfo_t info{};
  return ::waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) == 0;
}

namespace {

// Keeps SIGCHLD pending while it lives, so that sigtimedwait sees it.
class ChildSignalBlocked {
 public:
  ChildSignalBlocked() {
    sigemptyset(&child_);
    sigaddset(&child_, SIGCHLD);
    ::sigprocmask(SIG_BLOCK, &child_, &before_);
  }
  ChildSignalBlocked(const ChildSignalBlocked&) = delete;
  ChildSignalBlocked& operator=(const ChildSignalBlocked&) = delete;
  ~ChildSignalBlocked() { ::sigprocmask(SIG_SETMASK, &before_, nullptr); }

  void wait(const timespec& limit) const { ::sigtimedwait(&child_, nullptr, &limit); }

 private:
  sigset_t child_;
  sigset_t before_;
};

}  // namespace

void end_descendants(int signal, std::chrono::milliseconds grace) {
  using Clock = std::chrono::steady_clock;
  const ChildSignalBlocked child_signal;
  reap_orphans();
  // A subreaper with descendants has children; so without children there is nothing to look for.
  if (!children_left() || signal_descendants(signal) == 0) return;
  const auto kill_at = Clock::now() + grace;
  // There is no event for "the last descendant ended": orphans arrive here one by one, so the wait is for a child.
  for (;;) {
    reap_orphans();
    const bool out_of_patience = Clock::now() >= kill_at;
    if (signal_descendants(out_of_patience ? SIGKILL : 0) == 0) break;
    child_signal.wait({0, 50'000'000});
  }
  reap_orphans();
}

std::string host_name() {
  char name[256] = {};
  if (::gethostname(name, sizeof name - 1) != 0) return "localhost";
  return name;
}

static std::string boot_id() {
  return std::string(trim(read_file_if_exists("/proc/sys/kernel/random/boot_id").value_or("")));
}

static std::string pid_namespace() {
  std::error_code error;
  return std::filesystem::read_symlink("/proc/self/ns/pid", error).string();
}

ProcessIdentity identify_process(pid_t pid) {
  const auto stat = parent_and_start(pid);
  return {host_name(), boot_id(), pid_namespace(), pid, stat ? stat->second : 0};
}

ProcessIdentity identify_self() { return identify_process(::getpid()); }

Liveness liveness(const ProcessIdentity& identity) {
  if (identity.pid <= 0 || identity.start_ticks == 0) return Liveness::gone;
  const ProcessIdentity self = identify_self();
  // Without boot ids, or a /proc to look into, nothing can be said.
  if (identity.boot_id.empty() || self.boot_id.empty() || self.start_ticks == 0) return Liveness::on_another_host;
  if (identity.boot_id != self.boot_id) return identity.host == self.host ? Liveness::gone : Liveness::on_another_host;
  // Same kernel; but from another container its processes have other numbers, or none.
  if (!identity.pid_namespace.empty() && identity.pid_namespace != self.pid_namespace) return Liveness::on_another_host;
  const auto now = identify_process(static_cast<pid_t>(identity.pid));
  return now.start_ticks == identity.start_ticks ? Liveness::alive : Liveness::gone;
}

std::size_t raise_descriptor_limit(std::size_t needed) {
  rlimit limit{};
  ::getrlimit(RLIMIT_NOFILE, &limit);
  limit.rlim_cur = std::max(limit.rlim_cur, std::min<rlim_t>(limit.rlim_max, needed));
  ::setrlimit(RLIMIT_NOFILE, &limit);
  ::getrlimit(RLIMIT_NOFILE, &limit);
  return limit.rlim_cur;
}

}  // namespace viaduct
