#!/usr/bin/env python3
"""The job's own SSH server and client: with each other, and each with OpenSSH's counterpart."""

import hashlib
import os
import pathlib
import select
import shutil
import signal
import socket
import subprocess
import sys

import ssh_hosts
import support
from ssh_hosts import AGENT, NOBODY, OWN_NAME, USER, needs, needs_root, needs_static
from support import wait_until

# The daemons' command lines as their launchers write them.
ORTED = ('orted -mca ess "env" -mca ess_base_jobid "123" -mca ess_base_vpid 1 -mca ess_base_num_procs "2" '
         '-mca orte_hnp_uri "123.0;tcp://127.0.0.1:4242" -mca plm "rsh" --tree-spawn')

# Answers every question for an address of a name under .test with 127.0.0.1, and others with "no such name".
DNS = r"""
import socket
server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
server.bind(("127.0.0.1", 53))
print("ready", flush=True)
while True:
    question, client = server.recvfrom(512)
    end = question.index(0, 12) + 5
    known, wants_ipv4 = question[:end - 5].endswith(b"\4test"), question[end - 4:end - 2] == b"\0\1"
    answer = b"\xc0\x0c\0\1\0\1\0\0\0\0\0\4\x7f\0\0\1" if known and wants_ipv4 else b""
    flags = b"\x81\x80" if known else b"\x81\x83"
    counts = b"\0\1" + (b"\0\1" if answer else b"\0\0") + b"\0\0\0\0"
    server.sendto(question[:2] + flags + counts + question[12:end] + answer, client)
"""


def digest(data):
    return hashlib.sha256(data).hexdigest()


class Interop(ssh_hosts.Case):
    """The same of all four pairs of a client and a server."""

    def for_each_pair(self, check):
        """Calls check(client) with each client, while each server runs as node1."""
        for kind in ("viaduct", "openssh"):
            if kind == "openssh" and not os.path.exists("/usr/sbin/sshd"):
                self.skipTest("there is no OpenSSH server")
            server = self.serve() if kind == "viaduct" else self.serve_openssh()
            for client in ("viaduct", "openssh"):
                with self.subTest(client=client, server=kind):
                    check(client)
            server.process.terminate()
            server.process.wait()

    def test_exit_codes_and_streams_are_the_commands(self):
        self.program("orted", 'echo out; echo err >&2; exit "$(cat $DIR/code)"')

        def check(client):
            for code in (0, 7, 255):
                self.write("code", str(code))
                ended = self.ssh("node1", ORTED, program=client, code=code)
                self.assertEqual((ended.out, ended.err), ("out\n", "err\n"))

        self.for_each_pair(check)

    def test_a_signal_is_255(self):
        self.program("orted", "kill -TERM $$")

        def check(client):
            self.ssh("node1", ORTED, program=client, code=255)

        self.for_each_pair(check)

    def test_50_megabytes_pass_unchanged_in_both_directions(self):
        self.program("prted", "exec cat")
        data = os.urandom(1 << 20) * 50

        def check(client):
            ended = self.ssh("node1", "prted", program=client, input=data, text=False)
            self.assertEqual(digest(ended.out), digest(data))
            self.assertEqual(ended.err, b"")

        self.for_each_pair(check)

    def test_output_and_errors_are_kept_apart(self):
        self.program("prted", 'exec tee /dev/stderr')
        data = os.urandom(3_000_001)

        def check(client):
            ended = self.ssh("node1", "prted", program=client, input=data, text=False)
            self.assertEqual((digest(ended.out), digest(ended.err)), (digest(data), digest(data)))

        self.for_each_pair(check)

    def test_keys_are_renewed_in_the_middle(self):
        self.program("prted", "exec cat")
        data = os.urandom(1 << 20) * 8
        self.serve()
        ended = self.ssh("-o", "RekeyLimit=1M", "node1", "prted", program="openssh", input=data, text=False)
        self.assertEqual(digest(ended.out), digest(data))
        if os.path.exists("/usr/sbin/sshd"):
            self.serve_openssh("-o", "RekeyLimit=1M", node="node2")
            ended = self.ssh("node2", "prted", input=data, text=False)
            self.assertEqual(digest(ended.out), digest(data))

    def test_a_reader_that_stops_stops_the_sender(self):
        """Nobody takes the output for a while: the client takes no more input, and neither end gathers it."""
        self.program("prted", "exec cat")
        data = os.urandom(1 << 20) * 50
        server = self.serve()
        file = self.dir / "data"
        file.write_bytes(data)
        with open(file, "rb") as stdin:
            client = self.client("node1", "prted", stdin=stdin, text=False)
        read = _until_it_rests(lambda: _position(client.pid, 0))
        self.assertGreater(read, 0)
        self.assertLess(read, 20 << 20)
        for who, memory in (("server", server.memory()), ("client", _memory(client.pid))):
            if ssh_hosts.IS_STATIC:
                self.assertLess(memory, 20 << 10, who)
        self.assertEqual(digest(self.end(client, code=0).out), digest(data))

    def test_the_last_output_is_not_lost_on_a_slow_reader(self):
        """The command and its server are gone before anybody takes the output."""
        self.program("orted", "head -c 1000000 /dev/zero; echo err >&2; touch $DIR/over; exit 3")
        server = self.serve("--idle-seconds", 1)
        before = server.descriptors()
        client = self.client("node1", ORTED, text=False)
        self.wait_for_file("over")
        wait_until("the server has hung up", lambda: server.descriptors() == before)
        ended = self.end(client, code=3)
        self.assertEqual((len(ended.out), ended.err), (1_000_000, b"err\n"))


class Client(ssh_hosts.Case):
    def refused(self, *words, reason):
        ended = self.ssh(*words, code=255)
        self.assertIn(reason, ended.err)
        self.assertEqual(ended.err.count("\n"), 1, ended.err)
        self.assertEqual(ended.out, "")

    def known_hosts(self, text):
        (self.keys / "launcher/known_hosts").write_text(text)

    def public_key(self, node):
        return " ".join((self.keys / "nodes" / node / "ssh_host_ed25519_key.pub").read_text().split()[:2])

    def test_host_keys_are_checked_by_name(self):
        self.program("orted", "touch $DIR/ran")
        self.serve()
        self.known_hosts(f"node2 {self.public_key('node1')}\n")
        self.refused("node1", ORTED, reason="known_hosts has no key for it")
        self.known_hosts(f"node1 {self.public_key('node2')}\n")
        self.refused("node1", ORTED, reason="known_hosts has another key for it")
        self.known_hosts(f"node1 {self.public_key('node1')}\n@revoked * {self.public_key('node1')}\n")
        self.refused("node1", ORTED, reason="its key is revoked")
        self.known_hosts("")
        for setting in ("StrictHostKeyChecking=no", "UserKnownHostsFile=/dev/null"):
            self.refused("-o", setting, "node1", ORTED, reason="Host key verification failed")
        self.assertFalse((self.dir / "ran").exists())
        self.known_hosts(f"node1 {self.public_key('node1')}\n")
        self.ssh("node1", ORTED)
        self.assertTrue((self.dir / "ran").exists())

    def test_a_host_with_the_key_of_another_is_refused(self):
        self.program("orted", "exit 0")
        self.ports["node2"] = self.ports["node1"]
        self.serve(node="node2")
        self.refused("node1", ORTED, reason="another key")

    def test_it_waits_until_the_server_is_there(self):
        self.program("orted", "exit 5")
        client = self.client("-v", "node1", ORTED)
        while "not yet: Connection refused" not in client.stderr.readline():
            pass
        self.serve()
        self.end(client, code=5)

    def test_it_gives_up_at_the_deadline(self):
        self.refused("-o", "ConnectTimeout=1", "node1", ORTED, reason="within 1 s: Connection refused")
        self.refused("-o", "ConnectTimeout=1", "-o", "HostName=no-such-host.invalid", "node1", ORTED,
                     reason="Could not resolve hostname no-such-host.invalid")

    def test_a_host_without_common_algorithms_is_an_error_at_once(self):
        if not os.path.exists("/usr/sbin/sshd"):
            self.skipTest("there is no OpenSSH server")
        self.serve_openssh("-o", "KexAlgorithms=diffie-hellman-group14-sha256")
        self.refused("-o", "ConnectTimeout=600", "node1", ORTED, reason="no match for method")

    def test_a_host_that_falls_silent_is_noticed(self):
        self.program("orted", "echo up; exec sleep 1000")
        server = self.serve()
        client = self.client("-o", "ServerAliveInterval=1", "-o", "ServerAliveCountMax=1", "node1", ORTED)
        self.assertEqual(client.stdout.readline(), "up\n")
        os.kill(server.pid, signal.SIGSTOP)
        self.addCleanup(os.kill, server.pid, signal.SIGCONT)
        self.assertIn("does not answer", self.end(client, code=255).err)

    def test_an_unusable_key_does_not_keep_it_from_the_next(self):
        self.program("orted", "exit 0")
        self.serve()
        wrong = self.write("wrong", "no key\n", 0o600)
        self.ssh("-i", wrong, "node1", ORTED)

    def test_it_reads_nothing_with_n(self):
        self.program("prted", "exec cat")
        self.serve()
        self.assertEqual(self.ssh("-n", "node1", "prted", input="unread\n").out, "")

    def test_a_reader_that_has_gone_ends_it(self):
        self.program("prted", "while echo line; do :; done")
        self.serve()
        client = self.client("node1", "prted")
        self.assertEqual(client.stdout.readline(), "line\n")
        client.stdout.close()
        self.assertEqual(client.wait(timeout=support.PATIENCE), 255)

    def test_it_is_called_as_the_launchers_call_ssh(self):
        self.program("orted", 'echo "$@"')
        self.program("hydra_pmi_proxy", 'echo "$@"')
        self.serve(user=OWN_NAME)
        text = self.config.read_text()
        self.config.write_text(text.replace(f"User {USER}", f"User {OWN_NAME}"))
        (self.dir / "bin").mkdir()
        (self.dir / "bin/ssh").symlink_to(AGENT)
        hydra = ["hydra_pmi_proxy", "--control-port", "127.0.0.1:4242", "--rmk", "user", "--launcher", "ssh",
                 "--demux", "poll", "--pgid", "0", "--retries", "10", "--usize", "-2", "--pmi-port", "0",
                 "--gpus-per-proc", "-2", "--proxy-id", "1"]
        for words in (["-x", "node1", f" {ORTED}"],                          # Open MPI
                      ["-x", "node1", *(f'"{w}"' if "/" in w else w for w in hydra)],  # MPICH
                      ["-2", "-a", "-x", f"-l{OWN_NAME}", "node1", ORTED],   # pdsh
                      ["-o", "PasswordAuthentication=no", "-p", str(self.ports["node1"]), "node1", ORTED],  # DeepSpeed
                      ["-o", "StrictHostKeyChecking=no", f"{OWN_NAME}@node1", ORTED]):  # horovodrun
            ended = self.end(self.start(*words, program=str(self.dir / "bin/ssh"),
                                        env={"VIADUCT_SSH_CONFIG": str(self.config)}), code=0)
            self.assertIn("-2" if "hydra" in words[2] else "orte_hnp_uri", ended.out)

    @needs("pdsh")
    def test_pdsh_works_over_it(self):
        self.program("orted", 'echo "on $DIR"; exit 3')
        for node in self.ports:
            self.serve(user=OWN_NAME, node=node)
        text = self.config.read_text()
        self.config.write_text(text.replace(f"User {USER}", f"User {OWN_NAME}"))
        (self.dir / "bin").mkdir()
        (self.dir / "bin/ssh").symlink_to(AGENT)
        ended = self.end(self.start("-S", "-R", "ssh", "-w", "node1,node2", ORTED, program="pdsh",
                                    env={"VIADUCT_SSH_CONFIG": str(self.config),
                                         "PATH": f"{self.dir}/bin:{self.env['PATH']}"}), code=3)
        self.assertEqual(sorted(ended.out.splitlines()), [f"node{i}: on {self.dir}" for i in (1, 2)])


class Server(ssh_hosts.Case):
    def test_a_free_port_is_told_in_a_file(self):
        self.program("orted", "exit 9")
        self.serve("--port-file", self.dir / "port")
        self.assertEqual((self.dir / "port").read_text(), f"{self.ports['node1']}\n")
        keys = self.keys / "nodes/node2"
        server = self.start("sshd", "--host-key", keys / "ssh_host_ed25519_key", "--authorized-keys",
                            keys / "authorized_keys", "--user", USER, "--port", 0, "--port-file", self.dir / "free",
                            "--program-dir", self.programs, program=AGENT)
        self.wait_for_file("free")
        port = (self.dir / "free").read_text().strip()
        self.ssh("-p", port, "node2", ORTED, code=9)
        server.terminate()
        self.end(server, code=0)

    def test_a_port_that_is_taken_is_an_error(self):
        with socket.socket() as other:
            other.bind(("127.0.0.1", self.ports["node1"]))
            other.listen()
            keys = self.keys / "nodes/node1"
            ended = self.end(self.start("sshd", "--host-key", keys / "ssh_host_ed25519_key", "--authorized-keys",
                                        keys / "authorized_keys", "--address", "127.0.0.1", "--port",
                                        self.ports["node1"], program=AGENT), code=5)
        self.assertIn("Address already in use", ended.err)

    def test_the_environment_comes_by_an_allow_list(self):
        self.program("orted", "exec env")
        self.serve("--accept-env", "LANG", "MINE_*")
        sent = ["LANG=de", "MINE_A=1", "LC_ALL=x", "LD_PRELOAD=/evil.so", "PATH=/evil", "MINE=2"]
        ended = self.ssh("-o", f"SetEnv={' '.join(sent)}", "node1", ORTED, program="openssh")
        variables = dict(line.split("=", 1) for line in ended.out.splitlines() if "=" in line)
        self.assertEqual([variables.get("LANG"), variables.get("MINE_A")], ["de", "1"])
        self.assertEqual(variables.get("LC_ALL"), self.env["LC_ALL"])
        self.assertNotEqual(variables["PATH"], "/evil")
        self.assertEqual({"LD_PRELOAD", "MINE"} & set(variables), set())
        client, port, host, own_port = variables["SSH_CONNECTION"].split()
        self.assertEqual((client, host, own_port), ("127.0.0.1", "127.0.0.1", str(self.ports["node1"])))

    def test_a_program_that_is_not_there_is_told(self):
        self.serve()
        self.assertIn("orted is not on this host", self.ssh("node1", ORTED, code=126).err)

    def test_who_does_not_log_in_or_asks_for_nothing_is_hung_up_on(self):
        server = self.serve("--login-seconds", 1, "--idle-seconds", 1)
        with socket.create_connection(("127.0.0.1", server.port)) as client:
            client.settimeout(support.PATIENCE)
            while client.recv(4096):
                pass
        self.wait_for_log(server, "no login in time")
        self.ssh("-N", "node1", program="openssh", code=255)
        self.wait_for_log(server, "logged in and asked for nothing")

    def test_more_commands_than_it_may_run_wait_for_their_turn(self):
        self.program("prted", "echo up; exec cat > /dev/null")
        server = self.serve("--sessions", 4)
        clients = {self.client("node1", "prted", stdin=subprocess.PIPE) for _ in range(12)}
        while clients:
            wait_until("four run", lambda: len(support.children(server.pid)) == min(4, len(clients)))
            ready, _, _ = select.select([client.stdout for client in clients], [], [], support.PATIENCE)
            self.assertLessEqual(len(ready), 4)
            client = next(client for client in clients if client.stdout == ready[0])
            client.stdin.close()
            self.assertEqual(client.wait(timeout=support.PATIENCE), 0)
            self.assertEqual(client.stdout.read(), "up\n")
            clients.remove(client)

    def test_512_commands_at_once_and_more_of_them_one_after_the_other(self):
        self.program("prted", "echo up; exec cat > /dev/null")
        server = self.serve()
        self.program("orted", "exit 0")
        self.ssh("node1", ORTED)
        before = server.memory()
        errors = open(self.dir / "errors", "a")
        self.addCleanup(errors.close)
        clients = [self.client("-o", "ConnectTimeout=120", "node1", "prted", stdin=subprocess.PIPE, stderr=errors)
                   for _ in range(700)]
        wait_until("512 commands run", lambda: len(support.children(server.pid)) == 512, 100)
        memory = server.memory()
        print(f"\n  resident: {before} KiB after one session, {memory} KiB with 512 and 188 that wait", file=sys.stderr)
        if ssh_hosts.IS_STATIC:
            self.assertLess(before, 6.5 * 1024)
            self.assertLess((memory - before) / 512, 100)
        for client in clients:
            client.stdin.close()
        for client in clients:
            code = client.wait(timeout=support.PATIENCE)
            self.assertEqual(code, 0, (self.dir / "errors").read_text() + server.log())
            self.assertEqual(client.stdout.read(), "up\n")
        self.ssh("node1", ORTED)
        if ssh_hosts.IS_STATIC:
            wait_until("memory is given back", lambda: server.memory() < before + 1024, 5)

    def test_few_descriptors_mean_few_commands_at_once(self):
        self.program("orted", "exit 0")
        keys = self.keys / "nodes/node1"
        self.serve_with(["prlimit", "--nofile=80:80", AGENT, "sshd", "--host-key", keys / "ssh_host_ed25519_key",
                         "--authorized-keys", keys / "authorized_keys", "--user", USER, "--address", "127.0.0.1",
                         "--port", self.ports["node1"], "--program-dir", self.programs])
        clients = [self.client("node1", ORTED) for _ in range(30)]
        for client in clients:
            self.end(client, code=0)

    def test_term_ends_everything_it_started(self):
        self.program("orted", "setsid sleep 1000 < /dev/null > /dev/null 2>&1 &\n"
                              "daemon=$!; trap '' TERM; sleep 1000 & echo $daemon $! $$ > $DIR/pids; wait; wait")
        server = self.serve()
        client = self.client("node1", ORTED)
        pids = self.pids()
        server.process.terminate()
        self.assertEqual(server.process.wait(timeout=support.PATIENCE), 0)
        self.assertEqual(set(pids) & set(support.processes()), set())
        self.end(client, code=255)

    def test_a_dropped_connection_ends_its_group_but_no_daemon(self):
        for what, rest in (("the command runs", "wait"), ("the command has ended", "exit 0")):
            with self.subTest(what):
                self.program("orted", "setsid sleep 1000 < /dev/null > /dev/null 2>&1 & daemon=$!; "
                                      f"sleep 1000 & echo $daemon $! $$ > $DIR/pids; {rest}")
                server = self.serve()
                client = self.client("node1", ORTED)
                daemon, child, command = self.pids()
                if rest != "wait":
                    self.wait_until_gone(command)
                client.kill()
                self.wait_until_gone(child)
                self.assertIn(daemon, support.processes())
                server.process.terminate()
                server.process.wait()
                self.wait_until_gone(daemon)
                (self.dir / "pids").unlink()

    def test_a_group_that_ignores_term_is_killed(self):
        self.program("orted", "trap '' TERM; sleep 1000 & echo $! $$ > $DIR/pids; wait; wait; sleep 1000")
        self.serve()
        client = self.client("node1", ORTED)
        pids = self.pids()
        client.kill()
        self.wait_until_gone(*pids)

    def test_a_daemon_outlives_its_connection_until_the_relay_ends(self):
        self.program("orted", "setsid sleep 1000 < /dev/null > /dev/null 2>&1 & echo $! > $DIR/pids")
        self.program("prted", "echo up; exec cat")
        server = self.serve()
        relay = self.client("node1", f"{AGENT} relay --output {self.dir}/relay.socket", stdin=subprocess.PIPE)
        self.assertIn("viaduct ready", relay.stdout.readline())
        self.ssh("node1", ORTED, "--daemonize")
        daemon = self.pids()[0]
        self.assertIn(daemon, support.processes())
        relay.stdin.close()
        # What is asked for meanwhile is of the next run, and is not ended with this one.
        next_run = self.client("node1", "prted", stdin=subprocess.PIPE)
        relay.wait(timeout=support.PATIENCE)
        self.wait_until_gone(daemon)
        after = self.client("node1", "prted", stdin=subprocess.PIPE)
        self.assertEqual(after.stdout.readline(), "up\n")
        after.stdin.close()
        self.end_of(after)
        next_run.kill()
        self.assertIsNone(server.process.poll())

    def end_of(self, client):
        self.assertEqual(client.wait(timeout=support.PATIENCE), 0)


class Bare(ssh_hosts.Case):
    """As in a container that has nothing."""

    def setUp(self):
        super().setUp()
        self.agent = shutil.copy(AGENT, self.dir / "viaduct-agent")
        self.root = self.dir / "root"

    @needs_root
    @needs("setpriv")
    def test_no_root_no_name_no_home_no_capability(self):
        self.program("orted", "id -u; grep CapEff /proc/self/status; echo ${HOME-no home}")
        for path in [self.keys, *self.keys.rglob("*")]:
            os.chown(path, 54321, 54321)
        keys = self.keys / "nodes/node1"
        bare = [*NOBODY, "env", "-i"]
        self.serve_with([*bare, self.agent, "sshd", "--host-key", keys / "ssh_host_ed25519_key", "--authorized-keys",
                         keys / "authorized_keys", "--user", USER, "--address", "127.0.0.1", "--port",
                         self.ports["node1"], "--program-dir", self.programs])
        ended = self.end(self.start(*bare[1:], self.agent, "ssh", "-F", self.config, "node1", ORTED, program=bare[0]),
                         code=0)
        self.assertEqual(ended.out, "54321\nCapEff:\t0000000000000000\nno home\n")

    @needs_root
    @needs_static
    @needs("setpriv", "unshare", "nsenter", "ip", "chroot")
    def test_in_an_empty_read_only_root_directory(self):
        """Only the agent and its files are there. Names come from /etc/hosts and from DNS."""
        for name in ("etc", "keys", "programs"):
            (self.root / name).mkdir(parents=True)
        for path in (self.root / "viaduct-agent", self.root / "programs/orted"):
            shutil.copy(AGENT, path)
        shutil.copytree(self.keys, self.root / "keys", dirs_exist_ok=True)
        config = self.config.read_text().replace(str(self.keys), "/keys")
        (self.root / "keys/launcher/ssh_config").write_text(config)
        for path in [self.root, *self.root.rglob("*")]:
            os.chown(path, 54321, 54321)
        (self.root / "etc/hosts").write_text("127.0.0.1 localhost by-file\n")
        (self.root / "etc/resolv.conf").write_text("nameserver 127.0.0.1\noptions timeout:1 attempts:1\n")
        room = self.start("--net", "--mount", "sh", "-c",
                          f"ip link set lo up && mount --bind {self.root} {self.root} && "
                          f"mount -o remount,bind,ro {self.root} && echo ready && exec sleep 1000", program="unshare")
        self.assertEqual(room.stdout.readline(), "ready\n")
        enter = ["nsenter", "--net", "--mount", "--target", str(room.pid)]
        inside = [*enter, "chroot", "--userspec=54321:54321", self.root, "/viaduct-agent"]
        dns = self.start(*enter[1:], sys.executable, "-c", DNS, program=enter[0])
        self.assertEqual(dns.stdout.readline(), "ready\n")

        server = self.serve_with([*inside, "sshd", "--host-key", "/keys/nodes/node1/ssh_host_ed25519_key",
                                  "--authorized-keys", "/keys/nodes/node1/authorized_keys", "--user", USER,
                                  "--port", self.ports["node1"], "--program-dir", "/programs"])

        def ssh(name, *options):
            words = [*inside, "ssh", "-F", "/keys/launcher/ssh_config", "-o", f"HostName={name}", *options, "node1",
                     ORTED]
            return self.start(*words[1:], program=words[0])

        for name in ("by-file", "by-dns.test", "localhost", "127.0.0.1"):
            # The agent, called as orted, knows no such option.
            self.assertIn("viaduct-agent:", self.end(ssh(name), code=2).err, name)
        nowhere = self.end(ssh("nowhere", "-o", "ConnectTimeout=1"), code=255)
        self.assertIn("Could not resolve hostname nowhere", nowhere.err)
        late = ssh("late", "-v")
        while "Could not resolve" not in late.stderr.readline():
            pass
        (self.root / "etc/hosts").write_text("127.0.0.1 late\n")
        self.end(late, code=2)
        server.process.terminate()
        server.process.wait()


def _memory(pid):
    return int(pathlib.Path(f"/proc/{pid}/status").read_text().split("VmRSS:")[1].split()[0])


def _position(pid, fd):
    return int(pathlib.Path(f"/proc/{pid}/fdinfo/{fd}").read_text().split()[1])


def _until_it_rests(measure):
    """What `measure` gives when it has not changed for half a second."""
    last, seen = None, 0

    def rests():
        nonlocal last, seen
        value = measure()
        seen = seen + 1 if value == last and value else 0
        last = value
        return seen > 50
    wait_until("it rests", rests)
    return last


if __name__ == "__main__":
    ssh_hosts.main()
