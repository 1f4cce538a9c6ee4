#pragma once

#include <sys/types.h>

#include <chrono>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "base/environment.h"
#include "base/fd.h"

namespace viaduct {

// How a process ended: by exiting with a code, or by a signal.
struct ExitStatus {
  int code = 0;    // 0..255; meaningful when signal is 0
  int signal = 0;  // 0 when it exited by itself
  bool ok() const { return code == 0 && signal == 0; }
  int shell_code() const { return signal != 0 ? 128 + signal : code; }  // as $? tells it
};
std::string describe(const ExitStatus& status);  // "exit code 7", "signal 9 (Killed)"

struct SpawnOptions {
  std::vector<std::string> argv;  // argv[0] is the path of the program, or a name looked up along the caller's PATH
  const Environment* environment = nullptr;  // null: none at all
  int stdin_fd = -1;                         // -1: /dev/null
  int stdout_fd = 1;
  int stderr_fd = 2;
  std::filesystem::path directory;  // empty: the caller's
  bool new_session = false;         // setsid instead of a new process group
};

// A child process in a process group of its own, started without a shell. The destructor kills the group (SIGKILL)
// and reaps the child, so that an exception never leaves one behind; `release` gives up ownership. One thread.
class Process {
 public:
  static Process spawn(const SpawnOptions& options);  // throws Error: not found, not executable, out of resources
  Process(Process&& other) noexcept;
  Process& operator=(Process&& other) noexcept;
  ~Process();

  pid_t pid() const { return pid_; }
  int pidfd() const { return pidfd_.get(); }  // readable when the process has ended
  std::optional<ExitStatus> poll();           // nullopt while it runs
  ExitStatus wait();
  void signal_group(int signal) const;  // nothing when it has ended
  void release();                       // lives on without us

 private:
  Process(pid_t pid, Fd pidfd) : pid_(pid), pidfd_(std::move(pidfd)) {}
  void kill_and_reap();

  pid_t pid_ = -1;
  Fd pidfd_;
  std::optional<ExitStatus> status_;
};

// Runs a program to its end and returns what it printed (stdout and stderr together, at most 1 MiB).
struct CapturedRun {
  ExitStatus status;
  std::string output;
  bool timed_out = false;
};
CapturedRun run_captured(SpawnOptions options, std::chrono::milliseconds limit);

// Makes this process the parent of its orphaned descendants (PR_SET_CHILD_SUBREAPER, Linux 3.4).
void become_subreaper();
// Sends `signal` to every descendant of this process but those in `spare`; how many there were.
int signal_descendants(int signal, const std::vector<pid_t>& spare = {});
std::vector<pid_t> living_descendants();  // in ascending order
// Ends all descendants: `signal` first, SIGKILL after `grace`, and reaps them. Returns when none is left.
void end_descendants(int signal, std::chrono::milliseconds grace);
void reap_orphans();   // collects ended children that no Process owns; call only when no Process lives
bool children_left();  // whether this process has any child, ended or not

// Which process this is, in a way that outlives it: a pid alone is soon somebody else's.
struct ProcessIdentity {
  std::string host;
  std::string boot_id;        // /proc/sys/kernel/random/boot_id
  std::string pid_namespace;  // /proc/self/ns/pid; "" when not known
  std::int64_t pid = 0;
  std::int64_t start_ticks = 0;  // field 22 of /proc/PID/stat
  bool operator==(const ProcessIdentity&) const = default;
};
ProcessIdentity identify_process(pid_t pid);  // start_ticks 0 when there is none
ProcessIdentity identify_self();
// `on_another_host` where nothing can be said from here: in another pid namespace or without /proc, too.
enum class Liveness { alive, gone, on_another_host };
Liveness liveness(const ProcessIdentity& identity);
std::string host_name();

// Raises the soft limit of open files to `needed`, as far as the hard limit allows; what it is then.
std::size_t raise_descriptor_limit(std::size_t needed);

}  // namespace viaduct
