"""What the tests of the job's SSH share: a job's keys, servers on loopback, and clients."""

import contextlib
import os
import pathlib
import pwd
import shutil
import socket
import subprocess
import sys
import unittest

import support
from support import AGENT, VIADUCT, wait_until

USER = "job"
# A user without name, home, groups and capabilities, as a container may have it.
NOBODY = "setpriv --reuid 54321 --regid 54321 --clear-groups --bounding-set -all --inh-caps -all --no-new-privs".split()
IS_ROOT = os.geteuid() == 0
OWN_NAME = pwd.getpwuid(os.getuid()).pw_name
# A build with sanitizers is not: it keeps what was freed, and needs more than itself in its root directory.
IS_STATIC = b"statically linked" in subprocess.run(["file", "-L", AGENT], capture_output=True).stdout

needs_root = unittest.skipUnless(IS_ROOT, "only root can do this")
needs_static = unittest.skipUnless(IS_STATIC, f"{AGENT} is not static")


def needs(*programs):
    missing = [p for p in programs if not shutil.which(p, path=os.environ["PATH"] + ":/usr/sbin")]
    return unittest.skipIf(missing, f"there is no {' '.join(missing)}")


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Server:
    """A server that runs, for the node of this name."""

    def __init__(self, process, port, log):
        self.process, self.port, self._log = process, port, log
        self.pid = process.pid

    def log(self):
        return self._log.read_text(errors="replace")

    def memory(self):
        """Resident, in KiB."""
        status = pathlib.Path(f"/proc/{self.pid}/status").read_text()
        return int(status.split("VmRSS:")[1].split()[0])

    def descriptors(self):
        return len(os.listdir(f"/proc/{self.pid}/fd"))


class Case(support.Case):
    """A test with keys of a job on node1 and node2. Programs that a server may start are in self.programs; what one
    does is what the test writes into it."""

    def setUp(self):
        super().setUp()
        os.chmod(self.dir, 0o711)
        self.programs = self.dir / "programs"
        self.programs.mkdir()
        self.ports = {"node1": free_port(), "node2": free_port()}
        self.keys = self.dir / "keys"
        self.viaduct("keys", "create", "job", "--dir", self.keys, "--user", USER, "--agent", AGENT, "--nodes",
                     ",".join(f"{name}=127.0.0.1:{port}" for name, port in self.ports.items()))
        self.config = self.keys / "launcher/ssh_config"

    def program(self, name, script):
        """A daemon to be asked for. It is given the directory of the test as DIR."""
        return self.write(f"programs/{name}", f"#!/bin/sh\nDIR={self.dir}\n{script}\n", 0o755)

    # Servers

    def serve(self, *options, node="node1", user=USER):
        """Starts `viaduct-agent sshd`."""
        keys = self.keys / "nodes" / node
        return self.serve_with([AGENT, "sshd", "--host-key", keys / "ssh_host_ed25519_key", "--authorized-keys",
                                keys / "authorized_keys", "--user", user, "--address", "127.0.0.1", "--port",
                                self.ports[node], "--program-dir", self.programs, *options], node)

    def serve_with(self, words, node="node1"):
        log = self.dir / f"{node}.log"
        with open(log, "a") as sink:
            process = self.start(*words[1:], program=str(words[0]), stdout=sink, stderr=sink)
        server = Server(process, self.ports[node], log)
        wait_until("the server listens", lambda: self._listens(server))
        return server

    def _listens(self, server):
        if server.process.poll() is not None:
            self.fail(f"the server has ended: {server.log()}")
        return listens(server.process.pid, server.port)

    def serve_openssh(self, *options, node="node1"):
        """OpenSSH's server with the job's configuration, and `viaduct-agent gate` as the forced command."""
        if IS_ROOT:
            os.makedirs("/run/sshd", exist_ok=True)
        keys = self.keys / "nodes" / node
        file = keys / "authorized_keys"
        file.write_text(file.read_text().replace(f"{AGENT} gate", f"{AGENT} gate --program-dir {self.programs}"))
        self.config.write_text(self.config.read_text().replace(f"User {USER}", f"User {OWN_NAME}"))
        # Without StrictModes: the keys of this test are below a directory that anybody may write to.
        return self.serve_with(["/usr/sbin/sshd", "-D", "-e", "-f", keys / "sshd_config", "-o", "StrictModes=no",
                                "-o", "ListenAddress=127.0.0.1", *options], node)

    def wait_for_log(self, server, text):
        wait_until(f"the server logs {text!r}; it logged:\n{server.log()}", lambda: text in server.log())

    # Clients

    def client(self, *words, program="viaduct", **options):
        """Starts our client, or OpenSSH's, with the job's configuration."""
        ours = [AGENT, "ssh"] if program == "viaduct" else ["ssh"]
        return self.start(*ours[1:], "-F", self.config, *words, program=ours[0], **options)

    def ssh(self, *words, input=None, code=0, **options):
        """Runs a client to its end, which must have this exit code (None: any)."""
        stdin = subprocess.DEVNULL if input is None else subprocess.PIPE
        ended = self.end(self.client(*words, **{"stdin": stdin, **options}), input)
        if code is not None:
            self.assertEqual(ended.code, code, ended.err)
        return ended

    # What is left

    def wait_until_gone(self, *pids):
        wait_until(f"{pids} have ended", lambda: not set(pids) & set(support.processes()))

    def pids(self, name="pids"):
        """What a program wrote into this file, as soon as it has written the whole line."""
        file = self.dir / name
        wait_until(f"there is a line in {name}", lambda: file.exists() and file.read_text().endswith("\n"))
        return [int(word) for word in file.read_text().split()]


def listens(pid, port):
    """Whether something in the network namespace of a process listens on a port of IPv4."""
    with contextlib.suppress(OSError):
        for line in pathlib.Path(f"/proc/{pid}/net/tcp").read_text().splitlines()[1:]:
            _, local, _, state = line.split()[:4]
            if state == "0A" and int(local.split(":")[1], 16) == port:
                return True
    return False


def main():
    if not shutil.which("ssh"):
        print("skipped: there is no OpenSSH client", file=sys.stderr)
        sys.exit(77)
    support.main()
