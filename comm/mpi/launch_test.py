"""Runs a test of a backend in worlds of several processes, as mpirun starts them."""

import os
import subprocess
import sys
import unittest

TEST = sys.argv.pop(1)


class LaunchTest(unittest.TestCase):
    def check(self, workers, *flags):
        command = ["mpirun", "--allow-run-as-root", "--oversubscribe", "--bind-to", "none", "-np",
                   str(workers), os.path.abspath(TEST), "--gtest_color=no", *flags]
        ran = subprocess.run(command, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                             timeout=120)
        self.assertEqual(ran.returncode, 0, ran.stdout[-5000:])
        self.assertEqual(ran.stdout.count("[  PASSED  ]"), workers, ran.stdout[-5000:])

    def test_two(self):
        self.check(2)

    def test_three(self):
        self.check(3)

    def test_four(self):
        self.check(4)

    def test_eight(self):
        self.check(8)


if __name__ == "__main__":
    unittest.main()
