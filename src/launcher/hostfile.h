#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/diagnostics.h"
#include "launcher/mpi_flavour.h"

namespace viaduct::launcher {

inline constexpr int most_slots = 65536;  // of one host

// A host and how many ranks it takes. A name stands once in a list of hosts: Open MPI refuses a hostfile that counts
// one host twice.
struct HostSlots {
  std::string host;
  int slots = 1;  // 1 to most_slots; 0 only where somebody read a list with 0 for the default
};

// The text of a hostfile, one host a line in the given order, which is the order of the ranks: "node1 slots=8" for
// Open MPI, "node1:8" for the others.
std::string render_hostfile(const std::vector<HostSlots>& hosts, MpiFamily family);

// The hosts of a hostfile that somebody wrote, whichever program it was for; each line may have its own form:
//   node1 slots=4 max_slots=8     Open MPI and DeepSpeed; max_slots and max-slots are ignored
//   node1:4 binding=user          MPICH and Intel MPI; binding and ifhn are ignored with a warning
// The name may be a hostlist, node[01-04] slots=2, and stand alone: then its hosts get `default_slots`, where 0 means
// "not said". # begins a comment. No host at all is a mistake, and so is a host that stands there twice, which Open
// MPI would count twice. The hosts that were read well are returned even where there are mistakes.
std::vector<HostSlots> parse_hostfile(const SourcePtr& source, int default_slots, Diagnostics& diagnostics);

// The hosts of a command line's "node[01-04]:8,login"; each part may be a hostlist and have its own slots. Mistakes, as
// in parse_hostfile, throw Error with ExitCode::bad_input.
std::vector<HostSlots> parse_host_words(std::string_view text, int default_slots);

// Where the ranks of a job go: `nodes` x `ranks_per_node` of them on these hosts, which are left out when nothing is
// left for them. A host is a node of the job as long as its slots do for that; ranks that are left over then fill the
// slots that are left, host by host. `slots` 0 means as many as a node has ranks. Throws Error (bad_input) when there
// are too few slots.
std::vector<HostSlots> place_ranks(const std::vector<HostSlots>& hosts, int nodes, int ranks_per_node);

}  // namespace viaduct::launcher
