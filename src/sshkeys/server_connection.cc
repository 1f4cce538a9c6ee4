#include "sshkeys/server_connection.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>
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

using std::chrono::milliseconds;

namespace {

constexpr int most_failed_logins = 6;
constexpr int most_log_lines = 20;              // of one connection
constexpr std::size_t most_variables = 64;      // of a client's environment
constexpr std::size_t longest_variable = 4096;  // bytes, name and value
constexpr std::size_t chunk = 32768;            // bytes moved at once; what SSH allows in a packet
constexpr int chunks_in_a_row = 8;              // then the other connections have their turn

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

// What nobody gets here, for the log; "" for what is no more than a question.
std::string forbidden_thing(ssh_message message) {
  const int subtype = ::ssh_message_subtype(message);
  switch (::ssh_message_type(message)) {
    case SSH_REQUEST_AUTH:
      return subtype == SSH_AUTH_METHOD_NONE ? "" : "a login without a key";
    case SSH_REQUEST_CHANNEL_OPEN:
      return "a channel that is no session (forwarding)";
    case SSH_REQUEST_GLOBAL:
      return "forwarding";
    case SSH_REQUEST_CHANNEL:
      break;
    default:
      return "";
  }
  switch (subtype) {
    case SSH_CHANNEL_REQUEST_PTY:
      return "a terminal";
    case SSH_CHANNEL_REQUEST_SHELL:
      return "a shell";
    case SSH_CHANNEL_REQUEST_SUBSYSTEM:
      return "a subsystem";
    case SSH_CHANNEL_REQUEST_X11:
      return "X11 forwarding";
    default:
      return "";
  }
}

}  // namespace

ServerConnection::ServerConnection(Fd socket, std::string ends, ssh_bind keys, const ServerOptions& options,
                                   EventLoop& loop, ConnectionOwner& owner)
    : session_(::ssh_new()),
      event_(::ssh_event_new()),
      socket_(std::move(socket)),
      ends_(std::move(ends)),
      peer_(peer_of(ends_)),
      options_(options),
      loop_(loop),
      owner_(owner) {
  Fd duplicate(::fcntl(socket_.get(), F_DUPFD_CLOEXEC, 0));
  const bool accepted =
      session_ && event_ && duplicate && ::ssh_bind_accept_fd(keys, session_, duplicate.get()) == SSH_OK;
  if (session_ && ::ssh_get_fd(session_) == duplicate.get()) duplicate.release();  // ssh_free closes it
  if (!accepted) {
    ::ssh_event_free(event_);
    ::ssh_free(session_);
    throw Error("out of memory or of descriptors for a connection");
  }
  ssh_callbacks_init(&server_callbacks_);
  server_callbacks_.userdata = this;
  server_callbacks_.auth_pubkey_function = on_auth;
  server_callbacks_.auth_password_function = on_password;
  server_callbacks_.channel_open_request_session_function = on_open;
  ::ssh_set_server_callbacks(session_, &server_callbacks_);
  ::ssh_set_message_callback(session_, on_other, this);
  ::ssh_set_auth_methods(session_, SSH_AUTH_METHOD_PUBLICKEY);
  ::ssh_set_blocking(session_, 0);
  ::ssh_handle_key_exchange(session_);  // begins it; the rest comes with the client's packets
  ::ssh_event_add_session(event_, session_);
  set_limit(options_.login_limit, "no login in time");
  loop_.watch(socket_.get(), EPOLLIN, [this](std::uint32_t) { on_socket(); });
  update_events();
}

ServerConnection::~ServerConnection() {
  leave_loop();
  ::ssh_event_remove_session(event_, session_);
  ::ssh_event_free(event_);
  ::ssh_disconnect(session_);
  ::ssh_free(session_);
}

void ServerConnection::leave_loop() {
  loop_.cancel(limit_);
  loop_.forget(socket_.get());
  for (Fd* pipe : {&input_, &output_.pipe, &errors_.pipe}) drop_pipe(*pipe);
}

void ServerConnection::close(const std::string& why) {
  if (ended_) return;
  ended_ = true;
  if (!why.empty()) log(why);
  leave_loop();
  owner_.changed();
}

bool ServerConnection::is_silent() const { return ::ssh_get_clientbanner(session_) == nullptr; }

milliseconds ServerConnection::age() const {
  return std::chrono::duration_cast<milliseconds>(std::chrono::steady_clock::now() - since_);
}

bool ServerConnection::take_end_of_relay() {
  const bool over = runs_relay_ && (ended_ || stage_ == Stage::closing);
  if (over) runs_relay_ = false;
  return over;
}

std::optional<Process> ServerConnection::take_command() { return std::exchange(command_, std::nullopt); }

void ServerConnection::log(const std::string& text) {
  if (++lines_ <= most_log_lines) owner_.log(*this, text);
}

void ServerConnection::enter(Stage stage) {
  stage_ = stage;
  owner_.changed();
}

void ServerConnection::set_limit(milliseconds limit, const std::string& why) {
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
    log(str("login refused: ", !known                  ? "a key that is not this job's"
                               : user != options_.user ? str("user ", printable(abbreviated(user, 40)))
                                                       : "a wrong signature"));
    return SSH_AUTH_DENIED;
  }
  if (state == SSH_PUBLICKEY_STATE_VALID && stage_ == Stage::login) {
    enter(Stage::idle);
    set_limit(options_.idle_limit, "logged in and asked for nothing");
  }
  return SSH_AUTH_SUCCESS;  // without a signature yet (NONE): this key would do
}

int ServerConnection::on_password(ssh_session, const char*, const char*, void* self) {
  ++of(self).failed_logins_;
  of(self).log("login refused: a password");
  return SSH_AUTH_DENIED;
}

int ServerConnection::on_other(ssh_session, ssh_message message, void* self) {
  const std::string thing = forbidden_thing(message);
  if (!thing.empty()) of(self).log(str("refused: ", thing));
  return 1;  // libssh refuses it
}

ssh_channel ServerConnection::on_open(ssh_session session, void* self) {
  ServerConnection& connection = of(self);
  if (connection.stage_ != Stage::idle || connection.channel_) {
    connection.log("refused: a second channel");
    return nullptr;
  }
  connection.channel_ = ::ssh_channel_new(session);
  auto& callbacks = connection.channel_callbacks_;
  ssh_callbacks_init(&callbacks);
  callbacks.userdata = self;
  callbacks.channel_env_request_function = on_environment;
  callbacks.channel_exec_request_function = on_exec;
  callbacks.channel_close_function = on_close;
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
  if (connection.asked_) {
    connection.log("refused: a second command");
    return 1;
  }
  connection.asked_ = true;
  connection.command_text_ = command;
  return 0;
}

void ServerConnection::on_close(ssh_session, ssh_channel, void* self) { of(self).channel_closed_ = true; }

// What happens after packets came, or when something else is ready.

void ServerConnection::on_socket() {
  if (stage_ == Stage::login) {  // or a client that gathers its packets (Nagle) waits for our delayed acknowledgement
    const int on = 1;
    ::setsockopt(socket_.get(), IPPROTO_TCP, TCP_QUICKACK, &on, sizeof on);
  }
  const int status = ::ssh_event_dopoll(event_, 0);
  if (status == SSH_ERROR || !::ssh_is_connected(session_) || (::ssh_get_status(session_) & SSH_CLOSED_ERROR) != 0) {
    const std::string reason = printable(abbreviated(::ssh_get_error(session_), 120));
    const bool hung_up = reason.starts_with("Socket error");  // what follows in it is often another call's errno
    if (stage_ != Stage::login || (hung_up && is_silent())) return close("");  // or a look whether the port is open
    return close(str("gone before it logged in: ", hung_up          ? "it hung up"
                                                   : reason.empty() ? "it does not speak SSH"
                                                                    : reason));
  }
  if (failed_logins_ >= most_failed_logins) return close("too many failed logins");
  if (asked_ && stage_ == Stage::idle) {
    loop_.cancel(limit_);
    enter(Stage::waiting);
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

void ServerConnection::reap_command() {
  if (command_) command_->poll();
  pump();
}

void ServerConnection::refuse(const std::string& reason) {
  log(str("command refused: ", reason));
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
  runs_relay_ = is_relay(command, options_.gate);
  enter(Stage::running);
  input_ = std::move(input.write_end);
  output_.pipe = std::move(output.read_end);
  errors_.pipe = std::move(errors.read_end);
  for (const Fd* pipe : {&input_, &output_.pipe, &errors_.pipe}) set_non_blocking(pipe->get());
}

void ServerConnection::pump() {
  if (ended_) return;
  // At the end the client hangs up first: to be hung up on is an error to it.
  if (channel_closed_ && stage_ != Stage::closing) return close("");
  if (stage_ == Stage::running) {
    pump_input();
    pump_output(output_);
    pump_output(errors_);
    if (output_.is_over() && errors_.is_over() && command_->poll()) say_goodbye(*command_->poll());
  }
  if (!::ssh_is_connected(session_)) return close("");
  update_events();
}

// All that libssh holds at once: it gives the client a new window for any read, however small.
bool ServerConnection::take_input() {
  const int waiting = ::ssh_channel_poll(channel_, 0);
  if (waiting <= 0) return false;
  pending_input_.resize(static_cast<std::size_t>(waiting));
  pending_at_ = 0;
  const auto size = static_cast<std::uint32_t>(waiting);
  const int got = ::ssh_channel_read_nonblocking(channel_, pending_input_.data(), size, 0);
  pending_input_.resize(got > 0 ? static_cast<std::size_t>(got) : 0);
  return got > 0;
}

void ServerConnection::pump_input() {
  for (int i = 0; i < chunks_in_a_row; ++i) {
    if (pending_input_.empty() && !take_input()) {
      if (::ssh_channel_is_eof(channel_)) drop_pipe(input_);
      return;
    }
    const std::string_view left = std::string_view(pending_input_).substr(pending_at_);
    const ssize_t written = input_ ? ::write(input_.get(), left.data(), left.size()) : 0;
    if (written < 0 && (errno == EAGAIN || errno == EINTR)) return;
    if (written < 0) drop_pipe(input_);
    if (written > 0) pending_at_ += static_cast<std::size_t>(written);
    if (!input_ || pending_at_ == pending_input_.size()) pending_input_ = {};  // or the command reads no more
  }
}

bool ServerConnection::can_send() const {
  return (::ssh_get_poll_flags(session_) & SSH_WRITE_PENDING) == 0 && ::ssh_channel_window_size(channel_) > 0;
}

bool ServerConnection::send(Output& output) {
  const auto write = output.is_error ? ::ssh_channel_write_stderr : ::ssh_channel_write;
  const int sent = write(channel_, output.unsent.data(), static_cast<std::uint32_t>(output.unsent.size()));
  if (sent > 0) output.unsent.erase(0, static_cast<std::size_t>(sent));
  return output.unsent.empty();
}

void ServerConnection::pump_output(Output& output) {
  std::array<char, chunk> buffer;
  for (int i = 0; i < chunks_in_a_row && !output.is_over() && can_send(); ++i) {
    if (output.unsent.empty()) {
      const std::size_t fits = std::min<std::size_t>(chunk, ::ssh_channel_window_size(channel_));
      const ssize_t got = ::read(output.pipe.get(), buffer.data(), fits);
      if (got < 0 && (errno == EAGAIN || errno == EINTR)) return;
      if (got <= 0) return drop_pipe(output.pipe);
      output.unsent.assign(buffer.data(), static_cast<std::size_t>(got));
    }
    if (!send(output)) return;
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
  drop_pipe(input_);
  command_.reset();
  enter(Stage::closing);
  set_limit(options_.idle_limit, "");  // to take what is still on its way, and to hang up
  update_events();
}

void ServerConnection::update_events() {
  const bool unsent = (::ssh_get_poll_flags(session_) & SSH_WRITE_PENDING) != 0;
  loop_.change(socket_.get(), unsent ? EPOLLIN | EPOLLOUT : EPOLLIN);
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
  for (Output* output : {&output_, &errors_})
    want(output->pipe, output->unsent.empty() && can_send(), EPOLLIN, output->watched);
}

}  // namespace viaduct::sshkeys
