// The stream of several ranks, cut where the input says: the lines must not depend on the cuts, no text may be
// made up, and the reader of mpirun's messages must take any line.
#include <cstdint>
#include <cstdlib>
#include <string>
#include <vector>

#include "launcher/mpirun_messages.h"
#include "launcher/output_demux.h"

using namespace viaduct::launcher;

namespace {

struct Line {
  std::optional<int> rank;
  std::string text;
  bool operator==(const Line&) const = default;
};

std::vector<Line> demux(std::string_view text, std::size_t chunk) {
  std::vector<Line> lines;
  FailureParser failures;
  const OutputSink sink{[&](std::optional<int> rank, std::string_view line) {
                          failures.feed(rank, line);
                          lines.push_back({rank, std::string(line)});
                        },
                        {}};
  OutputDemux demux(rank_tag({MpiFamily::open_mpi, 4, 1, ""}, OutputStream::standard_error, ""), 20);
  for (std::size_t at = 0; at < text.size(); at += chunk) demux.feed(text.substr(at, chunk), sink);
  demux.finish(sink);
  (void)failures.first_failure(137);
  (void)failures.hint();
  return lines;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 1) return 0;
  const std::string_view text(reinterpret_cast<const char*>(data) + 1, size - 1);
  const auto whole = demux(text, text.size() + 1);
  if (whole != demux(text, 1) || whole != demux(text, data[0] % 64 + 1)) std::abort();
  std::size_t bytes = 0;
  for (const auto& line : whole) bytes += line.text.size();
  if (bytes > text.size()) std::abort();
  return 0;
}
