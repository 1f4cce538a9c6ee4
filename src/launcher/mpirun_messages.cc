#include "launcher/mpirun_messages.h"

#include <algorithm>
#include <charconv>
#include <csignal>
#include <utility>

#include "base/text.h"

namespace viaduct::launcher {
namespace {

constexpr std::size_t longest_paragraph = 8192;

// The number that follows a marker.
std::optional<int> number_after(std::string_view text, std::string_view marker) {
  const auto rest = text_after(text, marker);
  int number = 0;
  if (!rest || std::from_chars(rest->data(), rest->data() + rest->size(), number).ec != std::errc())
    return std::nullopt;
  return number;
}

// A rank may print what looks like a message of mpirun's; numbers that can't be true are as good as not told.
std::optional<int> rank_after(std::string_view text, std::string_view marker) {
  const auto rank = number_after(text, marker);
  return rank && *rank >= 0 ? rank : std::nullopt;
}

std::optional<int> signal_after(std::string_view text, std::string_view marker) {
  const auto signal = number_after(text, marker);
  return signal && *signal > 0 && *signal < 128 ? signal : std::nullopt;
}

// Codes of any size are told; a process leaves the low byte only.
std::optional<int> exit_code_after(std::string_view text, std::string_view marker) {
  const auto code = number_after(text, marker);
  return code ? std::optional(*code & 255) : std::nullopt;
}

// The rank in "[[20254,1],3]" (Open MPI up to 4) and "[prterun-vm-10312@1,3]".
std::optional<int> rank_of_process(std::string_view text, std::string_view marker) {
  const std::string name = word_after(text, marker);
  const auto comma = name.rfind(',');
  return comma == std::string::npos ? std::nullopt : rank_after(name.substr(comma), ",");
}

RankFailure abort_of(int rank, std::optional<int> code) {
  RankFailure failure;
  failure.rank = rank;
  failure.exit_code = code;
  failure.aborted = true;
  return failure;
}

// One message of Open MPI, its lines joined. Releases break the lines at different places.
std::optional<RankFailure> read_open_mpi(std::string_view text) {
  RankFailure failure;
  if (contains(text, "MPI_ABORT was invoked")) {
    failure.aborted = true;
    failure.exit_code = exit_code_after(text, "errorcode");
    if (contains(text, "in communicator MPI_COMM_WORLD")) failure.rank = rank_after(text, "invoked on rank");
    return failure;
  }
  if (contains(text, "The first process to do so was:")) {
    failure.rank = rank_of_process(text, "Process name:");
    failure.exit_code = exit_code_after(text, "Exit code:");
    return failure;
  }
  if (contains(text, "lost communication with a remote daemon")) {
    failure.host = word_after(text.substr(std::min(text.find("Remote daemon:"), text.size())), "on node");
    failure.lost_host = true;
    return failure;
  }
  const bool signalled = contains(text, "exited on signal");
  if (!signalled && !contains(text, "has exited due to process rank")) return std::nullopt;
  failure.rank = rank_after(text, "process rank");
  failure.pid = number_after(text, "with PID").value_or(0);
  failure.host = word_after(text, "on node");
  if (signalled) failure.signal = signal_after(text, "exited on signal");
  failure.aborted = contains(text, "calling \"abort\"");
  return failure;
}

struct KnownMessage {
  std::string_view text;
  std::string_view hint;
};

constexpr std::string_view host_hint =
    "a host of the run could not be reached: check that its name resolves and that ssh to it works without a password";

constexpr KnownMessage known_messages[] = {
    {"not enough slots available", "the hosts offer fewer slots than the run has ranks"},
    {"execvp error on file", "the program to start is not there, or can't be executed, on every host of the run"},
    {"unable to launch the specified application",
     "the program to start is not there, or can't be executed, on every host of the run"},
    {"detected an attempt to run as root",
     "Open MPI runs as root only with OMPI_ALLOW_RUN_AS_ROOT=1 and OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1 (release 5: also "
     "the same two with PRTE_ for OMPI_)"},
    {"binding processes to more cpus than are available",
     "the run has more ranks than cores: bind to none, or ask for fewer ranks"},
    {"plm_rsh_agent", "Open MPI found no ssh on this host; it needs one to start ranks on other hosts"},
    {"Could not resolve hostname", "the name of a host of the run can't be resolved from this host"},
    {"Permission denied (", "ssh to a host of the run was refused: check the keys of this user"},
    {"Host key verification failed", "ssh does not know the key of a host of the run: add it to known_hosts"},
    {"reliably start one or more daemons", host_hint},
    {"daemon failed to report back", host_hint},
    {"Unable to run bstrap_proxy on", host_hint},
    {"Launch proxy failed", host_hint},
    {"lost communication with a remote daemon", "a host of the run went away, or the network to it broke"},
};

bool is_dashes(std::string_view line) {
  return line.size() >= 20 && line.find_first_not_of('-') == std::string_view::npos;
}

}  // namespace

void FailureParser::feed(std::optional<int> rank, std::string_view line) {
  rank ? feed_rank_line(*rank, line) : feed_own_line(line);
}

std::optional<RankFailure> FailureParser::first_failure(std::optional<int> mpirun_exit_code) const {
  if (first_) return first_;
  if (mpirun_exit_code != 128 + SIGKILL || killed_reports_ == 0) return std::nullopt;
  if (killed_reports_ == 1) return killed_;
  RankFailure one_of_several;
  one_of_several.signal = SIGKILL;
  return one_of_several;
}

std::optional<std::string> FailureParser::hint() const { return hint_.empty() ? std::nullopt : std::optional(hint_); }

// Messages that come from within a rank: MPI_Abort's, and the proxy's that failed to become the program.
void FailureParser::feed_rank_line(int rank, std::string_view line) {
  if (line.starts_with("Abort(")) {  // Abort(3) on node 1 (rank 1 in comm 0): application called MPI_Abort(...)
    if (number_after(line, ") on node") != rank) return;
    found(abort_of(rank, exit_code_after(line, "Abort(")));
  } else if (line.starts_with("MPI_ABORT was invoked on rank")) {
    found(abort_of(rank, std::nullopt));
    aborting_rank_ = rank;
  } else if (aborting_rank_ == rank && line.starts_with("  Errorcode:")) {
    found(abort_of(rank, exit_code_after(line, "Errorcode:")));
    aborting_rank_.reset();
  } else if (line.starts_with("[proxy:")) {
    look_for_hint(line);
  }
}

void FailureParser::feed_own_line(std::string_view line) {
  look_for_hint(line);
  if (is_dashes(line)) return end_paragraph();
  if (line.starts_with("=   ") || line.starts_with("YOUR APPLICATION TERMINATED")) return read_hydra_report(line);
  if (paragraph_.size() + line.size() < longest_paragraph) paragraph_.append(line).append(" ");
}

void FailureParser::end_paragraph() {
  const std::string text = std::exchange(paragraph_, {});
  look_for_hint(text);
  if (auto failure = read_open_mpi(text)) found(std::move(*failure));
}

// Hydra's report, line by line:
//   =   BAD TERMINATION OF ONE OF YOUR APPLICATION PROCESSES
//   =   [RANK 1 ]PID 28286 RUNNING AT node1
//   =   EXIT CODE: 9                                 MPICH; for a process that a signal ended it is the signal
//   YOUR APPLICATION TERMINATED WITH THE EXIT STRING: Killed (signal 9)           MPICH
//   =   KILLED BY SIGNAL: 11 (Segmentation fault)                                 Intel
// When MPICH's code and signal differ, the process named is one that Hydra killed, not the one that began it.
void FailureParser::read_hydra_report(std::string_view line) {
  if (contains(line, "BAD TERMINATION")) {
    report_.emplace();
  } else if (!report_) {
    return;
  } else if (contains(line, " RUNNING AT ")) {
    report_->rank = rank_after(line, "RANK ");
    report_->pid = number_after(line, "PID ").value_or(0);
    report_->host = word_after(line, "RUNNING AT ");
    if (report_->host == "localhost") report_->host.clear();  // the hostfile's name for this host, says nothing
  } else if (const auto code = exit_code_after(line, "EXIT CODE:")) {
    report_->exit_code = code;
    found(*report_);
  } else if (const auto killer = signal_after(line, "KILLED BY SIGNAL:")) {
    report_->signal = killer;
    read_intel_report();
  } else if (const auto signal = signal_after(line, "(signal ")) {
    if (!first_ || first_->pid != report_->pid || first_->aborted) return;
    if (report_->exit_code != signal) first_.emplace();
    first_->exit_code.reset();
    first_->signal = signal;
  }
}

void FailureParser::read_intel_report() {
  if (report_->signal != SIGKILL) return found(*report_);
  if (killed_reports_++ == 0) killed_ = report_;
}

void FailureParser::look_for_hint(std::string_view text) {
  if (!hint_.empty()) return;
  const auto known = std::ranges::find_if(known_messages, [&](const auto& k) { return contains(text, k.text); });
  if (known != std::end(known_messages)) hint_ = known->hint;
}

// The first failure stays; later messages about the same rank fill in what it did not say.
void FailureParser::found(RankFailure failure) {
  if (!first_) {
    first_ = std::move(failure);
  } else if (failure.rank && first_->rank == failure.rank) {
    if (first_->host.empty()) first_->host = failure.host;
    if (first_->pid == 0) first_->pid = failure.pid;
    if (!first_->exit_code && !first_->signal) first_->exit_code = failure.exit_code;
    first_->aborted = first_->aborted || failure.aborted;
  }
}

}  // namespace viaduct::launcher
