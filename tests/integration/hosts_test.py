#!/usr/bin/env python3
"""`viaduct run --hosts` over four hosts with OpenSSH, mostly from a fifth one that is none of them: every MPI, what the
ranks print, how runs end well and badly, and that nothing of them stays on any host."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time

import mpi_hosts
import support
from mpi_hosts import LABEL, SLEEPERS
from support import trainjob, wait_until

ALL = "node[1-4]"
KEY = "[b]3BlbnNzaC1rZXktdjE"  # how OpenSSH's private keys begin, as a pattern that does not match itself
ABORT = ('#include <mpi.h>\n#include <unistd.h>\nint main(int c, char** v) { int r; MPI_Init(&c, &v); '
         'MPI_Comm_rank(MPI_COMM_WORLD, &r); if (r == 3) MPI_Abort(MPI_COMM_WORLD, 9); sleep(60); }\n')


class Case(mpi_hosts.Case):
    COUNT = 5
    FROM = "node5"  # where viaduct runs

    def start_run(self, job, *options, at=FROM, where=ALL, mpi=None, user=None, env=None, verb="run", **more):
        options = [*options, *(["--hosts", where] if where else [])]
        env = {**(env or {}), **({"VIADUCT_MPIRUN": mpi.mpirun} if mpi else {})}
        return self.start_on(at, self.program, verb, *options, job, user=user, env=env, **more)

    def run_job(self, job, *options, code=0, **rest):
        return self.end(self.start_run(job, *options, **rest), code=code)

    def job(self, name, command, nodes=4, ranks=2, **rest):
        return super().job(name, command, nodes=nodes, ranks=ranks, **rest)

    def pi_job(self, mpi, nodes=4, **rest):
        return self.job(rest.pop("name", "pi"), [mpi.pi, "100000"], nodes=nodes, runtime=mpi.runtime, **rest)

    def call(self, *words, code=0, at=FROM, **options):
        return self.end(self.start_on(at, self.program, *words, **options), code=code)

    def status_of(self, name):
        self.call("status", name)
        record = self.record(name)
        return record["phase"], record.get("reason", "")

    def start_sleepers(self, name="sleep", script=SLEEPERS, ranks=2, nodes=4, mpi=None, wait=True, **rest):
        """A run of sleepers, returned when its ranks are up."""
        more = {key: rest.pop(key) for key in ("at", "where", "user") if key in rest}
        run = self.start_run(self.job(name, script, ranks=ranks, nodes=nodes, **rest), mpi=mpi, **more)
        if wait:
            self.wait_until_up(run, name, ranks * nodes)
        return run

    def wait_until_up(self, run, name, ranks):
        self.wait_for_ranks(run, ranks)
        wait_until(f"{name} knows that its ranks are up", lambda: self.record(name)["ranksUp"])

    def node_of(self, node):
        """viaduct-agent node, the older of the two: the other one serves SSH."""
        return min(self.on(node, "viaduct-agent", "node"))


class Runs(Case):
    def test_every_mpi_from_a_host_that_is_none_of_them(self):
        for name in ("openmpi4", "openmpi5", "mpich4", "mpich40", "intel"):
            with self.subTest(name):
                mpi = self.needs_mpi(name)
                nodes = self.nodes[:mpi.most_hosts]
                ended = self.run_job(self.pi_job(mpi, len(nodes), name=name), mpi=mpi, where=f"node[1-{len(nodes)}]")
                self.assert_pi(ended.out, 2 * len(nodes), nodes)
                self.assertIn("Succeeded", ended.err)
                self.assert_hosts_empty()
                self.assert_no_files_left()

    def test_from_one_of_them_by_any_of_its_names(self):
        for name, where in (("openmpi4", ALL), ("openmpi4", "node[1-4].lab"), ("openmpi5", ALL),
                            ("openmpi5", "node1.lab,node2.lab,node3,node4"), ("mpich4", "node[1-4].lab")):
            with self.subTest(f"{name} {where}"):
                mpi = self.needs_mpi(name)
                job = self.pi_job(mpi, name=f"{name}-{len(self.job_directories())}")
                ended = self.run_job(job, at="node1", where=where, mpi=mpi)
                self.assert_pi(ended.out, 8, self.nodes)
                self.assert_hosts_empty()

    def call_hosts(self, names):
        config = self.hosts.dir / "home/root/.ssh/config"
        text = config.read_text()
        self.addCleanup(config.write_text, text)
        config.write_text(text + "".join(f"Host {name}\n  HostName {host}\n" for name, host in names.items()))

    def test_names_of_the_users_ssh_config(self):
        """Which nothing but his ssh knows; from a host that is none of them, and from the first one."""
        self.call_hosts({f"gpu{i}": f"node{i}" for i in range(1, 5)})
        for name in ("openmpi4", "openmpi5", "mpich4", "intel"):
            for at in ("node5", "node1"):
                with self.subTest(f"{name} {at}"):
                    mpi = self.needs_mpi(name)
                    job = self.pi_job(mpi, name=f"{name}-{at}")
                    ended = self.run_job(job, at=at, where="gpu[1-4]", mpi=mpi)
                    self.assert_pi(ended.out, 8, self.nodes)
                    self.assert_hosts_empty()
        job = self.job("address", "echo to $MASTER_ADDR", ranks=1)
        self.assertEqual(self.run_job(job, where="gpu[1-4]").out.count("to 10.77.0.1\n"), 4)

    def test_localhost_as_another_host(self):
        self.call_hosts({"localhost": "node2"})
        ended = self.run_job(self.job("localhost", "true", nodes=2), where="node1,localhost", code=2)
        self.assertIn("host localhost of the allocation is not this one, node1", ended.err)

    def test_an_ordinary_user(self):
        mpi = self.needs_mpi("openmpi4")
        ended = self.run_job(self.pi_job(mpi), user="lab", mpi=mpi)
        self.assert_pi(ended.out, 8, self.nodes)
        self.assert_hosts_empty()
        self.assertEqual({file.stat().st_uid for file in (self.home / "jobs/pi").iterdir()}, {20001})

    def test_uneven_slots(self):
        text = "# ours\nnode3 slots=1\nnode1:3 # fast\nnode2 slots=2 max_slots=9\n"
        file = self.write("hosts", text)
        ended = self.run_job(self.job("uneven", "echo $RANK of $WORLD_SIZE on `hostname` $LOCAL_RANK", nodes=3),
                             "--hostfile", file, where=None)
        places = re.findall(LABEL + r"(\d) of 6 on (\S+) (\d)$", ended.out, re.M)
        self.assertEqual(sorted(places), [
            ("0", "0", "node3", "0"), ("1", "1", "node1", "0"), ("2", "2", "node1", "1"), ("3", "3", "node1", "2"),
            ("4", "4", "node2", "0"), ("5", "5", "node2", "1")])

    def test_tree_spawn(self):
        """Hosts beyond the first start each other, for which the job's key goes to all of them, as `plan` says."""
        tree = {"viaduct.dev/tree-spawn-above": "2"}
        said = self.call("plan", "--hosts", ALL, self.job("tree", ["true"], annotations=tree)).out
        self.assertIn("MPI daemons start each other, for there are more than 2 hosts: the job's private key goes to "
                      "every host", said)
        said = self.call("plan", "--hosts", ALL, self.job("star", ["true"])).out
        self.assertIn("the job's private key stays there", said)
        for name, radix in (("openmpi4", "OMPI_MCA_routed_radix"), ("openmpi5", "PRTE_MCA_rml_base_radix")):
            with self.subTest(name):
                mpi = self.needs_mpi(name)
                script = 'echo "$RANK from $SSH_CONNECTION"; touch up.$RANK; while [ ! -e go ]; do sleep 0.1; done'
                run = self.start_sleepers(f"tree-{name}", script, ranks=1, mpi=mpi, annotations=tree, env={radix: "1"})
                self.assertEqual([node for node in self.nodes if self.keys_on(node)], self.nodes)
                self.write("go", "")
                came = {rank: (host, port) for rank, host, port in
                        re.findall(r"([1-3]) from (\S+) \d+ \S+ (\d+)", self.end(run, code=0).out)}
                self.assertEqual({came["2"][0], came["3"][0]}, {"10.77.0.2", "10.77.0.3"}, came)
                self.assertNotIn("22", [port for _, port in came.values()], "that is the port of the users' own ssh")
                self.assert_hosts_empty()
                self.assert_no_files_left()
                (self.dir / "go").unlink()

    def keys_on(self, node):
        """Who holds a private key of the job there: links to it in /proc."""
        return self.shell(node, "ls -l /proc/*/fd 2> /dev/null | grep -o 'memfd:viaduct-key.*'").split("\n")[:-1]

    def test_keys(self):
        """By default the private key is on the first host, in memory; nowhere is one in a file or in a process'
        arguments and environment."""
        run = self.start_sleepers(ranks=1)
        self.assertEqual([node for node in self.nodes if self.keys_on(node)], ["node1"])
        for node in self.nodes:
            self.assertEqual(self.files_with_keys(node), "", node)
            self.assertEqual(self.shell(node, f"cat /proc/[0-9]*/environ /proc/[0-9]*/cmdline | tr '\\0' '\\n' | "
                                              f"grep -a -e '{KEY}' -e '[P]RIVATE KEY' | grep -v '/proc/'"), "", node)
        self.assertEqual(subprocess.run(["grep", "-rl", "PRIVATE KEY", self.home], capture_output=True).stdout, b"")
        run.send_signal(signal.SIGTERM)
        self.end(run, code=143)
        for node in self.nodes:
            self.assertEqual(self.files_with_keys(node), "", node)

    def files_with_keys(self, node):
        return self.shell(node, "grep -rlIs 'PRIVATE KEY' --exclude-dir=.ssh --exclude-dir=dev-hosts --exclude-dir=bin "
                                "/tmp /run /dev/shm")

    def test_what_stays(self):
        """The agent alone, placed once for each version."""
        mpi = self.needs_mpi("openmpi4")
        home = self.hosts.dir / "home/root"
        shutil.rmtree(home / ".cache", ignore_errors=True)
        before = {file: file.read_bytes() for file in (home / ".ssh").iterdir()}
        self.run_job(self.pi_job(mpi), mpi=mpi)
        placed, = [file for file in (home / ".cache").rglob("*") if file.is_file()]
        self.assertRegex(str(placed.relative_to(home)), r"^\.cache/viaduct/agents/[0-9a-f]{64}/viaduct-agent$")
        inode = placed.stat().st_ino
        self.run_job(self.pi_job(mpi, name="again"), mpi=mpi)
        self.assertEqual([file.stat().st_ino for file in (home / ".cache").rglob("*") if file.is_file()], [inode])
        self.assertEqual({file: file.read_bytes() for file in (home / ".ssh").iterdir()}, before)
        self.assert_no_files_left()

    def test_ports(self):
        annotations = {"viaduct.dev/daemon-ports": "31000-31019", "viaduct.dev/mpi-ports": "31100-31139"}
        hold = self.write("hold.c", '#include <mpi.h>\n#include <stdio.h>\n#include <unistd.h>\nint main(int c, char** v) '
                          '{ int r; char f[16]; MPI_Init(&c, &v); MPI_Comm_rank(MPI_COMM_WORLD, &r); '
                          'MPI_Barrier(MPI_COMM_WORLD); sprintf(f, "up.%d", r); fclose(fopen(f, "w")); '
                          'while (access("go", F_OK)) usleep(50000); MPI_Finalize(); }\n')
        for name in ("openmpi4", "openmpi5", "mpich4"):
            with self.subTest(name):
                mpi = self.needs_mpi(name)
                compiler = "mpicc.openmpi" if name == "openmpi4" else f"{os.path.dirname(mpi.mpirun)}/mpicc"
                subprocess.run([compiler, "-o", self.dir / "hold", hold], check=True)
                run = self.start_run(self.job(f"ports-{name}", ["./hold"], nodes=3, ranks=1, runtime=mpi.runtime,
                                              annotations=annotations), where="node[1-3]", mpi=mpi)
                self.wait_for_ranks(run, 3)
                listening = {node: self.shell(node, "ss -4tlnpH | grep -v -e '\"sshd\"' -e '127.0.0.1:' "
                                                    "-e '\"viaduct-agent\"'") for node in self.nodes[:3]}
                self.write("go", "")
                self.end(run, code=0)
                (self.dir / "go").unlink()
                ports = {int(port) for text in listening.values() for port in re.findall(r":(\d+) ", text)}
                self.assertTrue(any(31000 <= port < 31020 for port in ports), listening)
                self.assertTrue(any(31100 <= port < 31140 for port in ports), listening)
                self.assertEqual([p for p in ports if not (31000 <= p < 31020 or 31100 <= p < 31140)], [], listening)

    def test_a_command_that_is_a_launcher(self):
        for name in ("openmpi4", "openmpi5", "mpich4", "intel"):
            with self.subTest(name):
                mpi = self.needs_mpi(name)
                job = self.job(f"own-{name}", ["mpirun", "-np", "8", mpi.pi, "100000"], runtime=mpi.runtime)
                link = self.dir / name / "mpirun"
                link.parent.mkdir()
                link.write_text(f'#!/bin/sh\nexec {mpi.mpirun} "$@"\n')
                link.chmod(0o755)
                env = {"PATH": f"{link.parent}:{os.environ['PATH']}"} if name == "openmpi4" else {}
                ended = self.run_job(job, mpi=None if env else mpi, env=env)
                self.assert_pi(ended.out, 8, self.nodes, label="()")
                self.assert_hosts_empty()


class Output(Case):
    def lines(self, count):
        return self.job("lines", f'seq -f "$RANK:%.0f" 1 {count}; seq -f "$RANK!%.0f" 1 {count // 10} >&2')

    def assert_lines(self, ended, count):
        for text, sign, number in ((ended.out, ":", count), (ended.err, "!", count // 10)):
            said = {rank: [] for rank in range(8)}
            for label, rank, n in re.findall(rf"^{LABEL}(\d){sign}(\d+)$", text, re.M):
                self.assertEqual(label, rank)
                said[int(rank)].append(int(n))
            for rank in range(8):
                self.assertTrue(said[rank] == list(range(1, number + 1)), f"rank {rank}: {len(said[rank])} lines")

    def test_many_short_lines(self):
        ended = self.run_job(self.lines(20000))
        self.assert_lines(ended, 20000)
        self.assertNotIn("!", ended.out)

    def test_a_slow_reader(self):
        run = self.start_run(self.lines(20000))
        wait_until("the job has ended", lambda: (self.home / "jobs/lines/record.json").exists() and
                   self.record("lines")["phase"] == "Succeeded")
        self.assertIsNone(run.poll())
        self.assert_lines(self.end(run, code=0), 20000)


class Ends(Case):
    def test_a_rank_that_fails(self):
        for name in ("openmpi4", "openmpi5", "mpich4", "intel"):
            with self.subTest(name):
                mpi = self.needs_mpi(name)
                script = 'echo "last words of $RANK"; [ $RANK != 5 ] || exit 7; exec sleep 300'
                ended = self.run_job(self.job(f"fails-{name}", script, runtime=mpi.runtime), code=7, mpi=mpi)
                self.assertRegex(ended.err, r"Failed after .*rank 5 on node3 exited with code 7")
                self.assertEqual(self.record(f"fails-{name}")["failure"],
                                 {"rank": 5, "host": "node3", "exitCode": 7, "lastLines": ["last words of 5"]})
                self.assert_hosts_empty()
                self.assert_no_files_left()

    def test_a_rank_that_is_killed(self):
        ended = self.run_job(self.job("killed", '[ $RANK != 6 ] || kill -SEGV $$$$; exec sleep 300'), code=128 + 11)
        self.assertRegex(ended.err, r"rank 6 on node4 was ended by signal 11")
        self.assert_hosts_empty()

    def test_mpi_abort(self):
        source = self.write("abort.c", ABORT)
        for name in ("openmpi4", "openmpi5", "mpich4"):
            with self.subTest(name):
                mpi = self.needs_mpi(name)
                compiler = "mpicc.openmpi" if name == "openmpi4" else f"{os.path.dirname(mpi.mpirun)}/mpicc"
                subprocess.run([compiler, "-o", self.dir / "abort", source], check=True)
                ended = self.run_job(self.job(f"abort-{name}", ["./abort"], runtime=mpi.runtime), code=9, mpi=mpi)
                self.assertRegex(ended.err, r"Failed after .*rank 3 on node2")
                self.assert_hosts_empty()

    def test_ctrl_c_leaves_every_rank_time_for_a_checkpoint(self):
        script = ('trap "sleep 0.5; echo saved > saved.$RANK; echo saved; exit 0" TERM; touch up.$RANK; '
                  'while :; do sleep 0.1; done')
        for name in ("openmpi4", "mpich4"):
            with self.subTest(name):
                mpi = self.needs_mpi(name)
                run = self.start_sleepers(f"int-{name}", script, mpi=mpi, runtime=mpi.runtime)
                run.send_signal(signal.SIGINT)
                ended = self.end(run, code=130)
                self.assertEqual(sorted(file.name for file in self.dir.glob("saved.*")), [f"saved.{r}" for r in range(8)])
                self.assertEqual(ended.out.count("saved"), 8)
                self.assertEqual(self.status_of(f"int-{name}"), ("Cancelled", "Cancelled"))
                self.assert_hosts_empty()
                for file in self.dir.glob("saved.*"):
                    file.unlink()

    def test_ctrl_c_twice_is_at_once(self):
        script = 'trap "" TERM INT; touch up.$RANK; while :; do sleep 300; done'
        patient = self.runtime("patient", grace=600)
        run = self.start_on("node5", self.program, "run", "--hosts", ALL, patient,
                            self.job("deaf", script, runtime="patient"))
        self.wait_until_up(run, "deaf", 8)
        run.send_signal(signal.SIGINT)
        wait_until("it is stopping", lambda: self.record("deaf")["phase"] == "Stopping")
        time.sleep(0.5)
        self.assertIsNone(run.poll())
        run.send_signal(signal.SIGINT)
        began = time.monotonic()
        self.end(run, code=130)
        self.assertLess(time.monotonic() - began, 8)
        self.assert_hosts_empty()

    def test_an_mpirun_that_ignores_term(self):
        mpirun = self.write("bin/mpirun", '#!/bin/sh\n[ "$1" = --version ] && exec /usr/bin/mpirun.openmpi --version\n'
                            f'trap "" TERM\ntouch {self.dir}/starting\nwhile :; do sleep 300; done\n', 0o755)
        run = self.start_run(self.job("deaf", SLEEPERS), env={"VIADUCT_MPIRUN": mpirun})
        self.wait_for_file("starting")
        run.send_signal(signal.SIGTERM)
        began = time.monotonic()
        self.end(run, code=143)
        self.assertLess(time.monotonic() - began, 25)
        self.assert_hosts_empty()

    def submit_and_wait(self, script):
        self.run_job(self.job("bg", script, ranks=1), verb="submit")
        self.wait_until_up(None, "bg", 4)

    def test_a_job_in_the_background(self):
        script = ('echo hello; trap "echo bye; exit 0" TERM; touch up.$RANK; '
                  'while [ ! -e go ]; do sleep 0.1; done')
        self.submit_and_wait(script)
        self.assertEqual(self.status_of("bg"), ("Running", ""))
        self.assertRegex(self.call("status", "bg").out, r"hosts +node\[1-4\]")
        self.assertIn("bg", self.call("list", "-o", "name").out)
        said = re.findall(rf"^{LABEL}hello$", self.call("logs", "bg").out, re.M)
        self.assertEqual(sorted(said), ["0", "1", "2", "3"])
        follower = self.start_on("node5", self.program, "logs", "-f", "bg")
        self.call("suspend", "bg")
        wait_until("it is suspended", lambda: self.status_of("bg")[0] == "Suspended")
        self.assertEqual(self.end(follower, code=0).out.count("bye"), 4)
        self.assert_hosts_empty(5)
        self.call("resume", "bg")
        self.wait_until_up(None, "bg", 4)
        waiting = self.start_on("node5", self.program, "wait", "bg")
        self.write("go", "")
        self.end(waiting, code=0)
        self.assertEqual(self.status_of("bg")[0], "Succeeded")
        self.assertEqual(self.call("logs", "bg", "--rank", 3).out, "hello\n")
        self.assert_hosts_empty(5)
        self.call("delete", "bg")
        (self.dir / "go").unlink()

        self.submit_and_wait(script)
        self.call("cancel", "bg")
        self.assertEqual(self.status_of("bg"), ("Cancelled", "Cancelled"))
        self.assert_hosts_empty(5)
        self.assert_no_files_left()


class Kills(Case):
    """kill -9 of one process after the other: nothing of the run is left on any host, and its status is true."""

    PATIENCE = 20  # seconds until all is gone

    def kill(self, pids, code, *, status=("Failed", "FailedJobs"), says="", nodes=4, mpi=None):
        """Starts sleepers, kills what pids() says, and looks at the end."""
        run = self.start_sleepers("victim", nodes=nodes, ranks=1, mpi=mpi, **({"runtime": mpi.runtime} if mpi else {}))
        began = time.monotonic()
        for pid in pids():
            os.kill(pid, signal.SIGKILL)
        ended = self.end(run, code=code)
        self.assert_hosts_empty(self.PATIENCE)
        self.took = time.monotonic() - began
        self.assertLess(self.took, self.PATIENCE)
        self.assertEqual(self.status_of("victim"), status, ended.err)
        if says:
            self.assertRegex(ended.err, says)
        self.assert_no_files_left()

    def test_viaduct(self):
        self.kill(lambda: self.on("node5", "viaduct", "run"), code=-signal.SIGKILL, status=("Lost", "Lost"))

    def test_reach(self):
        self.kill(lambda: self.on("node5", "viaduct-agent", "reach"), code=1, status=("Lost", "Lost"),
                  says="viaduct-agent reach was ended by signal 9")

    def test_the_ssh_to_a_host(self):
        self.kill(lambda: self.ssh_to("node3"), code=1, says="host node3 went away")

    def test_the_ssh_to_the_first_host(self):
        self.kill(lambda: self.ssh_to("node1"), code=1, says="host node1 went away")

    def ssh_to(self, node):
        return [pid for pid, argv in self.hosts.processes("node5") if argv[0] == "ssh" and node in argv]

    def test_the_node(self):
        self.kill(lambda: [self.node_of("node3")], code=1, says="host node3 went away")

    def test_the_node_of_the_first_host(self):
        self.kill(lambda: [self.node_of("node1")], code=1, says="host node1 went away")

    def test_the_server_of_a_host(self):
        self.kill(lambda: [max(self.on("node2", "viaduct-agent", "node"))], code=1, says="node2")

    def test_launch(self):
        self.kill(lambda: self.on("node1", "viaduct-agent", "launch"), code=1,
                  says="viaduct-agent launch was ended by signal 9")

    def test_mpirun(self):
        for name in ("openmpi4", "openmpi5", "mpich4"):
            with self.subTest(name):
                mpi = self.needs_mpi(name)
                word = {"openmpi5": "prterun", "mpich4": "mpirun"}.get(name, "mpirun.openmpi")
                find = lambda: [p for p, a in self.hosts.processes("node1") if word in os.path.basename(a[0])]
                self.kill(find, code=137, says=r"mpirun\S* on node1 was ended by signal 9", mpi=mpi)
                self.call("delete", "victim")

    def test_a_relay(self):
        self.kill(lambda: self.on("node4", "viaduct-agent", "relay"), code=1, says="host node4 went away")

    def test_a_daemon(self):
        self.kill(lambda: [p for p, a in self.hosts.processes("node2") if a[0].endswith("orted")], code=1, says="node2")


class Before(Case):
    """What is said before anything starts."""

    def refused(self, *options, code=2, where=ALL, nodes=None, ranks=1, name="refused"):
        spec = trainjob(name, ["true"], ranks=ranks)
        if nodes is None:
            del spec["spec"]["trainer"]["numNodes"]
        else:
            spec["spec"]["trainer"]["numNodes"] = nodes
        ended = self.run_job(self.write(f"{name}.json", spec), *options, where=where, code=code)
        self.assertEqual(self.job_directories(), [])
        return ended.err

    def test_mistakes(self):
        self.assertIn("host node2 is given twice", self.refused(where="node[1-3],node2"))
        self.assertIn("3:7: error: unknown setting slot",
                      self.refused("--hostfile", self.write("hosts", "node1\n\nnode2 slot=3\n"), where=None))
        self.assertRegex(self.refused("--hostfile", self.write("hosts", "node1\nnode1\n"), where=None),
                         r"hosts:2:1: error: host node1 stands in line 1 already")
        self.assertIn("slots", self.refused(where="node[1-2]:2", nodes=2, ranks=3))
        self.assertIn("slots", self.refused(where="node[1-2]", nodes=3))

    def test_hosts_that_cannot_be_used(self):
        """They are told together, with the reason each, and nothing was started on the others."""
        known = self.hosts.dir / "home/root/.ssh/known_hosts"
        text = known.read_text()
        lines = text.splitlines()
        key = lines[3].split()[2]
        lines[2] = " ".join([*lines[2].split()[:2], key])  # node3 has node4's
        # node4 listens no more; node9 is no host at all.
        pid = self.shell("node4", "cat /run/sshd.pid").strip()
        self.shell("node4", f"kill {pid}")
        try:
            known.write_text("\n".join(lines) + "\n")
            job = self.job("unreachable", SLEEPERS, nodes=5, ranks=1)
            ended = self.run_job(job, where="node[1-4],node9", code=1)
        finally:
            known.write_text(text)
            self.shell("node4", f"/usr/sbin/sshd -f {self.hosts.dir}/dev-hosts/sshd_config "
                                f"-h {self.hosts.dir}/dev-hosts/node4.key")
        self.assertIn("nothing was started, for 3 of 5 hosts can't be used", ended.err)
        self.assertRegex(ended.err, r"node3: .*Host key verification failed")
        self.assertRegex(ended.err, r"node4: .*Connection refused")
        self.assertRegex(ended.err, r"node9: .*[Cc]ould not resolve hostname")
        self.assertEqual(list(self.dir.glob("up.*")), [])
        self.assertEqual(self.status_of("unreachable"), ("Failed", "FailedJobs"))
        self.assert_hosts_empty()
        self.assert_no_files_left()

    def test_a_host_that_does_not_answer(self):
        self.hosts.cut("node3")
        try:
            job = self.job("cut", SLEEPERS, annotations={"viaduct.dev/ready-seconds": "4"})
            began = time.monotonic()
            ended = self.run_job(job, code=1)
            self.assertLess(time.monotonic() - began, 10)
        finally:
            self.hosts.heal("node3")
        self.assertRegex(ended.err, r"3/4 hosts reached, waiting for node3")
        self.assertRegex(ended.err, r"1 of 4 hosts can't be used: node3: ")
        self.assert_hosts_empty()


class Faults(Case):
    """What can't be undone, each on hosts of its own."""

    COUNT = 3

    @classmethod
    def make_hosts(cls):
        pass

    def setUp(self):
        self.renew_hosts()
        super().setUp()

    def renew_hosts(self):
        self.hosts = mpi_hosts.hosts.Hosts(self.COUNT, under=self.base)
        self.addCleanup(self.hosts.down)
        self.hosts.up()

    def lose(self, how, mpi, seconds, says):
        mpi = self.needs_mpi(mpi)
        run = self.start_sleepers("lost", nodes=2, ranks=1, at="node3", where="node[1-2]", mpi=mpi,
                                  runtime=mpi.runtime)
        began = time.monotonic()
        how(self.hosts, "node2")
        ended = self.end(run, code=1)
        self.took = time.monotonic() - began
        self.assertLess(self.took, seconds)
        self.assertRegex(ended.err, says)
        record = self.record("lost")
        self.assertEqual((record["phase"], record["failure"]["host"]), ("Failed", "node2"))
        wait_until("nothing is left on node1", lambda: not self.processes_on("node1"), 1)
        self.assertEqual(self.files_left("node1"), [])

    def test_a_host_dies(self):
        for mpi in ("openmpi4", "openmpi5", "mpich4"):
            with self.subTest(mpi):
                self.lose(mpi_hosts.hosts.Hosts.crash, mpi, 8, "Failed after .*host node2 went away")
                self.hosts.down()
                self.renew_hosts()
                shutil.rmtree(self.home)

    def test_a_host_is_cut_off(self):
        """With Open MPI 5, whose mpirun then ends with 0 after a while."""
        self.lose(mpi_hosts.hosts.Hosts.cut, "openmpi5", 22, "Failed after .*host node2 went away")
        wait_until("nothing is left on the host that was cut off", lambda: not self.processes_on("node2"), 25)
        print(f"\n  cut: {self.took:.1f} s", file=sys.stderr)

    def test_no_port_is_free(self):
        taken = self.start_on("node1", support.PYTHON, "-c", "import socket, time\nall = []\n"
                              "for port in range(31000, 31004):\n  s = socket.socket(); s.bind(('', port)); s.listen(); "
                              "all.append(s)\nprint(flush=True)\ntime.sleep(300)")
        taken.stdout.readline()
        mpi = self.needs_mpi("openmpi4")
        job = self.job("full", SLEEPERS, nodes=2, ranks=1, annotations={"viaduct.dev/daemon-ports": "31000-31003"})
        ended = self.run_job(job, at="node3", where="node[1-2]", mpi=mpi, code=None)
        self.assertNotEqual(ended.code, 0)
        self.assertRegex(ended.err, r"Failed after .*node1")
        self.assertIn("all ports 31000-31003 of viaduct.dev/daemon-ports may be taken on node1", ended.err)
        self.assertEqual(self.record("full")["phase"], "Failed")
        taken.kill()
        self.assert_hosts_empty(1)


if __name__ == "__main__":
    mpi_hosts.main()
