"""Runs whose workers die, stop, fail or are slow: all end, and name whose fault it was."""

import os
import re
import signal
import subprocess
import sys
import threading
import time
import unittest

from tests import starling

BINARY = os.path.abspath(sys.argv.pop(1))

CONFIG = """
name: "faults"
workers: 4
topology { name: "ring" }
optimizer { name: "sgd" config { lr: 0.05 } }
model { name: "faulty" config { %s } }
dataset { name: "no_data" }
mixing { timeout_seconds: %g }
train { local_batch_size: 1 max_steps: %d bucket_mb: 1e-6 eval_every_steps: 4 }
"""

MPIRUN = ["mpirun", "--allow-run-as-root", "--oversubscribe", "--bind-to", "none", "-np", "4"]


class Run:
    """One run under way."""

    def __init__(self, fault, mpi=True, timeout=30, steps=12, flags=()):
        self.directory = os.path.join(starling.scratch(), "run")
        config = starling.write(CONFIG % (fault, timeout, steps))
        command = [BINARY, "train", "--config=" + config, "--run_dir=" + self.directory, *flags]
        self.process = subprocess.Popen((MPIRUN if mpi else []) + command, text=True,
                                        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                        stderr=subprocess.PIPE)
        self.err = ""
        self.killed = False

    def pids(self):
        """Of the workers' processes."""
        found = subprocess.run(["pgrep", "-f", "run_dir=" + self.directory], text=True,
                               capture_output=True, check=False).stdout.split()
        return [int(pid) for pid in found if int(pid) != self.process.pid]

    def read_until(self, pattern):
        """Reads standard error up to a line that matches; returns the match."""
        for line in self.process.stderr:
            self.err += line
            match = re.search(pattern, line)
            if match:
                return match
        raise AssertionError("no %r in: %s" % (pattern, self.err))

    def end(self, seconds):
        """Waits for the end, of which nothing may be left; returns the exit code."""
        late = threading.Timer(seconds, self.kill)
        late.start()
        self.err += self.process.stderr.read()  # what is buffered too, unlike communicate
        code = self.process.wait()
        self.process.stderr.close()
        late.cancel()
        assert not self.killed, "it did not end: " + self.err
        return code

    def kill(self):
        self.killed = True
        for pid in [*self.pids(), self.process.pid]:
            os.kill(pid, signal.SIGKILL)

    def read(self, name):
        with open(os.path.join(self.directory, name), encoding="utf-8") as file:
            return file.read()


class FaultsTest(unittest.TestCase):
    def test_a_killed_process_is_named_and_all_end_in_five_seconds(self):
        cases = [("FORWARD", 2), ("BACKWARD", 1), ("EXCHANGE", 3), ("EVALUATION", 2),
                 ("BACKWARD", 0)]
        for place, worker in cases:
            with self.subTest(place=place, worker=worker):
                run = Run("fault: KILL place: %s worker: %d step: 3" % (place, worker))
                run.read_until("faulty: pid")
                begin = time.monotonic()
                self.assertNotEqual(run.end(5), 0)
                self.assertLess(time.monotonic() - begin, 5)
                self.assertRegex(run.err, r"worker %d \(pid \d+ on .*\) has died" % worker)
                self.assertEqual(run.read("STATUS").strip(), "failed")
                self.assertIn("worker %d (pid " % worker, run.read("summary.json"))
                self.assertEqual(run.pids(), [])

    def test_an_error_of_one_worker_ends_all(self):
        for mpi in (False, True):
            for place in ("FORWARD", "BACKWARD", "EXCHANGE", "EVALUATION"):
                with self.subTest(mpi=mpi, place=place):
                    run = Run("fault: FAIL place: %s worker: 2 step: 3" % place, mpi)
                    self.assertEqual(run.end(20), 1, run.err)
                    self.assertRegex(run.err, "starling: worker 2: .*step .*a made-up fault")
                    self.assertEqual(run.read("STATUS").strip(), "failed")
                    self.assertEqual(run.pids(), [])

    def test_a_stopped_process_is_named_after_the_time_out(self):
        run = Run("fault: STOP place: BACKWARD worker: 2 step: 5", timeout=2)
        stopped = int(run.read_until(r"faulty: pid (\d+)").group(1))
        try:
            run.read_until("worker 2 does not answer")
            page = run.read("hang_report.txt")
            # Not always one of its neighbours is first: those may keep others waiting as long.
            self.assertRegex(page, r"worker [013] waited 2s for worker \d to send stream ")
            self.assertIn("worker 0, step ", page)
        finally:
            os.kill(stopped, signal.SIGKILL)
        self.assertNotEqual(run.end(15), 0)
        self.assertEqual(run.read("STATUS").strip(), "failed")
        self.assertEqual(run.pids(), [])

    def test_slow_is_no_fault_until_the_time_out(self):
        slow = Run("fault: SLEEP place: FORWARD worker: 1 step: 3 sleep_seconds: 1", timeout=20)
        self.assertEqual(slow.end(30), 0, slow.err)
        for mpi in (False, True):
            late = Run("fault: SLEEP place: FORWARD worker: 1 step: 3 sleep_seconds: 4", mpi,
                       timeout=1)
            self.assertEqual(late.end(30), 1, late.err)
            self.assertRegex(late.err, r"worker [02] waited 1s for worker 1 to send")

    def test_a_running_run_tells_what_it_does(self):
        for mpi in (False, True):
            run = Run("step_ms: 20", mpi, steps=150)
            run.read_until(r"^1/150 ")
            os.kill(run.process.pid, signal.SIGUSR2)
            self.assertEqual(run.end(40), 0, run.err)
            self.assertRegex(run.read("hang_report.txt"), "SIGUSR2; who waits for whom:\n\n"
                             "worker 0, step \\d+: ")

    def test_stops_at_the_same_step_on_request(self):
        run = Run("step_ms: 20", mpi=False, steps=100000, flags=["--np=4"])
        run.read_until(r"^1/100000 ")
        os.kill(run.process.pid, signal.SIGTERM)
        self.assertEqual(run.end(20), 75, run.err)
        self.assertEqual(run.read("STATUS").strip(), "interrupted")
        self.assertIn("stopped on request after ", run.read("summary.json"))
        self.assertEqual(run.pids(), [])


if __name__ == "__main__":
    unittest.main()
