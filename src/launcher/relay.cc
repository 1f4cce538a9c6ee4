#include "launcher/relay.h"

#include <unistd.h>

#include <chrono>
#include <csignal>
#include <map>
#include <vector>

#include "base/environment.h"
#include "base/error.h"
#include "base/process.h"
#include "base/text.h"
#include "launcher/fabric.h"
#include "launcher/log_line.h"
#include "launcher/rank_streams.h"

namespace viaduct::launcher {
namespace {

using std::chrono::steady_clock;

constexpr std::string_view ready_word = "\x1eviaduct ready ";
constexpr std::chrono::seconds last_words(1);  // for the ranks' output after the run

class Relay {
 public:
  explicit Relay(const std::string& output) : streams_(output) {}

  void run() {
    ::signal(SIGPIPE, SIG_IGN);
    set_non_blocking(STDIN_FILENO);
    RelayReady ready = {host_name(), has_fabric(), "", ""};
    const char* connection = ::getenv("SSH_CONNECTION");
    const auto parts = split(connection ? connection : "", ' ');
    if (parts.size() == 4) {
      ready.client_address = parts[0];
      ready.own_address = parts[2];
    }
    send(format_ready(ready));
    while (reachable_ && take_requests()) step(-1);
    const auto until = steady_clock::now() + last_words;
    while (reachable_ && streams_.open() && steady_clock::now() < until) {
      constexpr int pause_ms = 50;
      step(pause_ms);
    }
    streams_.finish(sink());
    signal_ranks(SIGKILL);
    send(str(relay_over, "\n"));
  }

 private:
  void step(int timeout_ms) {
    std::vector<pollfd> fds = {{over_ ? -1 : STDIN_FILENO, POLLIN, 0}, {STDOUT_FILENO, 0, 0}};
    streams_.add_polls(fds);
    ::poll(fds.data(), fds.size(), timeout_ms);
    if ((fds[1].revents & (POLLERR | POLLHUP)) != 0) reachable_ = false;
    streams_.read(sink());
    send("");
  }

  // False when there is nothing more to be asked.
  bool take_requests() {
    const auto [bytes, ready] = read_some(STDIN_FILENO);
    if (!ready) return true;
    if (bytes.empty()) over_ = true;
    requests_ += bytes;
    for (auto end = requests_.find('\n'); end != std::string::npos; end = requests_.find('\n')) {
      const auto signal = parse_integer(word_after(requests_.substr(0, end), "signal"));
      if (signal && *signal > 0 && *signal < NSIG) signal_ranks(static_cast<int>(*signal));
      requests_.erase(0, end + 1);
    }
    return !over_;
  }

  RankStreamSink sink() {
    return {[this](int rank, bool is_error, std::string_view line) {
              append_log_line(pending_, {LogLine::Source::rank, rank, is_error, line});
            },
            [this](const RankHello& hello) {
              ranks_[hello.rank] = identify_process(static_cast<pid_t>(hello.pid));
              pending_ += format_hello(hello);
            }};
  }

  void send(const std::string& more) {
    pending_ += more;
    if (reachable_ && !pending_.empty()) reachable_ = write_to_reader(STDOUT_FILENO, pending_);
    pending_.clear();
  }

  // A pid may be another process' by now.
  void signal_ranks(int signal) const {
    for (const auto& [rank, identity] : ranks_)
      if (liveness(identity) == Liveness::alive) ::kill(static_cast<pid_t>(identity.pid), signal);
  }

  RankStreams streams_;
  std::map<int, ProcessIdentity> ranks_;
  std::string requests_;
  std::string pending_;
  bool over_ = false;
  bool reachable_ = true;
};

}  // namespace

std::string format_ready(const RelayReady& ready) {
  return str(ready_word, "host=", ready.host, " fabric=", ready.fabric ? 1 : 0, " client=", ready.client_address,
             " own=", ready.own_address, "\n");
}

std::optional<RelayReady> parse_ready(std::string_view line) {
  if (!line.starts_with(ready_word)) return std::nullopt;
  RelayReady ready;
  for (const auto& field : split(line.substr(ready_word.size()), ' ')) {
    const auto equals = field.find('=');
    if (equals == std::string::npos) return std::nullopt;
    const std::string name = field.substr(0, equals);
    const std::string value = field.substr(equals + 1);
    if (name == "host") ready.host = value;
    if (name == "fabric") ready.fabric = value == "1";
    if (name == "client") ready.client_address = value;
    if (name == "own") ready.own_address = value;
  }
  return ready.host.empty() ? std::nullopt : std::optional(std::move(ready));
}

int relay(const std::string& output) {
  Relay(output).run();
  return 0;
}

}  // namespace viaduct::launcher
