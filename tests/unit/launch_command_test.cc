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
