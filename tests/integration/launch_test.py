#!/usr/bin/env python3
"""`viaduct-agent launch` over hosts that run nothing but `viaduct-agent sshd`, with the keys that `viaduct keys` made.
The first host, which launches, runs no server: whoever asks for it by ssh fails."""

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
from mpi_hosts import SLEEPERS
from support import trainjob, wait_until

PORT = 2222


class Case(mpi_hosts.Case):
    SSHD = "none"
    COUNT = 4
    NAMES = "node[1-4]"

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.keys = cls.base / "keys"
        subprocess.run([cls.program, "keys", "create", "job", "--dir", cls.keys, "--user", "job", "--agent", cls.agent,
                        "--nodes", f"{cls.NAMES}:{PORT},node[1-4].lab:{PORT}"], check=True,
                       env={**os.environ, "VIADUCT_HOME": str(cls.base / "home")})
        cls.ssh_config = cls.keys / "launcher/ssh_config"
        job_ssh = cls.base / "job-ssh"  # by which the daemons of a tree find each other
        job_ssh.mkdir()
        (job_ssh / "ssh").symlink_to(cls.agent)
        directories = sorted({os.path.dirname(mpi.mpirun) for mpi in cls.mpis.values()})
        cls.server_environment = {"PATH": f"{job_ssh}:{os.environ['PATH']}", "VIADUCT_SSH_CONFIG": str(cls.ssh_config),
                                  "HOME": "/nonexistent", "OMPI_ALLOW_RUN_AS_ROOT": "1"}
        cls.server_options = ["--user", "job", "--port", PORT, "--member", "node[1-4],node[1-4].lab",
                              *(word for directory in directories for word in ("--program-dir", directory))]
        cls.servers = {}
        for node in cls.hosts.names[1:]:
            cls.serve(node)
        wait_until("every server listens", lambda: all(cls.listens(node) for node in cls.hosts.names[1:]))

    @classmethod
    def serve(cls, node, keys=None):
        keys = keys or cls.keys / "nodes" / node
        # Known under both of its names by one key.
        own = cls.keys / "launcher/known_hosts"
        lines = {line.split()[0]: line for line in own.read_text().splitlines()}
        lines[f"{node}.lab"] = f"{node}.lab " + lines[node].split(" ", 1)[1]
        own.write_text("".join(f"{line}\n" for line in lines.values()))
        cls.servers[node] = cls.hosts.start(
            node, cls.agent, "sshd", "--host-key", keys / "ssh_host_ed25519_key", "--authorized-keys",
            cls.keys / "nodes" / node / "authorized_keys", *cls.server_options, env=cls.server_environment,
            stdout=subprocess.DEVNULL, stderr=open(cls.base / f"{node}.log", "a"))

    @classmethod
    def listens(cls, node):
        return f":{PORT} " in cls.hosts.exec(node, "ss", "-tlnH").stdout

    def restart(self, node, **options):
        self.servers[node].kill()
        self.servers[node].wait()
        wait_until("it is gone", lambda: not self.listens(node))
        self.serve(node, **options)
        wait_until("it listens", lambda: self.listens(node))

    def plan(self, command, ranks=2, nodes=4, runtime="mpi", **rest):
        words = ["/bin/sh", "-c", command] if isinstance(command, str) else command
        file = self.write("job.json", trainjob("job", words, ranks=ranks, nodes=nodes, runtime=runtime, **rest))
        text = self.viaduct("plan", "-o", "json", "--hosts", f"node[1-{nodes}]", file).out
        return self.write("plan.json", text)

    def start_launch(self, command, *options, mpi=None, hosts=None, ranks=2, nodes=4, **rest):
        plan = self.plan(command, ranks=ranks, nodes=nodes, **({"runtime": mpi.runtime} if mpi else {}), **rest)
        self.attempt = self.dir / "attempt"
        shutil.rmtree(self.attempt, ignore_errors=True)
        self.attempt.mkdir()
        env = {"VIADUCT_MPIRUN": mpi.mpirun} if mpi else {}
        return self.start_on("node1", self.agent, "launch", "--plan", plan, "--attempt-dir", self.attempt, "--hosts",
                             hosts or f"node[1-{nodes}]:{ranks}", "--ssh-config", self.ssh_config, *options, env=env)

    def launch(self, *args, code=0, **rest):
        return self.end(self.start_launch(*args, **rest), code=code)

    def start_sleepers(self, script=SLEEPERS, ranks=1, nodes=4, **rest):
        run = self.start_launch(script, ranks=ranks, nodes=nodes, **rest)
        self.wait_for_ranks(run, ranks * nodes)
        return run

    def exit_record(self):
        record = json.loads((self.attempt / "exit/node1").read_text())
        return record

    def daemons_started_from(self, out):
        """Of each rank, the host whose ssh started its daemon."""
        return dict(re.findall(r"(\d) from (\S+) ", out))


class Runs(Case):
    def test_every_mpi(self):
        for name in ("openmpi4", "openmpi5", "mpich4", "mpich40", "intel"):
            with self.subTest(name):
                mpi = self.needs_mpi(name)
                nodes = self.nodes[:mpi.most_hosts]
                ended = self.launch([mpi.pi, "100000"], mpi=mpi, nodes=len(nodes))
                self.assert_pi(ended.out, 2 * len(nodes), nodes)
                self.assertEqual(self.exit_record()["exitCode"], 0)
                self.assert_hosts_empty(1)

    def test_hosts_by_their_full_names(self):
        for name in ("openmpi4", "openmpi5", "mpich4", "intel"):
            with self.subTest(name):
                mpi = self.needs_mpi(name)
                ended = self.launch([mpi.pi, "100000"], mpi=mpi, nodes=3, hosts="node[1-3].lab:2")
                self.assert_pi(ended.out, 6, self.nodes[:3])
                self.assert_hosts_empty(1)

    def test_tree_spawn(self):
        for name, env in (("openmpi4", {"OMPI_MCA_routed_radix": "1"}), ("openmpi5", {"PRTE_MCA_rml_base_radix": "1"})):
            with self.subTest(name):
                mpi = self.needs_mpi(name)
                ended = self.launch('echo "$RANK from $SSH_CONNECTION"', "--tree-spawn", mpi=mpi, ranks=1, env=env)
                came = self.daemons_started_from(ended.out)
                self.assertEqual({came["2"], came["3"]}, {"10.77.0.2", "10.77.0.3"}, came)
        mpi = self.needs_mpi("intel")
        ended = self.launch([mpi.pi, "100000"], "--tree-spawn", mpi=mpi, env={"I_MPI_HYDRA_BRANCH_COUNT": "1"})
        self.assert_pi(ended.out, 8, self.nodes)
        self.assert_hosts_empty(1)

    def test_many_short_lines(self):
        for name in ("openmpi4", "mpich4"):
            with self.subTest(name):
                mpi = self.needs_mpi(name)
                run = self.start_launch('seq -f "$RANK:%.0f" 1 20000', mpi=mpi)
                time.sleep(1)  # a reader that takes its time
                out = self.end(run, code=0).out
                said = {rank: [] for rank in range(8)}
                for label, rank, line in re.findall(r"^\[(\d)\] (\d):(\d+)$", out, re.M):
                    self.assertEqual(label, rank)
                    said[int(rank)].append(int(line))
                for rank in range(8):
                    self.assertTrue(said[rank] == list(range(1, 20001)), f"rank {rank}: {len(said[rank])} lines")

    def test_debian_13(self):
        """Open MPI 5 and the example of another distribution, in its own root on each host."""
        root = mpi_hosts.prefix_of("debian13")
        if not root:
            self.skipTest("there is no debian13: scripts/test-mpis installs it")
        enter = (f"mount -t proc proc {root}/proc && mount --rbind /dev {root}/dev && mount -t tmpfs tmpfs {root}/tmp && "
                 f"mkdir -p {root}{self.base} && mount --bind {self.base} {root}{self.base} && "
                 f"mount --bind /etc/hosts {root}/etc/hosts && exec chroot {root} ")
        port, nodes = PORT + 1, self.nodes[:3]
        config = self.write("ssh_config", self.ssh_config.read_text().replace(f"Port {PORT}", f"Port {port}"))
        servers = []
        for node in nodes[1:]:
            keys = self.keys / "nodes" / node
            servers.append(self.start_on(node, "sh", "-c", f"{enter} {self.agent} sshd --user job --port {port} "
                                         f"--host-key {keys}/ssh_host_ed25519_key --authorized-keys "
                                         f"{keys}/authorized_keys --member node[1-3] --program-dir /usr/bin"))
        self.start_launch(["/viaduct-examples/pi", "100000"], "--dry-run", nodes=3).wait()  # for the plan
        run = self.start_on("node1", "sh", "-c", f"{enter} env HOME=/root PATH=/usr/bin:/bin {self.agent} launch --plan "
                            f"{self.dir}/plan.json --attempt-dir {self.attempt} --hosts node[1-3]:2 --ssh-config {config}")
        self.assert_pi(self.end(run, code=0).out, 6, nodes)
        for server in servers:
            server.terminate()
            self.end(server, code=0)
        self.assert_hosts_empty(1)


class Ends(Case):
    def test_a_host_that_comes_late(self):
        self.servers["node4"].terminate()
        self.servers["node4"].wait()
        run = self.start_launch("echo hello", ranks=1)
        said = run.stdout.readline()
        self.assertEqual(said, "[=]! 2/3 other hosts ready, waiting for node4 (Connection refused)\n")
        self.serve("node4")
        self.assertEqual(self.end(run, code=0).out.count("hello"), 4)

    def test_hosts_that_never_come(self):
        soon = {"viaduct.dev/ready-seconds": "2"}
        self.servers["node4"].terminate()
        self.servers["node4"].wait()
        self.launch(SLEEPERS, ranks=1, annotations=soon, code=1)
        self.assertRegex(self.exit_record()["message"], "^host node4 can't be used: .*Connection refused")
        self.assert_hosts_empty(1)
        self.serve("node4", keys=self.keys / "nodes/node3")
        wait_until("it listens", lambda: self.listens("node4"))
        self.launch(SLEEPERS, ranks=1, annotations=soon, code=1)
        self.assertRegex(self.exit_record()["message"], "^host node4 can't be used: .*Host key verification failed")
        self.restart("node4")
        ended = self.launch(SLEEPERS, ranks=1, hosts="node1,node2,node3,node9", annotations=soon, code=1)
        self.assertRegex(self.exit_record()["message"], "^host node9 can't be used: .*resolve hostname node9")
        self.assertEqual(list(self.dir.glob("up.*")), [], ended)
        self.assert_hosts_empty(1)

    def test_a_rank_that_fails(self):
        for name in ("openmpi5", "mpich4"):
            with self.subTest(name):
                mpi = self.needs_mpi(name)
                self.launch("echo last words; [ $RANK != 6 ] || exit 7; exec sleep 300", mpi=mpi, code=7)
                record = self.exit_record()
                self.assertEqual(record["message"], "rank 6 on node4 exited with code 7")
                self.assertEqual(record["failure"]["lastLines"], ["last words"])
                self.assert_hosts_empty(1)

    def test_term_reaches_every_rank(self):
        script = 'trap "sleep 0.5; echo saved; exit 0" TERM; touch up.$RANK; while :; do sleep 0.1; done'
        run = self.start_sleepers(script)
        run.terminate()
        self.assertEqual(self.end(run, code=143).out.count("saved"), 4)
        self.assert_hosts_empty(1)

    def test_launch_is_killed(self):
        for name in ("openmpi4", "openmpi5", "mpich4", "intel"):
            with self.subTest(name):
                run = self.start_sleepers(mpi=self.needs_mpi(name))
                run.kill()
                self.end(run)
                self.assert_hosts_empty(10)

    def test_a_relay_is_killed(self):
        run = self.start_sleepers()
        os.kill(*self.on("node3", "viaduct-agent", "relay"), signal.SIGKILL)
        self.end(run, code=1)
        self.assertRegex(self.exit_record()["message"], "^host node3 went away: ")
        self.assert_hosts_empty(5)

    def test_a_server_is_killed(self):
        run = self.start_sleepers()
        self.servers["node3"].kill()
        self.end(run, code=1)
        self.assertRegex(self.exit_record()["message"], "^host node3 went away: ")
        try:
            self.assert_hosts_empty(10)
        finally:
            self.restart("node3")

    def test_a_host_is_cut_off(self):
        run = self.start_sleepers(mpi=self.needs_mpi("mpich4"))
        began = time.monotonic()
        self.hosts.cut("node3")
        try:
            self.end(run, code=1)
            took = time.monotonic() - began
            self.assertRegex(self.exit_record()["message"], "^host node3 went away: ")
            self.assertLess(took, 22)
            self.assert_hosts_empty(10)
            print(f"\n  cut: {took:.1f} s", file=sys.stderr)
        finally:
            self.hosts.heal("node3")


if __name__ == "__main__":
    mpi_hosts.main()
