#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

// Slurm's short forms of a list of nodes and of a list of numbers. Pure. The rules were checked against libslurm 22.05
// and 24.11. What is malformed throws Error with ExitCode::bad_input, naming the column (from 1, in bytes).
namespace viaduct::model {

inline constexpr std::size_t max_hosts_per_name = 64 * 1024;  // n[0-65535]; Slurm's own limit for one range
inline constexpr std::size_t max_hosts = 256 * 1024;          // in a whole text; bounds the memory a text can ask for
inline constexpr std::size_t max_host_name = 255;             // bytes, as in POSIX (_POSIX_HOST_NAME_MAX)

// The node names of SLURM_JOB_NODELIST, or of what a user writes: "n[1-3,07],login r[1-2]n[01-02]".
//
// Names are separated by commas, tabs, blanks and newlines; empty ones are skipped, as Slurm does. A bracket holds
// numbers and ranges. A number is zero-padded to the width of its range's low bound: n[08-11] is n08 n09 n10 n11.
// Several brackets in a name give every combination, the left one slowest. A name may be all bracket: [1-3]. Text after
// a bracket (n[1-2]-ib) is understood by Slurm from 23.11 on; 22.05 and 23.02 call it an invalid hostlist.
//
// Order has a meaning in Slurm (ranks follow it) and is kept, and so are duplicates. "" is the empty list.
//
// Stricter than Slurm: names are of letters, digits, '_', '-' and '.', and don't begin with '-' (they go to ssh and
// mpirun, which would read an option); numbers have at most 18 digits; brackets balance; a range has both its ends.
// Not read: the boxes of multi-dimension systems ([000x133]) and the functions of Slurm 25.05 (block{...}), which
// never reach a job's environment.
std::vector<std::string> expand_hostlist(std::string_view text);

// The text Slurm prints for these names, so that every Slurm release reads it: neighbours that differ only in the
// number they end in share a bracket, and nothing is reordered. n3 n1 n2 becomes n[3,1-2]; r1n1 r1n2 r2n1 becomes
// r1n[1-2],r2n1; n1-ib n2-ib stays as it is. expand_hostlist gives the same names back. Throws for a name that
// expand_hostlist can't give and for more than `max_hosts` names.
std::string compress_hostlist(const std::vector<std::string>& hosts);

// SLURM_TASKS_PER_NODE, SLURM_JOB_CPUS_PER_NODE: "2(x3),1" is 2 2 2 1. Numbers are 0 to INT_MAX, repeats at least 1,
// and at most `max_hosts` numbers come out. A step may be given the counts of the job's nodes and so more of them than
// it has nodes: that isn't for this function to judge. "" is the empty list.
std::vector<int> expand_counts(std::string_view text);
std::string compress_counts(const std::vector<int>& counts);

}  // namespace viaduct::model
