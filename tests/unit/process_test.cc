#include "base/process.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/wait.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <cerrno>
#include <csignal>
#include <functional>

#include "base/error.h"
#include "base/files.h"
#include "base/text.h"

namespace viaduct {
namespace {

using std::chrono::milliseconds;
constexpr milliseconds long_enough{20'000};

Environment usual_environment() {
  Environment environment;
  environment.set("PATH", "/usr/bin:/bin");
  return environment;
}

SpawnOptions shell(const std::string& script) {
  static const Environment environment = usual_environment();
  SpawnOptions options;
  options.argv = {"/bin/sh", "-c", script};
  options.environment = &environment;
  return options;
}

ExitStatus run(const std::string& script) { return Process::spawn(shell(script)).wait(); }

std::string output_of(const SpawnOptions& options) {
  const CapturedRun run = run_captured(options, long_enough);
  CHECK_FALSE(run.timed_out);
  return run.output;
}

// Whether `fd` becomes readable (or its other end is closed) in time.
bool readable(int fd, milliseconds limit = long_enough) {
  pollfd ready{fd, POLLIN, 0};
  return ::poll(&ready, 1, static_cast<int>(limit.count())) == 1;
}

// Reads to the first line end, byte by byte.
std::string read_line(int fd) {
  std::string line;
  while (readable(fd)) {
    const auto [bytes, ready] = read_some(fd, 1);
    if (bytes.empty() || bytes == "\n") break;
    line += bytes;
  }
  return line;
}

// Runs `body` in a forked child, so that this process stays as it is; true when it returned true.
bool in_child(const std::function<bool()>& body) {
  const pid_t child = ::fork();
  if (child == 0) {
    bool good = false;
    try {
      good = body();
    } catch (...) {
      good = false;
    }
    ::_exit(good ? 0 : 1);
  }
  int status = 0;
  return child > 0 && ::waitpid(child, &status, 0) == child && WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

bool runs(pid_t pid) { return identify_process(pid).start_ticks != 0; }

ExitCode code_of(const SpawnOptions& options) {
  try {
    Process::spawn(options);
  } catch (const Error& e) {
    return e.code();
  }
  return ExitCode::ok;
}

}  // namespace

TEST_CASE("process: the exit code is told as it is") {
  CHECK(run("exit 0").ok());
  const ExitStatus status = run("exit 7");
  CHECK(status.code == 7);
  CHECK(status.signal == 0);
  CHECK(status.shell_code() == 7);
  CHECK_FALSE(status.ok());
  CHECK(describe(status) == "exit code 7");
}

TEST_CASE("process: an end by a signal is told apart from an exit code") {
  const ExitStatus status = run("kill -TERM $$");
  CHECK(status.signal == SIGTERM);
  CHECK(status.shell_code() == 143);
  CHECK_FALSE(status.ok());
  CHECK(describe(status) == "signal 15 (Terminated)");
  CHECK(describe({0, SIGKILL}) == "signal 9 (Killed)");
  CHECK(run("exit 143").signal == 0);
}

TEST_CASE("process: a program that is not there is an Error with its own exit code") {
  SpawnOptions options;
  options.argv = {"/nowhere/program"};
  CHECK(code_of(options) == ExitCode::program_not_found);
  CHECK_THROWS_WITH(Process::spawn(options), "can't start /nowhere/program: no such program");
  options.argv = {"no-such-program-anywhere"};
  CHECK(code_of(options) == ExitCode::program_not_found);
}

TEST_CASE("process: a program that may not be executed is an Error with its own exit code") {
  SpawnOptions options;
  options.argv = {"/etc/passwd"};
  CHECK(code_of(options) == ExitCode::cannot_execute);
  options.argv = {"/"};
  CHECK(code_of(options) == ExitCode::cannot_execute);
}

TEST_CASE("process: a working directory that is not there is not taken for a missing program") {
  SpawnOptions options = shell("true");
  options.directory = "/nowhere";
  CHECK(code_of(options) == ExitCode::cannot_execute);
  CHECK_THROWS_WITH(Process::spawn(options), "can't start /bin/sh: no such directory: /nowhere");
}

TEST_CASE("process: it runs in the directory asked for") {
  SpawnOptions options = shell("pwd");
  options.directory = "/usr";
  CHECK(output_of(options) == "/usr\n");
}

TEST_CASE("process: it gets the environment it was given and nothing else") {
  Environment environment;
  environment.set("VIADUCT_TEST", "a b=c");
  SpawnOptions options;
  options.argv = {"/usr/bin/env"};
  options.environment = &environment;
  CHECK(output_of(options) == "VIADUCT_TEST=a b=c\n");
  options.environment = nullptr;
  CHECK(output_of(options).empty());
}

TEST_CASE("process: arguments arrive as they are") {
  SpawnOptions options = shell("for word; do echo \"<$word>\"; done");
  for (const char* word : {"sh", "a b", "", "$HOME", "*", "é"}) options.argv.emplace_back(word);
  CHECK(output_of(options) == "<a b>\n<>\n<$HOME>\n<*>\n<é>\n");
}

TEST_CASE("process: standard input is empty unless it is given") {
  CHECK(output_of(shell("cat; echo end")) == "end\n");
  Pipe pipe = make_pipe();
  write_all(pipe.write_end.get(), "hello");
  pipe.write_end.reset();
  SpawnOptions options = shell("cat");
  options.stdin_fd = pipe.read_end.get();
  CHECK(output_of(options) == "hello");
}

TEST_CASE("process: standard output and standard error go where they are sent") {
  const Pipe out = make_pipe();
  const Pipe err = make_pipe();
  SpawnOptions options = shell("echo out; echo err >&2");
  options.stdout_fd = out.write_end.get();
  options.stderr_fd = err.write_end.get();
  CHECK(Process::spawn(options).wait().ok());
  CHECK(read_line(out.read_end.get()) == "out");
  CHECK(read_line(err.read_end.get()) == "err");
}

TEST_CASE("process: it inherits no other descriptor of ours") {
  const std::string before = output_of(shell("ls /proc/self/fd"));  // with what we inherited ourselves
  const Pipe pipe = make_pipe();
  const Fd log = open_for_append("/dev/null");
  CHECK(output_of(shell("ls /proc/self/fd")) == before);
}

TEST_CASE("process: it leads a process group of its own, or a session where asked") {
  const std::string fields =
      "read -r pid comm state parent group session rest < /proc/self/stat; echo $pid $group $session";
  const auto in_group = split(trim(output_of(shell(fields))), ' ');
  REQUIRE(in_group.size() == 3);
  CHECK(in_group[1] == in_group[0]);
  CHECK(in_group[2] == std::to_string(::getsid(0)));
  SpawnOptions options = shell(fields);
  options.new_session = true;
  const auto in_session = split(trim(output_of(options)), ' ');
  REQUIRE(in_session.size() == 3);
  CHECK(in_session[1] == in_session[0]);
  CHECK(in_session[2] == in_session[0]);
}

TEST_CASE("process: a blocked or ignored signal of ours is neither in the child") {
  CHECK(in_child([] {
    ::signal(SIGTERM, SIG_IGN);
    ::signal(SIGPIPE, SIG_IGN);
    sigset_t all;
    sigfillset(&all);
    ::sigprocmask(SIG_BLOCK, &all, nullptr);
    const CapturedRun child =
        run_captured(shell("grep -E '^Sig(Blk|Ign):' /proc/self/status; kill -TERM $$"), long_enough);
    for (const char* name : {"SigBlk:\t", "SigIgn:\t"}) {
      const auto at = child.output.find(name);
      if (at == std::string::npos) return false;
      constexpr unsigned long long classic_signals = 0x7fffffff;  // glibc plays with two of its own beyond
      if ((std::stoull(child.output.substr(at + 8), nullptr, 16) & classic_signals) != 0) return false;
    }
    return child.status.signal == SIGTERM;
  }));
}

TEST_CASE("process: poll tells nothing while it runs, and the end afterwards") {
  Pipe pipe = make_pipe();
  SpawnOptions options = shell("read line; exit 3");
  options.stdin_fd = pipe.read_end.get();
  Process process = Process::spawn(options);
  CHECK_FALSE(process.poll());
  CHECK_FALSE(readable(process.pidfd(), milliseconds(0)));
  pipe.write_end.reset();
  REQUIRE(readable(process.pidfd()));
  REQUIRE(process.poll());
  CHECK(process.poll()->code == 3);
  CHECK(process.wait().code == 3);
}

TEST_CASE("process: a signal reaches the whole group") {
  const Pipe pipe = make_pipe();
  SpawnOptions options = shell("sleep 1000 & echo started; wait");
  options.stdout_fd = pipe.write_end.get();
  Process process = Process::spawn(options);
  REQUIRE(read_line(pipe.read_end.get()) == "started");
  process.signal_group(SIGTERM);
  CHECK(process.wait().signal == SIGTERM);
  process.signal_group(SIGKILL);  // nothing to do any more
}

TEST_CASE("process: the destructor kills the group and reaps the child") {
  Pipe pipe = make_pipe();
  pid_t pid = -1;
  {
    SpawnOptions options = shell("trap '' TERM; sleep 1000 & echo started; wait");
    options.stdout_fd = pipe.write_end.get();
    const Process process = Process::spawn(options);
    pipe.write_end.reset();
    pid = process.pid();
    REQUIRE(read_line(pipe.read_end.get()) == "started");
  }
  CHECK(::waitpid(pid, nullptr, WNOHANG) == -1);
  CHECK(errno == ECHILD);
  // The group's other member held the pipe open: its end shows that it is gone too.
  REQUIRE(readable(pipe.read_end.get()));
  CHECK(read_some(pipe.read_end.get()).first.empty());
}

TEST_CASE("process: moving hands the child over, and assigning ends the one before") {
  Process first = Process::spawn(shell("sleep 1000"));
  const pid_t old = first.pid();
  Process second = Process::spawn(shell("exit 4"));
  const pid_t pid = second.pid();
  first = std::move(second);
  CHECK(::waitpid(old, nullptr, WNOHANG) == -1);
  CHECK(first.pid() == pid);
  const Process third = std::move(first);
  CHECK(third.pid() == pid);
}

TEST_CASE("process: a released child lives on") {
  Pipe in = make_pipe();
  pid_t pid = -1;
  {
    SpawnOptions options = shell("read line; exit 5");
    options.stdin_fd = in.read_end.get();
    Process process = Process::spawn(options);
    pid = process.pid();
    process.release();
  }
  CHECK(runs(pid));
  in.write_end.reset();
  int status = 0;
  CHECK(::waitpid(pid, &status, 0) == pid);
  CHECK(WEXITSTATUS(status) == 5);
}

TEST_CASE("process: run_captured returns both outputs and the end") {
  const CapturedRun run = run_captured(shell("echo out; echo err >&2; exit 3"), long_enough);
  CHECK(run.output == "out\nerr\n");
  CHECK(run.status.code == 3);
  CHECK_FALSE(run.timed_out);
}

TEST_CASE("process: run_captured keeps at most 1 MiB and reads on to the end") {
  const CapturedRun run = run_captured(shell("head -c 3000000 /dev/zero; exit 2"), long_enough);
  CHECK(run.output.size() == 1 << 20);
  CHECK(run.status.code == 2);
}

TEST_CASE("process: run_captured ends a program that takes too long, whole group and all") {
  const auto start = std::chrono::steady_clock::now();
  for (const char* script : {"sleep 1000", "exec > /dev/null 2>&1; sleep 1000", "trap '' TERM; sleep 1000 & wait"}) {
    INFO(script);
    const CapturedRun run = run_captured(shell(script), milliseconds(100));
    CHECK(run.timed_out);
    CHECK_FALSE(run.status.ok());
    CHECK_FALSE(children_left());
  }
  CHECK(std::chrono::steady_clock::now() - start < long_enough);
}

TEST_CASE("process: run_captured keeps its time limit when a signal arrives") {
  CHECK(in_child([] {
    struct sigaction action {};
    action.sa_handler = [](int) {};
    ::sigaction(SIGALRM, &action, nullptr);
    ::ualarm(20'000, 20'000);
    return run_captured(shell("sleep 1000"), milliseconds(200)).timed_out;
  }));
}

TEST_CASE("process: end_descendants ends a grandchild that left its group and session") {
  CHECK(in_child([] {
    become_subreaper();
    const Pipe pipe = make_pipe();
    SpawnOptions options = shell("setsid sh -c 'echo $$; exec sleep 1000' & wait");
    options.stdout_fd = pipe.write_end.get();
    Process process = Process::spawn(options);
    const auto runaway = parse_integer(read_line(pipe.read_end.get()));
    if (!runaway || !runs(static_cast<pid_t>(*runaway))) return false;
    process.signal_group(SIGKILL);
    process.wait();
    if (!runs(static_cast<pid_t>(*runaway)) || signal_descendants(0) != 1) return false;
    end_descendants(SIGTERM, long_enough);
    return !runs(static_cast<pid_t>(*runaway)) && !children_left();
  }));
}

TEST_CASE("process: end_descendants kills what ignores the signal, after the grace") {
  CHECK(in_child([] {
    become_subreaper();
    const Pipe pipe = make_pipe();
    SpawnOptions options = shell("trap '' TERM; echo started; while :; do sleep 1000; done");
    options.stdout_fd = pipe.write_end.get();
    Process process = Process::spawn(options);
    const pid_t pid = process.pid();
    if (read_line(pipe.read_end.get()) != "started") return false;
    process.release();
    end_descendants(SIGTERM, milliseconds(50));
    return !runs(pid) && !children_left();
  }));
}

TEST_CASE("process: end_descendants is content when there are none") {
  CHECK(in_child([] {
    become_subreaper();
    end_descendants(SIGTERM, long_enough);
    return signal_descendants(SIGKILL) == 0 && !children_left();
  }));
}

TEST_CASE("process: a descendant may be spared a signal") {
  CHECK(in_child([] {
    const Process spared = Process::spawn(shell("exec sleep 1000"));
    Process other = Process::spawn(shell("exec sleep 1000"));
    return signal_descendants(SIGKILL, {spared.pid()}) == 1 && other.wait().signal == SIGKILL && runs(spared.pid());
  }));
}

TEST_CASE("process: reap_orphans collects what has ended") {
  CHECK(in_child([] {
    Process process = Process::spawn(shell("exit 0"));
    if (!children_left() || !readable(process.pidfd())) return false;
    process.release();
    reap_orphans();
    return !children_left();
  }));
}

TEST_CASE("process: a running process is alive, an ended one is gone") {
  Process process = Process::spawn(shell("sleep 1000"));
  const ProcessIdentity identity = identify_process(process.pid());
  CHECK(identity.pid == process.pid());
  CHECK(identity.start_ticks > 0);
  CHECK(identity.host == host_name());
  CHECK(liveness(identity) == Liveness::alive);
  CHECK(liveness(identify_self()) == Liveness::alive);
  process.signal_group(SIGKILL);
  REQUIRE(readable(process.pidfd()));
  CHECK(liveness(identity) == Liveness::gone);  // a zombie runs no more
  process.wait();
  CHECK(liveness(identity) == Liveness::gone);
  CHECK(identify_process(process.pid()).start_ticks == 0);
}

TEST_CASE("process: another process with the same pid is not taken for the one that was") {
  ProcessIdentity identity = identify_self();
  ++identity.start_ticks;
  CHECK(liveness(identity) == Liveness::gone);
  identity = identify_self();
  identity.boot_id = "before the last boot";
  CHECK(liveness(identity) == Liveness::gone);
  CHECK(liveness({}) == Liveness::gone);
}

TEST_CASE("process: of a process on another host nothing can be said") {
  ProcessIdentity identity = identify_self();
  identity.host = "elsewhere";
  CHECK(liveness(identity) == Liveness::alive);  // the same boot: another name for this machine
  identity.boot_id = "another";
  CHECK(liveness(identity) == Liveness::on_another_host);
}

TEST_CASE("process: of a process in another pid namespace nothing can be said") {
  ProcessIdentity identity = identify_self();
  CHECK_FALSE(identity.pid_namespace.empty());
  identity.pid_namespace = "pid:[1]";
  CHECK(liveness(identity) == Liveness::on_another_host);
  identity.pid_namespace.clear();  // from an old record
  CHECK(liveness(identity) == Liveness::alive);
  identity.boot_id.clear();
  CHECK(liveness(identity) == Liveness::on_another_host);
}

TEST_CASE("process: a program's name with blanks and parentheses does not confuse its identity") {
  std::string name = "/tmp/viaduct-process-XXXXXX";
  REQUIRE(::mkdtemp(name.data()) != nullptr);
  const std::filesystem::path directory = name;
  std::filesystem::copy_file("/bin/sleep", directory / "a) R 1 (b");
  SpawnOptions options;
  options.argv = {(directory / "a) R 1 (b").string(), "1000"};
  {
    const Process process = Process::spawn(options);
    CHECK(liveness(identify_process(process.pid())) == Liveness::alive);
    CHECK(identify_process(process.pid()).start_ticks >= identify_self().start_ticks);
  }
  remove_tree(directory);
}

}  // namespace viaduct
