#include "launcher/launch_command.h"

#include <algorithm>

#include "base/error.h"
#include "base/text.h"
#include "launcher/rank_tag.h"

namespace viaduct::launcher {
namespace {

using Words = std::vector<std::string>;
using Variables = std::vector<std::pair<std::string, std::string>>;

void append(Words& words, const Words& more) { words.insert(words.end(), more.begin(), more.end()); }
void append(Variables& variables, const Variables& more) {
  variables.insert(variables.end(), more.begin(), more.end());
}

// Open MPI wants both of its own pair; release 5 hands on to PRRTE, which has another pair.
Variables allow_root() {
  return {{"OMPI_ALLOW_RUN_AS_ROOT", "1"},
          {"OMPI_ALLOW_RUN_AS_ROOT_CONFIRM", "1"},
          {"PRTE_ALLOW_RUN_AS_ROOT", "1"},
          {"PRTE_ALLOW_RUN_AS_ROOT_CONFIRM", "1"}};
}

// Open MPI looks for ssh even where it has nothing to start with it: release 4 then ends, release 5 forgets the
// hostfile. `isolated` starts nothing elsewhere; release 5 has no such part, but takes any program for ssh.
Words open_mpi_without_ssh(int major) {
  if (major < 5) return {"--mca", "plm", "isolated"};
  return {"--mca", "plm", "ssh", "--mca", "plm_ssh_agent", "/bin/sh"};
}

std::string range(const model::PortRange& ports, std::string_view separator = "-") {
  return str(ports.first, separator, ports.last);
}

// A parameter of Open MPI: of mpirun and its daemons, which are PRRTE's from release 5 on, or of the ranks' MPI.
struct McaParameter {
  bool of_daemons;
  std::string name;
  std::string value;
};

// Every daemon is started from here, unless there are very many: then the ssh of each daemon must find the job's keys
// on its host. How many run at once is set high enough for all that one daemon starts (64 by default), or Open MPI
// waits for ever.
std::vector<McaParameter> open_mpi_over_ssh(const RemoteLaunch& remote, int major) {
  constexpr int at_once = 128;
  const std::string plm = major >= 5 ? "ssh" : "rsh";
  std::vector<McaParameter> parameters;
  const auto daemons = [&](const std::string& name, const std::string& value) {
    parameters.push_back({true, name, value});
  };
  const auto ranks = [&](const std::string& name, const std::string& value) {
    parameters.push_back({false, name, value});
  };
  daemons("plm", plm);
  daemons(str("plm_", plm, "_agent"), "ssh");
  if (!remote.tree) daemons(str("plm_", plm, "_no_tree_spawn"), "1");
  daemons(str("plm_", plm, "_num_concurrent"), std::to_string(at_once));
  if (remote.network) {
    daemons("oob_tcp_if_include", remote.network->cidr);
    ranks("btl_tcp_if_include", remote.network->cidr);
  }
  if (remote.daemon_ports) daemons("oob_tcp_dynamic_ipv4_ports", range(*remote.daemon_ports));
  if (remote.mpi_ports) {
    ranks("btl_tcp_port_min_v4", std::to_string(remote.mpi_ports->first));
    ranks("btl_tcp_port_range_v4", std::to_string(remote.mpi_ports->last - remote.mpi_ports->first + 1));
  }
  if (!remote.fabric) {  // else every rank first asks for networks that are not there
    ranks("pml", "ob1");
    ranks("btl", major >= 5 ? "self,sm,tcp" : "self,vader,tcp");
  }
  return parameters;
}

Words open_mpi_options(const LaunchRequest& request) {
  const int major = request.mpi.major;
  Words words = major >= 5 ? Words{"--output", "tag"} : Words{"--tag-output"};
  append(words, {"--map-by", "slot:OVERSUBSCRIBE", "--bind-to", "none", "--hostfile", request.hostfile_path});
  append(words, {"-np", std::to_string(request.ranks)});
  // Release 4 cuts a host's name at the first dot, and then asks ssh for a host that may not exist.
  if (major < 5) append(words, {"--mca", "orte_keep_fqdn_hostnames", "true"});
  if (request.only_this_host) append(words, open_mpi_without_ssh(major));
  if (request.remote)
    for (const auto& [of_daemons, name, value] : open_mpi_over_ssh(*request.remote, major))
      append(words, {of_daemons && major >= 5 ? "--prtemca" : "--mca", name, value});
  for (const auto& name : request.env_names) append(words, {"-x", name});
  return words;
}

Words hydra_options(const LaunchRequest& request) {
  const RankTag tag = rank_tag(request.mpi, OutputStream::standard_output, request.output_nonce);
  const bool intel = request.mpi.family == MpiFamily::intel;
  // Intel's -f reads the names in the file but not the slots.
  Words words = {intel ? "-machinefile" : "-f", request.hostfile_path, "-np", std::to_string(request.ranks)};
  append(words, {"-genvall", "-prepend-pattern", str(tag.before_rank, "%r", tag.after_rank)});
  if (!intel) append(words, {"-bind-to", "none"});
  if (request.only_this_host) append(words, {"-launcher", "fork"});
  if (request.remote) {
    append(words, {"-launcher", "ssh", "-launcher-exec", "ssh"});
    // For MPICH's own sockets, in old builds. Hydra must not see it, for it takes its own ports from it.
    if (!intel && request.remote->mpi_ports)
      append(words, {"-genv", "MPIR_CVAR_CH3_PORT_RANGE", range(*request.remote->mpi_ports, ":")});
    // Or other hosts are told to call back a name that they may not know.
    if (request.remote->network) append(words, {"-iface", request.remote->network->interface});
  }
  return words;
}

int smallest_slots(const std::vector<HostSlots>& hosts) {
  return std::ranges::min_element(hosts, {}, &HostSlots::slots)->slots;
}

Variables open_mpi_variables(const LaunchRequest& request, const std::string& slots) {
  return {
      {"OMPI_MCA_orte_default_hostfile", request.hostfile_path},
      {"OMPI_MCA_orte_keep_fqdn_hostnames", "true"},
      {"OMPI_MCA_orte_set_default_slots", slots},
      {"PRTE_MCA_prte_default_hostfile", request.hostfile_path},
      // With true PRRTE takes this host's own full name for another host's.
      {"PRTE_MCA_prte_keep_fqdn_hostnames", "false"},
      {"PRTE_MCA_prte_set_default_slots", slots},
      // PRRTE binds to cores by itself, and ends when there are more ranks than cores unless told that this is fine.
      {"PRTE_MCA_hwloc_default_binding_policy", "core:overload-allowed"}};
}

Variables hydra_over_ssh(const LaunchRequest& request) {
  const RemoteLaunch& remote = *request.remote;
  const bool intel = request.mpi.family == MpiFamily::intel;
  Variables variables;
  // Intel's proxies start each other, 16 each, unless one may start as many as there are hosts.
  if (intel && !remote.tree) append(variables, {{"I_MPI_HYDRA_BRANCH_COUNT", std::to_string(request.hosts.size())}});
  if (remote.daemon_ports)
    append(variables, {{intel ? "I_MPI_PORT_RANGE" : "MPIEXEC_PORT_RANGE", range(*remote.daemon_ports, ":")}});
  if (remote.mpi_ports)  // whichever library carries the messages: UCX or libfabric
    append(variables, {{"UCX_TCP_PORT_RANGE", range(*remote.mpi_ports)},
                       {"FI_TCP_PORT_LOW_RANGE", std::to_string(remote.mpi_ports->first)},
                       {"FI_TCP_PORT_HIGH_RANGE", std::to_string(remote.mpi_ports->last)}});
  if (!remote.fabric && intel) append(variables, {{"FI_PROVIDER", "tcp"}, {"I_MPI_FABRICS", "shm:ofi"}});
  return variables;
}

// What open_mpi_over_ssh says in words, as variables: for either release, as long as it is not known which one is
// meant.
Variables open_mpi_over_ssh_variables(const LaunchRequest& request) {
  Variables variables;
  for (const int major : {4, 5})
    for (const auto& [of_daemons, name, value] : open_mpi_over_ssh(*request.remote, major))
      if (of_daemons || (request.mpi.major >= 5) == (major >= 5))
        append(variables, {{str(of_daemons && major >= 5 ? "PRTE_MCA_" : "OMPI_MCA_", name), value}});
  return variables;
}

Variables hydra_hands_off(const LaunchRequest& request) {
  const bool intel = request.mpi.family == MpiFamily::intel;
  const std::string prefix = intel ? "I_MPI_HYDRA_" : "HYDRA_";
  const std::string launcher = intel ? "BOOTSTRAP" : "LAUNCHER";
  Variables variables = {{prefix + "HOST_FILE", request.hostfile_path}};
  if (!request.remote) return variables;
  append(variables, {{prefix + launcher, "ssh"}, {prefix + launcher + "_EXEC", "ssh"}});
  if (request.remote->network) append(variables, {{prefix + "IFACE", request.remote->network->interface}});
  append(variables, hydra_over_ssh(request));
  return variables;
}

}  // namespace

LaunchCommand make_launch_command(const LaunchRequest& request) {
  if (std::ranges::find(request.rank_command, ":") != request.rank_command.end()) {
    throw Error("the command has the word \":\", at which mpirun would start another program", ExitCode::bad_input,
                "run the command from a script");
  }
  LaunchCommand command{{request.mpirun}, {}};
  append(command.argv, request.mpi.family == MpiFamily::open_mpi ? open_mpi_options(request) : hydra_options(request));
  append(command.argv, request.rank_command);
  if (request.as_root && request.mpi.family == MpiFamily::open_mpi) append(command.env, allow_root());
  if (request.remote && request.mpi.family != MpiFamily::open_mpi) append(command.env, hydra_over_ssh(request));
  if (request.mpi.family == MpiFamily::intel) {
    // Under a batch system Intel MPI would rather follow that than its hostfile.
    append(command.env, {{"I_MPI_PIN", "0"}, {"I_MPI_JOB_RESPECT_PROCESS_PLACEMENT", "0"}});
  }
  return command;
}

Variables hands_off_env(const LaunchRequest& request) {
  const std::string slots = std::to_string(smallest_slots(request.hosts));
  const std::string nodes = std::to_string(request.hosts.size());
  Variables env = {
      {"VIADUCT_HOSTFILE", request.hostfile_path},       {"VIADUCT_NNODES", nodes}, {"VIADUCT_SLOTS_PER_NODE", slots},
      {"VIADUCT_NPROCS", std::to_string(request.ranks)}, {"PET_NNODES", nodes},     {"PET_NPROC_PER_NODE", slots}};
  if (request.mpi.family == MpiFamily::open_mpi) {
    append(env, open_mpi_variables(request, slots));
    if (request.remote) append(env, open_mpi_over_ssh_variables(request));
  } else {
    append(env, hydra_hands_off(request));
  }
  if (request.mpi.family == MpiFamily::intel)
    append(env, {{"I_MPI_PERHOST", slots}, {"I_MPI_JOB_RESPECT_PROCESS_PLACEMENT", "0"}});
  if (request.as_root) append(env, allow_root());
  return env;
}

}  // namespace viaduct::launcher
