"""The Slurm script of docs/clusters.md, submitted to a real Slurm."""

import csv
import glob
import os
import signal
import subprocess
import time
import unittest

from tests import starling

_RUNFILES = os.path.join(os.environ["TEST_SRCDIR"], os.environ["TEST_WORKSPACE"])
WITH_SLURM = os.path.join(_RUNFILES, "tests/slurm/with_slurm")
PAGE = os.path.join(_RUNFILES, "docs/clusters.md")
SCRIPT = os.path.join(_RUNFILES, "docs/starling.sbatch")
UNAVAILABLE = 69


def with_slurm(*command, **kwargs):
    return subprocess.run([WITH_SLURM, "4", *command], stdin=subprocess.DEVNULL,
                          capture_output=True, text=True, timeout=100, check=False, **kwargs)


def processes_with(text):
    found = []
    for name in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open("/proc/%s/cmdline" % name, encoding="utf-8", errors="replace") as file:
                if text in file.read():
                    found.append(int(name))
        except OSError:
            pass
    return found


class Page(unittest.TestCase):

    def test_quotes_the_script(self):
        with open(SCRIPT, encoding="utf-8") as file:
            quoted = "".join("    " + line if line.strip() else line for line in file)
        with open(PAGE, encoding="utf-8") as file:
            self.assertIn(quoted, file.read())


class Slurm(unittest.TestCase):

    @classmethod
    def setUpClass(cls):
        result = with_slurm("true")
        if result.returncode == UNAVAILABLE:
            raise unittest.SkipTest(result.stderr.strip().splitlines()[-1])
        assert result.returncode == 0, result.stderr

    def test_runs_tasks_and_passes_on_the_exit_code(self):
        result = with_slurm("sh", "-c", "srun -n 3 sh -c 'echo task $SLURM_PROCID'; exit 7")
        self.assertEqual(result.returncode, 7, result.stderr)
        self.assertEqual(sorted(result.stdout.splitlines()), ["task 0", "task 1", "task 2"])

    def test_killed_it_leaves_nothing(self):
        token = "with-slurm-test-%d" % os.getpid()
        process = subprocess.Popen([WITH_SLURM, "4", "sh", "-c", "echo up; sleep 600 # " + token],
                                   stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True)
        self.assertEqual(process.stdout.readline(), "up\n")
        self.assertGreater(len(processes_with(token)), 1)
        process.send_signal(signal.SIGKILL)
        process.wait()
        process.stdout.close()
        deadline = time.monotonic() + 10
        while processes_with(token) or processes_with("/dev/shm/slurm"):
            self.assertLess(time.monotonic(), deadline, "processes are left")

    def test_the_script_trains_to_the_same_bits_as_threads(self):
        directory = starling.scratch()
        config = starling.write(starling.QUADRATIC)
        result = with_slurm(
            "sbatch", "--wait", "--nodes=1", "--ntasks-per-node=4", "--output=log", SCRIPT, config,
            cwd=directory, env=dict(os.environ, STARLING=starling.LIGHT_BINARY))
        with open(os.path.join(directory, "log"), encoding="utf-8") as file:
            self.assertEqual(result.returncode, 0, result.stderr + file.read())
        # The first job of a new cluster has the number 1.
        summary = starling.summary(os.path.join(directory, "runs/1"))
        self.assertEqual(summary["status"], "done")
        threads = starling.trained_summary(starling.QUADRATIC, "--set", "workers_per_node=4")
        self.assertEqual(summary["state_digest"], threads["state_digest"])

    def test_a_stopped_job_is_queued_again_and_goes_on(self):
        directory = starling.scratch()
        # Steps enough that the signal, which takes seconds on a busy machine, comes before the last.
        steps = 60000
        config = starling.write(starling.QUADRATIC.replace("max_steps: 20", "max_steps: %d" % steps))
        result = with_slurm(
            "sh", "-c", """
            sbatch --nodes=1 --ntasks-per-node=4 --output=log "$0" "$1"
            until [ -s runs/1/metrics.jsonl ]; do sleep 0.05; done
            scancel --signal=USR1 1
            until scontrol show job 1 | grep -q Restarts=1; do sleep 0.05; done
            until scontrol show job 1 | grep -q COMPLETED; do sleep 0.05; done""", SCRIPT, config,
            cwd=directory, env=dict(os.environ, STARLING=starling.LIGHT_BINARY))
        with open(os.path.join(directory, "log"), encoding="utf-8") as file:
            log = file.read()
        self.assertEqual(result.returncode, 0, result.stderr + log)
        self.assertIn("note: goes on after step ", log)
        summary = starling.summary(os.path.join(directory, "runs/1"))
        self.assertEqual(summary["status"], "done")
        threads = starling.trained_summary(starling.QUADRATIC, "--set", "workers_per_node=4",
                                           "--set", "train.max_steps=%d" % steps)
        self.assertEqual(summary["state_digest"], threads["state_digest"])

    def sweep(self, body, script, **kwargs):
        """Runs `script` where a sweep of the bowl is $0 and the binary $1; returns rows of runs.csv."""
        directory = starling.scratch()
        config = starling.write("base {%s}\n%s" % (
            starling.QUADRATIC.replace("max_steps: 20", "max_steps: %d" % kwargs.get("steps", 20)),
            body))
        result = with_slurm("sh", "-c", script, config, starling.LIGHT_BINARY, cwd=directory)
        logs = ""
        for path in glob.glob(os.path.join(directory, "sweep/slurm/*.log")):
            with open(path, encoding="utf-8") as file:
                logs += file.read()
        self.assertEqual(result.returncode, 0, result.stderr + logs)
        with open(os.path.join(directory, "sweep/runs.csv"), encoding="utf-8", newline="") as file:
            return list(csv.DictReader(file)), logs

    def test_a_sweep_as_a_job_array_has_the_results_of_one_here(self):
        rows, _ = self.sweep(
            """seeds: 3 axis { path: "topology.name" values: "ring" values: "complete" }
            launcher { name: "slurm" config { jobs: 2 cpus_per_node: 2 setup: "export SET_UP=1" } }""",
            'exec "$1" sweep --config="$0" --sweep_dir=sweep --jobs=2')
        self.assertEqual([row["status"] for row in rows], ["done"] * 6)
        alone = starling.trained_summary(
            starling.QUADRATIC, "--set", "seed=2", "--set", "topology.name=complete")
        self.assertEqual(rows[4]["state_digest"], alone["state_digest"])

    def test_a_preempted_sweep_is_queued_again_and_goes_on(self):
        steps = 60000
        rows, logs = self.sweep(
            'launcher { name: "slurm" config { cpus_per_node: 1 } }', """
            "$1" sweep --config="$0" --sweep_dir=sweep &
            until ls sweep/runs/*/metrics.jsonl 2> /dev/null; do sleep 0.05; done
            scancel --batch --signal=USR1 1
            until scontrol show job 1 | grep -q Restarts=1; do sleep 0.05; done
            wait $!""", steps=steps)
        self.assertIn("stopping: runs finish their step", logs)
        self.assertEqual([row["status"] for row in rows], ["done"])
        alone = starling.trained_summary(starling.QUADRATIC, "--set", "train.max_steps=%d" % steps)
        self.assertEqual(rows[0]["state_digest"], alone["state_digest"])


if __name__ == "__main__":
    unittest.main(verbosity=2)  # says why it skips
