#!/usr/bin/env python3
"""viaduct keys: bundles that OpenSSH takes, and that are whole or not there whatever happens."""

import json
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import tempfile

import support
from support import AGENT, VIADUCT, wait_until

SSHD = "/usr/sbin/sshd"

# Ends the process in front of its KILL_AT-th call that changes files; with NO_EXCHANGE there is no renameat2, as on NFS.
INTERPOSER = r"""
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>
static void step(void) {
  static int count;
  const char* at = getenv("KILL_AT");
  if (at && ++count == atoi(at)) kill(getpid(), SIGKILL);
}
#define NEXT(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))
#define MODE va_list list; va_start(list, flags); mode_t mode = va_arg(list, mode_t); va_end(list)
int open(const char* path, int flags, ...) { MODE; if (flags & O_CREAT) step(); return NEXT(open)(path, flags, mode); }
int open64(const char* path, int flags, ...) { MODE; if (flags & O_CREAT) step(); return NEXT(open64)(path, flags, mode); }
ssize_t write(int fd, const void* bytes, size_t size) { step(); return NEXT(write)(fd, bytes, size); }
int mkdir(const char* path, mode_t mode) { step(); return NEXT(mkdir)(path, mode); }
char* mkdtemp(char* name) { step(); return NEXT(mkdtemp)(name); }
int rename(const char* from, const char* to) { step(); return NEXT(rename)(from, to); }
int unlinkat(int fd, const char* path, int flags) { step(); return NEXT(unlinkat)(fd, path, flags); }
int renameat2(int a, const char* from, int b, const char* to, unsigned flags) {
  step();
  if (getenv("NO_EXCHANGE")) { errno = EINVAL; return -1; }
  return NEXT(renameat2)(a, from, b, to, flags);
}
"""


class Keys(support.Case):
    def setUp(self):
        super().setUp()
        self.bundle = self.home / "keys/train"

    def create(self, *words, nodes="node[01-02]:2222", job="train", **options):
        return self.viaduct("keys", "create", job, "--nodes", nodes, *words, **options)

    def show(self, what="train", **options):
        return json.loads(self.viaduct("keys", "show", what, "-o", "json", **options).out)

    def fingerprints(self):
        return {key["who"]: key["fingerprint"] for key in self.show()["keys"]}

    def beside(self):
        keys = self.home / "keys"
        return sorted(os.listdir(keys)) if keys.exists() else []

    def interposer(self):
        compiler = shutil.which("cc")
        if not compiler:
            self.skipTest("no cc to build an interposer with")
        library = self.dir / "interposer.so"
        if not library.exists():
            subprocess.run([compiler, "-shared", "-fPIC", "-o", library, self.write("interposer.c", INTERPOSER), "-ldl"], check=True)
        return {"LD_PRELOAD": str(library)}


class Commands(Keys):
    def test_ssh_keygen_takes_every_key(self):
        self.create()
        for key in self.show()["keys"]:
            private = self.bundle / key["file"]
            for file in (private, f"{private}.pub"):
                listed = subprocess.run(["ssh-keygen", "-l", "-f", file], check=True, capture_output=True, text=True).stdout
                self.assertEqual(listed.split()[1], key["fingerprint"])
                self.assertIn("(ED25519)", listed)
            public = subprocess.run(["ssh-keygen", "-y", "-f", private], check=True, capture_output=True, text=True).stdout
            self.assertEqual(public.split()[1], pathlib.Path(f"{private}.pub").read_text().split()[1])
        for name in ("node01", "node02"):
            found = subprocess.run(["ssh-keygen", "-F", name, "-l", "-f", self.bundle / "launcher/known_hosts"],
                                   check=True, capture_output=True, text=True).stdout
            self.assertIn(self.fingerprints()[name], found)

    def test_show(self):
        self.create("--attempt", 3, "--user", "lab", "--agent", "/opt/viaduct-agent", nodes="a:1,b=10.0.0.7:22,c=[fd00::7],d", job="train")
        shown = self.show()
        self.assertEqual((shown["job"], shown["attempt"], shown["hostKeys"], shown["user"], shown["agent"], shown["problems"]),
                         ("train", 3, "per-node", "lab", "/opt/viaduct-agent", []))
        self.assertEqual([key.get("address") for key in shown["keys"]], [None, "a:1", "10.0.0.7:22", "[fd00::7]:2222", "d:2222"])
        self.assertEqual({key["mode"] for key in shown["keys"]}, {"0600"})
        text = self.viaduct("keys", "show", self.bundle)
        for word in ("attempt     3", "one for each node", *self.fingerprints().values()):
            self.assertIn(word, text.out)
        self.assertEqual(text.err, "")
        self.assertNotIn("PRIVATE KEY-", text.out)

    def test_one_host_key_for_all(self):
        self.create("--host-keys", "per-job")
        prints = self.fingerprints()
        self.assertEqual(prints["node01"], prints["node02"])
        self.viaduct("keys", "rotate", "train")
        self.assertEqual(len(set(self.fingerprints().values())), 2)

    def test_show_warns(self):
        self.create(nodes="node[1-6]")
        node = [self.bundle / f"nodes/node{i}" for i in range(7)]
        (node[1] / "ssh_host_ed25519_key").chmod(0o644)
        (node[2] / "ssh_host_ed25519_key").unlink()
        (node[3] / "ssh_host_ed25519_key").write_text("garbage")
        shutil.copy(node[1] / "ssh_host_ed25519_key", node[4] / "ssh_host_ed25519_key")
        (node[4] / "ssh_host_ed25519_key").chmod(0o600)
        (node[5] / "authorized_keys").write_text((node[6] / "ssh_host_ed25519_key.pub").read_text())
        node[6].chmod(0o777)
        ended = self.viaduct("keys", "show", "train")
        for warning in ("node1/ssh_host_ed25519_key: others may use this private key (mode 0644, not 0600)",
                        "node2/ssh_host_ed25519_key: missing", "node3/ssh_host_ed25519_key: not a private key",
                        "node4/ssh_host_ed25519_key.pub: not the public half", "known_hosts: it does not have the key of node4",
                        "node5/authorized_keys: not the launcher's key", "node6: others may put files there (mode 0777, not 0700)"):
            self.assertIn(warning, ended.err)
        self.assertEqual(ended.err.count("warning: "), 7)
        self.assertEqual(len(self.show()["problems"]), 7)
        self.assertRegex(ended.out, r"node2 .* none .*SHA256:")
        self.viaduct("keys", "rotate", "train")
        self.assertEqual(self.show()["problems"], [])

    def test_rotate_and_remove(self):
        self.create()
        before = self.fingerprints()
        self.assertIn("new keys, of attempt 2; the old ones are removed", self.viaduct("keys", "rotate", "train").out)
        after = self.fingerprints()
        self.assertEqual(before.keys(), after.keys())
        self.assertFalse(set(before.values()) & set(after.values()))
        self.assertEqual(self.beside(), ["train"])
        self.assertIn("not overwritten", self.viaduct("keys", "remove", "train").out)
        self.assertEqual(self.beside(), [])

    def test_a_directory_of_its_own(self):
        place = self.dir / "a b/keys"
        self.create("--dir", "a b/./keys/")
        self.assertEqual(self.show(place)["directory"], str(place))
        self.assertIn(f'IdentityFile "{place}/launcher/id_ed25519"\n', (place / "launcher/ssh_config").read_text())
        self.viaduct("keys", "remove", "./a b/keys")
        self.assertEqual(os.listdir(self.dir / "a b"), [])

    def test_mistakes(self):
        for job in ("A", "..", ".", "a/b", "../a", "a b", "-a", "a_b", "", "a" * 64):
            with self.subTest(job=job):
                self.viaduct("keys", "create", "--nodes", "n", "--", job, code=2)
        for nodes in ("", ",", "n:0", "n:65536", "n:x", "n:", "../n", "..", "n,N", "n[1-2]=a", "n=-o:22", "n=a b", "n[2-1]", "n n:3 n"):
            with self.subTest(nodes=nodes):
                self.create(nodes=nodes, code=2)
        for words in (["--attempt", 0], ["--port", 0], ["--host-keys", "some"], ["--user", "-l"], ["--agent", "bin/agent"], ["--dir", "a%b"]):
            with self.subTest(words=words):
                self.create(*words, code=2)
        self.assertEqual(self.beside(), [])
        self.create()
        self.assertIn("`viaduct keys rotate`", self.create(code=4).err)
        self.assertIn("did you mean train?", self.viaduct("keys", "show", "trian", code=3).err)
        for verb in ("show", "rotate", "remove"):
            for what, code in (("none", 3), ("..", 2), (".", 2), ("./none", 3), ("/", 3), (str(self.home), 3)):
                with self.subTest(verb=verb, what=what):
                    self.viaduct("keys", verb, what, code=code)
        for words in ([], ["creat"]):
            self.viaduct("keys", *words, code=2)
        self.assertEqual(self.show()["problems"], [])


class Faults(Keys):
    def test_of_many_at_once_one_wins(self):
        running = [self.start("keys", "create", "train", "--nodes", "node[1-20]") for _ in range(12)]
        self.assertEqual(sorted(self.end(process).code for process in running), [0] + [4] * 11)
        self.assertEqual(self.beside(), ["train"])
        self.assertEqual(self.show()["problems"], [])
        running = [self.start("keys", "rotate", "train") for _ in range(12)]
        codes = [self.end(process).code for process in running]
        self.assertLessEqual(set(codes), {0, 4})
        shown = self.show()
        self.assertEqual((shown["attempt"], shown["problems"]), (1 + codes.count(0), []))
        self.assertEqual(self.beside(), ["train"])

    def test_a_reader_sees_whole_bundles(self):
        self.create(nodes="node[1-20]")
        rotating = self.start("-c", 'for i in $(seq 30); do "$0" keys rotate train || exit; done', VIADUCT, program="/bin/sh")
        while rotating.poll() is None:
            self.assertEqual(self.show()["problems"], [])
        self.end(rotating, code=0)
        self.assertEqual(self.show()["attempt"], 31)

    def killed_everywhere(self, verb, check, *words, **env):
        """Runs a command on a bundle again and again, each time killed one step later, until it comes to its end."""
        env.update(self.interposer())
        for step in range(1, 500):
            process = self.start("keys", verb, "train", *words, env={**env, "KILL_AT": str(step)})
            code = self.end(process).code
            self.assertIn(code, (0, -signal.SIGKILL))
            if code == 0:
                self.assertGreater(step, 5)
                return
            check()
        self.fail("it never came to its end")

    def is_whole_or_gone(self):
        if self.viaduct("keys", "show", "train", code=None).code != 3:
            self.assertEqual(self.show()["problems"], [])

    def test_killed_while_creating(self):
        def check():
            self.is_whole_or_gone()
            shutil.rmtree(self.bundle, ignore_errors=True)
        self.killed_everywhere("create", check, "--nodes", "node[1-2]")

    def test_killed_while_rotating(self):
        for env in ({}, {"NO_EXCHANGE": "1"}):
            with self.subTest(env):
                shutil.rmtree(self.home / "keys", ignore_errors=True)
                self.create()
                attempts = [1]

                def check():
                    shown = self.show()
                    self.assertEqual(shown["problems"], [])
                    self.assertIn(shown["attempt"] - attempts[-1], (0, 1))
                    attempts.append(shown["attempt"])
                self.killed_everywhere("rotate", check, **env)
                self.assertGreater(attempts[-1], 1)

    def test_killed_while_removing(self):
        def check():
            self.is_whole_or_gone()
            if not self.bundle.exists():
                self.create()
        self.create()
        self.killed_everywhere("remove", check)
        self.assertFalse(self.bundle.exists())

    def test_without_exchange(self):
        self.create()
        self.viaduct("keys", "rotate", "train", env={**self.interposer(), "NO_EXCHANGE": "1"})
        shown = self.show()
        self.assertEqual((shown["attempt"], shown["problems"], self.beside()), (2, [], ["train"]))

    def test_a_full_disk(self):
        disk = self.dir / "disk"
        disk.mkdir()

        def on_disk(size, script):
            words = ["unshare", "-m", "/bin/sh", "-c", f'mount -t tmpfs -o size={size} none "$1" && {script}', VIADUCT, disk]
            return self.end(self.start(*words[1:], program=words[0]))
        if os.geteuid() != 0 or on_disk("1m", "true").code != 0:
            self.skipTest("no mounts here")
        create = '"$0" keys create train --dir "$1/keys" --nodes "node[1-{}]"'
        for script in (create.format(100), create.format(4) + ' > /dev/null && cat /dev/zero > "$1/ballast" 2> /dev/null; ls -A "$1"; '
                       '"$0" keys show "$1/keys" -o json > "$1/../before"; "$0" keys rotate "$1/keys"'):
            script += '; code=$?; ls -A "$1"; [ ! -e "$1/keys" ] || "$0" keys show "$1/keys" -o json > "$1/../after"; exit $code'
            ended = on_disk("200k", script)
            self.assertEqual(ended.code, 5, ended)
            self.assertIn("No space left on device", ended.err)
            self.assertIn("hint: free some space", ended.err)
            self.assertEqual(ended.out, "ballast\nkeys\nballast\nkeys\n" if "rotate" in script else "")
        self.assertEqual((self.dir / "before").read_text(), (self.dir / "after").read_text())


class OpenSsh(Keys):
    """The real ssh and sshd, as the user of this test."""

    def setUp(self):
        super().setUp()
        if not os.path.exists(SSHD) or not shutil.which("ssh"):
            self.skipTest("no OpenSSH here")
        if os.geteuid() == 0:
            os.makedirs("/run/sshd", 0o755, exist_ok=True)  # where sshd of root locks itself up
        # sshd takes no authorized_keys that others could replace, as in /tmp they could.
        self.place = pathlib.Path(tempfile.mkdtemp(prefix=".viaduct-test ", dir=pathlib.Path.home()))
        self.addCleanup(shutil.rmtree, self.place, ignore_errors=True)
        self.bundle = self.place / "keys"
        self.programs = self.place / "bin"
        self.programs.mkdir()
        orted = self.programs / "orted"
        orted.write_text('#!/bin/sh\ncat\necho "orted: $*"\n[ -t 1 ] && echo terminal\nexit 7\n')
        orted.chmod(0o755)
        shutil.copy(AGENT, self.place / "agent's copy")
        self.ports = [self.free_port(), self.free_port()]
        self.create("--dir", self.bundle, "--agent", self.place / "agent's copy",
                    nodes=",".join(f"node0{i + 1}=127.0.0.1:{port}" for i, port in enumerate(self.ports)))
        self.nodes = [self.bundle / "nodes/node01", self.bundle / "nodes/node02"]

    @staticmethod
    def free_port():
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            return probe.getsockname()[1]

    def serve(self, node, *options):
        """node's sshd."""
        log = self.place / f"{node}.log"
        with open(log, "w") as stream:
            words = ["-D", "-e", "-f", self.nodes[node] / "sshd_config", "-o", "ListenAddress=127.0.0.1",
                     "-o", f"SetEnv=\"PATH={self.programs}:/usr/bin:/bin\"", *options]
            process = self.start(*words, program=SSHD, stdout=stream, stderr=stream)
        wait_until("sshd listens", lambda: "listening on" in log.read_text() or process.poll() is not None)
        self.assertIsNone(process.poll(), log.read_text())
        self.log = log

    def ssh(self, *words, code, input="", client=("ssh",)):
        process = subprocess.run([*client, "-F", self.bundle / "launcher/ssh_config", *words], env=self.env, cwd=self.dir,
                                 input=input, capture_output=True, text=True, timeout=60)
        self.assertEqual(process.returncode, code, process.stdout + process.stderr + self.log.read_text())
        return process

    def test_sshd_takes_the_configuration(self):
        for node in self.nodes:
            checked = subprocess.run([SSHD, "-t", "-f", node / "sshd_config"], capture_output=True, text=True)
            self.assertEqual((checked.returncode, checked.stderr), (0, ""))
        shown = subprocess.run(["ssh", "-G", "-F", self.bundle / "launcher/ssh_config", "node02"], check=True,
                               capture_output=True, text=True).stdout.splitlines()
        for line in ("hostname 127.0.0.1", f"port {self.ports[1]}", "hostkeyalias node02", "batchmode yes", "identitiesonly yes",
                     "stricthostkeychecking true", f"identityfile {self.bundle}/launcher/id_ed25519",
                     f"userknownhostsfile {self.bundle}/launcher/known_hosts"):
            self.assertIn(line, shown)

    def test_log_in(self):
        self.serve(0)
        for client in (["ssh"], [AGENT, "ssh"]):
            with self.subTest(client):
                ended = self.ssh("node01", 'orted -mca ess "env"', code=7, input="to it\n", client=client)
                self.assertEqual(ended.stdout, "to it\norted: -mca ess env\n")
                for command in ("id", "orted; id", "/bin/sh -c id", "sftp", "orted --mca plm_rsh_agent /bin/sh"):
                    ended = self.ssh("node01", command, code=126, client=client)
                    self.assertEqual(ended.stdout, "")
                    self.assertIn("viaduct-agent: refused: ", ended.stderr)
        self.assertIn("refused: no command", self.ssh("node01", code=126).stderr)
        self.assertIn("PTY allocation request failed", self.ssh("-tt", "node01", 'orted -mca ess "env"', code=255).stderr)
        self.assertNotEqual(self.ssh("-W", "127.0.0.1:22", "node01", code=255).stderr, "")

    def test_a_changed_host_is_noticed(self):
        self.serve(1, "-p", str(self.ports[0]))  # node02 where node01 should be
        for client in (["ssh"], [AGENT, "ssh"]):
            self.assertIn("Host key verification failed", self.ssh("node01", "orted", code=255, client=client).stderr)
        self.assertNotIn("Accepted publickey", self.log.read_text())

    def test_old_keys_are_no_use_after_a_rotation(self):
        old = self.place / "old"
        shutil.copytree(self.bundle / "launcher", old)
        self.viaduct("keys", "rotate", self.bundle)
        self.serve(0)
        self.ssh("node01", 'orted -mca ess "env"', code=7)
        self.refused_with(old / "id_ed25519")
        changed = self.write("old_hosts", (self.bundle / "launcher/ssh_config").read_text().replace(
            f"{self.bundle}/launcher/known_hosts", f"{old}/known_hosts"))
        self.assertIn("Host key verification failed", self.ssh("-F", changed, "node01", "orted", code=255).stderr)

    def test_what_a_node_holds_is_no_way_into_another(self):
        self.serve(0)
        for node in self.nodes:
            self.refused_with(node / "ssh_host_ed25519_key")

    def refused_with(self, key):
        """No login on node01 with another private key."""
        config = (self.bundle / "launcher/ssh_config").read_text().replace(f"{self.bundle}/launcher/id_ed25519", str(key))
        ended = self.ssh("-F", self.write("config", config), "node01", "orted", code=255)
        self.assertIn("Permission denied", ended.stderr)


if __name__ == "__main__":
    support.main()
