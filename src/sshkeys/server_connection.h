#pragma once

#include <libssh/callbacks.h>
#include <libssh/libssh.h>
#include <libssh/server.h>

#include <chrono>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/event_loop.h"
#include "base/process.h"
#include "sshkeys/server.h"

namespace viaduct::sshkeys {

class ServerConnection;

// What a connection tells the server it belongs to. Neither may delete a connection, nor start a command, at once.
class ConnectionOwner {
 public:
  virtual ~ConnectionOwner() = default;
  virtual void log(const ServerConnection& connection, const std::string& text) = 0;
  virtual void changed() = 0;  // a connection's stage, or it has ended
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
  const std::string& peer() const { return peer_; }  // the client's end, "10.0.0.2:4242"
  bool is_silent() const;                            // nothing of SSH has come from it yet
  std::chrono::milliseconds age() const;             // since it was accepted
  bool has_ended() const { return ended_; }          // may be deleted
  bool take_end_of_relay();                          // true once, when its command was the job's relay and is over
  pid_t command_pid() const { return command_ ? command_->pid() : -1; }
  void run_command();                     // when there is room for one that waits
  void reap_command();                    // when it has ended
  void close(const std::string& why);     // logged when not empty
  std::optional<Process> take_command();  // out of a connection that ends; none when it runs none

 private:
  static int on_auth(ssh_session session, const char* user, ssh_key key, char state, void* self);
  static int on_password(ssh_session session, const char* user, const char* password, void* self);
  static int on_other(ssh_session session, ssh_message message, void* self);
  static ssh_channel on_open(ssh_session session, void* self);
  static int on_environment(ssh_session session, ssh_channel channel, const char* name, const char* value, void* self);
  static int on_exec(ssh_session session, ssh_channel channel, const char* command, void* self);
  static void on_close(ssh_session session, ssh_channel channel, void* self);
  int judge_key(const std::string& user, ssh_key key, char state);
  int take_environment(const std::string& name, const std::string& value);

  void log(const std::string& text);
  void enter(Stage stage);
  void leave_loop();
  void on_socket();
  void pump();  // moves what can be moved, in both directions, and notices ends
  void start(const GatedCommand& command);
  void refuse(const std::string& reason);
  void pump_input();  // client to command
  bool take_input();  // false when nothing has come
  struct Output;
  void pump_output(Output& output);  // command to client
  bool send(Output& output);         // false when something of it is left
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
  Fd socket_;  // libssh has a duplicate, so that this number is no other socket's when libssh hangs up
  std::string ends_;
  std::string peer_;
  const ServerOptions& options_;
  EventLoop& loop_;
  ConnectionOwner& owner_;
  EventLoop::Timer limit_ = 0;
  std::chrono::steady_clock::time_point since_ = std::chrono::steady_clock::now();

  Stage stage_ = Stage::login;
  bool asked_ = false;           // for its command
  bool channel_closed_ = false;  // by the client
  bool runs_relay_ = false;
  bool ended_ = false;
  int failed_logins_ = 0;
  int lines_ = 0;  // logged
  std::vector<std::pair<std::string, std::string>> environment_;
  std::string command_text_;
  std::optional<Process> command_;
  Fd input_;
  struct Output {
    bool is_error;
    Fd pipe = Fd();
    bool watched = false;
    std::string unsent = "";  // read, and not taken by libssh, as while keys are renewed
    bool is_over() const { return !pipe && unsent.empty(); }
  };
  Output output_{false};
  Output errors_{true};
  bool input_watched_ = false;
  std::string pending_input_;  // from pending_at_ on it is still to be written
  std::size_t pending_at_ = 0;
};

}  // namespace viaduct::sshkeys
