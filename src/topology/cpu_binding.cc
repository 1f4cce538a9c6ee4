#include "topology/cpu_binding.h"

#include <hwloc.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <memory>

#include "base/error.h"
#include "base/text.h"

namespace viaduct::topology {
namespace {

struct DestroyTopology {
  void operator()(hwloc_topology_t topology) const { hwloc_topology_destroy(topology); }
};
using Topology = std::unique_ptr<hwloc_topology, DestroyTopology>;

struct FreeBitmap {
  void operator()(hwloc_bitmap_t bitmap) const { hwloc_bitmap_free(bitmap); }
};
using Bitmap = std::unique_ptr<hwloc_bitmap_s, FreeBitmap>;

Topology load() {
  hwloc_topology_t raw = nullptr;
  if (hwloc_topology_init(&raw) != 0) throw Error("hwloc can't start");
  Topology topology(raw);
  // Cores and processing units are all that is needed; caches, groups and devices cost time on large nodes.
  hwloc_topology_set_all_types_filter(raw, HWLOC_TYPE_FILTER_KEEP_NONE);
  hwloc_topology_set_type_filter(raw, HWLOC_OBJ_CORE, HWLOC_TYPE_FILTER_KEEP_ALL);
  if (hwloc_topology_load(raw) != 0) throw Error("hwloc can't read this machine's topology");
  return topology;
}

std::vector<int> indexes(hwloc_const_bitmap_t set) {
  std::vector<int> out;
  for (int index = hwloc_bitmap_first(set); index >= 0; index = hwloc_bitmap_next(set, index)) out.push_back(index);
  return out;
}

}  // namespace

struct LocalCpus::Machine {
  Topology topology = load();
};

LocalCpus::LocalCpus() : machine_(std::make_unique<Machine>()) {
  const hwloc_topology_t topology = machine_->topology.get();
  const Bitmap rest(hwloc_bitmap_dup(hwloc_topology_get_allowed_cpuset(topology)));
  const Bitmap bound(hwloc_bitmap_alloc());
  if (hwloc_get_cpubind(topology, bound.get(), HWLOC_CPUBIND_PROCESS) == 0)
    hwloc_bitmap_and(rest.get(), rest.get(), bound.get());
  const Bitmap usable(hwloc_bitmap_alloc());
  for (hwloc_obj_t core = nullptr; (core = hwloc_get_next_obj_by_type(topology, HWLOC_OBJ_CORE, core)) != nullptr;) {
    hwloc_bitmap_and(usable.get(), core->cpuset, rest.get());
    hwloc_bitmap_andnot(rest.get(), rest.get(), core->cpuset);
    if (hwloc_bitmap_iszero(usable.get()) == 0) allowed_.cores.push_back(indexes(usable.get()));
  }
  for (const int unit : indexes(rest.get())) allowed_.cores.push_back({unit});  // machines that tell no cores
}

LocalCpus::~LocalCpus() = default;

std::string LocalCpus::bind(const std::vector<int>& cpus) const {
  const Bitmap set(hwloc_bitmap_alloc());
  for (const int cpu : cpus) hwloc_bitmap_set(set.get(), static_cast<unsigned>(cpu));
  if (hwloc_set_cpubind(machine_->topology.get(), set.get(), HWLOC_CPUBIND_PROCESS) != 0) return std::strerror(errno);
  return "";
}

RankBinding plan_rank_binding(const std::string& policy, const AllowedCores& allowed, int local_rank, int local_size) {
  const int cores = static_cast<int>(allowed.cores.size());
  RankBinding binding;
  binding.oversubscribed = local_size > cores;
  if (policy == "none") {
    binding.reason = "binding is off";
    return binding;
  }
  if (binding.oversubscribed || local_rank < 0 || local_rank >= local_size) {
    binding.reason = str(count_of(local_size, "rank"), " share ", count_of(cores, "core"));
    return binding;
  }
  const int share = cores / local_size;
  const int larger = cores % local_size;  // so many ranks get one core more
  const int first = local_rank * share + std::min(local_rank, larger);
  const int last = first + share + (local_rank < larger ? 1 : 0);
  for (int core = first; core < last; ++core) {
    const auto& units = allowed.cores[static_cast<std::size_t>(core)];
    binding.cpus.insert(binding.cpus.end(), units.begin(), units.end());
  }
  std::sort(binding.cpus.begin(), binding.cpus.end());
  binding.reason = str("an even share: ", count_of(last - first, "core"), " of ", cores);
  return binding;
}

std::string to_linux_list(const std::vector<int>& cpus) {
  std::vector<std::string> ranges;
  for (std::size_t i = 0; i < cpus.size();) {
    std::size_t end = i;
    while (end + 1 < cpus.size() && cpus[end + 1] == cpus[end] + 1) ++end;
    ranges.push_back(end == i ? std::to_string(cpus[i]) : str(cpus[i], "-", cpus[end]));
    i = end + 1;
  }
  return join(ranges, ",");
}

}  // namespace viaduct::topology
