#include "launcher/mpirun_messages.h"

#include <catch2/catch.hpp>

#include "base/text.h"

using namespace viaduct;
using namespace viaduct::launcher;

namespace {

// Real output. "1|text" is a line of rank 1, everything else mpirun's own.
FailureParser parse(std::string_view output) {
  FailureParser parser;
  for (const auto& line : split(output, '\n')) {
    if (line.starts_with("0|") || line.starts_with("1|")) {
      parser.feed(line[0] - '0', std::string_view(line).substr(2));
    } else {
      parser.feed(std::nullopt, line);
    }
  }
  return parser;
}

struct Expected {
  std::optional<int> rank;
  std::string host;
  long pid;
  std::optional<int> exit_code;
  std::optional<int> signal;
  bool aborted;
};

void check(const std::optional<RankFailure>& failure, const Expected& expected) {
  REQUIRE(failure);
  CHECK(failure->rank == expected.rank);
  CHECK(failure->host == expected.host);
  CHECK(failure->pid == expected.pid);
  CHECK(failure->exit_code == expected.exit_code);
  CHECK(failure->signal == expected.signal);
  CHECK(failure->aborted == expected.aborted);
}

constexpr auto none = std::nullopt;

constexpr const char* open_mpi_4_exit = R"(1|hello
--------------------------------------------------------------------------
Primary job  terminated normally, but 1 process returned
a non-zero exit code. Per user-direction, the job has been aborted.
--------------------------------------------------------------------------
--------------------------------------------------------------------------
mpirun.openmpi detected that one or more processes exited with non-zero status, thus causing
the job to be terminated. The first process to do so was:

  Process name: [[1927,1],1]
  Exit code:    7
--------------------------------------------------------------------------)";

constexpr const char* open_mpi_4_signal = R"(--------------------------------------------------------------------------
Primary job  terminated normally, but 1 process returned
a non-zero exit code. Per user-direction, the job has been aborted.
--------------------------------------------------------------------------
--------------------------------------------------------------------------
mpirun.openmpi noticed that process rank 1 with PID 0 on node vm exited on signal 11 (Segmentation fault).
--------------------------------------------------------------------------)";

constexpr const char* open_mpi_4_abort = R"(--------------------------------------------------------------------------
MPI_ABORT was invoked on rank 1 in communicator MPI_COMM_WORLD
with errorcode 3.

NOTE: invoking MPI_ABORT causes Open MPI to kill all MPI processes.
You may or may not see output from other processes, depending on
exactly when Open MPI kills them.
--------------------------------------------------------------------------)";

constexpr const char* open_mpi_5_exit = R"(--------------------------------------------------------------------------
prterun detected that one or more processes exited with non-zero status,
thus causing the job to be terminated. The first process to do so was:

   Process name: [prterun-vm-27530@1,1]
   Exit code:    7
--------------------------------------------------------------------------)";

constexpr const char* open_mpi_5_signal = R"(--------------------------------------------------------------------------
prterun noticed that process rank 1 with PID 27600 on node vm exited on
signal 9 (Killed).
--------------------------------------------------------------------------)";

constexpr const char* open_mpi_5_abort = R"(1|--------------------------------------------------------------------------
1|MPI_ABORT was invoked on rank 1 in communicator MPI_COMM_WORLD
1|  Proc: [[15083,1],1]
1|  Errorcode: 3
1|
1|NOTE: invoking MPI_ABORT causes Open MPI to kill all MPI processes.
1|You may or may not see output from other processes, depending on
1|exactly when Open MPI kills them.
1|--------------------------------------------------------------------------
--------------------------------------------------------------------------
prterun has exited due to process rank 1 with PID 0 on node vm calling
"abort". This may have caused other processes in the application to be
terminated by signals sent by prterun (as reported here).
--------------------------------------------------------------------------)";

constexpr const char* mpich_signal = R"(
===================================================================================
=   BAD TERMINATION OF ONE OF YOUR APPLICATION PROCESSES
=   PID 28297 RUNNING AT vm
=   EXIT CODE: 11
=   CLEANING UP REMAINING PROCESSES
=   YOU CAN IGNORE THE BELOW CLEANUP MESSAGES
===================================================================================
YOUR APPLICATION TERMINATED WITH THE EXIT STRING: Segmentation fault (signal 11)
This typically refers to a problem with your application.
Please see the FAQ page for debugging suggestions)";

constexpr const char* mpich_signal_of_another = R"(
===================================================================================
=   BAD TERMINATION OF ONE OF YOUR APPLICATION PROCESSES
=   PID 10418 RUNNING AT vm
=   EXIT CODE: 9
=   CLEANING UP REMAINING PROCESSES
=   YOU CAN IGNORE THE BELOW CLEANUP MESSAGES
===================================================================================
YOUR APPLICATION TERMINATED WITH THE EXIT STRING: Segmentation fault (signal 11)
This typically refers to a problem with your application.)";

constexpr const char* hydra_abort =
    "1|Abort(3) on node 1 (rank 1 in comm 0): application called MPI_Abort(MPI_COMM_WORLD, 3) - process 1";

constexpr const char* intel_signal = R"(
===================================================================================
=   BAD TERMINATION OF ONE OF YOUR APPLICATION PROCESSES
=   RANK 0 PID 28329 RUNNING AT vm
=   KILLED BY SIGNAL: 9 (Killed)
===================================================================================

===================================================================================
=   BAD TERMINATION OF ONE OF YOUR APPLICATION PROCESSES
=   RANK 1 PID 28330 RUNNING AT vm
=   KILLED BY SIGNAL: 11 (Segmentation fault)
===================================================================================)";

constexpr const char* intel_kill = R"(
===================================================================================
=   BAD TERMINATION OF ONE OF YOUR APPLICATION PROCESSES
=   RANK 1 PID 10468 RUNNING AT vm
=   KILLED BY SIGNAL: 9 (Killed)
===================================================================================)";

}  // namespace

TEST_CASE("mpirun messages: Open MPI names the rank that exited first") {
  check(parse(open_mpi_4_exit).first_failure(), {1, "", 0, 7, none, false});
  check(parse(open_mpi_5_exit).first_failure(), {1, "", 0, 7, none, false});
}

TEST_CASE("mpirun messages: Open MPI names the rank, host and signal, however the lines are broken") {
  check(parse(open_mpi_4_signal).first_failure(), {1, "vm", 0, none, 11, false});
  check(parse(open_mpi_5_signal).first_failure(), {1, "vm", 27600, none, 9, false});
}

TEST_CASE("mpirun messages: MPI_Abort is known for each family, with its code") {
  check(parse(open_mpi_4_abort).first_failure(), {1, "", 0, 3, none, true});
  check(parse(open_mpi_5_abort).first_failure(), {1, "vm", 0, 3, none, true});
  check(parse(hydra_abort).first_failure(), {1, "", 0, 3, none, true});
  check(parse("0|Abort(1090447) on node 0 (rank 0 in comm 0): Fatal error in PMPI_Recv: Invalid tag").first_failure(),
        {0, "", 0, 143, none, true});
}

TEST_CASE("mpirun messages: a rank of another communicator is not taken for a rank of the run") {
  check(
      parse("------------------------------\nMPI_ABORT was invoked on rank 1 in communicator MPI COMMUNICATOR 3 SPLIT "
            "FROM 0\nwith errorcode 5.\n------------------------------")
          .first_failure(),
      {none, "", 0, 5, none, true});
  CHECK(!parse("0|Abort(3) on node 1 (rank 1 in comm 0): printed by a program").first_failure());
}

TEST_CASE("mpirun messages: MPICH names a process, which counts only when it is the one the signal ended") {
  check(parse(mpich_signal).first_failure(), {none, "vm", 28297, none, 11, false});
  check(parse("=   BAD TERMINATION OF\n=   PID 5 RUNNING AT localhost\n=   EXIT CODE: 9").first_failure(),
        {none, "", 5, 9, none, false});
  check(parse(mpich_signal_of_another).first_failure(), {none, "", 0, none, 11, false});
}

TEST_CASE("mpirun messages: Intel MPI's reports of ranks it killed itself are passed over") {
  check(parse(intel_signal).first_failure(), {1, "vm", 28330, none, 11, false});
  CHECK(!parse(intel_kill).first_failure());
  CHECK(!parse(intel_kill).first_failure(7));
}

TEST_CASE("mpirun messages: a single KILL that Intel MPI ended with is the failure, several name nobody") {
  check(parse(intel_kill).first_failure(137), {1, "vm", 10468, none, 9, false});
  check(parse(str(intel_kill, intel_kill)).first_failure(137), {none, "", 0, none, 9, false});
}

TEST_CASE("mpirun messages: the first failure stays") {
  check(parse(str(open_mpi_5_signal, "\n", open_mpi_4_exit)).first_failure(), {1, "vm", 27600, none, 9, false});
  check(parse(str(hydra_abort, "\n", mpich_signal)).first_failure(), {1, "", 0, 3, none, true});
}

TEST_CASE("mpirun messages: well-known failures to start get a hint") {
  struct Case {
    const char* output;
    const char* hint_has;
  };
  const Case cases[] = {
      {"There are not enough slots available in the system to satisfy the 5\nslots that were requested", "fewer slots"},
      {"mpirun was unable to launch the specified application as it could not access\nor execute an executable:",
       "program"},
      {"0|[proxy:0:0@vm] HYDU_create_process (utils/launch/launch.c:73): execvp error on file ./nosuch (No such file)",
       "program"},
      {"mpirun.openmpi has detected an attempt to run as root.", "OMPI_ALLOW_RUN_AS_ROOT"},
      {"prterun has detected an attempt to run as root.", "OMPI_ALLOW_RUN_AS_ROOT"},
      {"--------------------------------------------------------------------------\n"
       "A request was made to bind that would require binding\nprocesses to more cpus than are available in your "
       "allocation:\n--------------------------------------------------------------------------",
       "more ranks than cores"},
      {"ssh: Could not resolve hostname nosuch: Name or service not known", "name of a host"},
      {"root@vmb: Permission denied (publickey).", "ssh"},
      {"ORTE was unable to reliably start one or more daemons.", "could not be reached"},
      {"A daemon failed to report back after being spawned. This could", "could not be reached"},
      {"[mpiexec@vm] ui_cmd_cb (mpiexec/pmiserv_pmci.c:51): Launch proxy failed.", "could not be reached"},
      {"[mpiexec@vm] Error: Unable to run bstrap_proxy on vmb (pid 29621, exit code 65280)", "could not be reached"},
      {"The value of the MCA parameter \"plm_rsh_agent\" was set to a path", "no ssh"},
  };
  for (const auto& c : cases) {
    CAPTURE(c.output);
    const auto hint = parse(c.output).hint();
    REQUIRE(hint);
    CHECK_THAT(*hint, Catch::Contains(c.hint_has));
    CHECK(!parse(c.output).first_failure());
  }
}

TEST_CASE("mpirun messages: what ranks print gives no hint and no failure") {
  const auto parser =
      parse("0|Permission denied (publickey)\n1|There are not enough slots available\n1|  Errorcode: 3\n");
  CHECK(!parser.hint());
  CHECK(!parser.first_failure());
}

TEST_CASE("mpirun messages: broken messages are passed over") {
  for (const char* text : {"=   EXIT CODE: 9", "YOUR APPLICATION TERMINATED WITH THE EXIT STRING: x (signal 9)",
                           "=   BAD TERMINATION\n=   PID x RUNNING AT", "------------------------------", "0|Abort("}) {
    CAPTURE(text);
    CHECK(!parse(text).first_failure());
  }
}

TEST_CASE("mpirun messages: numbers are such that a record can hold them") {
  std::string output = open_mpi_4_exit;
  output.replace(output.find("Exit code:    7"), 15, "Exit code:    -5");
  check(parse(output).first_failure(), {1, "", 0, 251, none, false});
  output.replace(output.find(",1],1]"), 6, ",1],-1]");
  CHECK_FALSE(parse(output).first_failure()->rank);
}

TEST_CASE("mpirun messages: a host whose daemon is lost is named") {
  const auto text = [](const std::string& who, const std::string& name) {
    return str("----------------------------------------------------------------------\n", who,
               " has lost communication with a remote daemon.\n\n  HNP daemon   : ", name,
               "0] on node node1\n  Remote daemon: ", name, "1] on node node2\n\n",
               "This is usually due to either a failure of the TCP network\nconnection to the node\n",
               "----------------------------------------------------------------------");
  };
  for (const auto& words : {text("ORTE", "[[19265,0],"), text("PRTE", "[prterun-node1-75@0,")}) {
    const auto failure = parse(words).first_failure();
    check(failure, {none, "node2", 0, none, none, false});
    CHECK(failure->lost_host);
  }
}
