// Estimates pi: throws points into the unit square and counts those inside the quarter circle.
//   pi [SAMPLES]    SAMPLES is the total over all ranks, 10000000 by default
// The same SAMPLES and number of ranks give the same result everywhere.

#include <mpi.h>
#include <sched.h>

#include <charconv>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <numbers>
#include <optional>
#include <random>
#include <string>

namespace {

constexpr std::int64_t default_samples = 10'000'000;
constexpr std::uint64_t first_seed = 1706;

std::optional<std::int64_t> parse_samples(int argc, char** argv) {
  if (argc == 1) return default_samples;
  const char* const end = argv[1] + std::strlen(argv[1]);
  std::int64_t samples = 0;
  const auto [stop, error] = std::from_chars(argv[1], end, samples);
  if (argc != 2 || error != std::errc() || stop != end || samples < 1) return std::nullopt;
  return samples;
}

// The CPUs this process may run on, as Linux writes them: 0-3,8.
std::string allowed_cpus() {
  constexpr int most_cpus = 8192;  // the most a Linux kernel can be built for
  constexpr size_t bytes = CPU_ALLOC_SIZE(most_cpus);
  cpu_set_t cpus[bytes / sizeof(cpu_set_t)];
  if (sched_getaffinity(0, bytes, cpus) != 0) return "unknown";
  const auto allowed = [&](int cpu) { return cpu < most_cpus && CPU_ISSET_S(cpu, bytes, cpus); };
  std::string list;
  for (int first = 0; first < most_cpus; ++first) {
    if (!allowed(first)) continue;
    int last = first;
    while (allowed(last + 1)) ++last;
    if (!list.empty()) list += ',';
    list += std::to_string(first);
    if (last > first) list += '-' + std::to_string(last);
    first = last;
  }
  return list;
}

// A number in [0, 1) made of the generator's upper 53 bits; std::uniform_real_distribution differs between libraries.
double uniform(std::mt19937_64& generator) { return static_cast<double>(generator() >> 11) * 0x1p-53; }

std::int64_t count_inside(std::int64_t samples, int rank) {
  std::mt19937_64 generator(first_seed + static_cast<std::uint64_t>(rank));
  std::int64_t inside = 0;
  for (std::int64_t i = 0; i < samples; ++i) {
    const double x = uniform(generator);
    const double y = uniform(generator);
    if (x * x + y * y < 1.0) ++inside;
  }
  return inside;
}

void run(std::int64_t samples, int rank, int size) {
  char host[MPI_MAX_PROCESSOR_NAME] = "";
  int length = 0;
  MPI_Get_processor_name(host, &length);
  std::printf("rank %d of %d on %s, cpus %s\n", rank, size, host, allowed_cpus().c_str());
  std::fflush(stdout);

  const std::int64_t mine = samples / size + (rank < samples % size ? 1 : 0);
  std::int64_t inside = count_inside(mine, rank);
  MPI_Allreduce(MPI_IN_PLACE, &inside, 1, MPI_INT64_T, MPI_SUM, MPI_COMM_WORLD);
  if (rank != 0) return;
  const double pi = 4.0 * static_cast<double>(inside) / static_cast<double>(samples);
  std::printf("pi is approximately %.10f, error %.1e, %lld samples\n", pi, std::fabs(pi - std::numbers::pi),
              static_cast<long long>(samples));
}

}  // namespace

int main(int argc, char** argv) {
  MPI_Init(&argc, &argv);
  int rank = 0;
  int size = 1;
  MPI_Comm_rank(MPI_COMM_WORLD, &rank);
  MPI_Comm_size(MPI_COMM_WORLD, &size);
  const std::optional<std::int64_t> samples = parse_samples(argc, argv);
  if (samples) {
    run(*samples, rank, size);
  } else if (rank == 0) {
    std::fprintf(stderr, "usage: pi [SAMPLES]\n");
  }
  MPI_Finalize();
  return samples ? 0 : 2;
}
