"""Hosts for tests over several hosts: namespaces of this machine, made by scripts/dev-hosts."""

import os
import pathlib
import shutil
import subprocess
import tempfile

import support

_SCRIPT = str(support.SOURCE / "scripts/dev-hosts")


def usable(sshd="openssh"):
    """Why there can't be such hosts here, or None."""
    if os.geteuid() != 0:
        return "only root can make hosts"
    for program in ["ip", "unshare", "nsenter"] + ["/usr/sbin/sshd"] * (sshd == "openssh"):
        if not shutil.which(program):
            return f"there is no {program}"
    attempt = subprocess.run("unshare -n -u -i -p -m --fork ip link add name a type veth peer name b".split(),
                             capture_output=True, text=True)
    return f"no namespaces here: {attempt.stderr.strip()}" if attempt.returncode else None


class _Command(subprocess.Popen):
    """A command on a host. Signals go to the command itself: nsenter, which waits for it, passes none on."""

    def send_signal(self, number):
        process = support.processes().get(self.pid)
        commands = support.children(self.pid) if process and process.name == "nsenter" else []
        if commands:
            os.kill(commands[0].pid, number)
        else:
            super().send_signal(number)


class Hosts:
    """node1 … nodeN. They see `under`, a test's directory, where it is given. `dir`, in it, holds state, homes and
    ssh_config. To be used in a with statement, or with up() and down()."""

    def __init__(self, count, sshd="openssh", under=None):
        self.names = [f"node{i + 1}" for i in range(count)]
        self._sshd = sshd
        self._under = under
        self._started = []
        self.dir = pathlib.Path(tempfile.mkdtemp(prefix="viaduct-hosts-", dir=under))

    def __enter__(self):
        self.up()
        return self

    def __exit__(self, *_):
        self.down()

    def up(self):
        for path in filter(None, (self._under, self.dir)):
            os.chmod(path, 0o711)  # the user lab passes through on the way to its home
        self._script("up", str(len(self.names)), "--sshd", self._sshd, "--share", str(self._under or self.dir))

    def down(self):
        self._script("down")
        for process in self._started:
            with process:
                pass  # its streams are closed
        shutil.rmtree(self.dir, ignore_errors=True)

    # Commands

    def exec(self, node, *words, **options):
        """Runs a command on a host to its end, whatever its exit code; the options are those of subprocess.run."""
        options = {"capture_output": True, "text": True, "timeout": 60, "cwd": self.dir, **options}
        if "input" not in options:
            options.setdefault("stdin", subprocess.DEVNULL)
        return subprocess.run(self._exec(node, words), **options)

    def start(self, node, *words, **options):
        """Starts a command on a host, which ends with down() at the latest; the options are those of Popen."""
        options = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True,
                   "cwd": self.dir, **options}
        self._started.append(_Command(self._exec(node, words), **options))
        return self._started[-1]

    def _exec(self, node, words):
        return [_SCRIPT, "exec", "--dir", str(self.dir), node, *map(str, words)]

    # Faults

    def crash(self, node):
        self._script("crash", node)

    def cut(self, node):
        self._script("cut", node)

    def heal(self, node):
        self._script("heal", node)

    # What there is

    def address(self, node):
        return self._status()[node][0]

    def processes(self, node):
        """[(pid, arguments)] of what runs on a host beside its PID 1 and sshd. The PIDs are those outside of it."""
        first = self._status()[node][1]
        if first == "crashed":
            return []
        namespace = os.readlink(f"/proc/{first}/ns/pid")
        return [(p.pid, support.arguments(p.pid)) for p in support.processes().values()
                if p.pid != int(first) and p.name != "sshd" and _pid_namespace(p.pid) == namespace]

    def _status(self):
        return {name: rest for name, *rest in map(str.split, self._script("status").splitlines())}

    def _script(self, verb, *words):
        ended = subprocess.run([_SCRIPT, verb, *words, "--dir", str(self.dir)], stdin=subprocess.DEVNULL,
                               capture_output=True, text=True)
        if ended.returncode:
            raise RuntimeError(ended.stderr.strip())
        return ended.stdout


def _pid_namespace(pid):
    try:
        return os.readlink(f"/proc/{pid}/ns/pid")
    except OSError:  # it ended while we looked
        return None
