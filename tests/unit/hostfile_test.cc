#include "launcher/hostfile.h"

#include <catch2/catch.hpp>

using namespace viaduct::launcher;

TEST_CASE("hostfile: each family gets its own form, hosts stay in order") {
  const std::vector<HostSlots> hosts = {{"node2", 8}, {"node10.example.org", 4}};
  CHECK(render_hostfile(hosts, MpiFamily::open_mpi) == "node2 slots=8\nnode10.example.org slots=4\n");
  CHECK(render_hostfile(hosts, MpiFamily::mpich) == "node2:8\nnode10.example.org:4\n");
  CHECK(render_hostfile(hosts, MpiFamily::intel) == "node2:8\nnode10.example.org:4\n");
}
