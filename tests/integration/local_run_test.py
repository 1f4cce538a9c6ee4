#!/usr/bin/env python3
"""TrainJobs on this machine, with the real mpirun of Open MPI and of MPICH."""

import json
import os
import pathlib
import re
import socket
import subprocess

import support
from support import PYTHON, SOURCE, trainjob, wait_until

RUNTIMES = ("mpi", "mpich")

# Writes down what a rank was given.
PROBE = """
import json, os, sys
seen = {"argv": sys.argv[1:], "env": dict(os.environ), "cpus": sorted(os.sched_getaffinity(0))}
with open(os.path.join(os.environ["DIR"], "probe." + os.environ["RANK"]), "w") as out:
    json.dump(seen, out)
"""


def cores():
    """How many cores this process may use; SMT siblings are one."""
    siblings = set()
    for cpu in os.sched_getaffinity(0):
        file = pathlib.Path(f"/sys/devices/system/cpu/cpu{cpu}/topology/thread_siblings_list")
        siblings.add(file.read_text() if file.exists() else str(cpu))
    return len(siblings)


class Case(support.Case):
    def probe(self, name, args=(), **rest):
        """Runs the probe and returns what each rank saw, by rank."""
        script = self.write("probe.py", PROBE)
        self.viaduct("run", self.job(name, [PYTHON, script, *args], **rest))
        seen = []
        while (file := self.dir / f"probe.{len(seen)}").exists():
            seen.append(json.loads(file.read_text()))
            file.unlink()
        return seen


class Examples(Case):
    def test_pi(self):
        if not (SOURCE / "build/examples/pi/pi").exists():
            self.skipTest("build/examples/pi/pi was not built: no MPI for C++ at build time")
        ended = self.viaduct("run", "examples/pi/trainjob.yaml", cwd=SOURCE)
        found = re.search(r"^\[0\] pi is approximately ([0-9.]+)", ended.out, re.M)
        self.assertIsNotNone(found, ended.out)
        self.assertAlmostEqual(float(found[1]), 3.14159265, delta=0.01)
        for rank in range(4):
            self.assertIn(f"[{rank}] rank {rank} of 4 on ", ended.out)
        self.assertIn("Succeeded", ended.err)
        self.assert_nothing_left()

    def test_mpi4py(self):
        if subprocess.run(["/usr/bin/python3", "-c", "import mpi4py"], capture_output=True).returncode != 0:
            self.skipTest("/usr/bin/python3 has no mpi4py")
        ended = self.viaduct("run", "examples/mpi4py/trainjob.yaml", cwd=SOURCE)
        self.assertIn("the ranks add up to 6, expected 6", ended.out)
        for rank in range(4):
            self.assertIn(f"rank {rank} of 4 on {socket.gethostname()}, RANK={rank}", ended.out)
        self.assert_nothing_left()

    def test_fail(self):
        ended = self.viaduct("run", "examples/fail/trainjob.yaml", cwd=SOURCE, code=3)
        self.assertIn(f"rank 1 on {socket.gethostname()} exited with code 3", ended.err)
        self.assertRegex(ended.err, "of rank 1:\n    rank 1 of 4 started\n    rank 1 fails on purpose\n")
        self.assertEqual(self.status("fail"), ("Failed", "FailedJobs"))
        self.assert_nothing_left()


class WhatARankIsGiven(Case):
    def test_variables(self):
        for runtime in RUNTIMES:
            with self.subTest(runtime):
                seen = self.probe(f"variables-{runtime}", runtime=runtime, nodes=2, ranks=2)
                self.assertEqual(len(seen), 4)
                ports = set()
                for rank, env in enumerate(probe["env"] for probe in seen):
                    expected = {"RANK": rank, "WORLD_SIZE": 4, "JAX_PROCESS_ID": rank, "JAX_NUM_PROCESSES": 4,
                                "HOROVOD_RANK": rank, "HOROVOD_SIZE": 4, "MASTER_ADDR": "127.0.0.1"}
                    # Every node is this machine, so to the MPI, and to the program, they are one.
                    expected.update({"LOCAL_RANK": rank, "LOCAL_WORLD_SIZE": 4, "LOCAL_SIZE": 4, "NODE_RANK": 0,
                                     "GROUP_RANK": 0, "CROSS_RANK": 0, "CROSS_SIZE": 1, "HOROVOD_LOCAL_RANK": rank,
                                     "HOROVOD_LOCAL_SIZE": 4, "HOROVOD_CROSS_RANK": 0, "HOROVOD_CROSS_SIZE": 1})
                    self.assertEqual({name: env.get(name) for name in expected},
                                     {name: str(value) for name, value in expected.items()})
                    host, jax_port = env["JAX_COORDINATOR_ADDRESS"].split(":")
                    self.assertEqual(host, "127.0.0.1")
                    self.assertNotEqual(jax_port, env["MASTER_PORT"])
                    ports.add((int(env["MASTER_PORT"]), int(jax_port)))
                self.assertEqual(len(ports), 1, "every rank must be told the same ports")

    def test_the_users_own_rendezvous_stays(self):
        seen = self.probe("rendezvous", ranks=2, env={"MASTER_PORT": "29500", "MASTER_ADDR": "localhost"})
        for probe in seen:
            self.assertEqual(probe["env"]["MASTER_PORT"], "29500")
            self.assertEqual(probe["env"]["MASTER_ADDR"], "localhost")
            self.assertTrue(probe["env"]["JAX_COORDINATOR_ADDRESS"].startswith("localhost:"))

    def test_awkward_values_arrive_intact(self):
        env = {"EQUALS": "a=b=c", "SEMICOLON": "a;b;OTHER=c", "COMMA": "a,b", "QUOTES": "'single' \"double\" `back`",
               "NEWLINE": "one\ntwo\n", "EMPTY": "", "BLANK": " ", "BACKSLASH": "\\n\\", "TAB": "\t", "WORDS": "ünï ✓",
               "DOLLAR": "$HOME", "with.dot-and-dash": "x", "LONG": "x" * 100_000}
        written = {**env, "DOLLAR": "$$HOME"}  # how Kubernetes writes a dollar
        for runtime in RUNTIMES:
            with self.subTest(runtime):
                for probe in self.probe(f"values-{runtime}", runtime=runtime, ranks=2, env=written):
                    self.assertEqual({name: probe["env"].get(name) for name in env}, env)
                    self.assertNotIn("OTHER", probe["env"])

    def test_awkward_arguments_arrive_intact(self):
        args = ["[a b]", ":", "\\:", "\\\\:", "", " ", "-x", "--", "-", "--hostfile", "'single'", '"double"',
                "one\ntwo", "*", "~", "#", "%h %r", "a=b", "ünï", "$$HOME", "x" * 10_000, "--help", ""]
        expected = [word.replace("$$", "$") for word in args]
        for runtime in RUNTIMES:
            with self.subTest(runtime):
                for probe in self.probe(f"arguments-{runtime}", args, runtime=runtime, ranks=2):
                    self.assertEqual(probe["argv"], expected)

    def test_each_rank_has_its_own_cores(self):
        if cores() < 2:
            self.skipTest("needs two cores")
        for runtime in RUNTIMES:
            with self.subTest(runtime):
                first, second = (set(probe["cpus"]) for probe in self.probe(f"bound-{runtime}", runtime=runtime, ranks=2))
                self.assertFalse(first & second)
                self.assertEqual(first | second, os.sched_getaffinity(0))

    def test_binding_none(self):
        for probe in self.probe("unbound", ranks=2, annotations={"viaduct.dev/binding": "none"}):
            self.assertEqual(set(probe["cpus"]), os.sched_getaffinity(0))

    def test_more_ranks_than_cores_are_unbound(self):
        for probe in self.probe("crowd", ranks=cores() + 1):
            self.assertEqual(set(probe["cpus"]), os.sched_getaffinity(0))

    def test_standard_input_is_empty(self):
        self.viaduct("run", self.job("stdin", "cat; echo end", ranks=2), input="not for the ranks\n")
        self.assertEqual(self.log("stdin", 0), "end\n")


class Output(Case):
    CHATTER = """
import os, sys, time
rank = int(os.environ["RANK"])
letter = "abcdef"[rank]
def put(stream, text):
    while text:
        text = text[os.write(stream, text.encode()):]
for i in range(5):
    put(1, letter * 100_000 + str(i) + "\\n")
for i in range(200):  # in pieces, so that the ranks' pieces mix on the way
    put(1, f"{letter} begins ")
    put(1, f"{i} ends\\n")
    put(2, f"{letter} error ")
    put(2, f"{i}\\n")
put(1, "\\n")
put(1, "[0] looks like another rank's\\n")
put(1, "no newline at the end")
"""

    def test_lines_come_out_whole(self):
        script = self.write("chatter.py", self.CHATTER)
        for runtime in RUNTIMES:
            with self.subTest(runtime):
                name = f"lines-{runtime}"
                self.viaduct("run", self.job(name, [PYTHON, script], ranks=3, runtime=runtime))
                for rank, letter in enumerate("abc"):
                    ended = self.viaduct("logs", name, "--rank", rank)
                    lines = ended.out.split("\n")
                    self.assertEqual(lines[:5], [letter * 100_000 + str(i) for i in range(5)])
                    self.assertEqual(lines[5:205], [f"{letter} begins {i} ends" for i in range(200)])
                    self.assertEqual(lines[205:207], ["", "[0] looks like another rank's"])
                    self.assertEqual(lines[-2:], ["no newline at the end", ""])
                    self.assertEqual(ended.err, "".join(f"{letter} error {i}\n" for i in range(200)))

    def test_labels_and_streams(self):
        job = self.job("streams", "echo out $RANK; echo err $RANK >&2", ranks=2)
        ended = self.viaduct("run", job)
        self.assertEqual(sorted(ended.out.splitlines()), ["[0] out 0", "[1] out 1"])
        self.assertIn("[0] err 0\n", ended.err)
        self.assertIn("[1] err 1\n", ended.err)
        self.assertIn("viaduct: streams: Succeeded", ended.err)
        logs = self.viaduct("logs", "streams", "--no-labels")
        self.assertEqual(sorted(logs.out.splitlines()), ["out 0", "out 1"])
        self.viaduct("logs", "streams", "--rank", 2, code=2)
        self.viaduct("logs", "streams", "--attempt", 2, code=2)

    def test_no_labels(self):
        ended = self.viaduct("run", "--no-labels", self.job("bare", "echo out $RANK", ranks=2))
        self.assertEqual(sorted(ended.out.splitlines()), ["out 0", "out 1"])

    def test_quiet(self):
        ended = self.viaduct("run", "--quiet", self.job("quiet", "echo out", ranks=1))
        self.assertEqual((ended.out, ended.err), ("[0] out\n", ""))
        ended = self.viaduct("run", "-q", self.job("quiet-fail", "exit 4"), code=4)
        self.assertIn("rank 0 on", ended.err)
        self.assertIn("exited with code 4", ended.err)


class LauncherCommands(Case):
    def test_mpirun_is_run_as_it_is(self):
        inner = "echo rank $OMPI_COMM_WORLD_RANK of $OMPI_COMM_WORLD_SIZE"
        for name, options in (("plain", ["-np", "2"]), ("slots", []),
                              ("hostfile", ["--hostfile", "/etc/mpi/hostfile"]),
                              ("job-hostfile", ["--hostfile", "/job/hostfile"])):
            with self.subTest(name):
                # Without -np there are as many ranks as slots: two nodes with one each.
                ended = self.viaduct("run", self.job(name, ["mpirun", *options, "sh", "-c", inner], nodes=2))
                self.assertEqual(sorted(ended.out.splitlines()), ["rank 0 of 2", "rank 1 of 2"])

    def test_mpiexec_of_mpich(self):
        self.write("bin/mpiexec", '#!/bin/sh\nexec mpiexec.mpich "$@"\n', 0o755)
        path = f"{self.dir}/bin:{os.environ['PATH']}"
        job = self.job("hydra", ["mpiexec", "-n", "2", "sh", "-c", "echo rank $PMI_RANK of $PMI_SIZE"], nodes=2, runtime="mpich")
        ended = self.viaduct("run", job, env={"PATH": path})
        self.assertEqual(sorted(ended.out.splitlines()), ["rank 0 of 2", "rank 1 of 2"])

    def test_torchrun(self):
        # Once for the whole job, with what it needs to know in variables.
        script = (f"#!{PYTHON}\nimport os, sys\nwords = sys.argv[1:]\n"
                  "print(*words, *(name + '=' + os.environ[name] for name in sorted(os.environ) "
                  "if name.startswith(('PET_', 'VIADUCT_N', 'VIADUCT_S'))))\n"
                  "print(open(os.environ['VIADUCT_HOSTFILE']).read())\n")
        self.write("bin/torchrun", script, 0o755)
        path = f"{self.dir}/bin:{os.environ['PATH']}"
        ended = self.viaduct("run", self.job("torch", ["torchrun", "train.py"], nodes=2, ranks=3), env={"PATH": path})
        self.assertEqual(ended.out.splitlines()[0],
                         "train.py PET_NNODES=1 PET_NPROC_PER_NODE=6 VIADUCT_NNODES=1 VIADUCT_NPROCS=6 VIADUCT_SLOTS_PER_NODE=6")
        self.assertIn("localhost slots=6", ended.out)

    def test_their_exit_code(self):
        ended = self.viaduct("run", self.job("bad", ["mpirun", "-np", "2", "sh", "-c", "exit 6"], nodes=2), code=6)
        self.assertRegex(ended.err, "(mpirun on .* ended with exit|exited with) code 6")
        self.assert_nothing_left()


class ExitCodes(Case):
    def test_of_the_program(self):
        for runtime in RUNTIMES:
            with self.subTest(runtime):
                ended = self.viaduct("run", self.job(f"code-{runtime}", "[ $RANK = 1 ] && exit 7; exec sleep 100",
                                                     ranks=2, runtime=runtime), code=7)
                self.assertIn(f"rank 1 on {socket.gethostname()} exited with code 7", ended.err)
                self.assert_nothing_left()

    def test_of_a_signal(self):
        for runtime in RUNTIMES:
            with self.subTest(runtime):
                ended = self.viaduct("run", self.job(f"segv-{runtime}",
                                                     "ulimit -c 0; [ $RANK = 1 ] && kill -SEGV $$$$; exec sleep 100",
                                                     ranks=2, runtime=runtime), code=139)
                self.assertRegex(ended.err, r"rank 1 on \S+ was ended by signal 11 \(Segmentation fault\)")
                self.assert_nothing_left()

    def test_program_that_is_not_there(self):
        for command in (["no-such-program"], ["./no-such-program"], ["/no/such/program"]):
            ended = self.viaduct("run", self.job("nobody", command), code=127)
            self.assertIn("program not found: " + command[0], ended.err)
        self.assertEqual(self.job_directories(), [])

    def test_program_that_cannot_be_executed(self):
        self.viaduct("run", self.job("plain", [self.write("plain.txt", "text")]), code=126)
        self.assertEqual(self.job_directories(), [])

    def test_bad_input(self):
        good = trainjob("good", ["true"])
        for name, text in {"syntax": "kind: [TrainJob\n", "field": json.dumps({**good, "spec": {**good["spec"], "trainr": {}}}),
                           "runtime": json.dumps(trainjob("x", ["true"], runtime="no-such-runtime")),
                           "empty": "", "no-command": json.dumps(trainjob("x", [])),
                           "twice": json.dumps(good) + "\n---\n" + json.dumps(good)}.items():
            with self.subTest(name):
                file = self.write(f"{name}.yaml", text)
                self.assertIn(file, self.viaduct("run", file, code=2).err)
                self.viaduct("submit", file, code=2)
        self.assertIn("one TrainJob", self.viaduct("run", self.write("two.yaml", "\n---\n".join(
            json.dumps(trainjob(name, ["true"])) for name in ("one", "two"))), code=2).err)
        self.viaduct("rnu", code=2)
        self.viaduct("run", "--no-such-option", code=2)
        self.assertEqual(self.job_directories(), [])

    def test_not_found(self):
        self.viaduct("run", "no-such-file.yaml", code=3)
        for command in ("status", "logs", "wait", "cancel", "delete", "suspend", "resume"):
            with self.subTest(command):
                self.assertIn("no job named", self.viaduct(command, "nobody", code=3).err)

    def test_name_taken(self):
        job = self.job("taken", ["true"])
        self.viaduct("run", job)
        before = self.record("taken")
        for command in ("run", "submit"):
            self.assertIn('a job named "taken"', self.viaduct(command, job, code=4).err)
        self.assertEqual(self.record("taken"), before)
        self.assertEqual(self.job_directories(), ["taken"])

    def test_no_mpirun(self):
        (self.dir / "empty").mkdir()
        ended = self.viaduct("run", self.job("nompi", "true"), code=5, env={"PATH": str(self.dir / "empty")})
        self.assertIn("no mpirun on this machine", ended.err)
        self.assertIn("hint: install Open MPI", ended.err)
        self.assertEqual(self.job_directories(), [])

    def test_mpirun_of_another_mpi(self):
        for runtime, mpirun, said in (("mpi", "mpirun.mpich", "the runtime wants Open MPI, but "),
                                      ("mpich", "mpirun.openmpi", "the runtime wants MPICH, but ")):
            with self.subTest(runtime):
                ended = self.viaduct("run", self.job("other", "true", runtime=runtime), code=5, env={"VIADUCT_MPIRUN": mpirun})
                self.assertIn(said, ended.err)
                self.assertIn(mpirun, ended.err)
        self.assertEqual(self.job_directories(), [])

    def test_home_that_cannot_be_written(self):
        for home in ("/dev/null/home", "/proc/viaduct"):
            ended = self.viaduct("run", self.job("homeless", "true"), code=5, env={"VIADUCT_HOME": home})
            self.assertIn("can't keep jobs in", ended.err)


class Inputs(Case):
    def test_several_documents_in_one_file(self):
        runtime = support.training_runtime("mine")
        text = "# a comment\n" + "\n---\n".join(json.dumps(o) for o in (runtime, trainjob("both", ["/bin/echo", "here"], runtime="mine")))
        self.assertEqual(self.viaduct("run", self.write("both.yaml", text)).out, "[0] here\n")

    def test_yaml(self):
        text = """\
apiVersion: trainer.kubeflow.org/v1alpha1
kind: TrainJob
metadata: {name: yaml}
spec:
  runtimeRef: {name: mpi}
  trainer:
    numNodes: 1
    numProcPerNode: 2
    command:
      - /bin/sh
      - -c
      - |
        echo "line one"
        echo 'line two'
"""
        self.viaduct("run", self.write("job.yml", text))
        self.assertEqual(self.log("yaml", 1), "line one\nline two\n")

    def test_standard_input(self):
        job = json.dumps(trainjob("stdin", ["/bin/echo", "here"]))
        self.assertEqual(self.viaduct("run", "-", input=job).out, "[0] here\n")

    def test_directory(self):
        self.write("jobs/runtime.yaml", json.dumps(support.training_runtime("mine", mpi="MPICH")))
        for name in ("one", "two"):
            self.write(f"jobs/{name}.json", trainjob(name, ["/bin/echo", name], runtime="mine"))
        self.write("jobs/README", "not a manifest")
        self.write("jobs/.hidden.yaml", "not: read")
        self.assertEqual(self.viaduct("submit", "jobs").out, "one submitted\ntwo submitted\n")
        self.viaduct("wait", "one", "two")
        self.assertEqual((self.log("one", 0), self.log("two", 0)), ("one\n", "two\n"))

    def test_runtime_from_a_directory_of_the_user(self):
        self.write("runtimes/mine.yaml", json.dumps(support.training_runtime("mine")))
        self.viaduct("run", self.job("own", ["true"], runtime="mine"), env={"VIADUCT_RUNTIMES": str(self.dir / "runtimes")})

    def test_nothing_is_created_by_plan(self):
        for form in ("text", "yaml", "json"):
            self.assertIn("planned", self.viaduct("plan", self.job("planned", ["true"]), "-o", form).out)
        self.assertEqual(self.job_directories(), [])


class Lifetime(Case):
    COUNT = 'n=$(($(cat "$DIR/count" 2>/dev/null) + 1)); echo $n > "$DIR/count"; echo attempt $n; '

    def test_retries(self):
        runtime = self.runtime("stubborn", retries=2)
        ended = self.viaduct("run", self.job("third", self.COUNT + "[ $n = 3 ] || exit 9", runtime="stubborn"), runtime)
        self.assertIn("restart 2 of 2 after: rank 0", ended.err)
        record = self.record("third")
        self.assertEqual((record["phase"], record["attempt"], record["restarts"]), ("Succeeded", 3, 2))
        for attempt in (1, 2, 3):
            self.assertEqual(self.log("third", 0, "--attempt", attempt), f"attempt {attempt}\n")
        self.assertEqual(self.log("third", 0), "attempt 3\n")

    def test_retries_used_up(self):
        runtime = self.runtime("stubborn", retries=1, mpi="MPICH")
        ended = self.viaduct("run", self.job("never", self.COUNT + "exit 9", runtime="stubborn"), runtime, code=9)
        self.assertIn("ReachedMaxRestarts", ended.err)
        self.assertEqual(self.status("never"), ("Failed", "ReachedMaxRestarts"))
        self.assertEqual((self.dir / "count").read_text(), "2\n")

    def test_no_retry_unless_asked_for(self):
        self.viaduct("run", self.job("once", self.COUNT + "exit 9"), code=9)
        self.assertEqual((self.dir / "count").read_text(), "1\n")

    def test_deadline(self):
        for runtime in RUNTIMES:
            with self.subTest(runtime):
                name = f"slow-{runtime}"
                ended = self.viaduct("run", self.job(name, ["sleep", "100"], ranks=2, runtime=runtime, activeDeadlineSeconds=1), code=124)
                self.assertIn("DeadlineExceeded", ended.err)
                self.assertEqual(self.status(name), ("Failed", "DeadlineExceeded"))
                self.assert_nothing_left()

    def test_suspended_at_birth(self):
        job = self.job("later", ["/bin/echo", "now"], suspend=True)
        self.assertEqual(self.viaduct("submit", job).out, "later submitted (suspended)\n")
        self.assertEqual(self.status("later"), ("Suspended", "Suspended"))
        self.wait_until_nothing_left()
        self.assertEqual(self.viaduct("logs", "later").out, "")
        self.viaduct("suspend", "later", code=4)
        self.assertEqual(self.viaduct("resume", "later").out, "later resumed\n")
        self.viaduct("wait", "later")
        self.assertEqual(self.log("later", 0), "now\n")
        self.viaduct("resume", "later", code=4)

    def test_run_of_a_suspended_job(self):
        ended = self.viaduct("run", self.job("later", ["true"], suspend=True))
        self.assertIn("Suspended", ended.err)
        self.viaduct("cancel", "later")
        self.assertEqual(self.status("later"), ("Cancelled", "Cancelled"))

    def test_suspend_and_resume(self):
        job = self.job("pause", self.COUNT + "[ $n = 2 ] || exec sleep 100")
        self.viaduct("submit", job)
        self.wait_for_file("count")
        self.viaduct("suspend", "pause")
        self.assertEqual(self.status("pause"), ("Suspended", "Suspended"))
        self.wait_until_nothing_left()
        self.viaduct("resume", "pause")
        self.viaduct("wait", "pause")
        self.assertEqual(self.status("pause")[0], "Succeeded")
        self.assertEqual(self.log("pause", 0), "attempt 2\n")


class InTheBackground(Case):
    def test_from_submit_to_delete(self):
        job = self.job("deed", 'touch "$DIR/up"; echo begun $RANK; exec sleep 100', ranks=2)
        self.assertEqual(self.viaduct("submit", job, "-o", "name").out, "deed\n")
        self.wait_for_file("up")
        self.wait_for_phase("deed", "Running")
        self.viaduct("delete", "deed", code=4)
        self.viaduct("wait", "deed", "--timeout", 1, code=124)
        self.assertEqual(self.viaduct("cancel", "deed").out, "deed cancelled\n")
        self.assertEqual(self.status("deed"), ("Cancelled", "Cancelled"))
        self.viaduct("wait", "deed", code=143)
        self.viaduct("cancel", "deed", code=4)
        self.wait_until_nothing_left()
        self.assertEqual(self.viaduct("delete", "deed").out, "deed deleted\n")
        self.assertEqual(self.job_directories(), [])
        self.viaduct("status", "deed", code=3)

    def test_delete_with_force(self):
        self.viaduct("submit", self.job("stubborn", "exec sleep 100"))
        self.viaduct("delete", "--force", "stubborn")
        self.assertEqual(self.job_directories(), [])
        self.wait_until_nothing_left()

    def test_wait_gives_the_jobs_exit_code(self):
        self.viaduct("submit", self.job("good", ["true"]))
        self.viaduct("submit", self.job("bad", "exit 9"))
        ended = self.viaduct("wait", "good", "bad", code=9)
        self.assertIn("good: Succeeded", ended.err)
        self.assertIn("bad: Failed", ended.err)

    def test_no_line_is_lost_however_short(self):
        for runtime in ("mpi", "mpich"):
            with self.subTest(runtime):
                name = f"short-{runtime}"
                self.viaduct("run", "-q", self.job(name, "exec seq 1 50000", ranks=2, runtime=runtime))
                for rank in (0, 1):
                    self.assertEqual(self.log(name, rank).split(), [str(n) for n in range(1, 50001)])

    def test_logs_follow(self):
        script = 'echo one; until [ -e "$DIR/go" ]; do sleep 0.05; done; echo two'
        self.viaduct("submit", self.job("tale", script))
        follower = self.start("logs", "-f", "tale")
        self.assertEqual(follower.stdout.readline(), "[0] one\n")
        self.write("go", "")
        self.assertEqual(self.end(follower, code=0).out, "[0] two\n")
        self.assertEqual(self.viaduct("logs", "-f", "tale").out, "[0] one\n[0] two\n")

    def test_forms_of_status_and_list(self):
        self.viaduct("run", self.job("done", "exit 3", ranks=2, annotations={"mine": "stays"}), code=3)
        self.viaduct("run", self.job("fine", ["true"]))

        text = self.viaduct("status", "done").out
        self.assertRegex(text, r"state +Failed \(FailedJobs\)")
        self.assertRegex(text, r"exit code +3")
        self.assertEqual(self.viaduct("status", "done", "-o", "name").out, "done\n")
        whole = json.loads(self.viaduct("status", "done", "-o", "json").out)
        self.assertEqual(whole["metadata"]["annotations"]["mine"], "stays")
        self.assertEqual(whole["metadata"]["annotations"]["viaduct.dev/state"], "Failed")
        self.assertEqual(whole["metadata"]["annotations"]["viaduct.dev/exit-code"], "3")
        condition, = whole["status"]["conditions"]
        self.assertEqual((condition["type"], condition["status"], condition["reason"]), ("Failed", "True", "FailedJobs"))
        self.assertEqual([job["name"] for job in whole["status"]["jobsStatus"]], ["node", "launcher"])

        self.assertEqual(self.viaduct("list", "-o", "name").out, "done\nfine\n")
        table = self.viaduct("list").out.splitlines()
        self.assertRegex(table[1], r"^done +Failed +2 +1 .* FailedJobs$")
        self.assertRegex(table[2], r"^fine +Succeeded +1 +1 ")
        listed = json.loads(self.viaduct("list", "-o", "json").out)
        self.assertEqual(listed["items"][0], whole)

        # What they print can be planned, and submitted elsewhere.
        plan = self.viaduct("plan", "done.json", "-o", "json").out
        for form in ("yaml", "json"):
            with self.subTest(form):
                shown = self.viaduct("status", "done", "-o", form).out
                self.assertEqual(self.viaduct("plan", "-", "-o", "json", input=shown).out, plan)
                self.viaduct("run", "-", input=shown, code=3, env={"VIADUCT_HOME": str(self.dir / f"home-{form}")})
                everything = self.viaduct("list", "-o", form).out
                self.assertIn('"fine"', self.viaduct("plan", "-", "-o", "json", input=everything).out)

    def test_empty_list(self):
        self.assertEqual(self.viaduct("list").err, "no jobs\n")
        self.assertEqual(self.viaduct("list", "-o", "name").out, "")
        self.assertEqual(json.loads(self.viaduct("list", "-o", "json").out)["items"], [])

    def test_the_terminal_may_go(self):
        # The supervisor has a session of its own: it does not end with the one submit was called in.
        shell = self.start("-c", f"{support.VIADUCT} submit {self.job('orphan', 'touch $DIR/up; sleep 0.5; echo done')}",
                           program="/bin/sh", start_new_session=True)
        self.end(shell, code=0)
        supervisor = wait_until("the job has a supervisor", lambda: self.record("orphan").get("supervisor"))
        self.assertEqual(os.getsid(supervisor["pid"]), supervisor["pid"])
        self.viaduct("wait", "orphan")
        self.assertEqual(self.log("orphan", 0), "done\n")


if __name__ == "__main__":
    support.main()
