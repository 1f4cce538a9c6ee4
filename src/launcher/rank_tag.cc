#include "launcher/rank_tag.h"

#include "base/text.h"

namespace viaduct::launcher {

RankTag rank_tag(const MpiFlavour& mpi, OutputStream stream, std::string_view nonce) {
  if (mpi.family != MpiFamily::open_mpi) return {str("[", nonce, " "), "]"};
  const std::string_view name = stream == OutputStream::standard_output ? "stdout" : "stderr";
  return {"[1,", str("]<", name, mpi.major >= 5 ? ">: " : ">:")};
}

}  // namespace viaduct::launcher
