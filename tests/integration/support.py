"""What the integration tests share: a private VIADUCT_HOME, TrainJobs, running viaduct, waiting, and looking for
processes that were left behind."""

import json
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import typing
import unittest

SOURCE = pathlib.Path(__file__).resolve().parents[2]
VIADUCT = os.environ.get("VIADUCT", str(SOURCE / "build/bin/viaduct"))
AGENT = os.environ.get("VIADUCT_AGENT", str(SOURCE / "build/bin/viaduct-agent"))
PYTHON = os.path.realpath(sys.executable)
API = "trainer.kubeflow.org/v1alpha1"
PATIENCE = 30  # seconds until a condition that should come true at once is called a failure

# Set by an MPI launcher, a batch system or another test around this one.
_FOREIGN = ("OMPI_", "PMI_", "PMIX_", "PRTE_", "MPI_", "HYDRA_", "SLURM_", "VIADUCT", "NO_COLOR", "RANK", "WORLD_SIZE",
            "LOCAL_", "NODE_RANK", "MASTER_", "JAX_", "HOROVOD_", "PET_")


class Ended(typing.NamedTuple):
    code: int
    out: str
    err: str


class Stat(typing.NamedTuple):
    pid: int
    name: str
    parent: int


def processes():
    """Every process that is not a zombie."""
    found = {}
    for entry in os.listdir("/proc"):
        if not entry.isdigit():
            continue
        try:
            text = pathlib.Path("/proc", entry, "stat").read_text(errors="replace")
        except OSError:  # it ended while we looked
            continue
        state, parent = text[text.rindex(")") + 2:].split()[:2]
        if state not in "ZX":
            found[int(entry)] = Stat(int(entry), text[text.index("(") + 1:text.rindex(")")], int(parent))
    return found


def children(pid):
    return [p for p in processes().values() if p.parent == pid]


def descendants(pid):
    known = processes()
    found, todo = [], [pid]
    while todo:
        parent = todo.pop()
        below = [p for p in known.values() if p.parent == parent]
        found += below
        todo += [p.pid for p in below]
    return found


def arguments(pid):
    try:
        return pathlib.Path("/proc", str(pid), "cmdline").read_bytes().decode(errors="replace").split("\0")[:-1]
    except OSError:
        return []


def processes_with_variable(name, value):
    wanted = f"{name}={value}".encode()
    found = []
    for pid in processes():
        try:
            variables = pathlib.Path("/proc", str(pid), "environ").read_bytes().split(b"\0")
        except OSError:
            continue
        if wanted in variables:
            found.append(pid)
    return found


def wait_until(what, condition, seconds=PATIENCE):
    """What `condition` returns as soon as that is true. There is no event to wait for in another program, so it looks
    again and again."""
    deadline = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise AssertionError(f"after {seconds} seconds still not: {what}")
        time.sleep(0.01)


def trainjob(name, command, ranks=1, nodes=1, runtime="mpi", env=None, annotations=None, args=None, **spec):
    trainer = {"numNodes": nodes, "numProcPerNode": ranks, "command": command}
    if args is not None:
        trainer["args"] = args
    if env:
        trainer["env"] = [{"name": key, "value": value} for key, value in env.items()]
    metadata = {"name": name}
    if annotations:
        metadata["annotations"] = annotations
    return {"apiVersion": API, "kind": "TrainJob", "metadata": metadata,
            "spec": {"runtimeRef": {"name": runtime}, "trainer": trainer, **spec}}


def training_runtime(name, mpi="OpenMPI", retries=None, grace=None):
    pod = {"containers": [{"name": "node"}]}
    if grace is not None:
        pod["terminationGracePeriodSeconds"] = grace
    job = {"template": {"spec": pod}}
    if retries is not None:
        job["backoffLimit"] = retries
    launcher = {"name": "launcher",
                "template": {"metadata": {"labels": {"trainer.kubeflow.org/trainjob-ancestor-step": "trainer"}},
                             "spec": job}}
    node = {"name": "node", "template": {"spec": {"template": {"spec": {"containers": [{"name": "node"}]}}}}}
    policy = {"mpiImplementation": mpi, "numProcPerNode": 1, "runLauncherAsNode": True}
    return {"apiVersion": API, "kind": "ClusterTrainingRuntime", "metadata": {"name": name},
            "spec": {"mlPolicy": {"numNodes": 1, "mpi": policy},
                     "template": {"spec": {"replicatedJobs": [node, launcher]}}}}


class Case(unittest.TestCase):
    """A test with a directory and a VIADUCT_HOME of its own. When it ends, no process of it may be left."""

    maxDiff = None

    def setUp(self):
        self.dir = pathlib.Path(tempfile.mkdtemp(prefix="viaduct-test-"))
        self.home = self.dir / "home"
        self.env = {key: value for key, value in os.environ.items() if not key.startswith(_FOREIGN)}
        # TMPDIR: what an MPI launcher that was killed leaves there goes with the test.
        self.env.update(VIADUCT_HOME=str(self.home), TMPDIR=str(self.dir), DIR=str(self.dir), LC_ALL="C.UTF-8")
        self.addCleanup(self._clean_up)

    def _clean_up(self):
        while pids := processes_with_variable("VIADUCT_HOME", str(self.home)):
            for pid in pids:
                try:
                    os.kill(pid, signal.SIGKILL)
                except ProcessLookupError:
                    pass
        shutil.rmtree(self.dir, ignore_errors=True)

    # Inputs

    def write(self, name, content, mode=0o644):
        path = self.dir / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content if isinstance(content, str) else json.dumps(content, indent=1))
        path.chmod(mode)
        return str(path)

    def job(self, name, command, **rest):
        """Writes a TrainJob; a command that is a string is a shell's."""
        words = ["/bin/sh", "-c", command] if isinstance(command, str) else command
        return self.write(f"{name}.json", trainjob(name, words, **rest))

    def runtime(self, name, **rest):
        return self.write(f"runtime-{name}.json", training_runtime(name, **rest))

    # Programs

    def start(self, *words, env=None, program=VIADUCT, **options):
        options = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True,
                   "cwd": self.dir, **options}
        process = subprocess.Popen([program, *map(str, words)], env={**self.env, **(env or {})}, **options)
        self.addCleanup(self._close, process)
        return process

    @staticmethod
    def _close(process):
        if process.poll() is None:
            process.kill()
        process.wait()
        for stream in (process.stdin, process.stdout, process.stderr):
            if stream:
                stream.close()

    def end(self, process, input=None, code=None):
        """Waits for the end of a program that was started."""
        out, err = process.communicate(input, timeout=60)
        ended = Ended(process.returncode, out, err)
        if code is not None:
            self.assertEqual(ended.code, code, f"{process.args}\n--- stdout\n{(out or '')[-3000:]}\n--- stderr\n{(err or '')[-3000:]}")
        return ended

    def viaduct(self, *words, input=None, code=0, env=None, **options):
        """Runs viaduct to its end, which must have this exit code (None: any)."""
        stdin = subprocess.DEVNULL if input is None else subprocess.PIPE
        return self.end(self.start(*words, env=env, stdin=stdin, **options), input, code)

    # Jobs

    def record(self, name):
        """The record as it stands in the file; nothing is repaired."""
        return json.loads((self.home / "jobs" / name / "record.json").read_text())

    def status(self, name):
        """(phase, reason) as `viaduct status` tells them, which repairs the record first."""
        self.viaduct("status", name)
        record = self.record(name)
        return record["phase"], record.get("reason", "")

    def wait_for_phase(self, name, *phases):
        def reached():
            phase, _ = self.status(name)
            return phase in phases
        wait_until(f"{name} is {' or '.join(phases)}", reached)

    def wait_for_file(self, *names):
        for name in names:
            wait_until(f"there is {name}", (self.dir / name).exists)

    def log(self, name, rank, *more):
        return self.viaduct("logs", name, "--rank", rank, *more).out

    def job_directories(self):
        jobs = self.home / "jobs"
        return sorted(os.listdir(jobs)) if jobs.exists() else []

    # Processes

    def processes_left(self):
        return {pid: " ".join(arguments(pid)) for pid in processes_with_variable("VIADUCT_HOME", str(self.home))}

    def assert_nothing_left(self):
        self.assertEqual(self.processes_left(), {}, "processes were left behind")

    def wait_until_nothing_left(self):
        """For ends that nobody waits for, such as that of the launcher whose viaduct was killed."""
        try:
            wait_until("no process is left", lambda: not self.processes_left(), 15)
        except AssertionError:
            self.assert_nothing_left()


def main():
    os.chdir(tempfile.gettempdir())
    unittest.main(verbosity=2)
