#include "launcher/rank_environment.h"

#include <numeric>

#include "base/error.h"
#include "base/text.h"
#include "model/hostlist.h"

namespace viaduct::launcher {

static std::optional<int> number(const Environment& environment, std::string_view name) {
  const auto text = environment.get(name);
  if (!text) return std::nullopt;
  const auto value = parse_integer(*text);
  if (!value || *value < 0 || *value > 1'000'000'000) return std::nullopt;
  return static_cast<int>(*value);
}

// Ranks fill the nodes one after the other.
static int node_of(int rank, const std::vector<int>& slots) {
  int first = 0;
  for (std::size_t node = 0; node < slots.size(); ++node) {
    first += slots[node];
    if (rank < first) return static_cast<int>(node);
  }
  return 0;
}

// The ranks on each node of the Slurm step that srun made; empty when Slurm doesn't tell.
static std::vector<int> step_counts(const Environment& environment) {
  try {
    return model::expand_counts(environment.get_or("SLURM_STEP_TASKS_PER_NODE", ""));
  } catch (const Error&) {
    return {};
  }
}

std::optional<RankIdentity> read_rank_identity(const Environment& environment, const std::vector<int>& slots) {
  struct Names {
    const char* rank;
    const char* size;
    const char* local_rank;
    const char* local_size;
  };
  static constexpr Names open_mpi = {"OMPI_COMM_WORLD_RANK", "OMPI_COMM_WORLD_SIZE", "OMPI_COMM_WORLD_LOCAL_RANK",
                                     "OMPI_COMM_WORLD_LOCAL_SIZE"};
  static constexpr Names hydra = {"PMI_RANK", "PMI_SIZE", "MPI_LOCALRANKID", "MPI_LOCALNRANKS"};
  // Not SLURM_NTASKS_PER_NODE: a step inherits the job's, which need not be its own.
  static constexpr Names slurm = {"SLURM_PROCID", "SLURM_STEP_NUM_TASKS", "SLURM_LOCALID", ""};
  static constexpr Names pmix = {"PMIX_RANK", "PMIX_SIZE", "PMIX_LOCAL_RANK", "PMIX_LOCAL_SIZE"};

  for (const auto& names : {open_mpi, hydra, slurm, pmix}) {
    const auto rank = number(environment, names.rank);
    if (!rank) continue;
    // srun with PMI-2 sets PMI_RANK, but tells the place on the node only in Slurm's own words.
    const auto local_rank = number(environment, names.local_rank);
    const bool by_srun = number(environment, slurm.rank) == rank && (names.rank == slurm.rank || !local_rank);
    std::vector<int> counts = by_srun ? step_counts(environment) : std::vector<int>();
    if (counts.empty()) counts = slots;

    RankIdentity identity;
    identity.rank = *rank;
    const int total = std::accumulate(counts.begin(), counts.end(), 0);
    identity.size = number(environment, names.size).value_or(total > 0 ? total : 1);
    identity.nodes = counts.empty() ? 1 : static_cast<int>(counts.size());
    identity.node_rank = node_of(*rank, counts);
    if (by_srun) {  // it may deal the ranks out in another order
      identity.nodes = number(environment, "SLURM_STEP_NUM_NODES").value_or(identity.nodes);
      identity.node_rank = number(environment, "SLURM_NODEID").value_or(identity.node_rank);
    }
    const auto node = static_cast<std::size_t>(identity.node_rank);
    const int here = node < counts.size() ? counts[node] : identity.size;
    const int first_here =
        node < counts.size() ? std::accumulate(counts.begin(), counts.begin() + identity.node_rank, 0) : 0;
    const auto slurm_local_rank = by_srun ? number(environment, slurm.local_rank) : std::nullopt;
    identity.local_rank = local_rank ? *local_rank : slurm_local_rank.value_or(*rank - first_here);
    identity.local_size = number(environment, names.local_size).value_or(here);
    return identity;
  }
  return std::nullopt;
}

void set_rank_variables(Environment& environment, const RankIdentity& identity, const Rendezvous& rendezvous) {
  const auto set = [&](const char* name, int value) { environment.set(name, std::to_string(value)); };
  set("RANK", identity.rank);
  set("WORLD_SIZE", identity.size);
  set("LOCAL_RANK", identity.local_rank);
  set("LOCAL_WORLD_SIZE", identity.local_size);
  set("LOCAL_SIZE", identity.local_size);
  set("NODE_RANK", identity.node_rank);
  set("GROUP_RANK", identity.node_rank);
  set("CROSS_RANK", identity.node_rank);
  set("CROSS_SIZE", identity.nodes);
  set("HOROVOD_RANK", identity.rank);
  set("HOROVOD_SIZE", identity.size);
  set("HOROVOD_LOCAL_RANK", identity.local_rank);
  set("HOROVOD_LOCAL_SIZE", identity.local_size);
  set("HOROVOD_CROSS_RANK", identity.node_rank);
  set("HOROVOD_CROSS_SIZE", identity.nodes);
  set("JAX_PROCESS_ID", identity.rank);
  set("JAX_NUM_PROCESSES", identity.size);
  if (!rendezvous.address.empty()) {
    environment.set_default("MASTER_ADDR", rendezvous.address);
    environment.set_default("MASTER_PORT", std::to_string(rendezvous.port));
    environment.set_default("JAX_COORDINATOR_ADDRESS",
                            str(environment.get_or("MASTER_ADDR", ""), ":", rendezvous.jax_port));
  }
}

}  // namespace viaduct::launcher
