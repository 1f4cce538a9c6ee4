#!/usr/bin/env python3
"""viaduct-agent where there is nothing else: static, in an empty root, as a user that nobody knows. And what it would
do inside an allocation."""

import json
import os
import pathlib
import shutil
import struct
import subprocess

import support
from support import AGENT, trainjob

NOBODY = 54321  # in no passwd file

SHOW = """
#include <stdio.h>
#include <stdlib.h>
#include <initializer_list>
int main(int argc, char** argv) {
  for (int i = 1; i < argc; ++i) printf("%s\\n", argv[i]);
  for (const char* name : {"RANK", "WORLD_SIZE", "LOCAL_RANK", "LOCAL_WORLD_SIZE", "NODE_RANK", "CROSS_SIZE", "MASTER_ADDR", "MASTER_PORT"})
    printf("%s=%s\\n", name, getenv(name) ? getenv(name) : "unset");
}
"""


class Static(support.Case):
    def test_it_needs_no_other_file(self):
        # The ELF program headers: neither an interpreter (3) nor a dynamic section (2) that names libraries.
        image = pathlib.Path(AGENT).read_bytes()
        self.assertEqual(image[:5], b"\x7fELF\x02")
        offset, = struct.unpack_from("<Q", image, 32)
        size, count = struct.unpack_from("<HH", image, 54)
        kinds = [struct.unpack_from("<I", image, offset + i * size)[0] for i in range(count)]
        self.assertNotIn(3, kinds, "it wants an interpreter")

    def test_in_an_empty_root(self):
        if os.geteuid() != 0:
            self.skipTest("only root can call chroot")
        compiler = shutil.which("c++")
        if not compiler:
            self.skipTest("no c++ to build a static program with")
        root = self.dir / "root"
        root.mkdir()
        shutil.copy(AGENT, root / "viaduct-agent")
        source = self.write("show.cc", SHOW)
        subprocess.run([compiler, "-static", "-o", root / "show", source], check=True)

        def inside(*words, env=None, code=0):
            # PATH is for chroot itself; what it starts is given by its full name.
            words = ["--groups=", f"--userspec={NOBODY}:{NOBODY}", str(root), "/viaduct-agent", *words]
            process = subprocess.run(["chroot", *words], env={"PATH": "/usr/sbin:/usr/bin", **(env or {})}, text=True,
                                     stdin=subprocess.DEVNULL, capture_output=True)
            self.assertEqual(process.returncode, code, process.stderr)
            return process

        self.assertRegex(inside("--version").stdout, r"^viaduct-agent \d+\.\d+\.\d+\n$")
        self.assertIn("launch", inside("--help").stdout)

        rank = {"OMPI_COMM_WORLD_RANK": "5", "OMPI_COMM_WORLD_SIZE": "8", "OMPI_COMM_WORLD_LOCAL_RANK": "1",
                "OMPI_COMM_WORLD_LOCAL_SIZE": "4"}
        options = ["--slots", "4(x2)", "--rendezvous", "node1:29500:29501", "--directory", "/"]
        expected = "RANK=5\nWORLD_SIZE=8\nLOCAL_RANK=1\nLOCAL_WORLD_SIZE=4\nNODE_RANK=1\nCROSS_SIZE=2\nMASTER_ADDR=node1\nMASTER_PORT=29500\n"
        shown = inside("exec", *options, "--", "/show", "[a b]", "\\:", "--", env=rank)
        self.assertEqual(shown.stdout, "[a b]\n:\n--\n" + expected)
        shown = inside("exec", *options, "--hello", "--watch", "--die-with-parent", "--", "/show", env=rank)
        self.assertEqual(shown.stdout, expected)
        self.assertRegex(shown.stderr, r"\x1eviaduct rank=5 host=\S+ pid=\d+ cpus=")

        self.assertIn("program not found: /no/such", inside("exec", "--", "/no/such", env=rank, code=127).stderr)
        self.assertIn("no MPI launcher told which rank this is", inside("exec", "--", "/show", code=2).stderr)

    def test_exec_passes_signals_and_codes_on(self):
        rank = {"PMI_RANK": "0", "PMI_SIZE": "1"}
        for options in ([], ["--watch"]):
            for script, code in (("exit 7", 7), ("kill -TERM $$", -15), ("true", 0)):
                process = self.start("exec", *options, "--", "/bin/sh", "-c", script, program=AGENT, env=rank)
                self.end(process, code=code)


class DryRun(support.Case):
    def plan(self, mpi="mpi", nodes=2, ranks=2):
        job = self.write("job.json", trainjob("dry", ["/bin/echo", ":", "a b"], nodes=nodes, ranks=ranks, runtime=mpi,
                                              env={"COLOUR": "red; green"}))
        return self.write(f"{mpi}-plan.json", self.viaduct("plan", job, "-o", "json").out)

    def dry(self, plan, *options, code=0):
        process = self.start("launch", "--dry-run", "--plan", plan, "--attempt-dir", self.dir / "attempt", *options, program=AGENT)
        return self.end(process, code=code)

    def test_open_mpi(self):
        shown = self.dry(self.plan(nodes=3), "--hosts", "node[1-3]:2", "--ssh-config", "ssh_config").out
        self.assertIn("ranks:    6 on 3 hosts\n", shown)
        self.assertIn("          node1 slots=2\n          node2 slots=2\n          node3 slots=2\n", shown)
        self.assertIn("COLOUR='red; green'\n", shown)
        command = shown[shown.index("command:"):]
        self.assertRegex(command, r"mpirun .*-np 6 .*-x COLOUR .*viaduct-agent exec .*--slots '2\(x3\)' --rendezvous node1:\d+:\d+ ")
        self.assertIn(r"-- /bin/echo '\:' 'a b'", command)
        self.assertNotIn("isolated", command)
        self.assertIn("--mca plm_rsh_agent ssh --mca plm_rsh_no_tree_spawn 1 --mca plm_rsh_num_concurrent 128", command)
        self.assertFalse((self.dir / "attempt").exists(), "a dry run must write nothing")

    def test_mpich(self):
        shown = self.dry(self.plan("mpich"), "--hosts", "node1:2,node2:2", "--ssh-config", "ssh_config").out
        self.assertIn("(MPICH ", shown)
        self.assertIn("          node1:2\n          node2:2\n", shown)
        self.assertRegex(shown, r"mpi\S+ -f \S+ -np 4 -genvall .*-bind-to none .*viaduct-agent exec .*--watch")
        self.assertIn("-launcher ssh -launcher-exec ssh", shown)

    def test_this_host(self):
        shown = self.dry(self.plan(), "--this-host").out
        self.assertIn("          localhost slots=4\n", shown)
        self.assertIn("--mca plm isolated", shown)
        self.assertIn("-launcher fork", self.dry(self.plan("mpich"), "--this-host").out)

    def test_too_many_ranks(self):
        ended = self.dry(self.plan(nodes=4), "--hosts", "node[1-3]:2", "--ssh-config", "ssh_config", code=2)
        self.assertIn("too many ranks for the slots: the plan has 8 ranks, the 3 hosts offer 6 slots", ended.err)

    def test_bad_options(self):
        plan = self.plan()
        for options in ([], ["--hosts", "node1:0"], ["--hosts", "node1:x"], ["--hosts", "node[3-1]:2"], ["--hosts", "n", "--this-host"],
                        ["--hosts", "node1,node1"], ["--hosts", "node[1-2]:2"]):
            with self.subTest(options):
                self.dry(plan, *options, code=2)
        self.dry(self.dir / "no-such-plan.json", "--this-host", code=3)
        self.dry(self.write("damaged.json", json.dumps({"kind": "RunPlan"})), "--this-host", code=2)


class Launch(support.Case):
    def test_it_runs_a_plan_alone(self):
        job = self.write("job.json", trainjob("alone", ["/bin/sh", "-c", "echo rank $RANK; exit $RANK"], ranks=2))
        plan = self.write("plan.json", self.viaduct("plan", job, "-o", "json").out)
        (self.dir / "attempt").mkdir()
        launch = self.start("launch", "--plan", plan, "--attempt-dir", self.dir / "attempt", "--this-host", program=AGENT)
        ended = self.end(launch, code=1)
        self.assertIn("[0] rank 0\n", ended.out)
        self.assertIn("[1] rank 1\n", ended.out)
        exit_file, = (self.dir / "attempt/exit").iterdir()
        self.assertEqual(exit_file.stat().st_mode & 0o777, 0o600)
        record = json.loads(exit_file.read_text())
        self.assertEqual((record["cause"], record["exitCode"], record["failure"]["rank"]), ("Finished", 1, 1))
        self.assert_nothing_left()


if __name__ == "__main__":
    support.main()
