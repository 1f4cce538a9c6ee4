#!/usr/bin/env python3
"""Who and what `viaduct-agent sshd` must not let in, and what must not bring it down. After each: it still runs, takes
no more memory than before, and serves an honest user."""

import contextlib
import os
import pathlib
import signal
import socket
import subprocess
import sys
import time

import ssh_hosts
import support
from ssh_hosts import AGENT, needs
from support import wait_until

HONEST = "orted -mca ess env"
BANNER = b"SSH-2.0-test\r\n"


class Attacked(ssh_hosts.Case):
    """A server on node1 that has served once, under `self.server`."""

    OPTIONS = ()
    GROWTH = 2048  # KiB that the server may have taken for good

    def setUp(self):
        super().setUp()
        self.program("orted", "echo honest")
        self.server = self.serve(*self.OPTIONS)
        self.be_honest()
        self.before = self.server.memory()
        self.descriptors = self.server.descriptors()

    def tearDown(self):
        if self.server.process.poll() is not None:
            self.fail(f"the server has ended with {self.server.process.returncode}:\n{self.server.log()}")
        self.program("orted", "echo honest")
        self.be_honest()
        wait_until("no connection is left", lambda: self.server.descriptors() <= self.descriptors)
        if ssh_hosts.IS_STATIC:
            growth = lambda: self.server.memory() - self.before
            wait_until("its memory is what it was", lambda: growth() < self.GROWTH, 5)
        self.assertFalse((self.dir / "pwned").exists(), "somebody got in")
        self.server.process.terminate()
        self.assertEqual(self.server.process.wait(timeout=support.PATIENCE), 0)
        super().tearDown()

    def be_honest(self):
        began = time.monotonic()
        self.assertEqual(self.ssh("node1", HONEST).out, "honest\n")
        return time.monotonic() - began

    def connect(self):
        connection = socket.create_connection(("127.0.0.1", self.server.port), support.PATIENCE)
        self.addCleanup(connection.close)
        return connection

    def refused(self, *words, reason, program="openssh", code=255, **options):
        """A client that must fail, for which the server logs this reason."""
        ended = self.ssh("-o", "ConnectTimeout=10", *words, program=program, code=code, **options)
        self.wait_for_log(self.server, reason)
        return ended


class Login(Attacked):
    def key(self, kind, *options):
        file = self.dir / f"{kind}-key"
        subprocess.run(["ssh-keygen", "-q", "-t", kind, *options, "-N", "", "-f", file], check=True)
        return file

    def test_another_key_is_refused(self):
        key = self.key("ed25519")
        for program in ("openssh", "viaduct"):
            config = self.config.read_text().replace(str(self.keys / "launcher/id_ed25519"), str(key))
            (self.dir / "config").write_text(config)
            ended = self.ssh("-F", self.dir / "config", "node1", "touch $DIR/pwned", program=program, code=255)
            self.assertIn("Permission denied (publickey)", ended.err)
            self.wait_for_log(self.server, "login refused: a key that is not this job's")

    def test_a_host_key_opens_nothing(self):
        config = self.config.read_text().replace("launcher/id_ed25519", "nodes/node1/ssh_host_ed25519_key")
        (self.dir / "config").write_text(config)
        self.ssh("-F", self.dir / "config", "node1", HONEST, program="openssh", code=255)
        self.wait_for_log(self.server, "a key that is not this job's")

    def test_an_rsa_key_is_refused(self):
        config = self.config.read_text().replace(str(self.keys / "launcher/id_ed25519"), str(self.key("rsa")))
        (self.dir / "config").write_text(config)
        for algorithms in ("ssh-rsa", "rsa-sha2-512"):
            ended = self.ssh("-F", self.dir / "config", "-o", f"PubkeyAcceptedAlgorithms={algorithms}", "node1", HONEST,
                             program="openssh", code=255)
            self.assertIn("Permission denied", ended.err)

    def test_no_key_and_a_password_are_refused(self):
        ended = self.ssh("-o", "PubkeyAuthentication=no", "node1", HONEST, program="openssh", code=255)
        self.assertIn("Permission denied (publickey)", ended.err)
        asked = self.write("askpass", "#!/bin/sh\necho secret\n", 0o755)
        for way in ("password", "keyboard-interactive"):
            self.ssh("-o", "PubkeyAuthentication=no", "-o", "BatchMode=no", "-o", f"PreferredAuthentications={way}",
                     "node1", HONEST, program="openssh", code=255,
                     env={"SSH_ASKPASS": asked, "SSH_ASKPASS_REQUIRE": "force"})

    def test_another_user_is_refused(self):
        self.refused("-l", "root", "node1", HONEST, reason="login refused: user root")
        self.refused("-l", "root", "node1", HONEST, reason="login refused: user root", program="viaduct")

    def test_old_algorithms_are_refused(self):
        options = ("KexAlgorithms=diffie-hellman-group1-sha1", "KexAlgorithms=diffie-hellman-group14-sha1",
                   "Ciphers=aes128-cbc", "Ciphers=3des-cbc", "Ciphers=aes128-ctr", "HostKeyAlgorithms=ssh-rsa",
                   "HostKeyAlgorithms=rsa-sha2-512", "HostKeyAlgorithms=ecdsa-sha2-nistp256")
        for option in options:
            self.ssh("-o", option, "-o", "MACs=hmac-md5", "node1", HONEST, program="openssh", code=255)
        wait_until("all are logged", lambda: self.server.log().count("no match for method") == len(options))

class Requests(Attacked):
    """By one who may log in."""

    def test_commands_that_are_no_daemon_of_an_mpi_are_refused(self):
        file = self.dir / "pwned"
        commands = ["sh", f"touch {file}", "/bin/sh -c id", f"{HONEST}; touch {file}", f"{HONEST} && touch {file}",
                    f"{HONEST} | touch {file}", f"{HONEST} & touch {file}", f"{HONEST} > {file}",
                    f'orted -mca x "$(touch {file})"', f'orted -mca x "`touch {file}`"',
                    f"orted -mca x $(touch {file})",
                    f"orted -mca x 1\ntouch {file}", f"PATH=/tmp:$PATH ; {HONEST}", f"LD_PRELOAD={file} ; {HONEST}",
                    f"BASH_ENV={file} ; export BASH_ENV ; {HONEST}", "../orted -mca x y", f"{self.dir}/orted -mca x y",
                    f'orted -mca orte_launch_agent "touch {file}"', f'orted -mca plm_rsh_agent "touch {file}"',
                    "orted -mca mca_base_component_path /tmp", f"orted --prefix {self.dir}", "eval id", "exec sh",
                    f"{AGENT} launch --help", f"{AGENT} sshd", f"{AGENT}", "orted " + "x" * 120_000,
                    "orted \x1b]0;x\x07",
                    "scp -t /tmp", "rsync --server", "internal-sftp"]
        for command in commands:
            ended = self.ssh("node1", command, program="openssh", code=126)
            self.assertIn("viaduct-agent sshd: refused: ", ended.err, command[:80])
            self.assertEqual(ended.out, "")
        log = self.server.log()
        self.assertEqual(log.count("command refused: "), len(commands))
        self.assertTrue(all(line.isprintable() for line in log.split("\n")))

    def test_there_is_no_shell_and_no_subsystem(self):
        self.refused("node1", reason="refused: a shell")
        self.refused("-s", "node1", "sftp", reason="refused: a subsystem")

    @needs("sftp", "scp")
    def test_there_is_no_file_transfer(self):
        for words in (["sftp", "-F", self.config, "-b", "/dev/null", "node1"],
                      ["scp", "-F", self.config, __file__, f"node1:{self.dir}/pwned"],
                      ["scp", "-O", "-F", self.config, __file__, f"node1:{self.dir}/pwned"]):
            self.assertNotEqual(self.end(self.start(*words[1:], program=words[0])).code, 0)

    def test_there_is_no_terminal(self):
        ended = self.refused("-tt", "node1", HONEST, reason="refused: a terminal")
        self.assertIn("PTY allocation request failed", ended.err)

    def test_nothing_is_forwarded(self):
        self.program("orted", "cat > /dev/null; env | grep -E 'DISPLAY|SSH_AUTH_SOCK' || echo none")
        config = self.config.read_text().replace("ClearAllForwardings yes", "").replace("ForwardAgent no", "")
        self.config.write_text(config.replace("ForwardX11 no", ""))
        agent = subprocess.run(["ssh-agent", "-s"], capture_output=True, text=True, check=True).stdout
        variables = dict(word.split("=") for word in agent.replace(";", "\n").split() if "=" in word)
        self.addCleanup(os.kill, int(variables["SSH_AGENT_PID"]), signal.SIGTERM)
        ended = self.ssh("-A", "node1", HONEST, program="openssh", env=variables)
        self.assertEqual(ended.out, "none\n")
        ended = self.ssh("-X", "node1", HONEST, program="openssh", env={"DISPLAY": ":7"})
        self.assertEqual(ended.out, "none\n")

        target = socket.socket()
        self.addCleanup(target.close)
        target.bind(("127.0.0.1", 0))
        target.listen()
        inner, outer = target.getsockname()[1], ssh_hosts.free_port()
        client = self.client("-o", "ExitOnForwardFailure=yes", "-R", f"{outer}:127.0.0.1:{inner}", "node1", HONEST,
                             program="openssh", stdin=subprocess.PIPE)
        self.assertIn("remote port forwarding failed", self.end(client, "", code=255).err)
        for option, first in ((f"-L{outer}:127.0.0.1:{inner}", b""), (f"-D{outer}", b"\5\1\0")):
            client = self.client(option, "node1", HONEST, program="openssh", stdin=subprocess.PIPE)
            wait_until("the client listens", lambda: ssh_hosts.listens(client.pid, outer))
            with socket.create_connection(("127.0.0.1", outer), support.PATIENCE) as tunnel:
                if first:
                    tunnel.sendall(first)
                    self.assertEqual(tunnel.recv(2), b"\5\0")
                    tunnel.sendall(b"\5\1\0\1\x7f\0\0\1" + inner.to_bytes(2, "big"))
                with contextlib.suppress(ConnectionResetError):
                    self.assertEqual(tunnel.recv(100), b"")
            self.end(client, "", code=0)
        target.setblocking(False)
        self.assertRaises(BlockingIOError, target.accept)
        self.wait_for_log(self.server, "refused: a channel that is no session (forwarding)")
        self.assertIn("refused: forwarding", self.server.log())

    def test_a_connection_is_good_for_one_command(self):
        self.program("orted", "echo up; exec cat")
        first = self.client("-M", "-S", self.dir / "control", "node1", HONEST, program="openssh", stdin=subprocess.PIPE)
        self.assertEqual(first.stdout.readline(), "up\n")
        second = self.ssh("-S", self.dir / "control", "-o", "ControlMaster=no", "node1", HONEST, program="openssh",
                          code=None)  # it goes on with a connection of its own
        self.assertIn("Session open refused by peer", second.err)
        self.wait_for_log(self.server, "refused: a second channel")
        self.end(first, "", code=0)

    def test_a_client_sets_few_and_small_variables(self):
        self.program("orted", "env | wc -c; env | grep -c ^LC_")
        for variables in ([f"LC_{'x' * 20}={'y' * 200_000}"], [f"LC_{i}=x" for i in range(5000)]):
            file = self.write("set_env", self.config.read_text() + f"  SetEnv {' '.join(variables)}\n")
            size, count = self.ssh("-F", file, "node1", HONEST, program="openssh").out.split()
            self.assertLess(int(size), 65536)
            self.assertLessEqual(int(count), 70)


class Strangers(Attacked):
    """Who only connects."""

    OPTIONS = ("--login-seconds", "6")

    def test_a_thousand_that_say_nothing_or_little_keep_nobody_out(self):
        crowd = [self.connect() for _ in range(1000)]
        for connection in crowd[::2]:
            connection.sendall(BANNER)
        self.assertLess(self.be_honest(), 2)
        wait_until("all are connected", lambda: self.server.descriptors() > 1000)
        self.assertLess(self.be_honest(), 2)
        print(f"\n  resident with 1000 strangers: {self.server.memory()} KiB", file=sys.stderr)
        for connection in crowd:
            connection.close()

    def test_more_than_it_takes_go_in_favour_of_others(self):
        crowd = [self.connect() for _ in range(2500)]
        self.assertLess(self.be_honest(), 5)
        self.wait_for_log(self.server, "too many clients that have not logged in")
        for connection in crowd:
            connection.close()

    def test_who_comes_byte_by_byte_runs_out_of_time(self):
        connection = self.connect()
        connection.settimeout(0.05)
        began = time.monotonic()
        with contextlib.suppress(ConnectionError):
            for byte in BANNER + b"\0\0\4\0\6" + bytes(1000):
                connection.sendall(bytes([byte]))
                try:
                    if not connection.recv(4096):
                        break
                except TimeoutError:
                    pass
                self.assertLess(time.monotonic() - began, 15)
        self.wait_for_log(self.server, "no login in time")

    def test_garbage_is_hung_up_on(self):
        size = 16 << 20
        for what, first in (("no line", b""), ("no SSH", b"GET / HTTP/1.1\r\n\r\n"), ("SSH 1", b"SSH-1.5-old\r\n"),
                            ("noise", BANNER), ("a packet of 4 GiB", BANNER + b"\xff\xff\xff\xff"),
                            ("a packet of nothing", BANNER + bytes(5)),
                            ("a packet of 256 KiB", BANNER + b"\0\4\0\0\6"),
                            ("no end of the banner", b"SSH-2.0-" + b"x" * 100_000)):
            connection = self.connect()
            sent = 0
            with contextlib.suppress(ConnectionError):
                connection.sendall(first)
                while sent < size:
                    connection.sendall(os.urandom(1 << 16))
                    sent += 1 << 16
            self.assertLess(sent, size, what)
        self.wait_for_log(self.server, "gone before it logged in: ")

    def test_the_log_does_not_grow_with_every_stranger(self):
        for _ in range(1000):
            self.connect().sendall(b"x\r\n")
        wait_until("all have gone", lambda: self.server.descriptors() <= self.descriptors)
        self.assertLess(self.server.log().count("\n"), 260)
        wait_until("the rest is counted", lambda: "more lines like these" in self.server.log())


class Clients(Attacked):
    """Clients that end or stop at a bad moment."""

    def test_clients_that_are_killed_in_the_middle_of_output(self):
        self.program("orted", "echo $$; exec cat /dev/zero")
        for program in ("openssh", "viaduct") * 10:
            client = self.client("node1", HONEST, program=program, text=False)
            command = int(client.stdout.readline())
            client.stdout.read(1 << 20)
            client.kill()
            self.wait_until_gone(command)

    def test_a_client_that_stops_reading(self):
        self.program("orted", "exec cat /dev/zero")
        stopped = [self.client("node1", HONEST, text=False) for _ in range(4)]
        for client in stopped:
            client.stdout.read(1 << 16)
            os.kill(client.pid, signal.SIGSTOP)
        self.program("prted", "exec cat")
        data = os.urandom(1 << 22)
        self.assertEqual(self.ssh("node1", "prted", input=data, text=False).out, data)
        if ssh_hosts.IS_STATIC:
            self.assertLess(self.server.memory() - self.before, 4 * 4096)
        for client in stopped:
            client.kill()

    def test_a_command_that_stops_reading(self):
        """What the client sends is not gathered in the server."""
        self.program("prted", "echo $$; kill -STOP $$; exec cat > /dev/null")
        with open(self.write("zeros", "x" * (40 << 20)), "rb") as stdin:
            client = self.client("node1", "prted", stdin=stdin)
        command = int(client.stdout.readline())
        last, now = 0, -1
        while now != last:  # while honest users are served
            last, now = now, int(pathlib.Path(f"/proc/{client.pid}/fdinfo/0").read_text().split()[1])
            for _ in range(5):
                self.be_honest()
        if ssh_hosts.IS_STATIC:
            self.assertLess(self.server.memory() - self.before, 8 << 10)
        self.assertGreater(last, 0)
        self.assertLess(last, 8 << 20)
        os.kill(command, signal.SIGCONT)
        self.end(client, code=0)


class Secrets(Attacked):
    def test_no_private_key_is_anywhere_but_in_its_file(self):
        self.program("orted", "echo up; exec cat")
        private = [self.keys / "launcher/id_ed25519", *self.keys.glob("nodes/*/ssh_host_ed25519_key")]
        # The end of the base64 text is the key itself, and a comment.
        secrets = ["".join(file.read_text().splitlines()[1:-1])[-120:-60].encode() for file in private]
        self.assertEqual({len(secret) for secret in secrets}, {60})
        clients = [self.client("-v", "node1", HONEST, program=program, stdin=subprocess.PIPE)
                   for program in ("viaduct", "openssh")]
        for client in clients:
            self.assertEqual(client.stdout.readline(), "up\n")
        places = [pathlib.Path("/proc", str(pid), file) for pid in support.processes()
                  for file in ("cmdline", "environ")]
        places += [file for file in self.dir.rglob("*") if file.is_file() and file not in private]
        for file in places:
            with contextlib.suppress(OSError):
                content = file.read_bytes()
                for secret in secrets:
                    self.assertNotIn(secret, content, file)
        for client in clients:
            ended = self.end(client, "", code=0)
            for secret in secrets:
                self.assertNotIn(secret.decode(), ended.err)


if __name__ == "__main__":
    ssh_hosts.main()
