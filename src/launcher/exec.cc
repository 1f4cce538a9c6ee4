#include "launcher/exec.h"

#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstring>
#include <optional>

#include "base/error.h"
#include "base/fd.h"
#include "base/files.h"
#include "base/process.h"
#include "base/text.h"
#include "launcher/rank_report.h"
#include "launcher/rank_streams.h"
#include "topology/cpu_binding.h"

namespace viaduct::launcher {
namespace {

constexpr std::chrono::milliseconds leftover_grace(1000);  // for what the program left behind

void bind_rank(const ExecOptions& options, const RankIdentity& identity, Environment& environment, std::string& cpus) {
  const topology::LocalCpus machine;
  const auto binding =
      topology::plan_rank_binding(options.binding, machine.allowed(), identity.local_rank, identity.local_size);
  // Ranks that outnumber the cores must give way while they wait for each other, or they starve the one that works.
  if (binding.oversubscribed) environment.set_default("OMPI_MCA_mpi_yield_when_idle", "1");
  cpus = topology::to_linux_list(binding.cpus);
  if (binding.cpus.empty()) return;
  const std::string refused = machine.bind(binding.cpus);
  if (refused.empty()) {
    // Or Open MPI 4 reads the whole topology in every rank (20 ms and more) to see whether it should bind by itself.
    if (environment.has("OMPI_COMM_WORLD_RANK")) environment.set_default("OMPI_MCA_orte_bound_at_launch", "1");
    return;
  }
  cpus.clear();
  write_all(STDERR_FILENO, str("viaduct-agent exec: rank ", identity.rank, " stays unbound: ", refused, "\n"));
}

[[noreturn]] void become(const std::vector<std::string>& command, const Environment& environment,
                         const std::string& who) {
  const auto lookup = find_program(command.at(0), environment.get_or("PATH", "/usr/local/bin:/usr/bin:/bin"),
                                   std::filesystem::current_path());
  if (lookup.found.empty())
    throw Error(str(who, "program not found: ", command[0],
                    command[0].find('/') == std::string::npos ? " (looked along PATH)" : ""),
                ExitCode::program_not_found);
  const CStrings argv(command);
  const CStrings envp(environment.as_strings());
  ::execve(lookup.found.c_str(), argv.data(), envp.data());
  const int error = errno;
  std::string reason = std::strerror(error);
  if (error == ENOEXEC) reason = "neither a binary for this machine nor a script with a #! line";
  if (error == ENOENT) reason = "its interpreter is not there";
  throw Error(str(who, "can't run ", lookup.found.string(), ": ", reason), ExitCode::cannot_execute);
}

void restore_signals() {
  sigset_t none;
  sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
}

// How that child ended, if it has. Collects the other children that have ended too.
std::optional<int> end_of(pid_t child) {
  int status = 0;
  for (pid_t ended = 0; (ended = ::waitpid(-1, &status, WNOHANG)) > 0;)
    if (ended == child) return status;
  return std::nullopt;
}

// Becomes the parent of the rank's program: hands signals on to it, reports a bad end to `launch`, ends what it left
// behind (which may hold the MPI launcher's pipes and sockets open, and so keep it waiting), and ends as it did.
void stay_beside(const RankIdentity& identity) {
  sigset_t all;
  sigfillset(&all);
  ::sigprocmask(SIG_BLOCK, &all, nullptr);
  become_subreaper();
  const pid_t self = ::getpid();
  const pid_t program = ::fork();
  if (program < 0) throw Error::from_errno("fork", errno);
  if (program == 0) {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
    if (::getppid() != self) ::_exit(128 + SIGKILL);
    return;
  }
  ::close_range(STDERR_FILENO + 1, ~0U, 0);  // the MPI launcher's own sockets belong to the program alone
  for (;;) {
    int signal = 0;
    ::sigwait(&all, &signal);
    if (signal != SIGCHLD) {
      ::kill(program, signal);
      continue;
    }
    const auto status = end_of(program);
    if (!status) continue;
    const RankEnd end = {identity.rank, WIFEXITED(*status) ? WEXITSTATUS(*status) : 0,
                         WIFSIGNALED(*status) ? WTERMSIG(*status) : 0};
    const bool bad = end.exit_code != 0 || end.signal != 0;
    if (bad) write_all(STDERR_FILENO, format_end(end));
    end_descendants(SIGTERM, leftover_grace);
    if (end.signal != 0) {
      const rlimit no_core{};  // the program has left one, where that is wished for
      ::setrlimit(RLIMIT_CORE, &no_core);
      ::signal(end.signal, SIG_DFL);
      restore_signals();
      ::kill(self, end.signal);
    }
    ::_exit(end.exit_code);
  }
}

bool is_colon(std::string_view word) { return word.ends_with(":") && word.find_first_not_of('\\') == word.size() - 1; }

}  // namespace

std::string escape_word(std::string word) { return is_colon(word) ? "\\" + word : word; }
std::string unescape_word(std::string word) { return is_colon(word) && word.size() > 1 ? word.substr(1) : word; }

void exec_rank(const ExecOptions& options, Environment environment) {
  // Before anything else: from here on this process, and what it becomes, ends with mpirun's daemon.
  if (options.die_with_parent) ::prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
  const auto identity = read_rank_identity(environment, options.slots);
  if (!identity)
    throw Error(
        "no MPI launcher told which rank this is: none of OMPI_COMM_WORLD_RANK, PMI_RANK, SLURM_PROCID, PMIX_RANK is "
        "set",
        ExitCode::bad_input, "start it under mpirun or srun");
  set_rank_variables(environment, *identity, options.rendezvous);
  const std::string host = host_name();
  std::string cpus;
  bind_rank(options, *identity, environment, cpus);
  if (!options.directory.empty() && ::chdir(options.directory.c_str()) != 0)
    throw Error::from_errno(str("can't change to the working directory ", options.directory, " on ", host), errno,
                            ExitCode::cannot_execute);
  if (options.watch) stay_beside(*identity);
  const RankHello hello = {identity->rank, host, ::getpid(), cpus};
  if (options.hello) write_all(STDERR_FILENO, format_hello(hello));
  if (!options.output.empty()) connect_rank_streams(output_address_of_node(options.output, identity->node_rank), hello);
  restore_signals();
  std::vector<std::string> command;
  for (const auto& word : options.command) command.push_back(unescape_word(word));
  become(command, environment, str("rank ", identity->rank, " on ", host, ": "));
}

void exec_tethered(pid_t parent, const std::vector<std::string>& command, const Environment& environment) {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
  if (::getppid() != parent) throw Error("the process that started this one is gone");
  restore_signals();
  become(command, environment, "");
}

}  // namespace viaduct::launcher
