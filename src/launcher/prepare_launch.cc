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
#include "launcher/fabric.h"
#include "launcher/job_ssh.h"
#include "launcher/launch.h"
#include "launcher/network.h"
#include "launcher/rank_environment.h"
#include "launcher/rank_streams.h"
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

// Where all ranks find rank 0. The first host's name may be one that nobody but the job's ssh knows.
std::string rendezvous_address(const PreparedLaunch& launch, const std::vector<RelayReady>& others) {
  if (launch.only_this_host) return "127.0.0.1";
  const std::string seen_as = others.empty() ? "" : others.front().client_address;
  const bool by_all = std::ranges::all_of(others, [&](const auto& o) { return o.client_address == seen_as; });
  const bool ours = std::ranges::count(own_addresses(), seen_as, &InterfaceAddress::address) > 0;
  return launch.own_node == 0 && by_all && ours ? seen_as : launch.hosts.front().host;
}

std::vector<std::string> rank_command(const PreparedLaunch& launch, const std::vector<RelayReady>& others) {
  std::vector<std::string> argv = {launch.agent.string(), "exec", "--watch", "--die-with-parent"};
  const auto add = [&](const std::string& option, const std::string& value) {
    argv.push_back(option);
    argv.push_back(value);
  };
  add("--output", launch.output_address);
  add("--slots", model::compress_counts(slots_of(launch.hosts)));
  add("--rendezvous", str(rendezvous_address(launch, others), ":", free_port(), ":", free_port()));
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

// Whether a name of the allocation means the host that calls itself `own`; one of the two may lack the domain.
bool is_own_host(const std::string& name, const std::string& own) {
  const auto short_name = [](const std::string& text) { return text.substr(0, text.find('.')); };
  const bool one_is_short = name.find('.') == std::string::npos || own.find('.') == std::string::npos;
  return name == "localhost" || name == own || (one_is_short && short_name(name) == short_name(own));
}

int find_own_host(const std::vector<HostSlots>& hosts) {
  const std::string own = host_name();
  const auto found = std::ranges::find_if(hosts, [&](const auto& host) { return is_own_host(host.host, own); });
  return found == hosts.end() ? -1 : static_cast<int>(found - hosts.begin());
}

// MPI would start the other host's ranks on this one.
void check_other_names(const PreparedLaunch& launch) {
  const std::string own = host_name();
  for (std::size_t node = 0; node < launch.hosts.size(); ++node)
    if (static_cast<int>(node) != launch.own_node && is_own_host(launch.hosts[node].host, own))
      throw Error(str("host ", launch.hosts[node].host, " of the allocation is not this one, ", own,
                      ", but MPI would take it for it"),
                  ExitCode::bad_input, "give it by another of its names");
}

void place_this_host(PreparedLaunch& launch, const std::optional<int>& own_node) {
  launch.own_node = own_node.value_or(find_own_host(launch.hosts));
  if (own_node && *own_node >= static_cast<int>(launch.hosts.size()))
    throw Error(str("--own-node ", *own_node, ": the allocation has ",
                    count_of(static_cast<std::int64_t>(launch.hosts.size()), "host")),
                ExitCode::bad_input);
  if (own_node) check_other_names(launch);
  launch.only_this_host = launch.hosts.size() == 1 && launch.own_node == 0;
}

// The launcher's own host stands there as it calls itself: PRRTE takes any other name for another host.
std::string hostfile_of(const PreparedLaunch& launch) {
  auto hosts = launch.hosts;
  if (launch.own_node >= 0 && !launch.only_this_host)
    hosts[static_cast<std::size_t>(launch.own_node)].host = host_name();
  return render_hostfile(hosts, launch.mpirun.flavour.family);
}

RemoteLaunch remote_launch(PreparedLaunch& launch, const std::vector<RelayReady>& others) {
  const auto& policy = launch.plan.remote;
  RemoteLaunch remote;
  remote.tree = launch.tree_spawn;
  remote.daemon_ports = policy.daemon_ports;
  remote.mpi_ports = policy.mpi_ports;
  remote.fabric = others.empty() || has_fabric() || std::ranges::any_of(others, &RelayReady::fabric);
  remote.network = common_network(others, own_addresses());
  if (remote.network) launch.remarks.push_back(str("network: ", remote.network->cidr));
  if (!remote.fabric) launch.remarks.emplace_back("transports: TCP and shared memory, for no host has a fabric");
  if (remote.tree) launch.remarks.emplace_back("MPI daemons start each other (tree spawn)");
  return remote;
}

}  // namespace

void finish_command(PreparedLaunch& launch, const std::vector<RelayReady>& others) {
  LaunchRequest request;
  request.mpi = launch.mpirun.flavour;
  request.mpirun = launch.mpirun.path.string();
  request.hosts = launch.hosts;
  request.ranks = static_cast<int>(launch.plan.ranks());
  request.hostfile_path = launch.hostfile.string();
  for (const auto& [name, value] : launch.plan.environment) request.env_names.push_back(name);
  request.as_root = ::geteuid() == 0;
  request.only_this_host = launch.only_this_host;
  if (!launch.only_this_host) request.remote = remote_launch(launch, others);
  request.output_nonce = launch.output_nonce;
  if (launch.plan.launch == model::LaunchStyle::own_launcher) {
    launch.command.argv = with_hostfile_paths(launch.plan.command, launch.hostfile.string());
    launch.command.env = hands_off_env(request);
  } else {
    request.rank_command = rank_command(launch, others);
    launch.command = make_launch_command(request);
  }
  for (const auto& [name, value] : launch.command.env) {
    // What the user set for his MPI stays, but for what the plan owns.
    if (launch.plan.launch == model::LaunchStyle::own_launcher) {
      launch.environment.set_default(name, value);
    } else {
      launch.environment.set(name, value);
    }
  }
}

PreparedLaunch prepare_launch(const LaunchOptions& options, const Environment& environment,
                              const std::filesystem::path& agent) {
  PreparedLaunch launch;
  launch.agent = agent;
  launch.tree_spawn = options.tree_spawn;
  launch.output_address = make_output_address();
  launch.plan = model::read_run_plan(read_json_document(options.plan_file.string(), read_file(options.plan_file)));
  launch.hosts = options.hosts;
  if (launch.hosts.empty()) {
    launch.hosts = {{"localhost", static_cast<int>(launch.plan.ranks())}};
  } else {
    place_this_host(launch, options.own_node);
  }
  if (!launch.only_this_host && options.ssh_config.empty())
    throw Error("the allocation has other hosts than this one, and nothing says how to reach them", ExitCode::bad_input,
                "give --ssh-config FILE");
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
  launch.hostfile_text = hostfile_of(launch);
  if (!launch.only_this_host)
    put_job_ssh_first(launch.environment, options.attempt_directory, std::filesystem::absolute(options.ssh_config));
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
