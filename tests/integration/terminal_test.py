#!/usr/bin/env python3
"""viaduct on a terminal: colours, the progress line, and Ctrl-C typed by a hand."""

import errno
import fcntl
import os
import pty
import re
import select
import struct
import termios
import time

import support

ESCAPE = "\x1b"


def without_colour(text):
    return re.sub(ESCAPE + r"\[[0-9;]*m", "", text)


class Screen:
    """A terminal with a program on it; `seen` is all that the program has written."""

    def __init__(self, words, env, directory, columns=80):
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            try:
                os.chdir(directory)
                os.execve(words[0], words, env)
            finally:
                os._exit(127)
        fcntl.ioctl(self.fd, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
        self.seen = ""
        self.open = True

    def read(self):
        if not self.open or not select.select([self.fd], [], [], 0.1)[0]:
            return
        try:
            chunk = os.read(self.fd, 1 << 16)
        except OSError as error:
            if error.errno != errno.EIO:  # how Linux tells that the program has gone
                raise
            chunk = b""
        self.seen += chunk.decode(errors="replace")
        self.open = bool(chunk)

    def wait_for(self, pattern):
        deadline = time.monotonic() + support.PATIENCE
        while not re.search(pattern, self.seen):
            if not self.open or time.monotonic() > deadline:
                raise AssertionError(f"{pattern!r} was not seen in {self.seen!r}")
            self.read()

    def type(self, text):
        os.write(self.fd, text.encode())

    def end(self):
        """Reads to the end; the exit code."""
        deadline = time.monotonic() + support.PATIENCE
        while self.open:
            if time.monotonic() > deadline:
                raise AssertionError(f"it does not end; seen: {self.seen!r}")
            self.read()
        os.close(self.fd)
        return os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])


class Terminal(support.Case):
    def screen(self, *words, columns=80, **env):
        return Screen([support.VIADUCT, *map(str, words)], {**self.env, "TERM": "xterm", **env}, self.dir, columns)

    def test_labels_have_colours(self):
        screen = self.screen("run", self.job("colours", "echo out $RANK", ranks=2))
        self.assertEqual(screen.end(), 0)
        self.assertIn(f"{ESCAPE}[36m[0]{ESCAPE}[0m out 0\r\n", screen.seen)
        self.assertIn(f"{ESCAPE}[33m[1]{ESCAPE}[0m out 1\r\n", screen.seen)
        self.assertIn(f"{ESCAPE}[32mSucceeded{ESCAPE}[0m", screen.seen)

    def test_no_colour(self):
        for number, env in enumerate(({"NO_COLOR": "1"}, {"TERM": "dumb"})):
            screen = self.screen("run", self.job(f"plain-{number}", "echo out $RANK", ranks=2), **env)
            self.assertEqual(screen.end(), 0)
            self.assertNotRegex(screen.seen, ESCAPE + r"\[[0-9;]*m")
            self.assertIn("[0] out 0\r\n", screen.seen)

    def test_an_empty_no_color_is_none(self):
        screen = self.screen("run", self.job("colours", "echo out"), NO_COLOR="")
        self.assertEqual(screen.end(), 0)
        self.assertIn(f"{ESCAPE}[36m[0]", screen.seen)

    def test_progress(self):
        job = self.job("progress", 'until [ -e "$DIR/go" ]; do sleep 0.05; done; echo done', ranks=2)
        screen = self.screen("run", job)
        screen.wait_for(r"progress  Running  \d+s  1 node  2 ranks")
        self.write("go", "")
        self.assertEqual(screen.end(), 0)
        # It is taken away before anything else is written, and stays away.
        clear = f"\r{ESCAPE}[K"
        shown = [part for part in screen.seen.split(clear) if part.startswith("progress  ")]
        self.assertTrue(shown)
        for part in shown:
            self.assertNotIn("\n", part)
        self.assertNotIn("progress  ", screen.seen.rsplit(clear, 1)[1])
        self.assertIn("viaduct: progress: Succeeded", without_colour(screen.seen).rstrip().splitlines()[-1])

    def test_progress_fits_a_narrow_terminal(self):
        job = self.job("a-job-with-quite-a-long-name", 'until [ -e "$DIR/go" ]; do sleep 0.05; done')
        screen = self.screen("run", job, columns=20)
        screen.wait_for(re.escape(f"\r{ESCAPE}[Ka-job-with-quite-a"))
        self.write("go", "")
        self.assertEqual(screen.end(), 0)
        for shown in re.findall(re.escape(f"\r{ESCAPE}[K") + r"(a-job[^\r\n]*)", screen.seen):
            self.assertLess(len(shown), 20)

    def test_quiet_shows_no_progress(self):
        screen = self.screen("run", "--quiet", self.job("quiet", "echo out"))
        self.assertEqual(screen.end(), 0)
        self.assertEqual(without_colour(screen.seen), "[0] out\r\n")

    def test_output_into_a_pipe_is_plain(self):
        # Standard error is a terminal, standard output is not: `viaduct run job.yaml | less`.
        words = f"{support.VIADUCT} run {self.job('piped', 'echo out')} | cat > {self.dir}/out"
        screen = Screen(["/bin/sh", "-c", words], {**self.env, "TERM": "xterm"}, self.dir)
        self.assertEqual(screen.end(), 0)
        self.assertEqual((self.dir / "out").read_text(), "[0] out\n")
        self.assertIn(f"{ESCAPE}[32mSucceeded", screen.seen)

    def test_control_c(self):
        for runtime in ("mpi", "mpich"):
            with self.subTest(runtime):
                name = f"stopped-{runtime}"
                screen = self.screen("run", self.job(name, "echo up; exec sleep 300", ranks=2, runtime=runtime))
                screen.wait_for(r"up\r\n(.|\n)*up\r\n")
                screen.type("\x03")
                self.assertEqual(screen.end(), 130)
                self.assertIn("Cancelled", screen.seen)
                self.assert_nothing_left()
                self.assertEqual(self.status(name), ("Cancelled", "Cancelled"))

    def test_second_control_c(self):
        patient = self.runtime("patient", grace=600)
        deaf = 'trap "" TERM INT; echo up; while :; do sleep 300; done'
        screen = self.screen("run", self.job("deaf", deaf, runtime="patient"), patient)
        screen.wait_for("up")
        screen.type("\x03")
        screen.wait_for("Stopping")
        screen.type("\x03")
        self.assertEqual(screen.end(), 130)
        self.assert_nothing_left()

    def test_the_terminal_goes_away(self):
        screen = self.screen("run", self.job("window", "echo up; exec sleep 300"))
        screen.wait_for("up")
        os.close(screen.fd)
        os.waitpid(screen.pid, 0)
        self.wait_until_nothing_left()
        self.assertEqual(self.status("window"), ("Cancelled", "Cancelled"))

    def test_following_logs_can_be_left(self):
        self.viaduct("submit", self.job("long", "echo up; exec sleep 300"))
        screen = self.screen("logs", "-f", "long")
        screen.wait_for("up")
        screen.type("\x03")
        self.assertIn(screen.end(), (130, -2))
        self.assertEqual(self.status("long")[0], "Running")
        self.viaduct("cancel", "long")


if __name__ == "__main__":
    support.main()
