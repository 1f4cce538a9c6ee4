#include "topology/cpu_binding.h"

#include <catch2/catch.hpp>
#include <cstdlib>
#include <set>

using namespace viaduct::topology;
using Cpus = std::vector<int>;

namespace {

// Cores of `threads` processing units each; siblings are `cores` apart, as on most x86 machines.
AllowedCores machine(int cores, int threads) {
  AllowedCores allowed;
  for (int core = 0; core < cores; ++core) {
    Cpus units;
    for (int thread = 0; thread < threads; ++thread) units.push_back(core + thread * cores);
    allowed.cores.push_back(units);
  }
  return allowed;
}

// This machine as hwloc's text has it, for as long as this lives.
class Synthetic {
 public:
  explicit Synthetic(const char* text) { ::setenv("HWLOC_SYNTHETIC", text, 1); }
  ~Synthetic() { ::unsetenv("HWLOC_SYNTHETIC"); }
};

}  // namespace

TEST_CASE("cpu binding: ranks get even shares, contiguous and in order") {
  CHECK(plan_rank_binding("cpu", machine(8, 1), 0, 2).cpus == Cpus{0, 1, 2, 3});
  CHECK(plan_rank_binding("cpu", machine(8, 1), 1, 2).cpus == Cpus{4, 5, 6, 7});
  CHECK(plan_rank_binding("cpu", machine(8, 1), 0, 1).cpus.size() == 8);
  CHECK(plan_rank_binding("cpu", machine(8, 1), 7, 8).cpus == Cpus{7});
  CHECK(plan_rank_binding("cpu", machine(8, 1), 1, 2).reason == "an even share: 4 cores of 8");
}

TEST_CASE("cpu binding: when it doesn't divide, the first ranks get one core more") {
  CHECK(plan_rank_binding("cpu", machine(8, 1), 0, 3).cpus == Cpus{0, 1, 2});
  CHECK(plan_rank_binding("cpu", machine(8, 1), 1, 3).cpus == Cpus{3, 4, 5});
  CHECK(plan_rank_binding("cpu", machine(8, 1), 2, 3).cpus == Cpus{6, 7});
}

TEST_CASE("cpu binding: the siblings of a core stay together, sorted") {
  CHECK(plan_rank_binding("cpu", machine(4, 2), 0, 4).cpus == Cpus{0, 4});
  CHECK(plan_rank_binding("cpu", machine(4, 2), 1, 2).cpus == Cpus{2, 3, 6, 7});
}

TEST_CASE("cpu binding: only allowed cores are dealt out, whatever their numbers") {
  CHECK(plan_rank_binding("cpu", {{{9}, {3, 7}, {5}}}, 0, 3).cpus == Cpus{9});
  CHECK(plan_rank_binding("cpu", {{{9}, {3, 7}, {5}}}, 1, 3).cpus == Cpus{3, 7});
}

TEST_CASE("cpu binding: more ranks than cores stay unbound, and it is told") {
  for (int rank = 0; rank < 5; ++rank) {
    const RankBinding binding = plan_rank_binding("cpu", machine(4, 2), rank, 5);
    CHECK(binding.cpus.empty());
    CHECK(binding.oversubscribed);
    CHECK(binding.reason == "5 ranks share 4 cores");
  }
  CHECK_FALSE(plan_rank_binding("cpu", machine(4, 1), 0, 4).oversubscribed);
  CHECK(plan_rank_binding("cpu", {}, 0, 1).oversubscribed);
}

TEST_CASE("cpu binding: policy none binds nobody") {
  const RankBinding binding = plan_rank_binding("none", machine(4, 1), 0, 2);
  CHECK(binding.cpus.empty());
  CHECK(binding.reason == "binding is off");
}

TEST_CASE("cpu binding: a rank that can't be is bound to nothing") {
  CHECK(plan_rank_binding("cpu", machine(4, 1), 2, 2).cpus.empty());
  CHECK(plan_rank_binding("cpu", machine(4, 1), -1, 2).cpus.empty());
  CHECK(plan_rank_binding("cpu", machine(4, 1), 0, 0).cpus.empty());
}

TEST_CASE("cpu binding: while cores suffice no two ranks share one, every core is used, shares differ by one at most") {
  for (int cores = 1; cores <= 33; ++cores)
    for (int ranks = 1; ranks <= cores; ++ranks) {
      std::set<int> used;
      std::size_t smallest = 1000;
      std::size_t largest = 0;
      for (int rank = 0; rank < ranks; ++rank) {
        const auto cpus = plan_rank_binding("cpu", machine(cores, 2), rank, ranks).cpus;
        for (const int cpu : cpus)
          if (!used.insert(cpu).second)
            FAIL("cpu " << cpu << " twice with " << ranks << " ranks on " << cores << " cores");
        smallest = std::min(smallest, cpus.size());
        largest = std::max(largest, cpus.size());
      }
      if (used.size() != static_cast<std::size_t>(2 * cores) || largest - smallest > 2 || smallest == 0)
        FAIL(ranks << " ranks on " << cores << " cores");
    }
  SUCCEED();
}

TEST_CASE("cpu binding: a machine's cores are read with their siblings") {
  const Synthetic text("package:2 core:2 pu:2");
  const LocalCpus machine_cpus;
  CHECK(machine_cpus.allowed().cores == std::vector<Cpus>{{0, 1}, {2, 3}, {4, 5}, {6, 7}});
}

TEST_CASE("cpu binding: a machine that tells no cores is dealt out by its processing units") {
  const Synthetic text("pu:3");
  const LocalCpus machine_cpus;
  CHECK(machine_cpus.allowed().cores == std::vector<Cpus>{{0}, {1}, {2}});
}

TEST_CASE("cpu binding: this machine has something to run on, and binding to all of it works") {
  const LocalCpus here;
  REQUIRE_FALSE(here.allowed().cores.empty());
  Cpus all;
  for (const auto& core : here.allowed().cores) all.insert(all.end(), core.begin(), core.end());
  CHECK(here.bind(all) == "");
}

TEST_CASE("cpu binding: cpus are written as Linux lists them") {
  CHECK(to_linux_list({}) == "");
  CHECK(to_linux_list({5}) == "5");
  CHECK(to_linux_list({0, 1, 2, 3, 8}) == "0-3,8");
  CHECK(to_linux_list({0, 2, 3, 5}) == "0,2-3,5");
}
