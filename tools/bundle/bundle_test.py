"""The bundle trains where there is nothing else: in a folder that becomes the root of all."""

import json
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
import unittest

RUNFILES = os.path.join(os.environ["TEST_SRCDIR"], os.environ["TEST_WORKSPACE"])
BUNDLE = os.path.join(RUNFILES, "tools/bundle/bundle.py")

CONFIG = """
name: "tiny"
workers: 2
topology { name: "ring" }
algorithm { name: "gossip" }
optimizer { name: "adam" }
model { name: "mlp" config { hidden: [24, 16] } }
dataset { name: "synthetic_classification" }
train { global_batch_size: 64 max_steps: 20 }
"""

# A shell, as every Linux has, is the only thing that the bundle finds.
SHELL = {"/bin/dash": "bin/sh", "/lib64/ld-linux-x86-64.so.2": "lib64/ld-linux-x86-64.so.2",
         "/lib/x86_64-linux-gnu/libc.so.6": "lib/x86_64-linux-gnu/libc.so.6"}

# In a mount namespace of its own: what is mounted ends with it.
ENTER = r"""
set -e
ip link set lo up
mount -t proc proc "$1/proc"
mount -t tmpfs tmpfs "$1/dev"
mkdir "$1/dev/shm" "$1/dev/pts"
mknod -m 666 "$1/dev/null" c 1 3
mknod -m 666 "$1/dev/urandom" c 1 9
mount -t devpts -o newinstance,ptmxmode=666 devpts "$1/dev/pts"
ln -s pts/ptmx "$1/dev/ptmx"
shift
exec chroot "$@"
"""
PATH = "/usr/sbin:/usr/bin:/sbin:/bin"
NAMESPACES = ["unshare", "--mount", "--net", "--pid", "--ipc", "--fork", "--kill-child"]


class Bundle(unittest.TestCase):

    @classmethod
    def setUpClass(cls):
        cls.root = tempfile.mkdtemp(dir=os.environ["TEST_TMPDIR"])
        if os.geteuid() != 0:
            raise unittest.SkipTest("chroot needs root")
        if shutil.which("ip", path=PATH) is None:
            raise unittest.SkipTest("ip is missing; install it with: apt-get install iproute2")
        if subprocess.run(NAMESPACES + ["true"], capture_output=True, check=False).returncode != 0:
            raise unittest.SkipTest("this machine allows no new namespaces")
        archive = os.path.join(cls.root, "bundle.tar")
        made = subprocess.run(
            [sys.executable, BUNDLE, "--program", os.path.join(RUNFILES, "experiments/starling"),
             "--licence", os.path.join(RUNFILES, "LICENSE"), "--output", archive],
            capture_output=True, text=True, check=False)
        assert made.returncode == 0, made.stderr
        with tarfile.open(archive) as tar:
            tar.extractall(cls.root)
        os.remove(archive)
        cls.bundle = os.path.join(cls.root, "starling-bundle")
        for folder in ("bin", "dev", "lib64", "lib/x86_64-linux-gnu", "proc", "tmp"):
            os.makedirs(os.path.join(cls.root, folder), exist_ok=True)
        for file, place in SHELL.items():
            shutil.copy(file, os.path.join(cls.root, place))
        with open(os.path.join(cls.root, "config.textproto"), "w", encoding="utf-8") as file:
            file.write(CONFIG)

    @classmethod
    def tearDownClass(cls):
        shutil.rmtree(cls.root)

    def run_inside(self, *command):
        return subprocess.run(
            NAMESPACES + ["sh", "-c", ENTER, "enter", self.root, self.root, *command],
            env={"HOME": "/tmp", "PATH": PATH, "OMPI_ALLOW_RUN_AS_ROOT": "1",
                 "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1"},
            stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=50, check=False)

    def train(self, name, *launcher):
        """Trains inside; returns the digest."""
        result = self.run_inside(*launcher, "/starling-bundle/starling", "train",
                                 "--config=/config.textproto", "--run_dir=/tmp/" + name)
        self.assertEqual(result.returncode, 0, result.stdout + result.stderr)
        with open(os.path.join(self.root, "tmp", name, "summary.json"), encoding="utf-8") as file:
            summary = json.load(file)
        self.assertEqual(summary["status"], "done")
        return summary["state_digest"]

    def test_trains_on_threads(self):
        self.assertRegex(self.train("threads"), "^[0-9a-f]{16}$")

    def test_trains_as_mpi_ranks_to_the_same_bits(self):
        ranks = self.train("mpi", "/starling-bundle/bin/mpirun", "-np", "2", "--oversubscribe",
                           "--bind-to", "none")
        self.assertEqual(ranks, self.train("threads_again"))

    def test_its_mpirun_starts_programs(self):
        result = self.run_inside("/starling-bundle/bin/mpirun", "-np", "2", "--oversubscribe",
                                 "--bind-to", "none", "/bin/sh", "-c",
                                 "echo rank $OMPI_COMM_WORLD_RANK")
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertEqual(sorted(result.stdout.splitlines()), ["rank 0", "rank 1"])
        self.assertNotIn("/usr/lib", result.stderr)  # where it was installed once

    def test_has_the_licence_of_every_package_listed(self):
        with open(os.path.join(self.bundle, "PACKAGES"), encoding="utf-8") as file:
            packages = [line.split()[0] for line in file]
        self.assertLess({"libc6", "libtorch1.13", "libopenmpi3", "openmpi-bin"}, set(packages))
        for package in packages + ["starling"]:
            folder = os.path.join(self.bundle, "licences", package)
            self.assertTrue(os.listdir(folder), package)


if __name__ == "__main__":
    unittest.main(verbosity=2)  # says why it skips
