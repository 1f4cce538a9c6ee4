#!/usr/bin/env python3
"""What happens when something is killed, twice done, or comes at the wrong moment. After each: the true state, the
right exit code, and no process left."""

import json
import os
import signal
import socket

import support
from support import wait_until

RUNTIMES = ("mpi", "mpich")
SLEEPERS = 'touch "$DIR/up.$RANK"; exec sleep 300'
# A rank that doesn't care for SIGTERM: `trap ''` makes it ignored in what it starts as well.
DEAF = 'trap "" TERM INT; touch "$DIR/up.$RANK"; while :; do sleep 300; done'


class Case(support.Case):
    def start_job(self, name, script=SLEEPERS, ranks=2, **rest):
        """`viaduct run`, returned when every rank is up."""
        runtimes = [self.runtime(rest["runtime"])] if rest.get("runtime") not in (None, *RUNTIMES) else []
        process = self.start("run", self.job(name, script, ranks=ranks, **rest), *runtimes)
        self.wait_for_ranks(name, ranks)
        return process

    def wait_for_ranks(self, name, ranks=2):
        """Every rank is up, and the record says so."""
        self.wait_for_file(*(f"up.{rank}" for rank in range(ranks)))
        wait_until(f"{name} knows that its ranks are up", lambda: self.record(name)["ranksUp"])
        for rank in range(ranks):
            (self.dir / f"up.{rank}").unlink()

    def launch_of(self, viaduct):
        """The pid of viaduct-agent launch, viaduct's only child."""
        launch, = support.children(viaduct)
        self.assertEqual(support.arguments(launch.pid)[1], "launch")
        return launch.pid

    def mpirun_of(self, viaduct):
        mpirun, = support.children(self.launch_of(viaduct))
        return mpirun.pid

    def ranks_of(self, viaduct):
        """The pids of the ranks' programs, or their children, in no order."""
        return [p.pid for p in support.descendants(self.mpirun_of(viaduct)) if p.name == "sleep"]

    def assert_lost(self, name):
        self.wait_until_nothing_left()
        self.assertEqual(self.status(name), ("Lost", "Lost"))
        self.viaduct("wait", name, code=1)
        self.viaduct("delete", name)


class Kills(Case):
    def each(self, test):
        for runtime in RUNTIMES:
            with self.subTest(runtime):
                test(runtime, f"victim-{runtime}")

    def test_viaduct_itself(self):
        def check(runtime, name):
            run = self.start_job(name, runtime=runtime)
            run.kill()
            self.end(run, code=-signal.SIGKILL)
            self.assert_lost(name)
        self.each(check)

    def test_launch(self):
        def check(runtime, name):
            run = self.start_job(name, runtime=runtime)
            os.kill(self.launch_of(run.pid), signal.SIGKILL)
            ended = self.end(run, code=1)
            self.assert_nothing_left()
            self.assertIn("Lost", ended.err)
            self.assertIn("viaduct-agent launch was ended by signal 9 (Killed)", ended.err)
            self.assert_lost(name)
        self.each(check)

    def test_mpirun(self):
        def check(runtime, name):
            run = self.start_job(name, runtime=runtime)
            os.kill(self.mpirun_of(run.pid), signal.SIGKILL)
            ended = self.end(run, code=128 + signal.SIGKILL)
            self.assert_nothing_left()
            self.assertRegex(ended.err, r"Failed after .*mpirun\S* on \S+ was ended by signal 9 \(Killed\)")
            self.assertEqual(self.status(name), ("Failed", "FailedJobs"))
        self.each(check)

    def test_one_rank(self):
        def check(runtime, name):
            run = self.start_job(name, runtime=runtime)
            os.kill(self.ranks_of(run.pid)[0], signal.SIGKILL)
            ended = self.end(run, code=128 + signal.SIGKILL)
            self.assert_nothing_left()
            self.assertRegex(ended.err, r"Failed after .*rank [01] on \S+ was ended by signal 9 \(Killed\)")
            self.assertEqual(self.status(name), ("Failed", "FailedJobs"))
            self.assertEqual(self.record(name)["failure"]["host"], socket.gethostname())
        self.each(check)

    def test_every_rank_at_once(self):
        def check(runtime, name):
            run = self.start_job(name, runtime=runtime)
            for pid in self.ranks_of(run.pid):
                os.kill(pid, signal.SIGKILL)
            self.end(run, code=128 + signal.SIGKILL)
            self.assert_nothing_left()
            self.assertEqual(self.status(name), ("Failed", "FailedJobs"))
        self.each(check)

    def test_the_supervisor_of_a_submitted_job(self):
        def check(runtime, name):
            self.viaduct("submit", self.job(name, SLEEPERS, ranks=2, runtime=runtime))
            self.wait_for_ranks(name)
            waiting = self.start("wait", name)
            os.kill(self.record(name)["supervisor"]["pid"], signal.SIGKILL)
            self.assertIn("Lost", self.end(waiting, code=1).err)
            self.assert_lost(name)
        self.each(check)

    def test_launch_of_a_submitted_job(self):
        self.viaduct("submit", self.job("victim", SLEEPERS, ranks=2))
        self.wait_for_ranks("victim")
        os.kill(self.record("victim")["launcher"]["pid"], signal.SIGKILL)
        self.viaduct("wait", "victim", code=1)
        self.assert_lost("victim")

    def test_viaduct_and_launch_at_once(self):
        def check(runtime, name):
            run = self.start_job(name, runtime=runtime)
            launch = self.launch_of(run.pid)
            os.kill(launch, signal.SIGSTOP)  # so that it can do nothing about the end of viaduct
            run.kill()
            self.end(run)
            os.kill(launch, signal.SIGKILL)
            self.assert_lost(name)
        self.each(check)

    def test_viaduct_with_ranks_that_ignore_term(self):
        run = self.start("run", self.job("deaf", DEAF, ranks=2, runtime="hasty"), self.runtime("hasty", grace=1))
        self.wait_for_ranks("deaf")
        run.kill()
        self.end(run)
        self.assert_lost("deaf")


class Stops(Case):
    def test_signals(self):
        for runtime in RUNTIMES:
            for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
                with self.subTest(f"{runtime} {number.name}"):
                    name = f"stop-{runtime}-{number.name.lower()}"
                    run = self.start_job(name, runtime=runtime)
                    run.send_signal(number)
                    ended = self.end(run, code=128 + number)
                    self.assertIn("Cancelled", ended.err)
                    self.assert_nothing_left()
                    self.assertEqual(self.status(name), ("Cancelled", "Cancelled"))

    def test_ranks_may_clean_up(self):
        script = ('trap "echo saved $RANK; exit 0" TERM; touch "$DIR/up.$RANK"; '
                  'while :; do sleep 0.05; done')
        for runtime in RUNTIMES:
            with self.subTest(runtime):
                name = f"clean-{runtime}"
                run = self.start_job(name, script, runtime=runtime)
                run.send_signal(signal.SIGTERM)
                ended = self.end(run, code=143)
                self.assertEqual(sorted(ended.out.splitlines()), ["[0] saved 0", "[1] saved 1"])
                self.assert_nothing_left()

    def test_the_grace(self):
        # Long enough to see that the ranks live on within it, short enough to wait for its end.
        runtime = self.runtime("hasty", grace=1)
        run = self.start("run", self.job("deaf", DEAF, ranks=2, runtime="hasty"), runtime)
        self.wait_for_ranks("deaf")
        run.send_signal(signal.SIGTERM)
        wait_until("it is stopping", lambda: self.record("deaf")["phase"] == "Stopping")
        self.assertEqual(len(self.ranks_of(run.pid)), 2)
        self.end(run, code=143)
        self.assert_nothing_left()
        self.assertEqual(self.status("deaf"), ("Cancelled", "Cancelled"))

    def test_a_second_signal_ends_the_grace(self):
        for runtime in RUNTIMES:
            with self.subTest(runtime):
                name = f"deaf-{runtime}"
                patient = self.write(f"{name}-runtime.json",
                                     support.training_runtime("patient", mpi="MPICH" if runtime == "mpich" else "OpenMPI", grace=600))
                run = self.start("run", self.job(name, DEAF, ranks=2, runtime="patient"), patient)
                self.wait_for_ranks(name)
                run.send_signal(signal.SIGINT)
                wait_until("it is stopping", lambda: self.record(name)["phase"] == "Stopping")
                self.assertIsNone(run.poll())
                run.send_signal(signal.SIGINT)
                self.end(run, code=130)
                self.assert_nothing_left()
                self.assertEqual(self.status(name), ("Cancelled", "Cancelled"))

    def test_before_the_ranks_are_up(self):
        # An mpirun that takes its time.
        self.write("bin/mpirun", '#!/bin/sh\n[ "$1" = --version ] && exec /usr/bin/mpirun --version\n'
                                 'touch "$DIR/starting"; exec sleep 300\n', 0o755)
        run = self.start("run", self.job("early", SLEEPERS), env={"PATH": f"{self.dir}/bin:{os.environ['PATH']}"})
        self.wait_for_file("starting")
        run.send_signal(signal.SIGINT)
        self.end(run, code=130)
        self.assert_nothing_left()
        self.assertEqual(self.status("early"), ("Cancelled", "Cancelled"))

    def test_what_a_rank_left_behind(self):
        # Open MPI waits for those that hold a rank's output open, so there they don't.
        scripts = {"in-the-background": "sleep 301 &", "in-a-session-of-its-own": "setsid sleep 302 &",
                   "that-ignores-term": '(trap "" TERM; setsid sleep 303 &)'}
        for runtime in RUNTIMES:
            for name, script in scripts.items():
                if runtime == "mpi":
                    script = "exec > /dev/null 2>&1; " + script
                with self.subTest(f"{runtime} {name}"):
                    self.viaduct("run", self.job(f"{runtime}-{name}", script, ranks=2, runtime=runtime))
                    self.assert_nothing_left()

    def test_what_a_rank_left_behind_when_it_is_killed(self):
        script = 'setsid sleep 304 > /dev/null 2>&1 & touch "$DIR/up.$RANK"; exec sleep 300'
        run = self.start_job("victim", script)
        os.kill(self.launch_of(run.pid), signal.SIGKILL)
        self.end(run, code=1)
        self.assert_nothing_left()
        run = self.start_job("orphans", script)
        run.kill()
        self.end(run)
        self.assert_lost("orphans")

    def test_a_launcher_command(self):
        run = self.start("run", self.job("own", ["mpirun", "-np", "2", "sh", "-c",
                                                 'touch "$DIR/up.$OMPI_COMM_WORLD_RANK"; exec sleep 300'], nodes=2))
        self.wait_for_ranks("own")
        run.send_signal(signal.SIGTERM)
        self.end(run, code=143)
        self.assert_nothing_left()
        self.assertEqual(self.status("own"), ("Cancelled", "Cancelled"))

    def test_a_reader_that_reads_nothing_does_not_keep_the_run_from_ending(self):
        script = 'touch "$DIR/up.$RANK"; while :; do echo 0123456789012345678901234567890123456789012345; done'
        run = self.start_job("flood", script)
        run.send_signal(signal.SIGTERM)
        wait_until("the job is cancelled", lambda: self.record("flood")["phase"] == "Cancelled")
        self.assertIsNone(run.poll())  # it still has output that nobody took
        run.kill()
        self.end(run)
        self.assert_nothing_left()

    def test_a_hangup_under_nohup_is_nothing(self):
        job = self.job("nohup", 'touch "$DIR/up.$RANK"; until [ -e "$DIR/go" ]; do sleep 0.05; done')
        run = self.start("run", job, preexec_fn=lambda: signal.signal(signal.SIGHUP, signal.SIG_IGN))
        self.wait_for_ranks("nohup", 1)
        run.send_signal(signal.SIGHUP)
        self.write("go", "")
        self.end(run, code=0)

    def test_the_reader_of_the_output_goes_away(self):
        job = self.job("piped", 'while :; do echo $RANK; sleep 0.01; done', ranks=2)
        run = self.start("run", job)
        run.stdout.readline()
        run.stdout.close()
        run.stdout = None
        self.end(run, code=128 + signal.SIGPIPE)
        self.assert_nothing_left()
        self.assertEqual(self.status("piped"), ("Cancelled", "Cancelled"))


class AtOnce(Case):
    def test_two_resumes(self):
        self.viaduct("submit", self.job("twice", 'echo run >> "$DIR/runs"; until [ -e "$DIR/go" ]; do sleep 0.05; done', suspend=True))
        self.wait_until_nothing_left()
        both = [self.start("resume", "twice") for _ in range(2)]
        codes = sorted(self.end(resume).code for resume in both)
        self.assertIn(codes, ([0, 0], [0, 4]))
        self.write("go", "")
        self.viaduct("wait", "twice")
        self.assertEqual((self.dir / "runs").read_text(), "run\n")
        self.assertEqual(self.record("twice")["attempt"], 1)
        self.wait_until_nothing_left()

    def test_two_runs_of_one_name(self):
        for i in range(5):
            job = self.job(f"same-{i}", f'echo run >> "$DIR/runs.{i}"')
            both = [self.end(run) for run in [self.start("run", job) for _ in range(2)]]
            self.assertEqual(sorted(ended.code for ended in both), [0, 4])
            loser = max(both, key=lambda ended: ended.code)
            self.assertIn(f'there is a job named "same-{i}" already', loser.err)
            self.assertEqual((self.dir / f"runs.{i}").read_text(), "run\n")
        self.assertEqual(self.job_directories(), [f"same-{i}" for i in range(5)])

    def test_two_cancels(self):
        self.viaduct("submit", self.job("twice", SLEEPERS, ranks=2))
        self.wait_for_ranks("twice")
        both = [self.end(cancel) for cancel in [self.start("cancel", "twice") for _ in range(2)]]
        self.assertIn(sorted(ended.code for ended in both), ([0, 0], [0, 4]))
        self.assertEqual(self.status("twice"), ("Cancelled", "Cancelled"))
        self.wait_until_nothing_left()

    def test_cancel_while_it_starts(self):
        for i in range(5):
            self.viaduct("submit", self.job(f"early-{i}", SLEEPERS, ranks=2))
            self.viaduct("cancel", f"early-{i}")
            self.assertEqual(self.status(f"early-{i}"), ("Cancelled", "Cancelled"))
        self.wait_until_nothing_left()


class Gone(Case):
    def test_the_machine_was_restarted(self):
        """A record as it stands after a power cut: its processes belong to a boot that is over."""
        for phase, ranks_up in (("Created", False), ("Running", False), ("Running", True), ("Stopping", True)):
            with self.subTest(f"{phase} {ranks_up}"):
                name = f"cut-{phase.lower()}-{ranks_up}".lower()
                self.viaduct("run", self.job(name, ["true"]))
                record = self.record(name)
                for key in ("exitCode", "ended", "reason", "message"):
                    record.pop(key, None)
                record.update(phase=phase, ranksUp=ranks_up, status={}, attempt=0 if phase == "Created" else 1,
                              stopCause="Cancel" if phase == "Stopping" else "None")
                for process in ("supervisor", "launcher"):
                    record[process] = {**record[process], "bootId": "00000000-0000-0000-0000-000000000000",
                                       "pid": os.getpid()}
                if phase == "Created":
                    del record["launcher"]
                directory = self.home / "jobs" / name
                (directory / "record.json").write_text(json.dumps(record))
                for file in (directory / "attempts/1/exit").iterdir():
                    file.unlink()
                expected = ("Cancelled", "Cancelled") if phase == "Stopping" else ("Lost", "Lost")
                self.assertEqual(self.status(name), expected)
                self.assertEqual(self.viaduct("list", "-o", "name").code, 0)
                self.viaduct("delete", name)

    def test_its_launcher_finished_alone(self):
        """The supervisor is gone, but the launcher wrote down how the run ended: then that is the truth."""
        self.viaduct("run", self.job("alone", "exit 9"), code=9)
        record = self.record("alone")
        for key in ("exitCode", "ended", "reason", "message", "failure"):
            record.pop(key, None)
        record.update(phase="Running", ranksUp=True, status={})
        (self.home / "jobs/alone/record.json").write_text(json.dumps(record))
        self.assertEqual(self.status("alone"), ("Failed", "FailedJobs"))
        self.viaduct("wait", "alone", code=9)

    def test_killed_at_any_moment(self):
        """The moments are those at which a file of the job is first seen, and a little later."""
        job_files = ("", "record.json", "attempts/1", "logs/1.log", "attempts/1/hostfile", "attempts/1/started")
        for i, (file, later) in enumerate((f, n) for n in (0, 1, 4) for f in job_files):
            name = f"moment-{i}"
            directory = self.home / "jobs" / name
            with self.subTest(f"{file or 'directory'} + {later}"):
                run = self.start("run", self.job(name, SLEEPERS, ranks=2, runtime=RUNTIMES[i % 2]))
                self.wait_for_moment(directory / file, later)
                run.kill()
                self.end(run)
                self.wait_until_nothing_left()
                if not directory.exists():
                    continue
                self.assertEqual(self.status(name), ("Lost", "Lost"))
        leftovers = [name for name in self.job_directories() if name.startswith(".")]
        self.assertEqual(leftovers, [])

    def wait_for_moment(self, file, later):
        while not file.exists():
            pass
        for _ in range(later):  # the time that a look at every process takes: some milliseconds
            support.processes()


if __name__ == "__main__":
    support.main()
