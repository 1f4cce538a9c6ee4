#include "sshkeys/server.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstring>
#include <list>
#include <memory>

#include "base/error.h"
#include "base/event_loop.h"
#include "base/files.h"
#include "base/process.h"
#include "base/text.h"
#include "sshkeys/server_connection.h"
#include "sshkeys/transport.h"

namespace viaduct::sshkeys {
namespace {

constexpr std::size_t most_strangers = 256;  // connections that have not logged in; the oldest one goes for a new one
constexpr int descriptors_of_a_session = 6;  // socket, three pipes, the process, one to spare
constexpr int own_descriptors = 32;          // of the server itself
constexpr std::chrono::milliseconds grace(2000);  // between TERM and KILL
constexpr int most_log_lines = 200;               // in log_window; a stranger must not fill the disk
constexpr std::chrono::seconds log_window(10);

std::string address_and_port(const sockaddr_storage& address, socklen_t size) {
  char host[NI_MAXHOST];
  char port[NI_MAXSERV];
  constexpr int numeric = NI_NUMERICHOST | NI_NUMERICSERV;
  const auto* any = reinterpret_cast<const sockaddr*>(&address);
  if (::getnameinfo(any, size, host, sizeof host, port, sizeof port, numeric) != 0) return "unknown 0";
  return str(host, " ", port);
}

// How many sessions there are descriptors for, after asking for enough of them.
int affordable_sessions(int wanted) {
  rlimit limit{};
  ::getrlimit(RLIMIT_NOFILE, &limit);
  const auto needed = static_cast<rlim_t>(own_descriptors + wanted * descriptors_of_a_session) + most_strangers;
  limit.rlim_cur = std::max(limit.rlim_cur, std::min(limit.rlim_max, needed));
  ::setrlimit(RLIMIT_NOFILE, &limit);
  ::getrlimit(RLIMIT_NOFILE, &limit);
  const rlim_t strangers = most_strangers;
  const rlim_t spare = limit.rlim_cur > own_descriptors + strangers ? limit.rlim_cur - own_descriptors - strangers : 0;
  return static_cast<int>(std::clamp<rlim_t>(spare / descriptors_of_a_session, 1, static_cast<rlim_t>(wanted)));
}

struct FreeBind {
  void operator()(ssh_bind bind) const { ::ssh_bind_free(bind); }
};
using Bind = std::unique_ptr<std::remove_pointer_t<ssh_bind>, FreeBind>;

Bind make_bind(const PrivateKey& host_key) {
  ::ssh_init();
  Bind bind(::ssh_bind_new());
  bool no = false;
  const auto set = [&](ssh_bind_options_e option, const void* value) {
    if (::ssh_bind_options_set(bind.get(), option, value) != SSH_OK)
      throw Error(str("libssh does not take its options: ", ::ssh_get_error(bind.get())));
  };
  set(SSH_BIND_OPTIONS_PROCESS_CONFIG, &no);
  set(SSH_BIND_OPTIONS_IMPORT_KEY, ::ssh_key_dup(host_key.handle()));  // the bind owns the copy
  set(SSH_BIND_OPTIONS_KEY_EXCHANGE, key_exchange_algorithms);
  set(SSH_BIND_OPTIONS_HOSTKEY_ALGORITHMS, host_key_algorithms);
  set(SSH_BIND_OPTIONS_PUBKEY_ACCEPTED_KEY_TYPES, host_key_algorithms);
  for (const auto ciphers : {SSH_BIND_OPTIONS_CIPHERS_C_S, SSH_BIND_OPTIONS_CIPHERS_S_C})
    set(ciphers, cipher_algorithms);
  return bind;
}

class Server : public ConnectionOwner {
 public:
  Server(ListeningSocket socket, const PrivateKey& host_key, const ServerOptions& options)
      : socket_(std::move(socket)),
        options_(options),
        most_sessions_(affordable_sessions(options.most_sessions)),
        bind_(make_bind(host_key)) {}

  void run(int until_end_of) {
    sigset_t set;
    sigemptyset(&set);
    for (const int signal : {SIGTERM, SIGINT, SIGHUP, SIGCHLD}) sigaddset(&set, signal);
    ::sigprocmask(SIG_BLOCK, &set, nullptr);
    ::signal(SIGPIPE, SIG_IGN);
    become_subreaper();
    const Fd signals(::signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK));
    loop_.watch(signals.get(), EPOLLIN, [&](std::uint32_t) { take_signals(signals.get()); });
    if (until_end_of >= 0)
      loop_.watch(until_end_of, EPOLLIN, [this, until_end_of](std::uint32_t) {
        const auto [bytes, ready] = read_some(until_end_of);
        if (ready && bytes.empty()) loop_.stop();
      });
    listen(true);
    while (!loop_.stopped()) {
      loop_.run_once();
      bury();
    }
    end_descendants(SIGTERM, grace);
  }

  void log(const std::string& peer, const std::string& text) override {
    const auto now = std::chrono::steady_clock::now();
    if (now - log_since_ > log_window) {
      if (log_lines_ > most_log_lines)
        write_to_reader(STDERR_FILENO, str("viaduct-agent sshd: ", log_lines_ - most_log_lines, " more lines\n"));
      log_since_ = now;
      log_lines_ = 0;
    }
    if (++log_lines_ <= most_log_lines)
      write_to_reader(STDERR_FILENO, str("viaduct-agent sshd: ", peer, ": ", text, "\n"));
  }
  void logged_in() override { --strangers_; }
  void wants_to_run() override { start_waiting(); }
  void finished(ServerConnection& connection) override {
    --running_;
    if (connection.is_relay()) end_everything();
    start_waiting();
  }
  void ended(ServerConnection& connection) override {
    using Stage = ServerConnection::Stage;
    if (connection.stage() == Stage::login) --strangers_;
    if (connection.stage() == Stage::running) --running_;
    if (auto command = connection.take_command()) {
      command->signal_group(SIGTERM);
      dying_.push_back(std::move(*command));
      loop_.after(grace, [this] { dying_.pop_front(); });  // ~Process kills what is left of the group
    }
    if (connection.stage() == Stage::running && connection.is_relay()) end_everything();
    graves_ = true;
  }

 private:
  using Connections = std::list<std::unique_ptr<ServerConnection>>;

  void listen(bool on) {
    if (on == listening_) return;
    listening_ = on;
    if (on) loop_.watch(socket_.fd(), EPOLLIN, [this](std::uint32_t) { accept_one(); });
    if (!on) loop_.forget(socket_.fd());
  }

  // Beyond this many connections the others wait in the kernel's queue.
  bool is_full() const { return connections_.size() - strangers_ >= 2 * static_cast<std::size_t>(most_sessions_); }

  void accept_one() {
    sockaddr_storage address{};
    socklen_t size = sizeof address;
    Fd socket(::accept4(socket_.fd(), reinterpret_cast<sockaddr*>(&address), &size, SOCK_CLOEXEC | SOCK_NONBLOCK));
    if (!socket) return;
    set_up_tcp(socket.get());
    sockaddr_storage own{};
    socklen_t own_size = sizeof own;
    ::getsockname(socket.get(), reinterpret_cast<sockaddr*>(&own), &own_size);
    const std::string ends = str(address_and_port(address, size), " ", address_and_port(own, own_size));
    try {
      connections_.push_back(
          std::make_unique<ServerConnection>(std::move(socket), ends, bind_.get(), options_, loop_, *this));
      ++strangers_;
    } catch (const Error& e) {
      log(ends, e.what());
    }
    if (strangers_ > most_strangers) {
      const auto oldest = std::ranges::find(connections_, ServerConnection::Stage::login,
                                            [](const auto& connection) { return connection->stage(); });
      if (oldest != connections_.end()) (*oldest)->close("too many clients that have not logged in");
    }
    if (is_full()) listen(false);
  }

  void start_waiting() {
    for (auto& connection : connections_) {
      if (running_ >= most_sessions_) return;
      if (connection->stage() != ServerConnection::Stage::waiting) continue;
      ++running_;
      connection->run_command();
      if (connection->stage() != ServerConnection::Stage::running) --running_;
    }
  }

  // After the handlers have returned: a connection is never deleted while it is at work.
  void bury() {
    if (!graves_) return;
    graves_ = false;
    connections_.remove_if([](const auto& connection) { return connection->has_ended(); });
    if (!is_full()) listen(true);
    start_waiting();
  }

  void end_everything() {
    signal_descendants(SIGTERM);
    loop_.cancel(kill_timer_);
    kill_timer_ = loop_.after(grace, [] { signal_descendants(SIGKILL); });
  }

  void take_signals(int signals) {
    signalfd_siginfo info{};
    while (::read(signals, &info, sizeof info) == static_cast<ssize_t>(sizeof info))
      if (info.ssi_signo != SIGCHLD) loop_.stop();
    reap_children();
  }

  // Daemons that left their session became children of this process; nobody else waits for them. Commands are waited
  // for by their connections.
  void reap_children() {
    siginfo_t info{};
    while (::waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) == 0 && info.si_pid != 0) {
      const auto runs_it = [&](const auto& connection) { return connection->command_pid() == info.si_pid; };
      const auto connection = std::ranges::find_if(connections_, runs_it);
      const auto dying = std::ranges::find(dying_, info.si_pid, &Process::pid);
      if (connection != connections_.end()) {
        (*connection)->pump();
      } else if (dying != dying_.end()) {
        dying->poll();
      } else {
        ::waitpid(info.si_pid, nullptr, WNOHANG);
      }
      info = {};
    }
  }

  ListeningSocket socket_;
  const ServerOptions& options_;
  int most_sessions_;
  Bind bind_;
  EventLoop loop_;
  Connections connections_;
  std::list<Process> dying_;
  std::size_t strangers_ = 0;
  int running_ = 0;
  bool listening_ = false;
  bool graves_ = false;
  EventLoop::Timer kill_timer_ = 0;
  std::chrono::steady_clock::time_point log_since_;
  int log_lines_ = 0;
};

Fd listen_on(const addrinfo& where) {
  Fd socket(::socket(where.ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!socket) return socket;
  const int on = 1;
  ::setsockopt(socket.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  constexpr int backlog = 4096;
  if (::bind(socket.get(), where.ai_addr, where.ai_addrlen) != 0 || ::listen(socket.get(), backlog) != 0) return {};
  return socket;
}

}  // namespace

ListeningSocket::ListeningSocket(const std::string& address, int port) {
  addrinfo hints{};
  hints.ai_flags = AI_PASSIVE | AI_NUMERICHOST;
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  if (::getaddrinfo(address.c_str(), std::to_string(port).c_str(), &hints, &found) != 0)
    throw Error(str("not an address to listen on: ", address), ExitCode::bad_input, "0.0.0.0 and :: stand for any");
  socket_ = listen_on(*found);
  const int error = errno;
  ::freeaddrinfo(found);
  if (!socket_)
    throw Error(str("can't listen on port ", port, " of ", address, ": ", std::strerror(error)),
                ExitCode::missing_on_host, error == EADDRINUSE ? "port 0 takes any that is free" : "");
  sockaddr_storage bound{};
  socklen_t size = sizeof bound;
  ::getsockname(socket_.get(), reinterpret_cast<sockaddr*>(&bound), &size);
  port_ = ntohs(bound.ss_family == AF_INET6 ? reinterpret_cast<const sockaddr_in6&>(bound).sin6_port
                                            : reinterpret_cast<const sockaddr_in&>(bound).sin_port);
}

void serve(ListeningSocket socket, const PrivateKey& host_key, const ServerOptions& options, int until_end_of) {
  if (!options.port_file.empty()) write_file_atomically(options.port_file, str(socket.port(), "\n"), 0644);
  Server(std::move(socket), host_key, options).run(until_end_of);
}

}  // namespace viaduct::sshkeys
