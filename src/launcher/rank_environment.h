#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/environment.h"

namespace viaduct::launcher {

// Who a rank is among its peers.
struct RankIdentity {
  int rank = 0;  // 0 .. size-1
  int size = 1;
  int local_rank = 0;  // among the ranks of its node
  int local_size = 1;
  int node_rank = 0;  // of its node among the run's nodes
  int nodes = 1;
};

// Reads it from what starts ranks: Open MPI (OMPI_COMM_WORLD_*), Hydra of MPICH and Intel MPI (PMI_*, MPI_LOCALRANKID,
// MPI_LOCALNRANKS), Slurm's srun (SLURM_PROCID, …), or a bare PMIx (PMIX_RANK). The innermost launcher counts: under
// mpirun inside a Slurm step Slurm's variables describe mpirun's daemon. `slots` are the ranks of each node in order,
// from which the node's number follows where nobody tells it; empty when not known. Nothing when no rank is told.
std::optional<RankIdentity> read_rank_identity(const Environment& environment, const std::vector<int>& slots);

// Where rank 0 listens, for programs that find each other by MASTER_ADDR.
struct Rendezvous {
  std::string address;
  int port = 0;
  int jax_port = 0;
};

// What unmodified programs look for: torch and DeepSpeed (RANK, WORLD_SIZE, LOCAL_RANK, LOCAL_WORLD_SIZE, NODE_RANK,
// MASTER_ADDR, MASTER_PORT, LOCAL_SIZE, CROSS_RANK, CROSS_SIZE), JAX (JAX_COORDINATOR_ADDRESS, JAX_NUM_PROCESSES,
// JAX_PROCESS_ID) and Horovod (HOROVOD_RANK, …). A rendezvous the user set himself stays.
void set_rank_variables(Environment& environment, const RankIdentity& identity, const Rendezvous& rendezvous);

}  // namespace viaduct::launcher
