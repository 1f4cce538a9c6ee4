#include "sshkeys/gate.h"

#include <catch2/catch.hpp>

#include "base/text.h"

namespace viaduct::sshkeys {
namespace {

const GatePolicy policy = {{"/usr/bin", "/opt/mpi/bin/"},
                           {"192.0.2.2", "fd00::2", "launcher", "w-0.job.ns.svc"},
                           "/opt/viaduct/viaduct-agent",
                           "/etc/viaduct/ssh_config"};

GatedCommand accepted(std::string_view command) {
  auto verdict = judge_command(command, policy);
  if (const auto* refusal = std::get_if<GateRefusal>(&verdict)) FAIL(refusal->reason);
  return std::get<GatedCommand>(std::move(verdict));
}

// "PROGRAM: WORD WORD…", or why not.
std::string judged(std::string_view command, const GatePolicy& by = policy) {
  const auto verdict = judge_command(command, by);
  if (const auto* refusal = std::get_if<GateRefusal>(&verdict)) return refusal->reason;
  const auto& gated = std::get<GatedCommand>(verdict);
  return str(gated.program, ": ", join(gated.argv, " "));
}

bool is_refused(std::string_view command, const GatePolicy& by = policy) {
  return std::holds_alternative<GateRefusal>(judge_command(command, by));
}

// A daemon of Open MPI 4 with one more parameter.
std::string with_parameter(std::string_view name, std::string_view value) {
  return str(R"(orted -mca ess "env" -mca )", name, " \"", value, "\" --tree-spawn");
}

const std::string parameter_refused = R"(column 27: ")";

constexpr std::string_view open_mpi_4 =
    R"( orted -mca ess "env" -mca ess_base_jobid "1918566400" -mca ess_base_vpid 1 -mca ess_base_num_procs "3" )"
    R"x(-mca orte_node_regex "vm,w-[1:0-1],[3:127].0.0.3@0(3)" )x"
    R"(-mca orte_hnp_uri "1918566400.0;tcp://192.0.2.2:48303;tcp6://[fd00::2]:46259" --mca plm_rsh_agent "ssh" )"
    R"(-mca plm "rsh" --tree-spawn -mca routed "radix" )"
    R"(-mca orte_parent_uri "1918566400.0;tcp://192.0.2.2:48303;tcp6://[fd00::2]:46259" )"
    R"(-mca orte_keep_fqdn_hostnames "true" -mca plm_rsh_args "-F /etc/viaduct/ssh_config" -mca btl "^openib" )"
    R"(-mca orte_default_hostfile "/etc/viaduct/hostfile" -mca pmix "^s1,s2,cray,isolated")";

constexpr std::string_view open_mpi_4_absolute =
    "         PATH=/usr/bin:$PATH ; export PATH ; LD_LIBRARY_PATH=/usr/lib:${LD_LIBRARY_PATH:-} ; "
    "export LD_LIBRARY_PATH ; DYLD_LIBRARY_PATH=/usr/lib:${DYLD_LIBRARY_PATH:-} ; export DYLD_LIBRARY_PATH ;   "
    R"(/usr/bin/orted --daemonize -mca ess "env" -mca ess_base_jobid "1892089856" -mca ess_base_vpid 2 )"
    R"(-mca ess_base_num_procs "3" -mca orte_hnp_uri "1892089856.0;tcp://192.0.2.2:30000,30001;tcp6://[fd00::2]:49353")"
    R"( --mca plm_rsh_no_tree_spawn "1" -mca plm "rsh" -mca pmix "^s1,s2,cray,isolated")";

constexpr std::string_view open_mpi_5 =
    "PRTE_PREFIX=/opt/mpi;export PRTE_PREFIX;PMIX_PREFIX=/opt/mpi;export PMIX_PREFIX;"
    "LD_LIBRARY_PATH=/opt/mpi/lib:/opt/mpi/lib:$LD_LIBRARY_PATH;export LD_LIBRARY_PATH;"
    "DYLD_LIBRARY_PATH=/opt/mpi/lib:/opt/mpi/lib:$DYLD_LIBRARY_PATH;export DYLD_LIBRARY_PATH;/opt/mpi/bin/prted "
    R"(--debug-daemons --leave-session-attached --allow-run-as-root --prtemca ess "env" )"
    R"(--prtemca ess_base_nspace "prterun-vm-7288@0" --prtemca ess_base_vpid 2 --prtemca ess_base_num_procs "3" )"
    R"(--prtemca prte_hnp_uri "prterun-vm-7288@0.0;tcp://192.0.2.2:50497:64,24;tcp6://[fd00::2]:53971:64,24" )"
    R"(--prtemca PREFIXES "errmgr,ess,filem,grpcomm,iof,odls,oob,plm,schizo,state,hwloc,if,reachable" )"
    R"(--prtemca hwloc_default_binding_policy "core:overload-allowed" --pmixmca ptl_tcp_if_include "lo" )"
    R"(--prtemca plm_ssh_agent "ssh" --prtemca plm_ssh_args "-F /etc/viaduct/ssh_config" )"
    R"(--prtemca pmix_session_server "1" --prtemca plm "ssh" --tree-spawn )"
    R"(--prtemca prte_parent_uri "prterun-vm-7288@0.0;tcp://192.0.2.2:50497:64,24;tcp6://[fd00::2]:53971:64,24")";

constexpr std::string_view mpich_4 =
    R"("/usr/bin/hydra_pmi_proxy" --control-port launcher:35067 --debug --rmk user --launcher ssh --launcher-exec ssh )"
    "--demux poll --iface eth0 --pgid 0 --retries 10 --usize -2 --pmi-port 0 --gpus-per-proc -2 --proxy-id 1";

constexpr std::string_view mpich_5 =
    R"("/opt/mpi/bin/hydra_pmi_proxy" --control-port 192.0.2.2:34581 --rmk user --launcher ssh --demux poll --pgid 0 )"
    "--retries 10 --usize -1 --pmi-port 0 --gpus-per-proc -2 --gpu-subdevs-per-proc -2 --proxy-id 0";

constexpr std::string_view intel =
    "/opt/mpi/bin//hydra_bstrap_proxy --upstream-host launcher --upstream-port 5000 --pgid 0 --launcher ssh "
    "--launcher-number 0 --port-range 5000:6000 --base-path /opt/mpi/bin/ --tree-width 16 --tree-level 1 --iface lo "
    "--time-left -1 --launch-type 2 --debug --proxy-id 33 --node-id 33 --subtree-size 2 "
    "/opt/mpi/bin//hydra_pmi_proxy --usize -1 --stdin all --auto-cleanup 1 --abort-signal 9 ";

std::string wrapped(std::string_view command) { return str("( test ! -r ./.profile || . ./.profile; ", command, " )"); }

}  // namespace

TEST_CASE("gate: what mpirun of Open MPI 4 sends is taken apart") {
  const GatedCommand plain = accepted(open_mpi_4);
  CHECK(plain.program == "orted");
  CHECK(plain.argv[0] == "orted");
  CHECK(plain.argv[2] == "ess");
  CHECK(plain.argv[3] == "env");
  CHECK(plain.argv.back() == "^s1,s2,cray,isolated");
  CHECK(plain.environment.empty());

  const GatedCommand absolute = accepted(open_mpi_4_absolute);
  CHECK(absolute.program == "/usr/bin/orted");
  CHECK(absolute.argv[0] == "orted");
  CHECK(absolute.environment == std::vector<Assignment>{{"LD_LIBRARY_PATH", "/usr/lib", true}});
}

TEST_CASE("gate: what mpirun of Open MPI 5 sends is taken apart") {
  const GatedCommand gated = accepted(open_mpi_5);
  CHECK(gated.program == "/opt/mpi/bin/prted");
  CHECK(gated.argv[0] == "prted");
  CHECK(gated.environment == std::vector<Assignment>{{"PRTE_PREFIX", "/opt/mpi", false},
                                                     {"PMIX_PREFIX", "/opt/mpi", false},
                                                     {"LD_LIBRARY_PATH", "/opt/mpi/lib:/opt/mpi/lib", true}});
}

TEST_CASE("gate: what mpiexec of MPICH sends is taken apart") {
  CHECK(accepted(mpich_4).program == "/usr/bin/hydra_pmi_proxy");
  CHECK(accepted(mpich_4).argv[2] == "launcher:35067");
  CHECK(accepted(mpich_5).argv.size() == 23);
}

TEST_CASE("gate: what mpiexec of Intel MPI sends is taken apart") {
  const GatedCommand gated = accepted(intel);
  CHECK(gated.program == "/opt/mpi/bin/hydra_bstrap_proxy");
  CHECK(gated.argv[0] == "hydra_bstrap_proxy");
  CHECK(gated.argv.back() == "9");
}

TEST_CASE("gate: the wrap for sh is taken off, and nothing else in brackets") {
  for (const auto command : {open_mpi_4, open_mpi_4_absolute, open_mpi_5})
    CHECK(accepted(wrapped(command)).argv == accepted(command).argv);
  CHECK(judged("( test ! -r ./.profile || . ./.profile; orted") ==
        "column 46: the bracket around the command is not closed");
  CHECK(is_refused(wrapped("orted") + " ; id"));
  CHECK(is_refused(wrapped("orted ; id")));
  CHECK(is_refused(wrapped(wrapped("orted"))));
  CHECK(is_refused("( test ! -r ./.profile || . ./.evil; orted )"));
  CHECK(judged("( orted )") == "column 1: '(' where a word should be");
  CHECK(judged("orted )") == "column 7: something after the command");
}

TEST_CASE("gate: exec, blanks and single quotes change nothing") {
  CHECK(judged("  exec orted -mca btl '^openib'  ") == "orted: orted -mca btl ^openib");
  CHECK(judged("PATH=/usr/bin ; exec orted") == "orted: orted");
  CHECK(judged("exec exec orted") == R"(column 6: "exec" is not a program that may be started here)");
}

TEST_CASE("gate: only daemons are started") {
  CHECK(judged("hostname") == R"(column 1: "hostname" is not a program that may be started here)");
  CHECK(judged("") == "column 1: no program to start");
  CHECK(judged("   ") == "column 4: no program to start");
  CHECK(judged("export PATH;") == "column 13: no program to start");
  CHECK(judged("exec") == "column 5: the end where a program should be");
  for (const auto command :
       {"sh -c orted", "/bin/sh -c orted", "hostname -I", "orte", "orted.sh", "mpirun", "env orted", "\"\"",
        "cd /tmp;orted", "echo $SHELL", "export A=1; cd /w; python -u -m deepspeed.launcher.launch"})
    CHECK(is_refused(command));
}

TEST_CASE("gate: nothing is left for a shell") {
  CHECK(judged("orted; id") == "column 6: ';' where a word should be");
  CHECK(judged("orted $(id)") == "column 8: '(' can't be part of a word");
  CHECK(judged("orted -mca a \"`id`\"") == "column 15: '`' between quotes");
  CHECK(judged("orted -mca a \"$HOME\"") == "column 15: '$' between quotes");
  CHECK(judged("orted -mca a \"\\\\\"") == "column 15: '\\' between quotes");
  CHECK(judged("orted -mca a $HOME") == R"(column 14: "$HOME" expands a variable where it may not)");
  CHECK(judged("$HOME/orted") == R"(column 1: "$HOME/orted" expands a variable where it may not)");
  CHECK(judged("orted -mca a {b,c}") == R"(column 14: "{b,c}" expands a variable where it may not)");
  CHECK(judged("orted -mca a \"b") == "column 14: this quote is never closed");
  CHECK(judged("orted -mca a 'b") == "column 14: this quote is never closed");
  CHECK(judged("orted -mca a b\"c\"") == "column 15: '\"' can't be part of a word");
  CHECK(judged("orted -mca a \"b\"c") == "column 17: 'c' can't be part of a word");
  CHECK(judged("orted\nid") == "column 6: byte 10 is not printable ASCII");
  CHECK(judged(std::string_view("orted\0id", 8)) == "column 6: byte 0 is not printable ASCII");
  CHECK(judged("orted \xc3\xa4") == "column 7: byte 195 is not printable ASCII");
  for (const auto command : {"orted && id", "orted & id", "orted | id", "orted || id", "orted > /x", "orted < /x",
                             "orted *", "orted -mca a [b]", "orted #", "orted -mca a !b", "orted;", ";orted",
                             "orted\t--debug", "PATH=/usr/bin orted", "PATH=/usr/bin;;orted"})
    CHECK(is_refused(command));
}

TEST_CASE("gate: a program's directory is one of the allowed ones") {
  CHECK(judged("/opt/mpi/bin/orted") == "/opt/mpi/bin/orted: orted");
  CHECK(judged("/opt//mpi/./bin//orted") == "/opt/mpi/bin/orted: orted");
  CHECK(judged("/tmp/orted") == R"(column 1: "/tmp/orted" is not in a directory from which programs may be started)");
  for (const auto command : {"./orted", "bin/orted", "/orted", "/usr/bin/../bin/orted", "/usr/bin/../../tmp/orted",
                             "/usr/bin/x/orted", "/opt/mpi/binx/orted", "../orted", "~/orted"})
    CHECK(is_refused(command));
  CHECK(is_refused("/usr/bin/orted", {}));
}

TEST_CASE("gate: only a few variables are set, to allowed directories") {
  CHECK(judged("PATH=/tmp/evil:$PATH ; orted") ==
        R"(column 1: "PATH=/tmp/evil:$PATH" names a directory that is not allowed)");
  CHECK(judged("LD_PRELOAD=/usr/lib/x.so ; orted") ==
        R"(column 1: "LD_PRELOAD=/usr/lib/x.so" sets a variable that may not be set here)");
  CHECK(judged("export LD_PRELOAD; orted") == R"(column 8: "LD_PRELOAD" sets a variable that may not be set here)");
  CHECK(judged("PATH=$LD_LIBRARY_PATH ; orted") ==
        R"(column 1: "PATH=$LD_LIBRARY_PATH" expands a variable where it may not)");
  CHECK(judged("PATH=/usr/bin orted") == "column 15: no ';' after a variable");
  for (const auto list : {"$PATH:/usr/bin", "/usr/bin:$PATH:/usr/bin", "/usr/bin:", ":/usr/bin", "/usr/bin::$PATH", "",
                          "$PATH", "/usr/bin/$PATH", "/usr/bin:$HOME", "/usr/bin:${PATH:-/tmp}", "/usr/bin/..", "bin",
                          "/usr/lib", "/usr/bin:/tmp"})
    CHECK(is_refused(str("PATH=", list, "; orted")));
  for (const auto list : {"/usr/bin", "/usr/bin/", "/usr/bin:/opt/mpi/bin", "/usr/bin:${PATH}", "/usr/bin:$PATH"})
    CHECK_FALSE(is_refused(str("PATH=", list, "; orted")));
}

TEST_CASE("gate: libraries come from beside the programs") {
  for (const auto list : {"/usr/lib", "/usr/lib64", "/usr/lib/x86_64-linux-gnu/openmpi/lib", "/opt/mpi/lib/:/usr/lib"})
    CHECK_FALSE(is_refused(str("LD_LIBRARY_PATH=", list, "; orted")));
  for (const auto list : {"/tmp", "/lib", "/usr/li", "/usr", "/usr/lib/../../tmp", "lib", "/usr/lib:", "/opt/lib",
                          "~/lib", "/usr/libexec", "/usr/lib64x/y"})
    CHECK(is_refused(str("LD_LIBRARY_PATH=", list, "; orted")));
  CHECK_FALSE(is_refused("OPAL_PREFIX=/opt/mpi/; orted"));
  CHECK(is_refused("OPAL_PREFIX=/opt; orted"));
  CHECK(is_refused("OPAL_PREFIX=/opt/mpi:$OPAL_PREFIX; orted"));
}

TEST_CASE("gate: a parameter that starts or loads something else is refused") {
  CHECK(judged("orted -mca orte_launch_agent /tmp/x") ==
        R"(column 12: "orte_launch_agent" may not be set here, or not to this)");
  CHECK(judged("orted -mca plm_rsh_agent /tmp/evil") ==
        R"(column 12: "plm_rsh_agent" may not be set here, or not to this)");
  for (const auto name : {"prte_launch_agent",
                          "orte_fork_agent",
                          "prte_odls_fork_agent",
                          "orte_rsh_agent",
                          "mca_base_component_path",
                          "pmix_mca_base_component_path",
                          "mca_base_param_files",
                          "mca_base_override_param_file",
                          "mca_base_param_file_prefix",
                          "mca_base_envar_file_prefix",
                          "mca_base_env_list",
                          "prte_forward_envars",
                          "orte_base_user_debugger",
                          "orte_xterm",
                          "filem",
                          "filem_rsh_rcp",
                          "notifier_command_cmd",
                          "plm_slurm_args",
                          "orte_preload_binaries",
                          "psec",
                          "ptl_tcp_remote_connections"})
    CHECK(judged(with_parameter(name, "ssh")).starts_with(parameter_refused + name));
}

TEST_CASE("gate: some parameters have few values") {
  for (const auto* name : {"plm_rsh_agent", "plm_ssh_agent"}) {
    CHECK_FALSE(is_refused(with_parameter(name, "ssh")));
    for (const auto value : {"/usr/bin/ssh", "ssh : rsh", "ssh -o x", "", "rsh"})
      CHECK(is_refused(with_parameter(name, value)));
  }
  for (const auto* name : {"plm_rsh_args", "plm_ssh_args"}) {
    for (const auto value : {"", "-F /etc/viaduct/ssh_config"}) CHECK_FALSE(is_refused(with_parameter(name, value)));
    for (const auto value : {"-o ProxyCommand=x", "-F /tmp/x", "-F /etc/viaduct/ssh_config -v", "-F "})
      CHECK(is_refused(with_parameter(name, value)));
  }
  CHECK(is_refused("orted -mca plm_rsh_args \"-F \"", {{"/usr/bin"}, {}, "", ""}));
  CHECK_FALSE(is_refused(with_parameter("plm", "isolated")));
  CHECK(is_refused(with_parameter("plm", "slurm")));
  CHECK(is_refused(with_parameter("ess", "hnp")));
  CHECK_FALSE(is_refused(with_parameter("orte_prefix", "/opt/mpi")));
  CHECK(is_refused(with_parameter("orte_prefix", "/tmp")));
  CHECK_FALSE(is_refused(with_parameter("plm_rsh_pass_libpath", "/opt/mpi/lib")));
  CHECK(is_refused(with_parameter("plm_rsh_pass_libpath", "/tmp")));
}

TEST_CASE("gate: any other parameter may have any value") {
  for (const auto name : {"btl_tcp_if_include", "orte_tmpdir_base", "opal_set_max_sys_limits", "rmaps_rank_file_path",
                          "plm_rsh_no_tree_spawn", "mca_base_component_show_load_errors", "orte_output_filename"})
    CHECK_FALSE(is_refused(with_parameter(name, "a ; b, (c) | [d] & 'e'")));
  CHECK_FALSE(is_refused(with_parameter("a", "-1")));
  CHECK(judged(with_parameter("a", "--hnp")) == R"(column 29: "--hnp" looks like an option where a value should be)");
}

TEST_CASE("gate: parameters come by name and value") {
  CHECK(judged("orted -mca a") == "column 13: the end where the value of a parameter should be");
  CHECK(judged("orted -mca") == "column 11: the end where the name of a parameter should be");
  CHECK(judged("orted -mca a=b c") == R"(column 12: "a=b" is not the name of a parameter)");
  CHECK(judged("orted -mca --hnp c") == R"(column 12: "--hnp" is not the name of a parameter)");
  CHECK(judged("orted --hnp") == R"(column 7: "--hnp" is not an option that orted may have)");
  CHECK(is_refused("orted \"--daemonize\""));
  CHECK(is_refused("orted ---daemonize"));
  CHECK(is_refused("orted x"));
  CHECK(is_refused("prted --tune /tmp/x"));
}

TEST_CASE("gate: a daemon obeys hosts of the job only") {
  const auto uri = [](std::string_view contacts) { return judged(with_parameter("orte_hnp_uri", contacts)); };
  CHECK(uri("1.0;tcp://192.0.2.2:1").starts_with("orted: "));
  CHECK(uri("1.0;tcp6://[FD00:0::2]:1").starts_with("orted: "));
  CHECK(uri("1.0;tcp://192.0.2.2,w-0.job.ns.svc:1,2:24,24").starts_with("orted: "));
  CHECK(uri("1.0;tcp://198.51.100.7:1") == R"(column 40: "198.51.100.7" is not a host of this job)");
  CHECK(uri("1.0;tcp://192.0.2.2,198.51.100.7:1") == R"(column 40: "198.51.100.7" is not a host of this job)");
  CHECK(uri("1.0;tcp://192.0.2.2:1;tcp6://[fd00::3]:1") == R"(column 40: "fd00::3" is not a host of this job)");
  CHECK(uri("1.0;tcp://127.0.0.1:1") == R"(column 40: "127.0.0.1" is not a host of this job)");
  for (const auto bad : {"", "1.0", "1.0;", "file:/tmp/x", "1.0;tcp://192.0.2.2", "1.0;tcp://192.0.2.2:",
                         "1.0;tcp://:1", "1.0;tcp6://[fd00::2]", "1.0;usock:///tmp/x", "1.0;tcp://192.0.2.2:1/x"})
    CHECK_FALSE(uri(bad).starts_with("orted: "));
  for (const auto name : {"orte_parent_uri", "prte_hnp_uri", "prte_parent_uri"})
    CHECK(is_refused(with_parameter(name, "1.0;tcp://198.51.100.7:1")));
  CHECK_FALSE(is_refused(with_parameter("orte_hnp_uri", "1.0;tcp://198.51.100.7:1"), {{"/usr/bin"}, {}, "", ""}));
}

TEST_CASE("gate: Hydra's proxies obey hosts of the job only") {
  CHECK_FALSE(is_refused("hydra_pmi_proxy --control-port \"[fd00::2]:1\""));
  CHECK(judged("hydra_pmi_proxy --control-port stranger:1") == R"(column 32: "stranger" is not a host of this job)");
  CHECK(judged("hydra_pmi_proxy --control-port launcher") == R"(column 32: "launcher" is not HOST:PORT)");
  CHECK(judged("hydra_bstrap_proxy --upstream-host x") == R"(column 36: "x" is not a host of this job)");
}

TEST_CASE("gate: a daemon's number is below the number of daemons") {
  const auto daemon = [](std::string_view number, std::string_view of) {
    return str("orted -mca ess_base_vpid ", number, " -mca ess_base_num_procs \"", of, "\"");
  };
  CHECK_FALSE(is_refused(daemon("2", "3")));
  CHECK(judged(daemon("3", "3")) == R"(column 33: "ess_base_num_procs" makes the daemon number 3 of 3 from 0)");
  CHECK(is_refused(daemon("-1", "3")));
  CHECK(is_refused(daemon("x", "3")));
  CHECK(is_refused(daemon("2", "3") + " -mca ess_base_vpid 9"));
}

TEST_CASE("gate: Hydra's proxies get known options only") {
  CHECK(judged("hydra_pmi_proxy --exec id") == R"(column 17: "--exec" is not an option that hydra_pmi_proxy may have)");
  CHECK(judged("hydra_pmi_proxy --launcher-exec /tmp/x") == R"(column 33: "/tmp/x" is no value for --launcher-exec)");
  CHECK(judged("hydra_pmi_proxy --pgid") == "column 23: the end where the value of an option should be");
  for (const auto options : {"--pgid x", "--rmk --debug", "--launcher slurm", "--usize=4", "-", "--", "x",
                             "/usr/bin/hydra_pmi_proxy", "--preload /tmp/x.so", "--gtool-count 1"})
    CHECK(is_refused(str("hydra_pmi_proxy ", options)));
  CHECK_FALSE(is_refused("hydra_pmi_proxy -pgid 0 --launcher fork"));
}

TEST_CASE("gate: Intel's bootstrap proxy starts the job's programs only") {
  CHECK_FALSE(is_refused("hydra_bstrap_proxy --pgid 0 hydra_pmi_proxy --usize -1"));
  for (const auto options :
       {"--base-path /tmp/", "/tmp/hydra_pmi_proxy", "--launcher-exec /tmp/x", "/usr/bin/orted", "hydra_pmi_proxy id",
        "hydra_pmi_proxy --tree-width 1", "--env x", "--gtool-tool x", "/usr/bin/../bin/hydra_pmi_proxy"})
    CHECK(is_refused(str("hydra_bstrap_proxy ", options)));
}

TEST_CASE("gate: the agent is asked to relay, and for nothing else") {
  CHECK(judged("/opt/viaduct/viaduct-agent relay --host w-0 -p 1") ==
        "/opt/viaduct/viaduct-agent: viaduct-agent relay --host w-0 -p 1");
  CHECK(judged("/opt/viaduct/viaduct-agent exec id") == R"(column 28: "exec" is not what the agent may be asked for)");
  CHECK(judged("/opt/viaduct/viaduct-agent relay 'a b'") == R"(column 34: "a b" is quoted, which relay does not need)");
  CHECK(is_refused("/opt/viaduct/viaduct-agent"));
  CHECK(is_refused("viaduct-agent relay"));
  CHECK(is_refused("/opt/viaduct/viaduct-agent relay", {{"/opt/viaduct"}, {}, "", ""}));
}

TEST_CASE("gate: a command has 128 KiB at most, and a reason repeats little of it") {
  const std::string start = "orted -mca a ";
  CHECK_FALSE(is_refused(start + std::string(128 * 1024 - start.size(), 'x')));
  CHECK(judged(start + std::string(128 * 1024 - start.size() + 1, 'x')) == "a command of more than 131072 bytes");
  CHECK(judged(std::string(1000, 'x')) ==
        str("column 1: \"", std::string(60, 'x'), "…\" is not a program that may be started here"));
  CHECK(is_refused("orted -mca " + std::string(129, 'a') + " b"));
}

}  // namespace viaduct::sshkeys
