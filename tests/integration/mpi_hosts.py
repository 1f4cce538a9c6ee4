"""What the tests of runs over several hosts share: the hosts, the MPIs with their example, and looking at what is there
and what was left behind on each host."""

import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import typing

import hosts
import support
from support import wait_until

SLEEPERS = 'touch up.$RANK; exec sleep 300'
LABEL = r"\[ *(\d+)(?: \S+)?\] "  # of a rank, perhaps with its host
LAB = "setpriv --reuid 20001 --regid 20001 --clear-groups env".split()  # the ordinary user of the hosts


class Mpi(typing.NamedTuple):
    name: str
    runtime: str
    mpirun: str
    pi: str
    most_hosts: int = 4


def find_mpis(directory):
    """The MPIs of this machine, and those that scripts/test-mpis has prepared. Built programs go to `directory`."""
    pi = pathlib.Path(support.VIADUCT).parents[1] / "examples/pi/pi"
    found = []
    if shutil.which("mpirun.openmpi") and pi.exists():
        found.append(Mpi("openmpi4", "mpi", "/usr/bin/mpirun.openmpi", str(shutil.copy(pi, directory / "pi.openmpi"))))
    if shutil.which("mpicxx.mpich"):
        subprocess.run(["mpicxx.mpich", "-std=c++20", "-o", directory / "pi.mpich", support.SOURCE / "examples/pi/pi.cc"],
                       check=True)
        # It hangs in MPI_Finalize by itself when there are three hosts or more.
        found.append(Mpi("mpich40", "mpich", "/usr/bin/mpirun.mpich", str(directory / "pi.mpich"), 2))
    for name, runtime in (("openmpi5", "mpi"), ("mpich4", "mpich"), ("intel", "intelmpi")):
        prefix = prefix_of(name)
        if prefix:
            found.append(Mpi(name, runtime, f"{prefix}/bin/mpirun", f"{prefix}/viaduct-examples/pi"))
    return {mpi.name: mpi for mpi in found}


def prefix_of(name):
    ended = subprocess.run([support.SOURCE / "scripts/test-mpis", "--path", name], capture_output=True, text=True)
    return ended.stdout.strip() if ended.returncode == 0 else None


class Case(support.Case):
    """A test on node1 … nodeN, which all tests of a class share; self.dir is the same directory on all of them."""

    COUNT = 4
    SSHD = "openssh"

    @classmethod
    def setUpClass(cls):
        cls.base = pathlib.Path(tempfile.mkdtemp(prefix="viaduct-hosts-"))
        cls.addClassCleanup(shutil.rmtree, cls.base, ignore_errors=True)
        cls.base.chmod(0o711)
        cls.bin = cls.base / "bin"  # for every user
        cls.bin.mkdir()
        for program in (support.VIADUCT, support.AGENT):
            shutil.copy(program, cls.bin)
        shutil.copytree(support.SOURCE / "runtimes", cls.base / "runtimes")
        cls.agent = str(cls.bin / "viaduct-agent")
        cls.program = str(cls.bin / "viaduct")
        cls.mpis = find_mpis(cls.bin)
        cls.hosts = cls.make_hosts()

    @classmethod
    def make_hosts(cls):
        made = hosts.Hosts(cls.COUNT, sshd=cls.SSHD, under=cls.base)
        cls.addClassCleanup(made.down)
        made.up()
        return made

    def setUp(self):
        before, tempfile.tempdir = tempfile.tempdir, str(self.base)
        try:
            super().setUp()
        finally:
            tempfile.tempdir = before
        os.chmod(self.dir, 0o777)
        del self.env["TMPDIR"]  # hosts have their own
        self.env["VIADUCT_RUNTIMES"] = str(self.base / "runtimes")
        self.nodes = self.hosts.names[:4]

    def needs_mpi(self, name):
        if name not in self.mpis:
            self.skipTest(f"there is no {name}: scripts/test-mpis installs it")
        return self.mpis[name]

    # Programs on hosts

    def start_on(self, node, *words, user=None, env=None, **options):
        """Starts a program there, in this test's directory."""
        words = [*LAB, f"HOME={self.hosts.dir}/home/lab", *words] if user == "lab" else words
        return self.hosts.start(node, *words, env={**self.env, **(env or {})}, **{"cwd": self.dir, **options})

    def wait_for_ranks(self, run, ranks):
        """Each has made its file up.RANK; these are removed. `run` is the program that started them, or None."""
        files = [self.dir / f"up.{rank}" for rank in range(ranks)]
        over = lambda: run is not None and run.poll() is not None
        wait_until(f"{ranks} ranks are up", lambda: over() or all(file.exists() for file in files))
        if over():
            self.fail(f"it has ended: {self.end(run)}")
        for file in files:
            file.unlink()

    # What there is on hosts

    def on(self, node, *words):
        """The pids, outside of the host, of the processes there whose first arguments end like this."""
        return [pid for pid, argv in self.hosts.processes(node)
                if len(argv) >= len(words) and all(a.endswith(w) for a, w in zip(argv, words))]

    def left(self):
        """What runs on the hosts, by host."""
        return {node: found for node in self.hosts.names if (found := self.processes_on(node))}

    def processes_on(self, node):
        return [(pid, " ".join(argv)[:200]) for pid, argv in self.hosts.processes(node)
                if argv[1:2] != ["sshd"] and argv]

    def assert_hosts_empty(self, seconds=0):
        try:
            wait_until("no process is left on a host", lambda: not self.left(), seconds)
        except AssertionError:
            self.assertEqual(self.left(), {}, "processes were left behind")

    def shell(self, node, script):
        return self.hosts.exec(node, "sh", "-c", script).stdout

    def files_left(self, node):
        """Files of a run, and files with a private key, on a host. Its users' own keys are no matter."""
        return self.shell(node, 'find /tmp /run /dev/shm -xdev -name "*viaduct-*" ! -path "/tmp/viaduct-hosts-*"; '
                                'grep -rlIs "PRIVATE KEY" /run /dev/shm /tmp --exclude-dir=.ssh '
                                '--exclude-dir=dev-hosts --exclude-dir=bin').split()

    def assert_no_files_left(self):
        self.assertEqual({node: found for node in self.nodes if (found := self.files_left(node))}, {})

    # Output

    def assert_pi(self, out, ranks, nodes, label=LABEL):
        """Every rank has said where it is, once, under its label; ranks fill the hosts in order."""
        said = sorted((int(rank), int(before or rank), node) for before, rank, node in
                      re.findall(rf"^{label}rank (\d+) of {ranks} on (node\d)", out, re.M))
        each = ranks // len(nodes)
        self.assertEqual(said, [(r, r, nodes[r // each]) for r in range(ranks)], out)
        self.assertEqual(len(re.findall(r"pi is approximately 3\.1", out)), 1, out)


def main():
    why = hosts.usable()
    if why:
        print(f"skipped: {why}", file=sys.stderr)
        sys.exit(77)
    support.main()
