#include "sshkeys/client.h"

#include <libssh/callbacks.h>
#include <libssh/libssh.h>
#include <libssh/server.h>
#include <netdb.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <climits>
#include <csignal>
#include <cstring>
#include <memory>
#include <optional>
#include <thread>

#include "base/error.h"
#include "base/fd.h"
#include "base/files.h"
#include "base/text.h"
#include "sshkeys/key.h"
#include "sshkeys/known_hosts.h"
#include "sshkeys/ssh_arguments.h"
#include "sshkeys/ssh_config.h"
#include "sshkeys/transport.h"

namespace viaduct::sshkeys {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

constexpr int ssh_failed = 255;                  // OpenSSH's exit code for an error of its own
constexpr milliseconds longest_attempt(10'000);  // to connect to one address
constexpr milliseconds first_pause(50);          // between attempts; doubles
constexpr milliseconds longest_pause(2'000);
constexpr std::size_t chunk = 32768;       // bytes moved at once
constexpr std::size_t most_held = 262144;  // bytes of output that nobody takes; then the command has to wait

struct FreeSession {
  void operator()(ssh_session session) const {
    ::ssh_disconnect(session);
    ::ssh_free(session);
  }
};
using Session = std::unique_ptr<std::remove_pointer_t<ssh_session>, FreeSession>;

std::string last_error(const Session& session) { return printable(abbreviated(::ssh_get_error(session.get()), 200)); }

int poll_ms(steady_clock::time_point until) {
  const auto left = std::chrono::ceil<milliseconds>(until - steady_clock::now()).count();
  return static_cast<int>(std::clamp<std::int64_t>(left, 0, 3'600'000));
}

// Connects to one address. On failure the reason is in `why`.
Fd connect_to(const addrinfo& address, steady_clock::time_point until, std::string& why) {
  Fd socket(::socket(address.ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  int error = socket ? 0 : errno;
  if (socket && ::connect(socket.get(), address.ai_addr, address.ai_addrlen) != 0) {
    error = errno;
    pollfd writable{socket.get(), POLLOUT, 0};
    if (error == EINPROGRESS) {
      socklen_t size = sizeof error;
      error = ETIMEDOUT;
      if (::poll(&writable, 1, poll_ms(until)) == 1) ::getsockopt(socket.get(), SOL_SOCKET, SO_ERROR, &error, &size);
    }
  }
  if (error == 0) return socket;
  why = std::strerror(error);
  return {};
}

Fd resolve_and_connect(const SshTarget& target, steady_clock::time_point deadline, std::string& why) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_family = target.family == AddressFamily::ipv4   ? AF_INET
                    : target.family == AddressFamily::ipv6 ? AF_INET6
                                                           : AF_UNSPEC;
  addrinfo* found = nullptr;
  const int status = ::getaddrinfo(target.host_name.c_str(), std::to_string(target.port).c_str(), &hints, &found);
  if (status != 0) {
    why = str("Could not resolve hostname ", target.host_name, ": ", ::gai_strerror(status));
    return {};
  }
  const std::unique_ptr<addrinfo, decltype(&::freeaddrinfo)> owner(found, ::freeaddrinfo);
  for (const addrinfo* address = found; address; address = address->ai_next)
    if (Fd socket = connect_to(*address, std::min(deadline, steady_clock::now() + longest_attempt), why)) return socket;
  return {};
}

// A session past the key exchange, or nothing and the reason. Throws Error where trying again is of no use.
Session shake_hands(const SshTarget& target, Fd socket, steady_clock::time_point deadline, std::string& why) {
  Session session(::ssh_new());
  set_up_tcp(socket.get());
  const auto set = [&](ssh_options_e option, const void* value) {
    if (::ssh_options_set(session.get(), option, value) != SSH_OK)
      throw Error(str("libssh does not take its options: ", last_error(session)));
  };
  const bool no = false;
  const long seconds = std::max(1, poll_ms(deadline) / 1000);
  const socket_t fd = socket.get();
  const std::string user = target.user.value_or(own_user_name());
  set(SSH_OPTIONS_PROCESS_CONFIG, &no);
  set(SSH_OPTIONS_SSH_DIR, "/nonexistent");  // or a home would be needed
  set(SSH_OPTIONS_HOST, target.alias.c_str());
  set(SSH_OPTIONS_USER, user.c_str());
  set(SSH_OPTIONS_FD, &fd);
  set(SSH_OPTIONS_TIMEOUT, &seconds);
  set(SSH_OPTIONS_KEY_EXCHANGE, key_exchange_algorithms);
  set(SSH_OPTIONS_HOSTKEYS, host_key_algorithms);
  set(SSH_OPTIONS_CIPHERS_C_S, cipher_algorithms);
  set(SSH_OPTIONS_CIPHERS_S_C, cipher_algorithms);
  socket.release();  // ssh_free closes it
  if (::ssh_connect(session.get()) == SSH_OK) return session;
  why = last_error(session);
  if (contains(why, "no match for method")) throw Error(str("the host speaks another SSH: ", why));
  return nullptr;
}

void check_host_key(const SshTarget& target, const Session& session) {
  ssh_key key = nullptr;
  char* base64 = nullptr;
  const bool told = ::ssh_get_server_publickey(session.get(), &key) == SSH_OK &&
                    ::ssh_pki_export_pubkey_base64(key, &base64) == SSH_OK;
  const PublicKey shown = {told ? ::ssh_key_type_to_char(::ssh_key_type(key)) : "", told ? base64 : ""};
  ::ssh_string_free_char(base64);
  ::ssh_key_free(key);
  KeyVerdict verdict = KeyVerdict::unknown;
  for (const auto& file : target.known_hosts) {
    const auto text = read_file_if_exists(file);
    const auto here = text ? check_known_host(*text, target.alias, shown.type, shown.base64) : KeyVerdict::unknown;
    if (here == KeyVerdict::revoked || verdict == KeyVerdict::unknown || here == KeyVerdict::match) verdict = here;
    if (verdict == KeyVerdict::revoked) break;
  }
  if (verdict == KeyVerdict::match) return;
  const std::string why = verdict == KeyVerdict::changed
                              ? "known_hosts has another key for it: this may be another host"
                          : verdict == KeyVerdict::revoked ? "its key is revoked"
                                                           : "known_hosts has no key for it";
  throw Error(str("Host key verification failed: ", why, " (looked for ", target.alias, " in ",
                  target.known_hosts.empty() ? "no file" : join(target.known_hosts, ", "), "; the host shows ",
                  shown.base64.empty() ? "no Ed25519 key" : shown.fingerprint(), ")"));
}

// Bytes for a descriptor that is others' too, and so stays blocking.
class Backlog {
 public:
  bool is_empty() const { return size() == 0; }
  std::size_t size() const { return bytes_.size() - at_; }
  void append(std::string_view bytes) { bytes_ += bytes; }

  // After poll has said that it takes something. False when nobody reads it; then all is dropped.
  bool write_some(int fd) {
    // A pipe that takes anything takes PIPE_BUF without blocking (POSIX, write).
    const ssize_t written = ::write(fd, bytes_.data() + at_, std::min<std::size_t>(size(), PIPE_BUF));
    if (written < 0 && (errno == EAGAIN || errno == EINTR)) return true;
    at_ += written < 0 ? size() : static_cast<std::size_t>(written);
    if (at_ == bytes_.size()) {
      bytes_.clear();
      at_ = 0;
    }
    return written >= 0;
  }

 private:
  std::string bytes_;  // from at_ on it is still to be written
  std::size_t at_ = 0;
};

class Client {
 public:
  Client(const SshTarget& target, std::string command) : target_(target), command_(std::move(command)) {}

  int run() {
    connect();
    start();
    while (!over()) step();
    return reader_gone_ ? ssh_failed : exit_code_;
  }

 private:
  void connect() {
    const auto deadline = steady_clock::now() + std::chrono::seconds(target_.deadline_seconds);
    milliseconds pause = first_pause;
    for (std::string told;;) {
      std::string why;
      session_.reset();
      if (Fd socket = resolve_and_connect(target_, deadline, why))
        session_ = shake_hands(target_, std::move(socket), deadline, why);
      if (session_) check_host_key(target_, session_);
      if (session_ && log_in(why)) return;
      if (steady_clock::now() + pause >= deadline)
        throw Error(str("can't connect to port ", target_.port, " of ", target_.host_name, " within ",
                        target_.deadline_seconds, " s: ", why));
      if (target_.verbosity > 0 && why != told) say(str("not yet: ", why));
      told = why;
      std::this_thread::sleep_for(pause);
      pause = std::min(pause * 2, longest_pause);
    }
  }

  // False, and why, when the connection breaks meanwhile.
  bool log_in(std::string& why) {
    std::string tried;
    for (const auto& file : target_.identities) {
      if (!std::filesystem::exists(file)) continue;
      tried += tried.empty() ? "" : ", ";
      try {
        const PrivateKey key = PrivateKey::read(file);
        if (::ssh_userauth_publickey(session_.get(), nullptr, key.handle()) == SSH_AUTH_SUCCESS) return true;
        tried += str("the host does not take ", file);
      } catch (const Error& e) {
        tried += e.what();
      }
      why = last_error(session_);
      if (!::ssh_is_connected(session_.get())) return false;
    }
    throw Error(str("Permission denied (publickey): ",
                    tried.empty() ? str("none of the key files is there: ", join(target_.identities, ", ")) : tried));
  }

  void start() {
    channel_ = ::ssh_channel_new(session_.get());
    ssh_callbacks_init(&callbacks_);
    callbacks_.userdata = this;
    callbacks_.channel_exit_status_function = [](ssh_session, ssh_channel, int status, void* self) {
      static_cast<Client*>(self)->exit_code_ = status & 0xff;
    };
    callbacks_.channel_close_function = [](ssh_session, ssh_channel, void* self) {
      static_cast<Client*>(self)->remote_closed_ = true;
    };
    ::ssh_set_channel_callbacks(channel_, &callbacks_);
    if (::ssh_channel_open_session(channel_) != SSH_OK ||
        ::ssh_channel_request_exec(channel_, command_.c_str()) != SSH_OK)
      throw Error(str("the host does not start the command: ", last_error(session_)));
    ::ssh_set_blocking(session_.get(), 0);
    if (target_.no_stdin) end_input();
  }

  // What the command said before the channel was closed is still to be told; the connection is not needed for that.
  bool over() {
    const bool was_closed = remote_closed_;
    if (was_closed || has_room()) take_output();
    if (remote_closed_ && !was_closed) take_output();  // it was closed meanwhile
    if (reader_gone_) return true;
    if (remote_closed_) return output_.is_empty() && errors_.is_empty();
    if (::ssh_is_connected(session_.get())) return false;
    throw Error(str("the connection broke: ", last_error(session_)));
  }

  bool can_send() const {
    return (::ssh_get_poll_flags(session_.get()) & SSH_WRITE_PENDING) == 0 && ::ssh_channel_window_size(channel_) > 0;
  }
  bool has_room() const { return output_.size() + errors_.size() < most_held; }

  void step() {
    const bool unsent = (::ssh_get_poll_flags(session_.get()) & SSH_WRITE_PENDING) != 0;
    const short wanted = unsent ? POLLIN | POLLOUT : POLLIN;
    if (!unsent_.empty() && can_send()) send_input();
    const bool takes_input = input_open_ && !remote_closed_ && unsent_.empty() && can_send();
    pollfd fds[] = {{remote_closed_ ? -1 : ::ssh_get_fd(session_.get()), wanted, 0},
                    {takes_input ? STDIN_FILENO : -1, POLLIN, 0},
                    {output_.is_empty() ? -1 : STDOUT_FILENO, POLLOUT, 0},
                    {errors_.is_empty() ? -1 : STDERR_FILENO, POLLOUT, 0}};
    const int interval = target_.alive_interval_seconds;
    const int ready = ::poll(fds, std::size(fds), interval > 0 ? interval * 1000 : -1);
    if (ready == 0 && !remote_closed_) ask_whether_alive();
    if (ready <= 0) return;
    if (fds[1].revents != 0) move_input();
    if (fds[2].revents != 0 && !output_.write_some(STDOUT_FILENO)) reader_gone_ = true;
    if (fds[3].revents != 0) errors_.write_some(STDERR_FILENO);
    if (fds[0].revents == 0) return;
    unanswered_ = 0;
    ::ssh_event_dopoll(event(), 0);
  }

  // As ServerAliveInterval and ServerAliveCountMax say.
  void ask_whether_alive() {
    if (unanswered_++ == target_.alive_count) throw Error("the connection broke: the host does not answer");
    ::ssh_send_keepalive(session_.get());
  }

  ssh_event event() {
    if (!event_) {
      event_.reset(::ssh_event_new());
      ::ssh_event_add_session(event_.get(), session_.get());
    }
    return event_.get();
  }

  void end_input() {
    input_open_ = false;
    ::ssh_channel_send_eof(channel_);
  }

  void move_input() {
    std::array<char, chunk> buffer;
    const std::size_t fits = std::min<std::size_t>(chunk, ::ssh_channel_window_size(channel_));
    const ssize_t got = ::read(STDIN_FILENO, buffer.data(), fits);
    if (got < 0 && (errno == EAGAIN || errno == EINTR)) return;
    if (got <= 0) return end_input();
    unsent_.assign(buffer.data(), static_cast<std::size_t>(got));
    send_input();
  }

  void send_input() {
    const int sent = ::ssh_channel_write(channel_, unsent_.data(), static_cast<std::uint32_t>(unsent_.size()));
    if (sent > 0) unsent_.erase(0, static_cast<std::size_t>(sent));
  }

  // All that libssh holds at once: it gives the host a new window for any read, however small.
  void take_output() {
    std::vector<char> buffer;
    for (const bool is_error : {false, true}) {
      for (;;) {
        const int waiting = ::ssh_channel_poll(channel_, is_error ? 1 : 0);
        if (waiting <= 0) break;
        const auto size = static_cast<std::uint32_t>(waiting);
        buffer.resize(size);
        const int got = ::ssh_channel_read_nonblocking(channel_, buffer.data(), size, is_error ? 1 : 0);
        if (got <= 0) break;
        (is_error ? errors_ : output_).append({buffer.data(), static_cast<std::size_t>(got)});
        if (!remote_closed_ && !has_room()) break;
      }
    }
  }

  void say(const std::string& text) const {
    write_to_reader(STDERR_FILENO, str("viaduct-agent ssh: ", target_.host, ": ", text, "\n"));
  }

  struct FreeEvent {
    void operator()(ssh_event event) const { ::ssh_event_free(event); }
  };

  const SshTarget& target_;
  std::string command_;
  Session session_;
  std::unique_ptr<std::remove_pointer_t<ssh_event>, FreeEvent> event_;
  ssh_channel channel_ = nullptr;  // the session's
  ssh_channel_callbacks_struct callbacks_{};
  std::string unsent_;  // input that was read, and not taken by libssh, as while keys are renewed
  Backlog output_;
  Backlog errors_;
  bool input_open_ = true;
  bool remote_closed_ = false;  // the command has ended, and the host has told all about it
  bool reader_gone_ = false;    // nobody takes the output any more
  int unanswered_ = 0;          // questions whether the host is alive
  int exit_code_ = ssh_failed;  // also when a signal ended the command
};

SshTarget target_of(const SshArguments& arguments, const Environment& environment) {
  std::string file = arguments.config_file;
  if (file.empty()) file = environment.get_or("VIADUCT_SSH_CONFIG", "");
  // Some programs always ask for unchecked keys, by a file that is empty: the job's own file prevails.
  std::vector<SshSetting> settings = arguments.settings;
  std::erase_if(settings, [](const SshSetting& setting) {
    return setting.keyword == "userknownhostsfile" && setting.values.front() == "/dev/null";
  });
  if (!file.empty() && file != "none")
    for (auto& setting : parse_ssh_config(read_file(file), file)) settings.push_back(std::move(setting));
  return resolve_target(settings, arguments.host, environment.get_or("HOME", ""));
}

}  // namespace

int ssh(const std::vector<std::string>& words, const Environment& environment) {
  ::signal(SIGPIPE, SIG_IGN);
  start_libssh();
  std::string who = "viaduct-agent ssh";
  bool quiet = false;
  try {
    const SshArguments arguments = parse_ssh_arguments(words);
    who += str(": ", printable(abbreviated(arguments.host, 255)));
    const SshTarget target = target_of(arguments, environment);
    quiet = target.quiet;
    if (target.verbosity > 0)
      for (const auto& remark : target.remarks) write_to_reader(STDERR_FILENO, str(who, ": ", remark, "\n"));
    return Client(target, arguments.command).run();
  } catch (const Error& e) {
    if (!quiet) write_to_reader(STDERR_FILENO, str(who, ": ", printable(e.what()), "\n"));
    return ssh_failed;
  }
}

}  // namespace viaduct::sshkeys
