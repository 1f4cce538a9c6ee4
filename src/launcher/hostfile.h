#pragma once

#include <string>
#include <vector>

#include "launcher/mpi_flavour.h"

namespace viaduct::launcher {

// A host and how many ranks it takes. A name stands once in a list of hosts: Open MPI refuses a hostfile that counts
// one host twice.
struct HostSlots {
  std::string host;
  int slots = 1;  // at least 1
};

// The text of a hostfile, one host a line in the given order, which is the order of the ranks: "node1 slots=8" for
// Open MPI, "node1:8" for the others.
std::string render_hostfile(const std::vector<HostSlots>& hosts, MpiFamily family);

}  // namespace viaduct::launcher
