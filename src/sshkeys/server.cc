#include "sshkeys/server.h"

#include <arpa/inet.h>
#include <malloc.h>
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
#include <functional>
#include <list>
#include <memory>
#include <vector>

#include "base/error.h"
#include "base/event_loop.h"
#include "base/files.h"
#include "base/process.h"
#include "base/text.h"
#include "sshkeys/server_connection.h"
#include "sshkeys/transport.h"

namespace viaduct::sshkeys {
namespace {

using Stage = ServerConnection::Stage;
using std::chrono::milliseconds;

// For each command that may run there may be two clients that have logged in and two that have not, of two descriptors
// each; and the command has three pipes and a process.
constexpr int clients_of_a_session = 2;
constexpr rlim_t descriptors_of_a_session = 4 * clients_of_a_session + 4;
constexpr int own_descriptors = 32;      // of the server itself
constexpr milliseconds grace(2'000);     // between TERM and KILL
constexpr milliseconds pause(50);        // without room, until the next client is let in
constexpr milliseconds patience(3'000);  // with a client that has not logged in, where others wait
constexpr milliseconds patience_with_silence(250);
constexpr int most_log_lines = 200;  // of clients that have not logged in, in log_window
constexpr milliseconds log_window(10'000);

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
  const rlim_t needed = own_descriptors + static_cast<rlim_t>(wanted) * descriptors_of_a_session;
  limit.rlim_cur = std::max(limit.rlim_cur, std::min(limit.rlim_max, needed));
  ::setrlimit(RLIMIT_NOFILE, &limit);
  ::getrlimit(RLIMIT_NOFILE, &limit);
  const rlim_t spare = limit.rlim_cur > own_descriptors ? limit.rlim_cur - own_descriptors : 0;
  return static_cast<int>(std::clamp<rlim_t>(spare / descriptors_of_a_session, 1, static_cast<rlim_t>(wanted)));
}

// As kill(2) does to a group, but to descendants alone: its leader may be reaped, and the number another's.
void signal_group(pid_t group, int signal) {
  if (::kill(-group, 0) != 0) return;
  for (const pid_t pid : living_descendants())
    if (::getpgid(pid) == group) ::kill(pid, signal);
}

struct FreeBind {
  void operator()(ssh_bind bind) const { ::ssh_bind_free(bind); }
};
using Bind = std::unique_ptr<std::remove_pointer_t<ssh_bind>, FreeBind>;

Bind make_bind(const PrivateKey& host_key) {
  start_libssh();
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

  void run() {
    sigset_t set;
    sigemptyset(&set);
    for (const int signal : {SIGTERM, SIGINT, SIGHUP, SIGCHLD}) sigaddset(&set, signal);
    ::sigprocmask(SIG_BLOCK, &set, nullptr);
    ::signal(SIGPIPE, SIG_IGN);
    become_subreaper();
    const Fd signals(::signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK));
    loop_.watch(signals.get(), EPOLLIN, [&](std::uint32_t) { take_signals(signals.get()); });
    listen(true);
    while (!loop_.stopped()) {
      loop_.run_once();
      while (changed_) tidy();
    }
    end_all_commands();
  }

  void log(const ServerConnection& connection, const std::string& text) override {
    if (connection.stage() == Stage::login && !may_log()) return;
    say(str(connection.peer(), ": ", text));
  }
  void changed() override { changed_ = true; }

 private:
  using Connections = std::list<std::unique_ptr<ServerConnection>>;

  static void say(const std::string& text) { write_to_reader(STDERR_FILENO, str("viaduct-agent sshd: ", text, "\n")); }

  // A stranger must not fill the disk.
  bool may_log() {
    if (log_lines_ == 0)
      loop_.after(log_window, [this] {
        if (log_lines_ > most_log_lines) say(str(log_lines_ - most_log_lines, " more lines like these"));
        log_lines_ = 0;
      });
    return ++log_lines_ <= most_log_lines;
  }

  void listen(bool on) {
    if (on == listening_) return;
    listening_ = on;
    if (on) loop_.watch(socket_.fd(), EPOLLIN, [this](std::uint32_t) { accept_one(); });
    if (!on) loop_.forget(socket_.fd());
  }

  template <typename Predicate>
  int count(Predicate is_counted) const {
    return static_cast<int>(std::ranges::count_if(
        connections_, [&](const auto& connection) { return !connection->has_ended() && is_counted(*connection); }));
  }
  static bool is_stranger(const ServerConnection& connection) { return connection.stage() == Stage::login; }
  int running() const {
    return count([](const auto& connection) { return connection.stage() == Stage::running; });
  }
  // Beyond this many clients the others wait in the kernel's queue.
  bool is_full() const { return count(std::not_fn(is_stranger)) >= clients_of_a_session * most_sessions_; }

  void accept_one() {
    if (!make_room()) return pause_listening();
    sockaddr_storage address{};
    socklen_t size = sizeof address;
    Fd socket(::accept4(socket_.fd(), reinterpret_cast<sockaddr*>(&address), &size, SOCK_CLOEXEC | SOCK_NONBLOCK));
    if (!socket && (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM)) pause_listening();
    if (!socket) return;
    set_up_tcp(socket.get());
    sockaddr_storage own{};
    socklen_t own_size = sizeof own;
    ::getsockname(socket.get(), reinterpret_cast<sockaddr*>(&own), &own_size);
    const std::string ends = str(address_and_port(address, size), " ", address_and_port(own, own_size));
    try {
      connections_.push_back(
          std::make_unique<ServerConnection>(std::move(socket), ends, bind_.get(), options_, loop_, *this));
    } catch (const Error& e) {
      if (may_log()) say(str(ends, ": ", e.what()));
    }
  }

  // For one more that has not logged in, by hanging up on one that takes its time: best the oldest that says nothing.
  bool make_room() {
    if (count(is_stranger) < clients_of_a_session * most_sessions_) return true;
    ServerConnection* chosen = nullptr;
    for (const auto& connection : connections_) {
      if (connection->has_ended() || !is_stranger(*connection)) continue;
      const bool silent = connection->is_silent();
      if (connection->age() >= (silent ? patience_with_silence : patience) && (!chosen || silent))
        chosen = connection.get();
      if (chosen && silent) break;
    }
    if (chosen) chosen->close("too many clients that have not logged in");
    return chosen != nullptr;
  }

  // The others wait in the kernel's queue.
  void pause_listening() {
    listen(false);
    loop_.after(pause, [this] { changed(); });
  }

  // After the handlers have returned: so a connection is never deleted while it is at work.
  void tidy() {
    changed_ = false;
    bool relay_is_over = false;
    for (const auto& connection : connections_) {
      relay_is_over |= connection->take_end_of_relay();
      if (!connection->has_ended()) continue;
      if (auto command = connection->take_command()) end_command(std::move(*command));
    }
    if (relay_is_over) end_everything();
    connections_.remove_if([](const auto& connection) { return connection->has_ended(); });
    if (connections_.empty()) ::malloc_trim(0);  // what a crowd took goes back to the system
    start_waiting();
    listen(!is_full());
  }

  void start_waiting() {
    int room = most_sessions_ - running();
    for (const auto& connection : connections_) {
      if (room <= 0 || ending_) return;
      if (connection->stage() != Stage::waiting) continue;
      connection->run_command();
      if (connection->stage() == Stage::running) --room;
    }
  }

  // Of a connection that was dropped, with its group, of which the command itself may be gone already.
  void end_command(Process command) {
    const pid_t group = command.pid();
    if (command.poll()) {
      signal_group(group, SIGTERM);
    } else {
      command.signal_group(SIGTERM);
    }
    command.release();
    loop_.after(grace, [this, group] {
      signal_group(group, SIGKILL);
      changed();
    });
  }

  // Until all is gone, no new command is started: it would be taken for one of those.
  void end_everything() {
    if (!children_left()) return;
    signal_descendants(SIGTERM);
    loop_.cancel(ending_);
    ending_ = loop_.after(grace, [this] {
      signal_descendants(SIGKILL);
      everything_has_ended();
    });
  }
  void everything_has_ended() {
    loop_.cancel(ending_);
    ending_ = 0;
    changed();
  }

  void end_all_commands() {
    std::vector<Process> commands;
    for (const auto& connection : connections_)
      if (auto command = connection->take_command()) commands.push_back(std::move(*command));
    end_descendants(SIGTERM, grace);
    for (auto& command : commands) command.poll();  // so that ~Process leaves alone what is gone
  }

  void take_signals(int signals) {
    signalfd_siginfo info{};
    while (::read(signals, &info, sizeof info) == static_cast<ssize_t>(sizeof info))
      if (info.ssi_signo != SIGCHLD) loop_.stop();
    reap_children();
    if (ending_ && !children_left()) everything_has_ended();
  }

  // Commands, whose connections want to know how they ended, and orphans: daemons that left their session became
  // children of this process.
  void reap_children() {
    siginfo_t info{};
    while (::waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) == 0 && info.si_pid != 0) {
      const auto runs_it = [&](const auto& connection) { return connection->command_pid() == info.si_pid; };
      const auto connection = std::ranges::find_if(connections_, runs_it);
      if (connection != connections_.end()) {
        (*connection)->reap_command();
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
  bool listening_ = false;
  bool changed_ = false;
  EventLoop::Timer ending_ = 0;  // until when all that was started here has to be gone; 0: no such end is under way
  int log_lines_ = 0;            // in this window
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

void serve(ListeningSocket socket, const PrivateKey& host_key, const ServerOptions& options) {
  if (!options.port_file.empty()) write_file_atomically(options.port_file, str(socket.port(), "\n"), 0644);
  Server(std::move(socket), host_key, options).run();
}

}  // namespace viaduct::sshkeys
