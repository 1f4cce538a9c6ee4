#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "base/error.h"
#include "model/hostlist.h"

using namespace viaduct;

// What expands compresses, to a text that expands to the same again.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  std::vector<std::string> hosts;
  std::vector<int> counts;
  try {
    hosts = model::expand_hostlist(text);
  } catch (const Error&) {
  }
  try {
    counts = model::expand_counts(text);
  } catch (const Error&) {
  }
  if (model::expand_hostlist(model::compress_hostlist(hosts)) != hosts) std::abort();
  if (model::expand_counts(model::compress_counts(counts)) != counts) std::abort();
  return 0;
}
