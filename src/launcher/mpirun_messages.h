#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace viaduct::launcher {

// What mpirun told about the rank that ended the run.
struct RankFailure {
  std::optional<int> rank;  // MPICH names a process only
  std::string host;         // "" when not told
  long pid = 0;             // 0 when not told
  std::optional<int> exit_code;
  std::optional<int> signal;
  bool aborted = false;    // by MPI_Abort, or by an MPI error; exit_code is its code, modulo 256
  bool lost_host = false;  // no rank: mpirun has lost its daemon on `host`
};

// Finds out why a run failed from the messages mpirun writes for people. Gets every line of both streams in order, with
// the rank it came from, as launcher/output_demux.h gives them. Its answers mean something only when mpirun ended with
// a failure. Wording known: Open MPI 3 to 5, MPICH 3 to 5, Intel MPI 2019 to 2021.
//
// Not told by anybody: which rank ended an MPICH or Intel MPI run by exiting with a code other than 0.
class FailureParser {
 public:
  void feed(std::optional<int> rank, std::string_view line);

  // The first failure. Intel MPI reports every rank that a signal ended, those it killed itself included (always by
  // KILL); so a KILL of one rank counts only where mpirun's own exit code, 137, says that a KILL began it.
  std::optional<RankFailure> first_failure(std::optional<int> mpirun_exit_code = std::nullopt) const;

  // A word on the cause and the way out, for failures to start that users meet often.
  std::optional<std::string> hint() const;

 private:
  void feed_rank_line(int rank, std::string_view line);
  void feed_own_line(std::string_view line);
  void end_paragraph();
  void read_hydra_report(std::string_view line);
  void read_intel_report();
  void look_for_hint(std::string_view text);
  void found(RankFailure failure);

  std::string paragraph_;              // Open MPI's text since the last line of dashes, lines joined by blanks
  std::optional<RankFailure> first_;   // from any message but Intel's reports of KILL
  std::optional<RankFailure> report_;  // Hydra's "BAD TERMINATION" in the making
  std::optional<RankFailure> killed_;  // the first of Intel's reports of KILL
  int killed_reports_ = 0;
  std::optional<int> aborting_rank_;  // wrote the first line of Open MPI 5's message, the code comes later
  std::string hint_;
};

}  // namespace viaduct::launcher
