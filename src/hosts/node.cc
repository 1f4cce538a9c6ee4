#include "hosts/node.h"

#include <sys/epoll.h>
#include <sys/inotify.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <optional>
#include <thread>

#include "base/error.h"
#include "base/event_loop.h"
#include "base/files.h"
#include "base/json.h"
#include "base/process.h"
#include "base/secret.h"
#include "base/text.h"
#include "hosts/frames.h"
#include "hosts/messages.h"
#include "launcher/job_ssh.h"
#include "launcher/network.h"
#include "sshkeys/server.h"
#include "sshkeys/transport.h"

namespace fs = std::filesystem;

namespace viaduct::hosts {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

constexpr milliseconds leftover_grace(2000);
constexpr milliseconds longest_silence(30'000);            // of `reach`, which says every few seconds that it is there
constexpr milliseconds orphan_limit(60'000);               // for `launch` to end by itself when this process is killed
constexpr std::size_t most_unsent = std::size_t{1} << 20;  // bytes of the log; then the ranks have to wait
constexpr std::string_view login_name = "viaduct";         // of the job's SSH; nobody's account

std::string replaced(std::string text, std::string_view what, std::string_view with) {
  for (auto at = text.find(what); at != std::string::npos; at = text.find(what, at + with.size()))
    text.replace(at, what.size(), with);
  return text;
}

// A private key as a file that only lives as long as this process: others of this user open it by /proc.
Fd memory_file(const Secret& content) {
  Fd file(::memfd_create("viaduct-key", MFD_CLOEXEC));
  if (!file || ::fchmod(file.get(), 0600) != 0) throw Error::from_errno("memfd_create", errno);
  write_all(file.get(), content.view());
  return file;
}

// A number that a process forked from this one sees as well.
class SharedPid {
 public:
  SharedPid() : at_(::mmap(nullptr, sizeof(Number), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0)) {
    if (at_ == MAP_FAILED) throw Error::from_errno("mmap", errno);
    new (at_) Number(0);
  }
  SharedPid(const SharedPid&) = delete;
  SharedPid& operator=(const SharedPid&) = delete;
  ~SharedPid() { ::munmap(at_, sizeof(Number)); }
  void set(pid_t pid) { static_cast<Number*>(at_)->store(pid); }
  pid_t get() const { return static_cast<Number*>(at_)->load(); }

 private:
  using Number = std::atomic<pid_t>;
  void* at_;
};

// A directory of this user alone, gone with its owner.
class RunDirectory {
 public:
  explicit RunDirectory(const Environment& environment) {
    std::string base = environment.get_or("XDG_RUNTIME_DIR", "");
    if (base.empty() || ::access(base.c_str(), W_OK) != 0) base = environment.get_or("TMPDIR", "/tmp");
    std::string path = str(base, "/viaduct-run.XXXXXX");
    if (!::mkdtemp(path.data())) throw Error::from_errno(str("can't make a directory in ", base), errno);
    path_ = path;
  }
  RunDirectory(const RunDirectory&) = delete;
  RunDirectory& operator=(const RunDirectory&) = delete;
  ~RunDirectory() {
    std::error_code ignored;
    fs::remove_all(path_, ignored);
  }
  const fs::path& path() const { return path_; }

 private:
  fs::path path_;
};

class Node {
 public:
  explicit Node(Environment environment) : environment_(std::move(environment)) {}

  int run() {
    sigset_t set;
    sigemptyset(&set);
    for (const int signal : {SIGTERM, SIGINT, SIGHUP}) sigaddset(&set, signal);
    ::sigprocmask(SIG_BLOCK, &set, nullptr);
    ::signal(SIGPIPE, SIG_IGN);
    become_subreaper();
    sshkeys::start_libssh();  // before any name is resolved
    const Fd signals(::signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK));
    loop_.watch(signals.get(), EPOLLIN, [this](std::uint32_t) { loop_.stop(); });
    for (const int fd : {STDIN_FILENO, STDOUT_FILENO}) set_non_blocking(fd);
    loop_.watch(STDIN_FILENO, EPOLLIN, [this](std::uint32_t) { take_input(); });
    loop_.watch(STDOUT_FILENO, 0, [this](std::uint32_t events) {
      if ((events & (EPOLLERR | EPOLLHUP)) != 0) return loop_.stop();
      flush();
    });
    expect_words();
    send("hello", write_json(to_value(hello()), 0));
    try {
      loop_.run();
    } catch (const Error& e) {
      report(e);
    }
    end();
    return exit_code_;
  }

 private:
  NodeHello hello() const {
    NodeHello hello = {host_name(), launcher::full_host_name(), own_executable(), "", {}};
    const auto ends = split(environment_.get_or("SSH_CONNECTION", ""), ' ');
    const auto own = launcher::own_addresses();
    // Behind a forwarded port sshd may have been told of an address that is not this host's; IPv6 is not looked up.
    if (ends.size() == 4 &&
        (contains(ends[2], ":") || std::ranges::count(own, ends[2], &launcher::InterfaceAddress::address) > 0))
      hello.connected_address = ends[2];
    for (const auto& [interface, address, prefix] : own)
      if (!address.starts_with("127.")) hello.addresses.push_back(address);
    return hello;
  }

  // Never waits: while the connection takes nothing, `reach` may still have something to say, or be gone.
  void send(std::string_view name, std::string_view body) {
    unsent_ += format_frame(name, body);
    flush();
  }

  void flush() {
    while (!unsent_.empty()) {
      const ssize_t written = ::write(STDOUT_FILENO, unsent_.data(), unsent_.size());
      if (written < 0 && (errno == EAGAIN || errno == EINTR)) break;
      if (written < 0) return loop_.stop();
      unsent_.erase(0, static_cast<std::size_t>(written));
    }
    loop_.change(STDOUT_FILENO, unsent_.empty() ? 0U : EPOLLOUT);
    if (log_) loop_.change(log_.get(), unsent_.size() < most_unsent ? EPOLLIN : 0U);
  }

  void expect_words() {
    loop_.cancel(silence_);
    silence_ = loop_.after(longest_silence, [this] { loop_.stop(); });
  }

  void take_input() {
    const auto [bytes, ready] = read_some(STDIN_FILENO);
    if (!ready) return;
    if (bytes.empty()) return loop_.stop();
    expect_words();
    input_.feed(bytes);
    try {
      while (auto frame = input_.next()) take(std::move(*frame));
    } catch (const Error& e) {
      report(e);
    }
  }

  void report(const Error& e) {
    Value error = Value::mapping();
    error.set("message", e.what());
    error.set("hint", e.hint());
    send("error", write_json(error, 0));
    exit_code_ = static_cast<int>(e.code());
  }

  void take(Frame frame) {
    if (frame.name == "host-key") {
      host_key_ = Secret(std::move(frame.body));
    } else if (frame.name == "client-key") {
      client_key_ = Secret(std::move(frame.body));
    } else if (frame.name == "serve") {
      serve(read_serve_request(read_json_document("serve", std::move(frame.body))));
    } else if (frame.name == "peers") {
      meet(read_peers_request(read_json_document("peers", std::move(frame.body))));
    } else if (frame.name == "launch") {
      launch(read_launch_request(read_json_document("launch", std::move(frame.body))));
    } else if (frame.name == "signal" && launch_) {
      launch_->signal_group(static_cast<int>(parse_integer(frame.body).value_or(SIGTERM)));
    }
  }

  void enter(const ServeRequest& request) {
    if (::chdir(request.directory.c_str()) != 0)
      throw Error(str("the directory ", request.directory, " is not there: ", ::strerror(errno)),
                  ExitCode::missing_on_host, "run it from a directory that all hosts share, by the same path");
    const std::string own_path = environment_.get_or("PATH", "/usr/local/bin:/usr/bin:/bin");
    for (const auto& [name, value] : request.environment)
      environment_.set(name, name == "PATH" ? str(value, ":", own_path) : value);
    run_.emplace(environment_);
  }

  // MPI daemons find the job's ssh as `launch` does; it works where the node has been told of its peers.
  Environment server_environment() const {
    Environment environment = environment_;
    launcher::place_job_ssh(run_->path(), own_executable());
    launcher::put_job_ssh_first(environment, run_->path(), run_->path() / "ssh_config");
    return environment;
  }

  sshkeys::ServerOptions server_options(const ServeRequest& request, const NodeHello& me) const {
    sshkeys::ServerOptions options;
    options.authorized = {sshkeys::parse_public_key(request.client_key, "the job's client key")};
    options.user = login_name;
    const bool local =
        me.connected_address.empty() || me.connected_address.starts_with("127.") || me.connected_address == "::1";
    if (!local) options.address = me.connected_address;
    options.port = 0;
    options.gate.members = request.members;
    options.gate.agent = me.agent;
    for (const auto& directory : split(environment_.get_or("PATH", ""), ':'))
      if (directory.starts_with("/")) options.gate.program_directories.push_back(directory);
    options.environment = server_environment();
    return options;
  }

  // In a process of its own, which ends with this one, and tidies up after it when it was killed.
  void serve(const ServeRequest& request) {
    const auto key = sshkeys::PrivateKey::parse(host_key_, "the host key");
    host_key_ = Secret();
    enter(request);
    const sshkeys::ServerOptions options = server_options(request, hello());
    sshkeys::ListeningSocket socket(options.address, options.port);
    const int port = socket.port();
    const pid_t self = ::getpid();
    const pid_t server = ::fork();
    if (server < 0) throw Error::from_errno("fork", errno);
    if (server == 0) {
      ::prctl(PR_SET_PDEATHSIG, SIGTERM, 0, 0, 0);
      if (::getppid() != self) ::_exit(1);
      ::close(STDIN_FILENO);
      ::close(STDOUT_FILENO);
      int code = 0;
      try {
        sshkeys::serve(std::move(socket), key, options);
      } catch (const Error& e) {
        write_to_reader(STDERR_FILENO, str("viaduct-agent sshd: ", e.what(), "\n"));
        code = 1;
      }
      if (::getppid() != self) tidy_up();
      ::_exit(code);
    }
    send("serving", std::to_string(port));
  }

  void tidy_up() {
    const auto until = steady_clock::now() + orphan_limit;
    while (launch_pid_.get() > 0 && ::kill(launch_pid_.get(), 0) == 0 && steady_clock::now() < until)
      std::this_thread::sleep_for(milliseconds(50));
    run_.reset();
  }

  void meet(const PeersRequest& request) {
    const fs::path& directory = run_->path();
    key_file_ = memory_file(client_key_);
    client_key_ = Secret();
    const std::string key_path = str("/proc/", ::getpid(), "/fd/", key_file_.get());
    write_file_atomically(directory / "known_hosts", request.known_hosts, 0600);
    write_file_atomically(
        directory / "ssh_config",
        replaced(replaced(request.ssh_config, "/@DIRECTORY@", directory.string()), "/@KEY@", key_path), 0600);
    send("ready", "");
  }

  void launch(const LaunchRequest& request) {
    const fs::path& directory = run_->path();
    write_file_atomically(directory / "plan.json", write_json(request.plan), 0600);
    Pipe log = make_pipe();
    SpawnOptions spawn;
    spawn.argv = {own_executable().string(),
                  "launch",
                  "--plan",
                  (directory / "plan.json").string(),
                  "--attempt-dir",
                  directory.string(),
                  "--attempt",
                  std::to_string(request.attempt),
                  "--hosts",
                  request.hosts,
                  "--own-node",
                  "0",
                  "--ssh-config",
                  (directory / "ssh_config").string(),
                  "--with-parent",
                  std::to_string(::getpid())};
    if (request.tree_spawn) spawn.argv.emplace_back("--tree-spawn");
    spawn.environment = &environment_;
    spawn.stdout_fd = log.write_end.get();
    spawn.stderr_fd = log.write_end.get();
    launch_ = Process::spawn(spawn);
    launch_pid_.set(launch_->pid());
    log_ = std::move(log.read_end);
    set_non_blocking(log_.get());
    events_ = Fd(::inotify_init1(IN_CLOEXEC | IN_NONBLOCK));
    ::inotify_add_watch(events_.get(), directory.c_str(), IN_MOVED_TO);
    loop_.watch(events_.get(), EPOLLIN, [this](std::uint32_t) { look_for_start(); });
    loop_.watch(log_.get(), EPOLLIN, [this](std::uint32_t) { forward_log(); });
    loop_.watch(launch_->pidfd(), EPOLLIN, [this](std::uint32_t) { launch_ended(); });
  }

  void look_for_start() {
    read_some(events_.get());
    if (told_started_ || !fs::exists(run_->path() / "started")) return;
    told_started_ = true;
    send("started", "");
  }

  void forward_log() {
    const auto [bytes, ready] = read_some(log_.get());
    if (!ready) return;
    if (!bytes.empty()) return send("log", bytes);
    loop_.forget(log_.get());
    log_.reset();
  }

  void launch_ended() {
    loop_.forget(launch_->pidfd());
    while (log_) {  // all that it wrote; nobody else holds the pipe now
      const auto [bytes, ready] = read_some(log_.get());
      if (!ready || bytes.empty()) break;
      send("log", bytes);
    }
    look_for_start();
    const ExitStatus status = launch_->wait();
    launch_pid_.set(0);
    const auto records = list_directory(run_->path() / "exit");
    if (records.empty()) {
      Value error = Value::mapping();
      error.set("message", str("viaduct-agent launch was ended by ", describe(status)));
      return send("error", write_json(error, 0));
    }
    send("exit", read_file(run_->path() / "exit" / records.front()));
  }

  void end() {
    if (launch_ && !launch_->poll()) {
      launch_->signal_group(SIGINT);  // at once: nobody waits for the ranks any more
      end_descendants(SIGTERM, leftover_grace);
    }
    end_descendants(SIGTERM, leftover_grace);
    run_.reset();
  }

  Environment environment_;
  EventLoop loop_;
  FrameReader input_;
  Secret host_key_;
  Secret client_key_;
  Fd key_file_;
  std::string unsent_;
  EventLoop::Timer silence_ = 0;
  SharedPid launch_pid_;  // 0 where none runs
  std::optional<RunDirectory> run_;
  std::optional<Process> launch_;
  Fd log_;
  Fd events_;
  bool told_started_ = false;
  int exit_code_ = 0;
};

}  // namespace

int node(const Environment& environment) { return Node(environment).run(); }

}  // namespace viaduct::hosts
