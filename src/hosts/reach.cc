#include "hosts/reach.h"

#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <map>
#include <memory>
#include <optional>

#include "base/error.h"
#include "base/event_loop.h"
#include "base/files.h"
#include "base/json.h"
#include "base/process.h"
#include "base/text.h"
#include "hosts/bootstrap.h"
#include "hosts/host_link.h"
#include "hosts/messages.h"
#include "launcher/exit_file.h"
#include "launcher/log_line.h"
#include "launcher/log_writer.h"
#include "model/exit_record.h"
#include "model/run_plan.h"
#include "sshkeys/digest.h"
#include "sshkeys/trust_bundle.h"

namespace viaduct::hosts {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds report_interval(2000);   // between words on hosts that have not answered
constexpr milliseconds alive_interval(5000);    // between words to the nodes that this process is there
constexpr milliseconds farewell_limit(10'000);  // for the nodes to end what they started
constexpr int parent_died = SIGHUP;
constexpr std::size_t descriptors_of_a_link = 8;
constexpr std::size_t own_descriptors = 64;

class Reach : public LinkOwner {
 public:
  Reach(const ReachOptions& options, const Environment& environment, const Clock& clock)
      : options_(options), environment_(environment), clock_(clock) {
    record_.attempt = options.attempt;
    record_.started = clock.now();
    record_.node = host_name();
  }

  model::ExitRecord run(const Fd& signals) {
    plan_ = model::read_run_plan(read_json_document(options_.plan_file.string(), read_file(options_.plan_file)));
    read_hosts();
    reach_all();
    loop_.watch(signals.get(), EPOLLIN, [this, &signals](std::uint32_t) { take_signals(signals); });
    loop_.after(report_interval, [this] { report_waiting(); });
    say_alive();
    deadline_ = loop_.after(std::chrono::seconds(plan_.remote.ready_seconds), [this] { give_up_waiting(); });
    loop_.run();
    say_farewell();
    record_.ended = clock_.now();
    return record_;
  }

 private:
  void read_hosts() {
    Diagnostics diagnostics;
    const auto source =
        std::make_shared<const Source>(Source{options_.hosts_file.string(), read_file(options_.hosts_file)});
    hosts_ = launcher::parse_hostfile(source, 1, diagnostics);
    if (diagnostics.has_errors()) throw Error(diagnostics.render(false), ExitCode::bad_input);
  }

  void reach_all() {
    agent_ = read_file(own_executable());
    command_ =
        bootstrap_command(sshkeys::sha256_hex(agent_), agent_.size(), environment_.get_or("VIADUCT_REMOTE_DIR", ""));
    raise_descriptor_limit(hosts_.size() * descriptors_of_a_link + own_descriptors);
    for (const auto& host : hosts_) links_.push_back(make_link(host.host));
  }

  std::unique_ptr<HostLink> make_link(const std::string& host) {
    return std::make_unique<HostLink>(host, command_, agent_, environment_, loop_, *this);
  }

  // From the links.

  void on_hello(HostLink&) override {
    if (std::ranges::all_of(links_, is_usable)) return serve_all();
    finish_if_failed();
  }

  void on_frame(HostLink& link, const Frame& frame) override {
    if (loop_.stopped()) return;
    try {
      take_frame(link, frame);
    } catch (const Error& e) {
      fail(str(link.name(), ": ", e.what()), e.hint(), link.name());
    }
  }

  // A host may be anybody's by now: each frame counts once, where it is expected, and of the run only the first host
  // tells.
  void take_frame(HostLink& link, const Frame& frame) {
    using Stage = HostLink::Stage;
    const bool tells_of_run = launched_ && &link == links_.front().get();
    if (frame.name == "serving" && link.stage() == Stage::serving_asked) {
      take_port(link, frame.body);
    } else if (frame.name == "ready" && link.stage() == Stage::introduced) {
      link.set_stage(Stage::ready);
      if (--unready_ == 0) launch();
    } else if (frame.name == "log" && tells_of_run) {
      log_.write(frame.body);
    } else if (frame.name == "started" && tells_of_run) {
      tell_started();
    } else if (frame.name == "exit" && tells_of_run) {
      record_ = model::read_exit_record(read_json_document("its exit record", frame.body));
      record_.node = link.name();
      record_.attempt = options_.attempt;
      loop_.stop();
    } else if (frame.name == "error") {
      const Document error = read_json_document("its error", frame.body);
      const auto text = [&](std::string_view key) {
        const Value* value = error.root.find(key);
        return value ? printable(abbreviated(value->text(), 1000)) : std::string();
      };
      fail(str(link.name(), ": ", text("message")), text("hint"), link.name());
    } else {
      throw Error(str("it said \"", printable(abbreviated(frame.name, 40)), "\" where nothing like that was expected"));
    }
  }

  void take_port(HostLink& link, const std::string& text) {
    const std::int64_t port = parse_integer(text).value_or(0);
    constexpr std::int64_t highest = 65535;
    if (port < 1 || port > highest) throw Error(str("no port: ", printable(abbreviated(text, 40))));
    link.set_port(static_cast<int>(port));
    link.set_stage(HostLink::Stage::serving);
    if (std::ranges::all_of(links_, [](const auto& each) { return each->port() > 0; })) introduce();
  }

  void tell_started() {
    try {
      write_file_atomically(options_.attempt_directory / "started", format_rfc3339(clock_.now()) + "\n");
    } catch (const Error& e) {  // a full disk must not end the training
      remark(e.what());
    }
  }

  void on_end(HostLink& link, const std::string& reason) override {
    if (ending_) return;
    if (launched_) return fail(str("host ", link.name(), " went away: ", reason), "", link.name());
    if (!link.hello() && try_again(link, reason)) return;
    finish_if_failed();
  }

  // An ssh server, above all a jump host, hangs up on some of many that come at once (OpenSSH's MaxStartups).
  bool try_again(HostLink& link, const std::string& reason) {
    constexpr int most_tries = 6;
    constexpr milliseconds first_pause(400);
    const bool hung_up = contains(reason, "kex_exchange_identification") || contains(reason, "Connection reset") ||
                         contains(reason, "Connection closed");
    int& tries = tries_[link.name()];
    if (!hung_up || ++tries >= most_tries) return false;
    ++retrying_;
    loop_.after(first_pause * tries, [this, name = link.name()] {
      --retrying_;
      const auto old = std::ranges::find(links_, name, [](const auto& each) { return each->name(); });
      if (!loop_.stopped()) *old = make_link(name);
    });
    return true;
  }

  static bool is_usable(const std::unique_ptr<HostLink>& link) { return link->hello() && !link->ended(); }

  // As long as some host may still answer, the word on those that can't be reached waits for it: they are told
  // together.
  void finish_if_failed() {
    if (launched_ || retrying_ > 0) return;
    if (std::ranges::none_of(links_, [](const auto& link) { return link->ended(); })) return;
    if (std::ranges::all_of(links_, [](const auto& link) { return link->hello() || link->ended(); })) fail_unreached();
  }

  void fail_unreached() {
    constexpr std::size_t most_told = 8;
    std::vector<std::string> reasons;
    for (const auto& link : links_)
      if (!is_usable(link) && reasons.size() < most_told) reasons.push_back(str(link->name(), ": ", link->reason()));
    const auto first = std::ranges::find_if_not(links_, is_usable);
    const auto count = links_.size() - static_cast<std::size_t>(std::ranges::count_if(links_, is_usable));
    fail(str("nothing was started, for ", count, " of ", count_of(static_cast<std::int64_t>(links_.size()), "host"),
             " can't be used: ", join(reasons, "; ")),
         str("`ssh ", (*first)->name(),
             " true` must work without a question: a key in your ssh-agent, or one without a "
             "passphrase, and a known host key"),
         (*first)->name());
  }

  void give_up_waiting() {
    if (!launched_) fail_unreached();
  }

  void fail(const std::string& message, const std::string& hint, const std::string& host) {
    if (loop_.stopped()) return;
    record_.cause = launched_ ? model::ExitRecord::Cause::finished : model::ExitRecord::Cause::launch_failed;
    record_.exit_code = static_cast<int>(ExitCode::failure);
    record_.message = message;
    record_.hint = hint;
    record_.failure.emplace();
    record_.failure->host = host;
    loop_.stop();
  }

  void report_waiting() {
    if (launched_) return;
    std::vector<std::string> waiting;
    for (const auto& link : links_)
      if (!link->hello()) waiting.push_back(link->name());
    const std::size_t reached = links_.size() - waiting.size();
    constexpr std::size_t most_named = 5;
    const std::string more = waiting.size() > most_named ? str(" and ", waiting.size() - most_named, " more") : "";
    waiting.resize(std::min(waiting.size(), most_named));
    const std::string report =
        str(reached, "/", links_.size(), " hosts reached, waiting for ", join(waiting, ", "), more);
    if (!waiting.empty() && report != reported_) remark(report);
    reported_ = report;
    loop_.after(report_interval, [this] { report_waiting(); });
  }

  void say_alive() {
    for (const auto& link : links_)
      if (link->hello()) link->send("alive", "");
    loop_.after(alive_interval, [this] { say_alive(); });
  }

  void remark(std::string_view text) {
    std::string line;
    launcher::append_log_line(line, {launcher::LogLine::Source::viaduct, 0, true, text});
    log_.write(line);
  }

  // Every host is reached: keys for each, and each serves the job's SSH.
  void serve_all() {
    const std::string& agent = links_.front()->hello()->agent;
    for (const auto& link : links_)
      if (link->hello()->agent != agent)
        return fail(str("viaduct-agent lies at ", agent, " on ", links_.front()->name(), ", but at ",
                        link->hello()->agent, " on ", link->name(), "; MPI needs one path for all hosts"),
                    "set VIADUCT_REMOTE_DIR to a directory of your own that has the same path on every host",
                    link->name());
    for (std::size_t i = 0; i < links_.size(); ++i)
      for (std::size_t j = 0; j < i; ++j)
        if (links_[i]->hello()->host == links_[j]->hello()->host &&
            links_[i]->hello()->addresses == links_[j]->hello()->addresses)
          return fail(
              str(links_[j]->name(), " and ", links_[i]->name(), " are the same host, ", links_[i]->hello()->host),
              "name it once, with the slots of both", links_[i]->name());
    std::vector<std::string> names;
    ServeRequest request;
    for (const auto& link : links_) {
      names.push_back(link->name());
      request.members.push_back(link->name());
      request.members.push_back(link->hello()->host);
      if (!link->hello()->full_name.empty()) request.members.push_back(link->hello()->full_name);
      for (const auto& address : link->hello()->addresses) request.members.push_back(address);
    }
    bundle_ = sshkeys::make_trust_bundle(plan_.job, options_.attempt, names);
    request.client_key = bundle_->client.public_key().line("viaduct");
    request.directory = std::filesystem::current_path();
    request.environment = environment_for_run();
    for (std::size_t i = 0; i < links_.size(); ++i) {
      links_[i]->send("host-key", bundle_->nodes[i].host_key.openssh().view());
      links_[i]->send("serve", write_json(to_value(request), 0));
      links_[i]->set_stage(HostLink::Stage::serving_asked);
    }
  }

  std::vector<std::pair<std::string, std::string>> environment_for_run() const {
    std::vector<std::pair<std::string, std::string>> variables;
    for (const auto* name : {"LD_LIBRARY_PATH", "VIADUCT_MPIRUN"})
      if (const auto value = environment_.get(name)) variables.emplace_back(name, *value);
    std::string path = environment_.get_or("PATH", "");
    const std::string mpirun = environment_.get_or("VIADUCT_MPIRUN", "");
    if (mpirun.starts_with("/")) path = str(mpirun.substr(0, mpirun.rfind('/')), path.empty() ? "" : ":", path);
    if (!path.empty()) variables.emplace_back("PATH", path);
    return variables;
  }

  // Every host serves: its port is known. Now those that are to reach the others learn how.
  void introduce() {
    std::vector<sshkeys::NodeAddress> addresses;
    for (const auto& link : links_) addresses.push_back({link->name(), link->address_for_others(), link->port()});
    sshkeys::SshConfigOptions config;
    config.user = "viaduct";
    config.identity_file = "/@KEY@";
    config.known_hosts_file = "/@DIRECTORY@/known_hosts";
    const PeersRequest request = {render_ssh_config(addresses, config), render_known_hosts(*bundle_)};
    unready_ = tree_spawn() ? links_.size() : 1;
    for (std::size_t i = 0; i < unready_; ++i) {
      links_[i]->send("client-key", bundle_->client.openssh().view());
      links_[i]->send("peers", write_json(to_value(request), 0));
      links_[i]->set_stage(HostLink::Stage::introduced);
    }
    bundle_.reset();
  }

  bool tree_spawn() const { return static_cast<std::int64_t>(links_.size()) > plan_.remote.tree_spawn_above; }

  void launch() {
    LaunchRequest request = {to_value(plan_), "", tree_spawn(), options_.attempt};
    for (std::size_t i = 0; i < hosts_.size(); ++i)
      request.hosts += str(i > 0 ? "," : "", hosts_[i].host, ":", hosts_[i].slots);
    links_.front()->send("launch", write_json(to_value(request), 0));
    launched_ = true;
    loop_.cancel(deadline_);
  }

  void take_signals(const Fd& signals) {
    signalfd_siginfo info{};
    while (::read(signals.get(), &info, sizeof info) == static_cast<ssize_t>(sizeof info)) {
      const int signal = static_cast<int>(info.ssi_signo);
      if (ending_) {
        hurry_ = true;
        continue;
      }
      if (launched_) {
        links_.front()->send("signal", std::to_string(signal));
        continue;
      }
      const bool orphaned = options_.parent > 0 && signal == parent_died;
      record_.cause = orphaned ? model::ExitRecord::Cause::supervisor_died : model::ExitRecord::Cause::stopped;
      record_.message = orphaned ? "the viaduct process that ran it was killed before the ranks were started"
                                 : str("ended on request (", describe(ExitStatus{0, signal}), ")");
      record_.exit_code = 128 + signal;
      loop_.stop();
    }
  }

  // The end of its input tells a node to end what it started; it ends when nothing is left.
  void say_farewell() {
    ending_ = true;
    std::erase_if(links_, [](const auto& link) { return !link->hello(); });  // nothing was started there
    for (auto& link : links_) link->finish();
    loop_.after(farewell_limit, [this] { hurry_ = true; });
    while (!hurry_ && !std::ranges::all_of(links_, [](const auto& link) { return link->ended(); })) loop_.run_once();
    for (const auto& link : links_)
      if (!link->ended()) remark(str(link->name(), " did not say that it has ended what it ran"));
    links_.clear();
  }

  const ReachOptions& options_;
  const Environment& environment_;
  const Clock& clock_;
  EventLoop loop_;
  model::RunPlan plan_;
  std::vector<launcher::HostSlots> hosts_;
  std::string agent_;
  std::string command_;  // what ssh runs on a host
  std::vector<std::unique_ptr<HostLink>> links_;
  std::optional<sshkeys::TrustBundle> bundle_;
  model::ExitRecord record_;
  launcher::LogWriter log_;
  std::string reported_;
  std::map<std::string, int> tries_;  // of each host, to reach it
  int retrying_ = 0;                  // hosts that are to be tried again
  EventLoop::Timer deadline_ = 0;
  std::size_t unready_ = 0;  // nodes that have yet to take in how to reach the others
  bool launched_ = false;
  bool ending_ = false;
  bool hurry_ = false;  // waiting for farewells is over
};

}  // namespace

int reach(const ReachOptions& options, const Environment& environment, const Clock& clock) {
  sigset_t set;
  sigemptyset(&set);
  for (const int signal : {SIGTERM, SIGINT, SIGHUP}) sigaddset(&set, signal);
  ::sigprocmask(SIG_BLOCK, &set, nullptr);
  ::signal(SIGPIPE, SIG_IGN);
  const Fd signals(::signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK));
  become_subreaper();
  if (options.parent > 0) {
    ::prctl(PR_SET_PDEATHSIG, parent_died, 0, 0, 0);
    if (::getppid() != options.parent) ::kill(::getpid(), parent_died);
  }
  model::ExitRecord record;
  try {
    record = Reach(options, environment, clock).run(signals);
  } catch (const Error& e) {
    record = launcher::record_of_error(e, options.attempt, clock.now());
  }
  end_descendants(SIGKILL, milliseconds(0));
  launcher::write_exit_file(options.attempt_directory, record);
  return record.exit_code;
}

}  // namespace viaduct::hosts
