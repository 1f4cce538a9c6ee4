#!/usr/bin/env python3
"""`viaduct-agent reach` against hosts that say what they like: a program in ssh's place speaks for them."""

import json
import pathlib
import sys

import support
from support import AGENT, trainjob

# Speaks frames as a node would, up to where MODE has it go wrong.
HOST = """#!{python}
import json, os, sys
mode, name = os.environ["MODE"], sys.argv[-2]
def say(frame, body=""):
    body = body.encode()
    sys.stdout.buffer.write(f"{{frame}} {{len(body)}}\\n".encode() + body)
    sys.stdout.buffer.flush()
def hear():
    head = sys.stdin.buffer.readline()
    if not head:
        sys.exit(0)
    frame, length = head.split()
    return frame.decode(), sys.stdin.buffer.read(int(length)).decode()
if mode == "twice":
    name = "n1"
hello = {{"host": name, "agent": "/agent", "connectedAddress": "192.0.2.1", "addresses": ["192.0.2." + name[-1]]}}
record = {{"node": name, "attempt": 1, "cause": "Finished", "exitCode": 0, "started": "2026-01-01T00:00:00.000Z",
          "ended": "2026-01-01T00:00:01.000Z"}}
if mode == "bad address":
    hello["addresses"] = ["192.0.2.7\\n  UserKnownHostsFile /evil"]
if mode == "bad name":
    hello["host"] = "../../evil"
if mode == "endless":
    while True:
        print("welcome " * 100)
if mode == "hangs up" and not os.path.exists(os.environ["DIR"] + "/" + name):
    open(os.environ["DIR"] + "/" + name, "w").close()
    sys.exit("kex_exchange_identification: Connection closed by remote host")
print("noise of a login script\\nviaduct: agent ready", flush=True)
say("hello", json.dumps(hello))
if mode == "two hellos":
    say("hello", json.dumps(hello))
if mode == "early end":
    say("exit", json.dumps(record))
while True:
    frame, body = hear()
    if frame == "serve":
        say("serving", "70000" if mode == "bad port" else "2222")
        if mode == "two ports":
            say("serving", "2222")
    if frame == "peers":
        say("ready")
        if mode == "two ports later":
            say("serving", "2222")
    if frame == "launch":
        if mode == "evil record":
            record["node"] = os.environ["DIR"] + "/victim"
        say("log", "[0] a line\\n")
        say("started")
        say("exit", json.dumps(record))
"""


class Hostile(support.Case):
    def reach(self, mode, hosts="n1 slots=1\nn2 slots=1\n", code=0, **options):
        ssh = self.write("ssh", HOST.format(python=sys.executable), mode=0o755)
        job = self.write("job.json", trainjob("job", ["true"], nodes=hosts.count("\n")))
        plan = self.write("plan.json", self.viaduct("plan", job, "-o", "json").out)
        attempt = self.dir / mode.replace(" ", "-")
        attempt.mkdir()
        process = self.start("reach", "--plan", plan, "--hosts-file", self.write("hosts", hosts), "--attempt-dir", attempt,
                             program=AGENT, env={"VIADUCT_SSH": ssh, "MODE": mode}, **options)
        ended = self.end(process, code=code)
        exit_file, = (attempt / "exit").iterdir()
        return ended, json.loads(exit_file.read_text())

    def test_an_honest_host(self):
        ended, record = self.reach("honest")
        self.assertEqual(ended.out, "[0] a line\n")
        self.assertEqual((record["cause"], record["exitCode"], record["node"]), ("Finished", 0, "n1"))
        self.assertTrue((self.dir / "honest/started").exists())

    def test_a_host_names_no_file(self):
        victim = pathlib.Path(self.write("victim", "mine"))
        _, record = self.reach("evil record")
        self.assertEqual(victim.read_text(), "mine")
        self.assertEqual(record["node"], "n1")

    def test_what_is_said_out_of_turn_ends_the_run_with_the_hosts_name(self):
        for mode, reason in (("two hellos", "hello twice"), ("early end", '"exit" where nothing like that'),
                             ("two ports", '"serving" where nothing like that'), ("bad port", "no port: 70000"),
                             ("two ports later", '"serving" where nothing like that'),
                             ("bad address", "must be IP addresses"), ("bad name", "must be a host name"),
                             ("endless", "print without an end")):
            with self.subTest(mode):
                _, record = self.reach(mode, code=1)
                self.assertIn(reason, record["message"])
                self.assertRegex(record["message"], r"\bn[12]: ")
                self.assertIn(record["failure"]["host"], ("n1", "n2"))

    def test_a_full_disk_does_not_end_the_run(self):
        with open("/dev/full", "w") as full:
            _, record = self.reach("full", stdout=full)
        self.assertEqual((record["cause"], record["exitCode"]), ("Finished", 0))

    def test_a_server_that_hangs_up_on_a_crowd_is_tried_again(self):
        _, record = self.reach("hangs up")
        self.assertEqual(record["exitCode"], 0)

    def test_one_host_under_two_names(self):
        _, record = self.reach("twice", code=1)
        self.assertEqual(record["message"], "n1 and n2 are the same host, n1")


if __name__ == "__main__":
    support.main()
