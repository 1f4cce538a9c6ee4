#include "launcher/launch_command.h"

#include <algorithm>
#include <catch2/catch.hpp>
#include <map>

#include "base/error.h"
#include "base/text.h"

using namespace viaduct;
using namespace viaduct::launcher;

namespace {

LaunchRequest request(MpiFamily family, int major) {
  LaunchRequest r;
  r.mpi = {family, major, 0, ""};
  r.mpirun = "/usr/bin/mpirun";
  r.hosts = {{"node1", 4}, {"node2", 2}};
  r.ranks = 6;
  r.hostfile_path = "/j/hostfile";
  r.rank_command = {"/j/viaduct-agent", "exec", "--", "train", "a b"};
  r.env_names = {"LR", "DATA"};
  r.output_nonce = "n1";
  return r;
}

std::string argv(const LaunchRequest& r) { return join(make_launch_command(r).argv, " "); }

// Over the network 10.77.0.0/16 of eth0, without a fabric.
LaunchRequest over_ssh(MpiFamily family, int major) {
  LaunchRequest r = request(family, major);
  r.remote.emplace();
  r.remote->network = Network{"10.77.0.0/16", "eth0"};
  r.remote->fabric = false;
  return r;
}

LaunchRequest with_ports(LaunchRequest r) {
  r.remote->daemon_ports = model::PortRange{31000, 31019};
  r.remote->mpi_ports = model::PortRange{31100, 31139};
  return r;
}

std::map<std::string, std::string> as_map(const std::vector<std::pair<std::string, std::string>>& env) {
  return {env.begin(), env.end()};
}

}  // namespace

TEST_CASE("launch command: each mpirun gets its own words for the same thing") {
  CHECK(argv(request(MpiFamily::open_mpi, 4)) ==
        "/usr/bin/mpirun --tag-output --map-by slot:OVERSUBSCRIBE --bind-to none --hostfile /j/hostfile -np 6 "
        "--mca orte_keep_fqdn_hostnames true -x LR -x DATA /j/viaduct-agent exec -- train a b");
  CHECK(argv(request(MpiFamily::open_mpi, 5)) ==
        "/usr/bin/mpirun --output tag --map-by slot:OVERSUBSCRIBE --bind-to none --hostfile /j/hostfile -np 6 "
        "-x LR -x DATA /j/viaduct-agent exec -- train a b");
  CHECK(argv(request(MpiFamily::mpich, 4)) ==
        "/usr/bin/mpirun -f /j/hostfile -np 6 -genvall -prepend-pattern [n1 %r] -bind-to none "
        "/j/viaduct-agent exec -- train a b");
  CHECK(argv(request(MpiFamily::intel, 2021)) ==
        "/usr/bin/mpirun -machinefile /j/hostfile -np 6 -genvall -prepend-pattern [n1 %r] "
        "/j/viaduct-agent exec -- train a b");
}

TEST_CASE("launch command: a word with blanks stays one word") {
  CHECK(make_launch_command(request(MpiFamily::mpich, 4)).argv.back() == "a b");
}

TEST_CASE("launch command: on one host no mpirun looks for ssh or a batch system") {
  const auto alone = [](MpiFamily family, int major) {
    LaunchRequest r = request(family, major);
    r.only_this_host = true;
    return argv(r);
  };
  CHECK_THAT(alone(MpiFamily::open_mpi, 4), Catch::Contains(" --mca plm isolated "));
  CHECK_THAT(alone(MpiFamily::open_mpi, 5), Catch::Contains(" --mca plm ssh --mca plm_ssh_agent /bin/sh "));
  CHECK_THAT(alone(MpiFamily::mpich, 4), Catch::Contains(" -launcher fork "));
  CHECK_THAT(alone(MpiFamily::intel, 2021), Catch::Contains(" -launcher fork "));
}

TEST_CASE("launch command: other hosts are reached by the job's ssh, all from here") {
  CHECK_THAT(argv(over_ssh(MpiFamily::open_mpi, 4)),
             Catch::Contains(" --mca plm rsh --mca plm_rsh_agent ssh --mca plm_rsh_no_tree_spawn 1 "
                             "--mca plm_rsh_num_concurrent 128 --mca oob_tcp_if_include 10.77.0.0/16 "
                             "--mca btl_tcp_if_include 10.77.0.0/16 --mca pml ob1 --mca btl self,vader,tcp -x LR"));
  CHECK_THAT(argv(over_ssh(MpiFamily::open_mpi, 5)),
             Catch::Contains(" --prtemca plm ssh --prtemca plm_ssh_agent ssh --prtemca plm_ssh_no_tree_spawn 1 "
                             "--prtemca plm_ssh_num_concurrent 128 --prtemca oob_tcp_if_include 10.77.0.0/16 "
                             "--mca btl_tcp_if_include 10.77.0.0/16 --mca pml ob1 --mca btl self,sm,tcp -x LR"));
  CHECK_THAT(argv(over_ssh(MpiFamily::mpich, 4)),
             Catch::Contains(" -bind-to none -launcher ssh -launcher-exec ssh -iface eth0 /j/viaduct-agent"));
  CHECK_THAT(argv(over_ssh(MpiFamily::intel, 2021)),
             Catch::Contains(" -launcher ssh -launcher-exec ssh -iface eth0 /j/viaduct-agent"));
  CHECK(as_map(make_launch_command(over_ssh(MpiFamily::intel, 2021)).env).at("I_MPI_HYDRA_BRANCH_COUNT") == "2");
}

TEST_CASE("launch command: in a tree daemons start each other, and as many at once as one of them starts at all") {
  for (const int major : {4, 5}) {
    LaunchRequest r = over_ssh(MpiFamily::open_mpi, major);
    r.remote->tree = true;
    CHECK_THAT(argv(r), !Catch::Contains("no_tree_spawn"));
    CHECK_THAT(argv(r), Catch::Contains("_num_concurrent 128 "));  // the widest fan-out is 64
  }
  LaunchRequest r = over_ssh(MpiFamily::intel, 2021);
  r.remote->tree = true;
  CHECK(as_map(make_launch_command(r).env).count("I_MPI_HYDRA_BRANCH_COUNT") == 0);
}

TEST_CASE("launch command: with a fabric, or where the network is not known, MPI chooses") {
  for (const auto& [family, major] : {std::pair(MpiFamily::open_mpi, 4), std::pair(MpiFamily::open_mpi, 5),
                                      std::pair(MpiFamily::mpich, 4), std::pair(MpiFamily::intel, 2021)}) {
    LaunchRequest r = request(family, major);
    r.remote.emplace();
    for (const auto* word : {" pml ", " btl ", "if_include", "-iface", "ports"})
      CHECK_THAT(argv(r), !Catch::Contains(word));
    CHECK(as_map(make_launch_command(r).env).count("FI_PROVIDER") == 0);
  }
  CHECK(as_map(make_launch_command(over_ssh(MpiFamily::intel, 2021)).env).at("FI_PROVIDER") == "tcp");
}

TEST_CASE("launch command: ports that were asked for are told to daemons and ranks, each in its MPI's way") {
  CHECK_THAT(argv(with_ports(over_ssh(MpiFamily::open_mpi, 4))),
             Catch::Contains(" --mca oob_tcp_dynamic_ipv4_ports 31000-31019 --mca btl_tcp_port_min_v4 31100 "
                             "--mca btl_tcp_port_range_v4 40 "));
  CHECK_THAT(argv(with_ports(over_ssh(MpiFamily::open_mpi, 5))),
             Catch::Contains(" --prtemca oob_tcp_dynamic_ipv4_ports 31000-31019 --mca btl_tcp_port_min_v4 31100 "
                             "--mca btl_tcp_port_range_v4 40 "));
  const LaunchRequest mpich = with_ports(over_ssh(MpiFamily::mpich, 4));
  CHECK_THAT(argv(mpich), Catch::Contains(" -genv MPIR_CVAR_CH3_PORT_RANGE 31100:31139 "));
  auto env = as_map(make_launch_command(mpich).env);
  CHECK(env.at("MPIEXEC_PORT_RANGE") == "31000:31019");
  CHECK(env.at("UCX_TCP_PORT_RANGE") == "31100-31139");
  CHECK(env.count("MPIR_CVAR_CH3_PORT_RANGE") == 0);  // Hydra would take its own ports from it
  env = as_map(make_launch_command(with_ports(over_ssh(MpiFamily::intel, 2021))).env);
  CHECK(env.at("I_MPI_PORT_RANGE") == "31000:31019");
  CHECK(env.at("FI_TCP_PORT_LOW_RANGE") == "31100");
  CHECK(env.at("FI_TCP_PORT_HIGH_RANGE") == "31139");
}

TEST_CASE("launch command: root is allowed by variables, for Open MPI only and only for root") {
  LaunchRequest r = request(MpiFamily::open_mpi, 5);
  CHECK(make_launch_command(r).env.empty());
  r.as_root = true;
  CHECK(make_launch_command(r).env.size() == 4);
  r.mpi.family = MpiFamily::mpich;
  CHECK(make_launch_command(r).env.empty());
}

TEST_CASE("launch command: Intel MPI neither pins nor follows the batch system") {
  const auto env = as_map(make_launch_command(request(MpiFamily::intel, 2021)).env);
  CHECK(env.at("I_MPI_PIN") == "0");
  CHECK(env.at("I_MPI_JOB_RESPECT_PROCESS_PLACEMENT") == "0");
}

TEST_CASE("launch command: a lone colon is refused, mpirun would cut the command there") {
  for (const auto family : {MpiFamily::open_mpi, MpiFamily::mpich, MpiFamily::intel}) {
    LaunchRequest r = request(family, 5);
    r.rank_command.push_back("a:b");
    CHECK_NOTHROW(make_launch_command(r));
    r.rank_command.push_back(":");
    CHECK_THROWS_AS(make_launch_command(r), Error);
  }
}

TEST_CASE("hands off env: each mpirun finds hosts and slots by its own variables") {
  const auto open_mpi = as_map(hands_off_env(request(MpiFamily::open_mpi, 4)));
  CHECK(open_mpi.at("OMPI_MCA_orte_default_hostfile") == "/j/hostfile");
  CHECK(open_mpi.at("PRTE_MCA_prte_default_hostfile") == "/j/hostfile");
  CHECK(open_mpi.at("OMPI_MCA_orte_keep_fqdn_hostnames") == "true");
  CHECK(open_mpi.at("PRTE_MCA_prte_keep_fqdn_hostnames") == "false");
  CHECK(as_map(hands_off_env(request(MpiFamily::mpich, 5))).at("HYDRA_HOST_FILE") == "/j/hostfile");
  const auto intel = as_map(hands_off_env(request(MpiFamily::intel, 2021)));
  CHECK(intel.at("I_MPI_HYDRA_HOST_FILE") == "/j/hostfile");
  CHECK(intel.at("I_MPI_PERHOST") == "2");
}

TEST_CASE("hands off env: the numbers are there for any launcher, slots are the smallest") {
  const auto env = as_map(hands_off_env(request(MpiFamily::mpich, 4)));
  CHECK(env.at("VIADUCT_HOSTFILE") == "/j/hostfile");
  CHECK(env.at("VIADUCT_NNODES") == "2");
  CHECK(env.at("VIADUCT_SLOTS_PER_NODE") == "2");
  CHECK(env.at("VIADUCT_NPROCS") == "6");
  CHECK(env.at("PET_NNODES") == "2");
  CHECK(env.at("PET_NPROC_PER_NODE") == "2");
  CHECK(env.count("OMPI_ALLOW_RUN_AS_ROOT") == 0);
}

TEST_CASE("hands off env: a launcher reaches other hosts by the job's ssh, whichever release of it is called") {
  const auto open_mpi = as_map(hands_off_env(with_ports(over_ssh(MpiFamily::open_mpi, 4))));
  CHECK(open_mpi.at("OMPI_MCA_plm_rsh_agent") == "ssh");
  CHECK(open_mpi.at("OMPI_MCA_plm_rsh_no_tree_spawn") == "1");
  CHECK(open_mpi.at("PRTE_MCA_plm_ssh_agent") == "ssh");
  CHECK(open_mpi.at("PRTE_MCA_plm_ssh_no_tree_spawn") == "1");
  CHECK(open_mpi.at("PRTE_MCA_oob_tcp_if_include") == "10.77.0.0/16");
  CHECK(open_mpi.at("PRTE_MCA_oob_tcp_dynamic_ipv4_ports") == "31000-31019");
  CHECK(open_mpi.at("OMPI_MCA_btl") == "self,vader,tcp");
  CHECK(as_map(hands_off_env(over_ssh(MpiFamily::open_mpi, 5))).at("OMPI_MCA_btl") == "self,sm,tcp");
  const auto mpich = as_map(hands_off_env(over_ssh(MpiFamily::mpich, 4)));
  CHECK(mpich.at("HYDRA_LAUNCHER") == "ssh");
  CHECK(mpich.at("HYDRA_LAUNCHER_EXEC") == "ssh");
  CHECK(mpich.at("HYDRA_IFACE") == "eth0");
  const auto intel = as_map(hands_off_env(over_ssh(MpiFamily::intel, 2021)));
  CHECK(intel.at("I_MPI_HYDRA_BOOTSTRAP") == "ssh");
  CHECK(intel.at("I_MPI_HYDRA_BOOTSTRAP_EXEC") == "ssh");
  CHECK(intel.at("I_MPI_HYDRA_IFACE") == "eth0");
  CHECK(intel.at("I_MPI_HYDRA_BRANCH_COUNT") == "2");
}

TEST_CASE("hands off env: where no other host takes part, nothing is said of ssh") {
  for (const auto& [name, value] : hands_off_env(request(MpiFamily::open_mpi, 5))) CHECK_FALSE(contains(name, "plm"));
  CHECK(as_map(hands_off_env(request(MpiFamily::mpich, 4))).count("HYDRA_LAUNCHER") == 0);
}
