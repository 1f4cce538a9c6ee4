#pragma once

namespace viaduct::launcher {

// Whether this host has a network that MPI would rather use than Ethernet: InfiniBand, RoCE or EFA (a device in
// /sys/class/infiniband), Slingshot (/sys/class/cxi), Omni-Path or True Scale (/sys/class/hfi1, /sys/class/ipath).
bool has_fabric();

}  // namespace viaduct::launcher
