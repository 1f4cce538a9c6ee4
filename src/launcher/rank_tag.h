#pragma once

#include <string>
#include <string_view>

#include "launcher/mpi_flavour.h"

namespace viaduct::launcher {

enum class OutputStream { standard_output, standard_error };

// What mpirun writes before the text of rank R on its own stdout and stderr: before_rank, R in decimal, after_rank.
struct RankTag {
  std::string before_rank;  // never empty
  std::string after_rank;   // never empty, never starts with a digit
};

// Open MPI makes its own tag: "[1,R]<stdout>:" up to release 4, "[1,R]<stdout>: " since 5 (the text follows the blank).
// Hydra writes the pattern we pass it, "[<nonce> R]" on both streams. The nonce must differ from anything a program
// prints.
RankTag rank_tag(const MpiFlavour& mpi, OutputStream stream, std::string_view nonce);

}  // namespace viaduct::launcher
