#include <chrono>
#include <iterator>
#include <memory>

#include "base/error.h"
#include "base/files.h"
#include "base/text.h"
#include "cli/agent_commands.h"
#include "model/hostlist.h"
#include "sshkeys/gated_run.h"
#include "sshkeys/server.h"
#include "sshkeys/transport.h"

// viaduct-agent sshd, gate and ssh: the job's own remote shell.
namespace viaduct::cli {
namespace {

struct GateArgs {
  std::vector<std::string> members;
  std::vector<std::string> program_directories;
};

void add_gate_options(CLI::App& command, GateArgs& args) {
  command.add_option(
      "--member", args.members,
      "Hosts and addresses of the job, which an MPI daemon may be told to call back; hostlists are fine, "
      "and names are resolved at the start. None: any");
  command.add_option("--program-dir", args.program_directories,
                     "Directories to start MPI daemons from (default: those of PATH)");
}

// "" where there is no /proc to tell it; then there is no relay.
std::string path_of_agent() {
  try {
    return own_executable();
  } catch (const Error&) {
    return "";
  }
}

sshkeys::GatePolicy policy_of(const GateArgs& args, const Environment& environment) {
  sshkeys::start_libssh();
  sshkeys::GatePolicy policy;
  policy.agent = path_of_agent();
  policy.program_directories = args.program_directories;
  if (policy.program_directories.empty())
    for (const auto& directory : split(environment.get_or("PATH", "/usr/local/bin:/usr/bin:/bin"), ':'))
      if (directory.starts_with("/")) policy.program_directories.push_back(directory);
  for (const auto& text : args.members) {
    const bool is_ipv6 = text.find(':') != std::string::npos;
    for (const auto& name : is_ipv6 ? std::vector<std::string>{text} : model::expand_hostlist(text)) {
      policy.members.push_back(name);
      for (auto& address : sshkeys::resolve(name)) policy.members.push_back(std::move(address));
    }
  }
  return policy;
}

std::vector<sshkeys::PublicKey> read_authorized_keys(const std::string& file) {
  std::vector<sshkeys::PublicKey> keys;
  int number = 0;
  for (const auto& line : split(read_file(file), '\n')) {
    ++number;
    if (trim(line).empty() || trim(line).starts_with("#")) continue;
    keys.push_back(sshkeys::parse_public_key(line, str(file, ":", number)));
  }
  if (keys.empty()) throw Error(str(file, ": no key in it, so nobody could log in"), ExitCode::bad_input);
  return keys;
}

struct SshdArgs {
  sshkeys::ServerOptions options;
  int login_seconds = static_cast<int>(options.login_limit.count());
  int idle_seconds = static_cast<int>(options.idle_limit.count());
  GateArgs gate;
  std::string host_key;
  std::string authorized_keys;
};

int sshd(SshdArgs& args, const Environment& environment) {
  args.options.authorized = read_authorized_keys(args.authorized_keys);
  args.options.gate = policy_of(args.gate, environment);
  args.options.environment = environment;
  args.options.login_limit = std::chrono::seconds(args.login_seconds);
  args.options.idle_limit = std::chrono::seconds(args.idle_seconds);
  if (args.options.user.empty()) args.options.user = sshkeys::own_user_name();
  sshkeys::serve(sshkeys::ListeningSocket(args.options.address, args.options.port),
                 sshkeys::PrivateKey::read(args.host_key), args.options);
  return 0;
}

}  // namespace

void add_sshd(CLI::App& app, AgentChosen& chosen) {
  auto args = std::make_shared<SshdArgs>();
  CLI::App* command =
      app.add_subcommand("sshd", "Serve a job's SSH on this host: MPI daemons alone, for one key alone");
  command->add_option("--host-key", args->host_key, "This host's private Ed25519 key (ssh_host_ed25519_key)")
      ->required();
  command->add_option("--authorized-keys", args->authorized_keys, "Public Ed25519 keys that may log in")->required();
  command->add_option("--user", args->options.user, "The only login name (default: this user's, or viaduct)");
  command->add_option("--address", args->options.address, "Address to listen on; :: for IPv6 too")
      ->capture_default_str();
  command->add_option("--port", args->options.port, "Port to listen on; 0 takes a free one")
      ->check(CLI::Range(0, 65535))
      ->capture_default_str();
  command->add_option("--port-file", args->options.port_file, "Write the port here as soon as it is served");
  command->add_option("--sessions", args->options.most_sessions, "Commands at once; more of them wait")
      ->check(CLI::Range(1, 65536))
      ->capture_default_str();
  const auto add_seconds = [&](const std::string& name, int& seconds, const std::string& what) {
    command->add_option(name, seconds, what)->check(CLI::Range(1, 86400))->capture_default_str();
  };
  add_seconds("--login-seconds", args->login_seconds, "A client that has not logged in by then is hung up on");
  add_seconds("--idle-seconds", args->idle_seconds, "So is one that has logged in and runs nothing for so long");
  command->add_option("--accept-env", args->options.accepted_environment, "Variables a client may set")
      ->capture_default_str();
  add_gate_options(*command, args->gate);
  command->footer(
      "It needs no root, no passwd entry, no home and no capability. There is no shell, no terminal, no forwarding "
      "and\n"
      "no file transfer; a command is taken apart and started without a shell, or refused with the reason. TERM ends "
      "it,\n"
      "and all it started. What it refuses is told on standard error.");
  command->callback(
      [args, &chosen] { chosen = [args](const Environment& environment) { return sshd(*args, environment); }; });
}

void add_gate(CLI::App& app, AgentChosen& chosen) {
  auto args = std::make_shared<GateArgs>();
  CLI::App* command = app.add_subcommand(
      "gate", "As the forced command of an OpenSSH server: run SSH_ORIGINAL_COMMAND if it is an MPI daemon's");
  add_gate_options(*command, *args);
  command->callback([args, &chosen] {
    chosen = [args](const Environment& environment) -> int {
      sshkeys::run_gate(policy_of(*args, environment), environment);
    };
  });
}

void add_ssh(CLI::App& app) {
  CLI::App* command = app.add_subcommand("ssh", "Run a command on a host of the job, called as OpenSSH's ssh is");
  command->footer(
      "ssh [-F FILE] [-o KEYWORD=VALUE]… [-p PORT] [-l USER] [-i KEY] [-46aCnqTvx] [USER@]HOST COMMAND…\n"
      "Without -F it reads the file that VIADUCT_SSH_CONFIG names. The host's key must be in known_hosts; there is no\n"
      "way around that. ConnectTimeout is the deadline, in seconds, until which resolving and connecting are tried "
      "again.\n"
      "Called under the name ssh it takes these words at once.");
}

}  // namespace viaduct::cli
