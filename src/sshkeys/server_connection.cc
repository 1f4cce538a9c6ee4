#include "sshkeys/server_connection.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>

#include "base/error.h"
#include "base/text.h"
#include "sshkeys/gated_run.h"

namespace viaduct::sshkeys {
namespace {

constexpr int most_failed_logins = 6;
constexpr std::size_t most_variables = 64;        // of a client's environment
constexpr std::size_t longest_variable = 4096;    // bytes, name and value
constexpr std::size_t chunk = 32768;              // bytes moved at once; what SSH allows in a packet
constexpr int chunks_in_a_row = 8;                // then the other connections have their turn
constexpr std::chrono::seconds goodbye_limit(2);  // for the client to hang up by itself, or it would complain

ServerConnection& of(void* self) { return *static_cast<ServerConnection*>(self); }

bool matches(const std::string& pattern, const std::string& name) {
  if (!pattern.ends_with('*')) return pattern == name;
  return name.starts_with(std::string_view(pattern).substr(0, pattern.size() - 1));
}

std::string peer_of(const std::string& ends) {
  const auto words = split(ends, ' ');
  return words.size() < 2 ? ends : str(words[0], ":", words[1]);
}

// SSH has names for signals (RFC 4254, section 6.10); others are called as OpenSSH does.
std::string signal_name(int signal) {
  const char* name = ::sigabbrev_np(signal);
  return name ? name : "SIG@openssh.com";
}

}  // namespace

ServerConnection::ServerConnection(Fd socket, std::string ends, ssh_bind keys, const ServerOptions& options,
                                   EventLoop& loop, ConnectionOwner& owner)
    : session_(::ssh_new()),
      event_(::ssh_event_new()),
      socket_(socket.get()),
      ends_(std::move(ends)),
      peer_(peer_of(ends_)),
      options_(options),
      loop_(loop),
      owner_(owner) {
  if (!session_ || !event_ || ::ssh_bind_accept_fd(keys, session_, socket_) != SSH_OK) {
    ::ssh_event_free(event_);
    ::ssh_free(session_);
    throw Error("out of memory for a connection");
  }
  socket.release();  // ssh_free closes it
  ssh_callbacks_init(&server_callbacks_);
  server_callbacks_.userdata = this;
  server_callbacks_.auth_pubkey_function = on_auth;
  server_callbacks_.channel_open_request_session_function = on_open;
  ::ssh_set_server_callbacks(session_, &server_callbacks_);
  ::ssh_set_auth_methods(session_, SSH_AUTH_METHOD_PUBLICKEY);
  ::ssh_set_blocking(session_, 0);
  ::ssh_handle_key_exchange(session_);  // begins it; the rest comes with the client's packets
  ::ssh_event_add_session(event_, session_);
  loop_.watch(socket_, EPOLLIN, [this](std::uint32_t) { on_socket(); });
  set_limit(options_.login_limit, "no login in time");
  update_events();
}

ServerConnection::~ServerConnection() {
  loop_.cancel(limit_);
  loop_.forget(socket_);
  for (Fd* pipe : {&input_, &output_, &errors_}) drop_pipe(*pipe);
  if (command_) loop_.forget(command_->pidfd());
  ::ssh_event_remove_session(event_, session_);
  ::ssh_event_free(event_);
  ::ssh_disconnect(session_);
  ::ssh_free(session_);
}

void ServerConnection::close(const std::string& why) {
  if (ended_) return;
  ended_ = true;
  if (!why.empty()) owner_.log(peer_, why);
  loop_.cancel(limit_);
  loop_.forget(socket_);
  for (Fd* pipe : {&input_, &output_, &errors_}) drop_pipe(*pipe);
  if (command_) loop_.forget(command_->pidfd());
  owner_.ended(*this);
}

std::optional<Process> ServerConnection::take_command() { return std::exchange(command_, std::nullopt); }

void ServerConnection::set_limit(std::chrono::milliseconds limit, const std::string& why) {
  loop_.cancel(limit_);
  limit_ = loop_.after(limit, [this, why] { close(why); });
}

void ServerConnection::drop_pipe(Fd& pipe) {
  if (pipe) loop_.forget(pipe.get());
  pipe.reset();
}

// What libssh calls while it takes packets: these only note things down.

int ServerConnection::on_auth(ssh_session, const char* user, ssh_key key, char state, void* self) {
  return of(self).judge_key(user, key, state);
}

int ServerConnection::judge_key(const std::string& user, ssh_key key, char state) {
  char* base64 = nullptr;
  const bool readable = ::ssh_pki_export_pubkey_base64(key, &base64) == SSH_OK;
  const std::string offered = readable ? base64 : "";
  ::ssh_string_free_char(base64);
  const bool known = std::ranges::any_of(options_.authorized,
                                         [&](const PublicKey& authorized) { return authorized.base64 == offered; });
  if (!known || user != options_.user || (state != SSH_PUBLICKEY_STATE_NONE && state != SSH_PUBLICKEY_STATE_VALID)) {
    ++failed_logins_;
    owner_.log(peer_,
               str("login refused: ", known ? (user != options_.user ? str("user ", printable(abbreviated(user, 40)))
                                                                     : std::string("a wrong signature"))
                                            : "a key that is not this job's"));
    return SSH_AUTH_DENIED;
  }
  if (state == SSH_PUBLICKEY_STATE_VALID && stage_ == Stage::login) {
    stage_ = Stage::idle;
    set_limit(options_.idle_limit, "logged in and asked for nothing");
    owner_.logged_in();
  }
  return SSH_AUTH_SUCCESS;  // without a signature yet (NONE): this key would do
}

ssh_channel ServerConnection::on_open(ssh_session session, void* self) {
  ServerConnection& connection = of(self);
  if (connection.stage_ != Stage::idle || connection.channel_) return nullptr;
  connection.channel_ = ::ssh_channel_new(session);
  auto& callbacks = connection.channel_callbacks_;
  ssh_callbacks_init(&callbacks);
  callbacks.userdata = self;
  callbacks.channel_env_request_function = on_environment;
  callbacks.channel_exec_request_function = on_exec;
  ::ssh_set_channel_callbacks(connection.channel_, &callbacks);
  return connection.channel_;
}

int ServerConnection::on_environment(ssh_session, ssh_channel, const char* name, const char* value, void* self) {
  return of(self).take_environment(name, value);
}

int ServerConnection::take_environment(const std::string& name, const std::string& value) {
  const bool accepted = std::ranges::any_of(options_.accepted_environment,
                                            [&](const std::string& pattern) { return matches(pattern, name); });
  if (!accepted || environment_.size() == most_variables || name.size() + value.size() > longest_variable) return 1;
  environment_.emplace_back(name, value);
  return 0;
}

int ServerConnection::on_exec(ssh_session, ssh_channel, const char* command, void* self) {
  ServerConnection& connection = of(self);
  if (connection.asked_) return 1;
  connection.asked_ = true;
  connection.command_text_ = command;
  return 0;
}

// What happens after packets came, or when something else is ready.

void ServerConnection::on_socket() {
  if (stage_ == Stage::login) {  // or a client that gathers its packets (Nagle) waits for our delayed acknowledgement
    const int on = 1;
    ::setsockopt(socket_, IPPROTO_TCP, TCP_QUICKACK, &on, sizeof on);
  }
  const int status = ::ssh_event_dopoll(event_, 0);
  if (status == SSH_ERROR || !::ssh_is_connected(session_) || (::ssh_get_status(session_) & SSH_CLOSED_ERROR) != 0) {
    const std::string reason = ::ssh_get_error(session_);
    const bool told = stage_ == Stage::login && !reason.empty();
    return close(told ? str("gone before it logged in: ", printable(abbreviated(reason, 120))) : "");
  }
  if (failed_logins_ >= most_failed_logins) return close("too many failed logins");
  if (asked_ && stage_ == Stage::idle) {
    stage_ = Stage::waiting;
    loop_.cancel(limit_);
    owner_.wants_to_run();
  }
  pump();
}

void ServerConnection::run_command() {
  if (stage_ != Stage::waiting || ended_) return;
  GatePolicy policy = options_.gate;  // whoever could log in is of the job, at the address it comes from
  if (!policy.members.empty()) policy.members.push_back(ends_.substr(0, ends_.find(' ')));
  const auto verdict = judge_command(command_text_, policy);
  command_text_.clear();
  if (const auto* refusal = std::get_if<GateRefusal>(&verdict)) return refuse(refusal->reason);
  try {
    start(std::get<GatedCommand>(verdict));
  } catch (const Error& e) {
    return refuse(e.what());
  }
  pump();
}

void ServerConnection::refuse(const std::string& reason) {
  owner_.log(peer_, str("command refused: ", reason));
  const std::string text = str("viaduct-agent sshd: refused: ", reason, "\n");
  ::ssh_channel_write_stderr(channel_, text.data(), static_cast<std::uint32_t>(text.size()));
  say_goodbye({static_cast<int>(ExitCode::cannot_execute), 0});
}

void ServerConnection::start(const GatedCommand& command) {
  Environment environment = options_.environment;
  for (const auto& [name, value] : environment_) environment.set(name, value);
  environment.set("SSH_CONNECTION", ends_);
  GatedRun run = prepare_run(command, options_.gate, std::move(environment));
  Pipe input = make_pipe();
  Pipe output = make_pipe();
  Pipe errors = make_pipe();
  SpawnOptions spawn;
  spawn.argv = run.argv;
  spawn.environment = &run.environment;
  spawn.stdin_fd = input.read_end.get();
  spawn.stdout_fd = output.write_end.get();
  spawn.stderr_fd = errors.write_end.get();
  command_ = Process::spawn(spawn);
  is_relay_ = sshkeys::is_relay(command, options_.gate);
  stage_ = Stage::running;
  input_ = std::move(input.write_end);
  output_ = std::move(output.read_end);
  errors_ = std::move(errors.read_end);
  for (const Fd* pipe : {&input_, &output_, &errors_}) set_non_blocking(pipe->get());
  loop_.watch(command_->pidfd(), EPOLLIN, [this](std::uint32_t) { pump(); });
}

void ServerConnection::pump() {
  if (ended_) return;
  // At the end the client hangs up first: to be hung up on is an error to it.
  if (channel_ && ::ssh_channel_is_closed(channel_) && stage_ != Stage::closing) return close("");
  if (stage_ == Stage::running) {
    pump_input();
    pump_output(output_, false);
    pump_output(errors_, true);
    if (command_->poll()) {
      loop_.forget(command_->pidfd());
      if (!output_ && !errors_) say_goodbye(*command_->poll());
    }
  }
  if (!::ssh_is_connected(session_)) return close("");
  update_events();
}

void ServerConnection::pump_input() {
  std::array<char, chunk> buffer;
  for (int i = 0; i < chunks_in_a_row; ++i) {
    if (pending_input_.empty()) {
      const int got = ::ssh_channel_read_nonblocking(channel_, buffer.data(), chunk, 0);
      if (got > 0) pending_input_.assign(buffer.data(), static_cast<std::size_t>(got));
      if (got <= 0) {
        if (::ssh_channel_is_eof(channel_)) drop_pipe(input_);
        return;
      }
    }
    if (!input_) {  // the command reads no more
      pending_input_.clear();
      continue;
    }
    const ssize_t written = ::write(input_.get(), pending_input_.data(), pending_input_.size());
    if (written < 0 && (errno == EAGAIN || errno == EINTR)) return;
    if (written < 0) {
      drop_pipe(input_);
    } else {
      pending_input_.erase(0, static_cast<std::size_t>(written));
    }
  }
}

bool ServerConnection::can_send() const {
  return (::ssh_get_poll_flags(session_) & SSH_WRITE_PENDING) == 0 && ::ssh_channel_window_size(channel_) > 0;
}

void ServerConnection::pump_output(Fd& pipe, bool is_error) {
  std::array<char, chunk> buffer;
  for (int i = 0; i < chunks_in_a_row && pipe && can_send(); ++i) {
    const std::size_t fits = std::min<std::size_t>(chunk, ::ssh_channel_window_size(channel_));
    const ssize_t got = ::read(pipe.get(), buffer.data(), fits);
    if (got < 0 && (errno == EAGAIN || errno == EINTR)) return;
    if (got <= 0) return drop_pipe(pipe);
    const auto size = static_cast<std::uint32_t>(got);
    if (is_error) {
      ::ssh_channel_write_stderr(channel_, buffer.data(), size);
    } else {
      ::ssh_channel_write(channel_, buffer.data(), size);
    }
  }
}

void ServerConnection::say_goodbye(const ExitStatus& status) {
  if (status.signal != 0) {
    ::ssh_channel_request_send_exit_signal(channel_, signal_name(status.signal).c_str(), 0, "", "");
  } else {
    ::ssh_channel_request_send_exit_status(channel_, status.code);
  }
  ::ssh_channel_send_eof(channel_);
  ::ssh_channel_close(channel_);
  const bool ran = stage_ == Stage::running;
  stage_ = Stage::closing;
  drop_pipe(input_);
  command_.reset();
  set_limit(goodbye_limit, "");
  update_events();
  if (ran) owner_.finished(*this);
}

void ServerConnection::update_events() {
  const bool unsent = (::ssh_get_poll_flags(session_) & SSH_WRITE_PENDING) != 0;
  loop_.change(socket_, unsent ? EPOLLIN | EPOLLOUT : EPOLLIN);
  if (stage_ != Stage::running) return;
  const auto pumps = [this](std::uint32_t) { pump(); };
  // A pipe that is not to be read or written now isn't watched at all, or its hang-up would be told again and again.
  const auto want = [&](Fd& pipe, bool wanted, std::uint32_t event, bool& watched) {
    if (!pipe) watched = false;
    if (!pipe || wanted == watched) return;
    if (wanted) loop_.watch(pipe.get(), event, pumps);
    if (!wanted) loop_.forget(pipe.get());
    watched = wanted;
  };
  want(input_, !pending_input_.empty(), EPOLLOUT, input_watched_);
  want(output_, can_send(), EPOLLIN, output_watched_);
  want(errors_, can_send(), EPOLLIN, errors_watched_);
}

}  // namespace viaduct::sshkeys
