#pragma once

#include <libssh/callbacks.h>
#include <libssh/libssh.h>
#include <libssh/server.h>

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/event_loop.h"
#include "base/process.h"
#include "sshkeys/server.h"

namespace viaduct::sshkeys {

class ServerConnection;

// What a connection tells the server it belongs to. None of these may delete the connection at once.
class ConnectionOwner {
 public:
  virtual ~ConnectionOwner() = default;
  virtual void log(const std::string& peer, const std::string& text) = 0;
  virtual void logged_in() = 0;
  virtual void wants_to_run() = 0;                          // a command waits for run_command
  virtual void finished(ServerConnection& connection) = 0;  // its command has ended
  virtual void ended(ServerConnection& connection) = 0;     // once
};

// One client of the server, from accept to the end: its login, its one channel, and the command behind it. Driven by
// the server's loop.
class ServerConnection {
 public:
  enum class Stage { login, idle, waiting, running, closing };

  // Takes the socket over; `ends` are its two ends as SSH_CONNECTION has them ("10.0.0.2 4242 10.0.0.1 2222"), `keys`
  // holds the host key. Throws Error when it can't be served.
  ServerConnection(Fd socket, std::string ends, ssh_bind keys, const ServerOptions& options, EventLoop& loop,
                   ConnectionOwner& owner);
  ServerConnection(const ServerConnection&) = delete;
  ServerConnection& operator=(const ServerConnection&) = delete;
  ~ServerConnection();

  Stage stage() const { return stage_; }
  bool is_relay() const { return is_relay_; }  // its command is, or was, the job's relay
  bool has_ended() const { return ended_; }    // may be deleted
  pid_t command_pid() const { return command_ ? command_->pid() : -1; }
  void run_command();                     // when there is room for one that waits
  void close(const std::string& why);     // logged when not empty
  void pump();                            // moves what can be moved, in both directions, and notices ends
  std::optional<Process> take_command();  // of a closed connection: what still runs

 private:
  static int on_auth(ssh_session session, const char* user, ssh_key key, char state, void* self);
  static ssh_channel on_open(ssh_session session, void* self);
  static int on_environment(ssh_session session, ssh_channel channel, const char* name, const char* value, void* self);
  static int on_exec(ssh_session session, ssh_channel channel, const char* command, void* self);
  int judge_key(const std::string& user, ssh_key key, char state);
  int take_environment(const std::string& name, const std::string& value);

  void on_socket();
  void start(const GatedCommand& command);
  void refuse(const std::string& reason);
  void pump_input();                          // client to command
  void pump_output(Fd& pipe, bool is_error);  // command to client
  bool can_send() const;
  void say_goodbye(const ExitStatus& status);
  void update_events();
  void set_limit(std::chrono::milliseconds limit, const std::string& why);
  void drop_pipe(Fd& pipe);

  ssh_session session_;
  ssh_event event_;
  ssh_channel channel_ = nullptr;
  ssh_server_callbacks_struct server_callbacks_{};
  ssh_channel_callbacks_struct channel_callbacks_{};
  int socket_;  // libssh's
  std::string ends_;
  std::string peer_;  // the client's end, "10.0.0.2:4242"
  const ServerOptions& options_;
  EventLoop& loop_;
  ConnectionOwner& owner_;
  EventLoop::Timer limit_ = 0;

  Stage stage_ = Stage::login;
  bool asked_ = false;  // for its command
  bool is_relay_ = false;
  bool ended_ = false;
  int failed_logins_ = 0;
  std::vector<std::pair<std::string, std::string>> environment_;
  std::string command_text_;
  std::optional<Process> command_;
  Fd input_;
  Fd output_;
  Fd errors_;
  bool input_watched_ = false;
  bool output_watched_ = false;
  bool errors_watched_ = false;
  std::string pending_input_;
};

}  // namespace viaduct::sshkeys
