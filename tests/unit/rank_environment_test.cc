#include "launcher/rank_environment.h"

#include <catch2/catch.hpp>

#include "base/text.h"

using namespace viaduct;
using namespace viaduct::launcher;

namespace {

using Pairs = std::vector<std::pair<std::string, std::string>>;

Environment environment_of(const Pairs& pairs) {
  Environment environment;
  for (const auto& [name, value] : pairs) environment.set(name, value);
  return environment;
}

std::string identity(const Pairs& pairs, const std::vector<int>& slots = {}) {
  const auto told = read_rank_identity(environment_of(pairs), slots);
  if (!told) return "none";
  return str("rank ", told->rank, "/", told->size, " local ", told->local_rank, "/", told->local_size, " node ",
             told->node_rank, "/", told->nodes);
}

// Rank 0 of 1 on node 0 of 1, as a step of Slurm that holds mpirun or its daemon has it.
const Pairs slurm_of_daemon = {{"SLURM_PROCID", "1"},         {"SLURM_STEP_NUM_TASKS", "2"},
                               {"SLURM_LOCALID", "0"},        {"SLURM_NODEID", "1"},
                               {"SLURM_STEP_NUM_NODES", "2"}, {"SLURM_STEP_TASKS_PER_NODE", "1(x2)"},
                               {"SLURM_NTASKS_PER_NODE", "1"}};

Pairs and_slurm(Pairs pairs) {
  pairs.insert(pairs.end(), slurm_of_daemon.begin(), slurm_of_daemon.end());
  return pairs;
}

const Pairs open_mpi = {{"OMPI_COMM_WORLD_RANK", "5"},
                        {"OMPI_COMM_WORLD_SIZE", "8"},
                        {"OMPI_COMM_WORLD_LOCAL_RANK", "1"},
                        {"OMPI_COMM_WORLD_LOCAL_SIZE", "4"},
                        {"PMIX_RANK", "5"}};
const Pairs hydra = {{"PMI_RANK", "5"}, {"PMI_SIZE", "8"}, {"MPI_LOCALRANKID", "1"}, {"MPI_LOCALNRANKS", "4"}};

}  // namespace

TEST_CASE("rank environment: Open MPI tells a rank") {
  CHECK(identity(open_mpi, {4, 4}) == "rank 5/8 local 1/4 node 1/2");
}

TEST_CASE("rank environment: MPICH and Intel MPI tell a rank by Hydra") {
  CHECK(identity(hydra, {4, 4}) == "rank 5/8 local 1/4 node 1/2");
}

TEST_CASE("rank environment: under mpirun inside a Slurm step mpirun's word counts, not the step's") {
  CHECK(identity(and_slurm(open_mpi), {4, 4}) == "rank 5/8 local 1/4 node 1/2");
  CHECK(identity(and_slurm(hydra), {4, 4}) == "rank 5/8 local 1/4 node 1/2");
  Pairs first = and_slurm({{"PMI_RANK", "1"}, {"PMI_SIZE", "8"}, {"MPI_LOCALRANKID", "1"}, {"MPI_LOCALNRANKS", "4"}});
  CHECK(identity(first, {4, 4}) == "rank 1/8 local 1/4 node 0/2");
}

TEST_CASE("rank environment: srun with PMIx tells a rank in Slurm's words") {
  const Pairs step = {{"SLURM_PROCID", "3"}, {"SLURM_STEP_NUM_TASKS", "5"}, {"SLURM_LOCALID", "0"},
                      {"SLURM_NODEID", "1"}, {"SLURM_STEP_NUM_NODES", "2"}, {"SLURM_STEP_TASKS_PER_NODE", "3,2"},
                      {"PMIX_RANK", "3"}};
  CHECK(identity(step) == "rank 3/5 local 0/2 node 1/2");
  CHECK(identity(step, {3, 2}) == "rank 3/5 local 0/2 node 1/2");
}

TEST_CASE("rank environment: srun with PMI-2 tells the place on the node in Slurm's words") {
  CHECK(identity({{"PMI_RANK", "3"},
                  {"PMI_SIZE", "4"},
                  {"SLURM_PROCID", "3"},
                  {"SLURM_LOCALID", "1"},
                  {"SLURM_NODEID", "1"},
                  {"SLURM_STEP_NUM_NODES", "2"},
                  {"SLURM_STEP_TASKS_PER_NODE", "2(x2)"}},
                 {2, 2}) == "rank 3/4 local 1/2 node 1/2");
}

TEST_CASE("rank environment: srun that deals ranks out in turn is believed") {
  CHECK(identity({{"SLURM_PROCID", "1"},
                  {"SLURM_STEP_NUM_TASKS", "4"},
                  {"SLURM_LOCALID", "0"},
                  {"SLURM_NODEID", "1"},
                  {"SLURM_STEP_NUM_NODES", "2"},
                  {"SLURM_STEP_TASKS_PER_NODE", "2(x2)"}},
                 {2, 2}) == "rank 1/4 local 0/2 node 1/2");
}

TEST_CASE("rank environment: the job's tasks per node are not taken for the step's") {
  CHECK(identity({{"SLURM_PROCID", "1"}, {"SLURM_LOCALID", "0"}, {"SLURM_NODEID", "1"}, {"SLURM_NTASKS_PER_NODE", "8"}},
                 {1, 1}) == "rank 1/2 local 0/1 node 1/2");
}

TEST_CASE("rank environment: a bare PMIx rank finds its place by the slots") {
  CHECK(identity({{"PMIX_RANK", "0"}}, {2, 3}) == "rank 0/5 local 0/2 node 0/2");
  CHECK(identity({{"PMIX_RANK", "1"}}, {2, 3}) == "rank 1/5 local 1/2 node 0/2");
  CHECK(identity({{"PMIX_RANK", "2"}}, {2, 3}) == "rank 2/5 local 0/3 node 1/2");
  CHECK(identity({{"PMIX_RANK", "4"}}, {2, 3}) == "rank 4/5 local 2/3 node 1/2");
  CHECK(identity({{"PMIX_RANK", "0"}}) == "rank 0/1 local 0/1 node 0/1");
}

TEST_CASE("rank environment: nothing is told without a rank, or with nonsense for one") {
  CHECK(identity({}) == "none");
  CHECK(identity({{"RANK", "1"}, {"OMPI_COMM_WORLD_SIZE", "4"}}, {2, 2}) == "none");
  for (const auto* rank : {"", "x", "-1", "1.5", "99999999999"}) CHECK(identity({{"PMI_RANK", rank}}) == "none");
}

TEST_CASE("rank environment: a step's broken counts fall back to the slots") {
  CHECK(
      identity(
          {{"SLURM_PROCID", "1"}, {"SLURM_LOCALID", "1"}, {"SLURM_NODEID", "0"}, {"SLURM_STEP_TASKS_PER_NODE", "2(x"}},
          {2}) == "rank 1/2 local 1/2 node 0/1");
  CHECK(identity({{"SLURM_PROCID", "1"}, {"SLURM_LOCALID", "1"}, {"SLURM_NODEID", "7"}}, {2}) ==
        "rank 1/2 local 1/2 node 7/1");
}

TEST_CASE("rank environment: torch, DeepSpeed, JAX and Horovod find what they look for") {
  Environment environment;
  set_rank_variables(environment, {5, 8, 1, 4, 1, 2}, {"node01", 29500, 29501});
  const Pairs expected = {{"RANK", "5"},
                          {"WORLD_SIZE", "8"},
                          {"LOCAL_RANK", "1"},
                          {"LOCAL_WORLD_SIZE", "4"},
                          {"LOCAL_SIZE", "4"},
                          {"NODE_RANK", "1"},
                          {"GROUP_RANK", "1"},
                          {"CROSS_RANK", "1"},
                          {"CROSS_SIZE", "2"},
                          {"HOROVOD_RANK", "5"},
                          {"HOROVOD_SIZE", "8"},
                          {"HOROVOD_LOCAL_RANK", "1"},
                          {"HOROVOD_LOCAL_SIZE", "4"},
                          {"HOROVOD_CROSS_RANK", "1"},
                          {"HOROVOD_CROSS_SIZE", "2"},
                          {"JAX_PROCESS_ID", "5"},
                          {"JAX_NUM_PROCESSES", "8"},
                          {"MASTER_ADDR", "node01"},
                          {"MASTER_PORT", "29500"},
                          {"JAX_COORDINATOR_ADDRESS", "node01:29501"}};
  for (const auto& [name, value] : expected) {
    INFO(name);
    CHECK(environment.get(name) == value);
  }
  CHECK(environment.variables().size() == expected.size());
}

TEST_CASE("rank environment: a rendezvous the user set stays, old ranks do not") {
  Environment environment =
      environment_of({{"MASTER_ADDR", "mine"}, {"MASTER_PORT", "1"}, {"RANK", "77"}, {"WORLD_SIZE", "99"}});
  set_rank_variables(environment, {0, 2, 0, 2, 0, 1}, {"node01", 29500, 29501});
  CHECK(environment.get("MASTER_ADDR") == "mine");
  CHECK(environment.get("MASTER_PORT") == "1");
  CHECK(environment.get("JAX_COORDINATOR_ADDRESS") == "mine:29501");
  CHECK(environment.get("RANK") == "0");
  CHECK(environment.get("WORLD_SIZE") == "2");
  Environment jax = environment_of({{"JAX_COORDINATOR_ADDRESS", "mine:1"}});
  set_rank_variables(jax, {}, {"node01", 29500, 29501});
  CHECK(jax.get("JAX_COORDINATOR_ADDRESS") == "mine:1");
}

TEST_CASE("rank environment: without a rendezvous none is invented") {
  Environment environment;
  set_rank_variables(environment, {}, {});
  CHECK_FALSE(environment.has("MASTER_ADDR"));
  CHECK_FALSE(environment.has("MASTER_PORT"));
  CHECK_FALSE(environment.has("JAX_COORDINATOR_ADDRESS"));
}
