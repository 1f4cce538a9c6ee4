#include "launcher/hostfile.h"

#include "base/text.h"

namespace viaduct::launcher {

std::string render_hostfile(const std::vector<HostSlots>& hosts, MpiFamily family) {
  const std::string_view separator = family == MpiFamily::open_mpi ? " slots=" : ":";
  std::string text;
  for (const auto& [host, slots] : hosts) text += str(host, separator, slots, '\n');
  return text;
}

}  // namespace viaduct::launcher
