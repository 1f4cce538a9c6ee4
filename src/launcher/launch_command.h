#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "launcher/hostfile.h"
#include "launcher/mpi_flavour.h"
#include "launcher/network.h"
#include "model/run_plan.h"

namespace viaduct::launcher {

// How mpirun reaches hosts other than its own: by the `ssh` that is first on its PATH, which is the job's.
struct RemoteLaunch {
  bool tree = false;                             // daemons start each other; else mpirun starts all of them itself
  std::optional<Network> network;                // for MPI's traffic; unset: MPI chooses
  bool fabric = true;                            // some host may have another network than Ethernet
  std::optional<model::PortRange> daemon_ports;  // for mpirun and its daemons; unset: any
  std::optional<model::PortRange> mpi_ports;     // for the ranks' TCP; unset: any
};

// What it takes to start the ranks of a run with a given mpirun.
struct LaunchRequest {
  MpiFlavour mpi;
  std::string mpirun;            // path
  std::vector<HostSlots> hosts;  // not empty; what the hostfile says
  int ranks = 1;                 // 1 .. all slots; hosts are filled in order
  std::string hostfile_path;
  std::vector<std::string> rank_command;  // what each rank runs
  std::vector<std::string> env_names;     // variables every rank gets, on other hosts too; all set for mpirun
  bool as_root = false;
  bool only_this_host = false;         // no other host takes part, so no ssh, srun or other remote start is needed
  std::optional<RemoteLaunch> remote;  // set when other hosts take part that no batch system starts
  std::string output_nonce;            // see launcher/rank_tag.h
};

struct LaunchCommand {
  std::vector<std::string> argv;
  std::vector<std::pair<std::string, std::string>> env;  // to set for mpirun
};

// mpirun for a command that Viaduct wraps. Ranks are placed slot by slot in the hostfile's order, not bound (the rank
// command does that), and not kept from sharing cores: a slot may be less than a core, and a hostfile may offer more
// slots than the batch system says. Output comes tagged by rank (launcher/rank_tag.h). mpirun should get /dev/null as
// its stdin.
//
// What is not alike:
//  - Variables: Open MPI carries env_names to other hosts, MPICH and Intel MPI mpirun's whole environment.
//  - A rank that exits with a code other than 0 without having called MPI ends an Open MPI run at once; with MPICH and
//    Intel MPI the other ranks run on until they end. With Intel MPI that holds for a rank ended by a signal, too.
//
// Throws Error (bad_input) when a word of the rank command is a lone ":", which every mpirun takes as the border
// between two programs.
LaunchCommand make_launch_command(const LaunchRequest& request);

// For a command that begins with a launcher of its own (mpirun, srun, torchrun, …): variables by which that launcher
// finds the hosts and their slots, as far as it looks at any, and reaches them by the job's ssh. Reads mpi, hosts,
// ranks, hostfile_path, remote and as_root of the request. Where a launcher takes one number of slots for all hosts, it
// is told the smallest.
//
// Besides those that mpirun reads: VIADUCT_HOSTFILE, VIADUCT_NNODES, VIADUCT_SLOTS_PER_NODE, VIADUCT_NPROCS for the
// command line of any other launcher, and torchrun's PET_NNODES and PET_NPROC_PER_NODE.
std::vector<std::pair<std::string, std::string>> hands_off_env(const LaunchRequest& request);

}  // namespace viaduct::launcher
