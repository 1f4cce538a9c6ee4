#pragma once

#include <memory>
#include <string>
#include <vector>

namespace viaduct::topology {

// The cores a process may use, each as the os_indexes of its processing units (SMT siblings together), in hwloc's
// logical order.
struct AllowedCores {
  std::vector<std::vector<int>> cores;
};

// The CPUs of this machine as the calling process may use them. Read once, without I/O devices: a millisecond or two.
class LocalCpus {
 public:
  LocalCpus();  // throws Error when hwloc can't read the machine
  ~LocalCpus();
  LocalCpus(const LocalCpus&) = delete;
  LocalCpus& operator=(const LocalCpus&) = delete;

  const AllowedCores& allowed() const { return allowed_; }
  // Binds the calling process and what it starts to these os_indexes. "" when it worked, else the system's reason.
  std::string bind(const std::vector<int>& cpus) const;

 private:
  struct Machine;
  std::unique_ptr<Machine> machine_;
  AllowedCores allowed_;
};

// Where one rank runs. `cpus` are os_indexes, sorted; empty means that the rank stays unbound.
struct RankBinding {
  std::vector<int> cpus;
  bool oversubscribed = false;  // more ranks on this node than allowed cores
  std::string reason;
};

// An even share of the allowed cores: contiguous, exclusive, the first ranks one core larger when it doesn't divide.
// With more ranks than cores every rank stays unbound, as Open MPI does it: the kernel shares better than a fixed map.
// Policy "none" leaves every rank unbound. Pure.
RankBinding plan_rank_binding(const std::string& policy, const AllowedCores& allowed, int local_rank, int local_size);

std::string to_linux_list(const std::vector<int>& cpus);  // sorted os_indexes: "0-3,8"

}  // namespace viaduct::topology
