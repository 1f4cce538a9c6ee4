#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <numeric>

#include "base/error.h"
#include "base/files.h"
#include "base/json.h"
#include "base/process.h"
#include "base/text.h"
#include "launcher/exec.h"
#include "launcher/launch.h"
#include "launcher/rank_environment.h"
#include "model/hostlist.h"

namespace viaduct::launcher {
namespace {

// A TCP port that is free on this host now. Another program may take it before rank 0 listens; programs that can't
// live with that set MASTER_PORT themselves.
int free_port() {
  const Fd socket(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  socklen_t size = sizeof address;
  if (!socket || ::bind(socket.get(), reinterpret_cast<const sockaddr*>(&address), size) != 0 ||
      ::getsockname(socket.get(), reinterpret_cast<sockaddr*>(&address), &size) != 0)
    throw Error::from_errno("can't find a free port", errno);
  return ntohs(address.sin_port);
}

std::vector<int> slots_of(const std::vector<HostSlots>& hosts) {
  std::vector<int> slots;
  slots.reserve(hosts.size());
  for (const auto& host : hosts) slots.push_back(host.slots);
  return slots;
}

std::vector<std::string> rank_command(const PreparedLaunch& launch, const std::filesystem::path& agent,
                                      const std::string& output_address) {
  const std::string address = launch.only_this_host ? "127.0.0.1" : launch.hosts.front().host;
  std::vector<std::string> argv = {agent.string(), "exec", "--watch", "--die-with-parent"};
  const auto add = [&](const std::string& option, const std::string& value) {
    argv.push_back(option);
    argv.push_back(value);
  };
  // From other hosts the output comes through the MPI launcher, tagged by it (launcher/rank_tag.h).
  if (launch.only_this_host) {
    add("--output", output_address);
  } else {
    argv.emplace_back("--hello");
  }
  add("--slots", model::compress_counts(slots_of(launch.hosts)));
  add("--rendezvous", str(address, ":", free_port(), ":", free_port()));
  add("--binding", launch.plan.binding);
  if (!launch.plan.working_directory.empty()) add("--directory", launch.plan.working_directory);
  argv.emplace_back("--");
  for (const auto& word : launch.plan.command) argv.push_back(escape_word(word));
  return argv;
}

// Kubeflow mounts the hostfile at /etc/mpi/hostfile, DeepSpeed looks for /job/hostfile; commands written for them name
// these paths.
std::vector<std::string> with_hostfile_paths(std::vector<std::string> argv, const std::string& hostfile) {
  for (auto& word : argv)
    for (const std::string_view path : {"/etc/mpi/hostfile", "/job/hostfile"})
      if (word == path || word.ends_with(str("=", path)))
        word.replace(word.size() - path.size(), path.size(), hostfile);
  return argv;
}

void make_command(PreparedLaunch& launch, const std::filesystem::path& agent, const std::string& output_address) {
  LaunchRequest request;
  request.mpi = launch.mpirun.flavour;
  request.mpirun = launch.mpirun.path.string();
  request.hosts = launch.hosts;
  request.ranks = static_cast<int>(launch.plan.ranks());
  request.hostfile_path = launch.hostfile.string();
  for (const auto& [name, value] : launch.plan.environment) request.env_names.push_back(name);
  request.as_root = ::geteuid() == 0;
  request.only_this_host = launch.only_this_host;
  request.output_nonce = launch.output_nonce;
  if (launch.plan.launch == model::LaunchStyle::own_launcher) {
    launch.command.argv = with_hostfile_paths(launch.plan.command, launch.hostfile.string());
    launch.command.env = hands_off_env(request);
  } else {
    request.rank_command = rank_command(launch, agent, output_address);
    launch.command = make_launch_command(request);
  }
}

}  // namespace

PreparedLaunch prepare_launch(const LaunchOptions& options, const Environment& environment,
                              const std::filesystem::path& agent, const std::string& output_address) {
  PreparedLaunch launch;
  launch.plan = model::read_run_plan(read_json_document(options.plan_file.string(), read_file(options.plan_file)));
  launch.hosts = options.hosts;
  if (launch.hosts.empty()) {
    launch.hosts = {{"localhost", static_cast<int>(launch.plan.ranks())}};
  } else {
    launch.only_this_host =
        launch.hosts.size() == 1 && (launch.hosts[0].host == "localhost" || launch.hosts[0].host == host_name());
  }
  const std::int64_t slots = std::accumulate(launch.hosts.begin(), launch.hosts.end(), std::int64_t{0},
                                             [](std::int64_t sum, const HostSlots& host) { return sum + host.slots; });
  if (slots < launch.plan.ranks())
    throw Error(
        str("too many ranks for the slots: the plan has ", count_of(launch.plan.ranks(), "rank"), ", the ",
            count_of(static_cast<std::int64_t>(launch.hosts.size()), "host"), " offer ", count_of(slots, "slot")),
        ExitCode::bad_input, "ask for fewer nodes or ranks per node, or for a larger allocation");
  launch.output_nonce = str("viaduct-", ::getpid());
  launch.environment = environment;
  for (const auto& [name, value] : launch.plan.environment) launch.environment.set(name, value);
  launch.mpirun = find_mpirun(launch.plan, launch.environment, options.cache_directory);
  launch.hostfile = options.attempt_directory / "hostfile";
  launch.hostfile_text = render_hostfile(launch.hosts, launch.mpirun.flavour.family);
  make_command(launch, agent, output_address);
  for (const auto& [name, value] : launch.command.env) {
    // What the user set for his MPI stays, but for what the plan owns.
    if (launch.plan.launch == model::LaunchStyle::own_launcher) {
      launch.environment.set_default(name, value);
    } else {
      launch.environment.set(name, value);
    }
  }
  return launch;
}

std::string describe(const PreparedLaunch& launch) {
  const auto& [mpirun, flavour] = launch.mpirun;
  std::string out =
      mpirun.empty() ? "mpirun:   none needed\n" : str("mpirun:   ", mpirun.string(), " (", describe(flavour), ")\n");
  out += str("ranks:    ", launch.plan.ranks(), " on ",
             count_of(static_cast<std::int64_t>(launch.hosts.size()), "host"), "\n");
  out += str("hostfile: ", launch.hostfile.string(), "\n");
  for (const auto& line : split(trim(launch.hostfile_text), '\n')) out += str("          ", line, "\n");
  out += "environment added:\n";
  for (const auto& [name, value] : launch.command.env) out += str("          ", name, "=", shell_quote(value), "\n");
  for (const auto& [name, value] : launch.plan.environment)
    out += str("          ", name, "=", shell_quote(value), "\n");
  return out + str("command:  ", shell_quote(launch.command.argv), "\n");
}

}  // namespace viaduct::launcher
