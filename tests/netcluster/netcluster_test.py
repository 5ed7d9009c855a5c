"""The emulated cluster keeps its limits, passes on what its program returns, and leaves nothing."""

import os
import re
import signal
import subprocess
import sys
import time
import unittest

HERE = os.path.join(os.environ["TEST_SRCDIR"], os.environ["TEST_WORKSPACE"], "tests/netcluster")
RUN = os.path.join(HERE, "run")
TRAFFIC = os.path.join(HERE, "traffic.py")
UNAVAILABLE = 69


def run(*arguments):
    return subprocess.run([RUN, *arguments], stdin=subprocess.DEVNULL, capture_output=True,
                          text=True, timeout=60, check=False)


def processes():
    """{process id: command line} of this machine."""
    found = {}
    for name in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open("/proc/%s/cmdline" % name, encoding="utf-8", errors="replace") as file:
                found[int(name)] = file.read()
        except OSError:
            pass
    return found


def network_namespaces():
    found = set()
    for name in filter(str.isdigit, os.listdir("/proc")):
        try:
            found.add(os.readlink("/proc/%s/ns/net" % name))
        except OSError:
            pass
    return found


def devices():
    return sorted(os.listdir("/sys/class/net"))


class Usage(unittest.TestCase):

    def test_a_rate_without_unit_is_refused(self):
        result = run("--rate", "200")
        self.assertEqual(result.returncode, 2)
        self.assertIn("--rate is '200'; write it like 200mbit, 1.5gbit or 500kbit", result.stderr)

    def test_one_sentence_says_what_is_missing(self):
        result = subprocess.run([sys.executable, RUN, "--hosts", "2"], env={"PATH": "/nowhere"},
                                capture_output=True, text=True, check=False)
        self.assertEqual(result.returncode, UNAVAILABLE)
        self.assertRegex(result.stderr, "^netcluster: .*(needs root|is missing; install it with: "
                                        "apt-get install [a-z0-9-]+)\n$")


class Cluster(unittest.TestCase):

    @classmethod
    def setUpClass(cls):
        result = run("--rate", "100mbit", "--program", "/bin/true")
        if result.returncode == UNAVAILABLE:
            raise unittest.SkipTest(result.stderr.strip())
        assert result.returncode == 0, result.stderr

    def mbit_per_second(self, megabytes, senders, hosts, per_host=1):
        """What arrived at rank 0, all senders together."""
        result = run("--rate", "40mbit", "--hosts", str(hosts), "--per_host", str(per_host),
                     "--program", sys.executable, "--", TRAFFIC, str(megabytes),
                     *map(str, senders))
        self.assertEqual(result.returncode, 0, result.stderr)
        seconds = float(re.search(r"seconds ([0-9.]+)", result.stdout).group(1))
        return 8 * megabytes * len(senders) / seconds

    def test_what_a_host_sends_is_limited(self):
        rate = self.mbit_per_second(4, senders=[1], hosts=2)
        self.assertLess(rate, 42)  # headers take 4 %, buffers give a little
        self.assertGreater(rate, 28)

    def test_what_a_host_receives_is_limited_whoever_sends(self):
        rate = self.mbit_per_second(2, senders=[1, 2], hosts=3)
        self.assertLess(rate, 44)
        self.assertGreater(rate, 28)

    def test_processes_of_a_host_are_not_limited(self):
        self.assertGreater(self.mbit_per_second(20, senders=[1], hosts=1, per_host=2), 100)

    def test_the_exit_code_is_the_programs(self):
        self.assertEqual(run("--program", "/bin/sh", "--", "-c", "exit 7").returncode, 7)

    def test_a_host_is_named_and_knows_the_others(self):
        result = run("--hosts", "2", "--program", "/bin/sh", "--", "-c",
                     "echo $(uname -n) sees $(getent hosts host0 | cut -d' ' -f1)")
        self.assertEqual(sorted(result.stdout.splitlines()),
                         ["host0 sees 10.0.0.1", "host1 sees 10.0.0.1"])

    def test_a_delay_works_or_is_answered(self):
        result = run("--delay", "1ms", "--program", "/bin/true")
        if result.returncode != 0:
            self.assertEqual(result.returncode, UNAVAILABLE)
            self.assertEqual(result.stderr, "netcluster: this kernel has no netem (sch_netem), "
                                            "which --delay needs\n")

    def leaves_nothing_after(self, number):
        before = devices()
        token = "netcluster-test-%d-%d" % (os.getpid(), number)
        cluster = subprocess.Popen(
            [RUN, "--hosts", "2", "--rate", "40mbit", "--program", sys.executable, "--", TRAFFIC,
             "BUSY", token],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        namespace = cluster.stdout.readline().strip()
        self.assertIn(namespace, network_namespaces())
        # run, its init, the hosts' holders, mpirun, orted, the two programs.
        self.assertGreater(sum(token in line for line in processes().values()), 4)
        cluster.send_signal(number)
        cluster.wait(timeout=30)
        cluster.stdout.close()
        deadline = time.monotonic() + 10
        while any(token in line for line in processes().values()):
            self.assertLess(time.monotonic(), deadline, "processes are left")
        while namespace in network_namespaces():
            self.assertLess(time.monotonic(), deadline, "a namespace is left")
        self.assertEqual(devices(), before)
        with open("/proc/mounts", encoding="utf-8") as file:
            self.assertNotIn("netcluster", file.read())
        return cluster.returncode

    def test_killed_it_leaves_nothing(self):
        self.assertEqual(self.leaves_nothing_after(signal.SIGKILL), -signal.SIGKILL)

    def test_terminated_it_leaves_nothing(self):
        self.assertNotEqual(self.leaves_nothing_after(signal.SIGTERM), 0)

    def test_interrupted_it_leaves_nothing(self):
        self.assertNotEqual(self.leaves_nothing_after(signal.SIGINT), 0)


if __name__ == "__main__":
    unittest.main(verbosity=2)  # says why it skips
