#include "launcher/mpi_flavour.h"

#include <charconv>
#include <optional>
#include <utility>

#include "base/error.h"
#include "base/text.h"

namespace viaduct::launcher {
namespace {

std::string_view first_line(std::string_view text) {
  text = trim(text);
  return trim(text.substr(0, text.find('\n')));
}

// The number at the start of a text: 1 for "1rc2".
std::optional<int> leading_number(std::string_view text) {
  int number = 0;
  if (std::from_chars(text.data(), text.data() + text.size(), number).ec != std::errc() || number < 0)
    return std::nullopt;
  return number;
}

// "5.0.11", "5.1.0rc2", "2019" (Update 6): a major number of at least `oldest`; the minor one may be missing.
std::optional<MpiFlavour> flavour(MpiFamily family, std::string version, int oldest) {
  version = version.substr(0, version.find(','));
  const auto parts = split(version, '.');
  const auto major = leading_number(parts[0]);
  const auto minor = parts.size() > 1 ? leading_number(parts[1]) : 0;
  if (!major || !minor || *major < oldest) return std::nullopt;
  return MpiFlavour{family, *major, *minor, std::move(version)};
}

std::optional<MpiFlavour> recognise(std::string_view output) {
  const std::string_view line = first_line(output);
  // MVAPICH is built on MPICH and has its Hydra, but other environment variables.
  if (contains(output, "MVAPICH") || contains(output, "mvapich")) return std::nullopt;
  if (contains(line, "(Open MPI) ")) return flavour(MpiFamily::open_mpi, word_after(line, "(Open MPI) "), 3);
  // Debian's mpirun.openmpi and orterun name the run-time layer; its version is Open MPI's.
  if (contains(line, "(OpenRTE) ")) return flavour(MpiFamily::open_mpi, word_after(line, "(OpenRTE) "), 3);
  if (contains(line, "Intel(R) MPI Library")) {
    return flavour(MpiFamily::intel, word_after(line, "Version "), 2019);
  }
  if (contains(output, "HYDRA build details")) {
    return flavour(MpiFamily::mpich, word_after(output, "Version:"), 3);
  }
  return std::nullopt;
}

}  // namespace

MpiFlavour parse_mpirun_version(std::string_view output) {
  if (auto known = recognise(output)) return *known;
  const auto line = first_line(output).substr(0, 120);
  throw Error(line.empty() ? "`mpirun --version` printed nothing" : str("this mpirun is not known: \"", line, "\""),
              ExitCode::missing_on_host, "Viaduct runs Open MPI 3 to 5, MPICH 3 to 5 and Intel MPI 2019 and later");
}

std::string describe(const MpiFlavour& mpi) {
  const std::string_view name = mpi.family == MpiFamily::open_mpi ? "Open MPI "
                                : mpi.family == MpiFamily::mpich  ? "MPICH "
                                                                  : "Intel MPI ";
  return str(name, mpi.version_text);
}

}  // namespace viaduct::launcher
