"""The same config on threads and on MPI processes: one digest each, whatever is exchanged how."""

import subprocess
import unittest

import starling

ALGORITHMS = {
    "allreduce": ["--set=algorithm.name=allreduce"],
    "gossip AWC": ["--set=algorithm={name:\"gossip\" config{order: AWC}}"],
    "gossip ATC": ["--set=algorithm={name:\"gossip\" config{order: ATC}}"],
    "gradient_tracking": ["--set=algorithm.name=gradient_tracking"],
    "sgp": ["--set=algorithm.name=sgp"],
}

CONFIG = """
name: "bowl"
topology { name: "ring" }
optimizer { name: "adam" config { lr: 0.01 } }
model { name: "quadratic" config { dimension: 700 tensors: 5 } }
dataset { name: "no_data" }
train { local_batch_size: 1 max_steps: 12 consensus_every_steps: 5 }
"""

MPIRUN = ["mpirun", "--allow-run-as-root", "--oversubscribe", "--bind-to", "none"]


def switches(overlap, bucket_mb):
    return ["--set=mixing.overlap=%s" % str(overlap).lower(),
            "--set=train.bucket_mb=%g" % bucket_mb]


class BackendsTest(unittest.TestCase):
    def summary(self, processes, *flags):
        """Of a run on threads (processes 0) or on MPI."""
        config = starling.write(CONFIG)
        directory = starling.scratch() + "/run"
        command = [starling.LIGHT_BINARY, "train", "--config=" + config, "--run_dir=" + directory,
                   *flags]
        if processes:
            command = MPIRUN + ["-np", str(processes)] + command
        else:
            command.append("--set=backend.name=threads")
        ran = subprocess.run(command, text=True, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                             stderr=subprocess.STDOUT, timeout=60, check=False)
        self.assertEqual(ran.returncode, 0, ran.stdout)
        return starling.summary(directory)

    def digest(self, processes, *flags):
        return self.summary(processes, *flags)["state_digest"]

    def test_threads_and_mpi_end_in_the_same_bits(self):
        for name, algorithm in ALGORITHMS.items():
            for workers in (1, 2, 3, 4, 8):
                world = algorithm + ["--set=workers=%d" % workers,
                                     "--set=workers_per_node=%d" % min(workers, 2)]
                with self.subTest(algorithm=name, workers=workers):
                    threads = {self.digest(0, *world, *switches(overlap, bucket))
                               for overlap in (True, False) for bucket in (1e-6, 1000)}
                    self.assertEqual(len(threads), 1)
                    # One tensor per bucket, overlapped: the most messages under way.
                    self.assertEqual({self.digest(workers, *world, *switches(True, 1e-6))}, threads)

    def test_every_switch_on_mpi(self):
        for name, algorithm in ALGORITHMS.items():
            world = algorithm + ["--set=workers=4", "--set=workers_per_node=2"]
            with self.subTest(algorithm=name):
                digests = {self.digest(4, *world, *switches(overlap, bucket))
                           for overlap in (True, False) for bucket in (1e-6, 1000)}
                self.assertEqual(digests, {self.digest(0, *world)})

    def test_workers_leave_and_return_on_mpi(self):
        faults = ["--set=faults={leave {worker: 3 at_step: 4 return_at_step: 9}"
                  " leave {worker: 1 at_step: 6}}"]
        for name, algorithm in ALGORITHMS.items():
            world = algorithm + faults + ["--set=workers=4", "--set=workers_per_node=2"]
            with self.subTest(algorithm=name):
                threads = self.digest(0, *world, "--cores=1")
                self.assertEqual(self.digest(0, *world, "--cores=2"), threads)
                self.assertEqual(self.digest(4, *world), threads)

    def test_groups_and_narrow_values(self):
        world = ["--set=workers=8", "--set=workers_per_node=2",
                 "--set=topology.name=alternating_exp_ring"]
        for precision in ("SAME", "BF16"):
            flags = world + ["--set=mixing.precision=" + precision]
            with self.subTest(precision=precision):
                self.assertEqual(self.digest(8, *flags), self.digest(0, *flags))

    def test_sums_of_mpis_own_agree_up_to_rounding(self):
        native = "--set=backend={name:\"mpi\" config{all_reduce: NATIVE}}"
        for name, world in {"allreduce": ALGORITHMS["allreduce"],
                            "groups": ["--set=topology.name=alternating_exp_ring"]}.items():
            with self.subTest(name):
                flags = world + ["--set=workers=4", "--set=workers_per_node=2"]
                ours, mpis = self.summary(4, *flags), self.summary(4, *flags, native)
                self.assertLess(abs(mpis["eval_loss"] - ours["eval_loss"]),
                                1e-5 * ours["eval_loss"])

    def test_np_starts_the_processes(self):
        config = starling.write(CONFIG)
        directory = starling.scratch() + "/run"
        result = starling.run("train", "--config=" + config, "--run_dir", directory, "--np=2",
                              binary=starling.LIGHT_BINARY)
        self.assertEqual(result.code, 0, result.err)
        self.assertEqual(starling.summary(directory)["state_digest"],
                         self.digest(0, "--set=workers=2"))

    def test_worlds_that_do_not_fit_are_refused(self):
        config = starling.write(CONFIG + "workers: 3\n")
        directory = starling.scratch() + "/run"
        command = MPIRUN + ["-np", "2", starling.LIGHT_BINARY, "train", "--config=" + config,
                            "--run_dir=" + directory]
        ran = subprocess.run(command, text=True, capture_output=True, timeout=60, check=False)
        self.assertNotEqual(ran.returncode, 0)
        self.assertIn("the config has 3 workers, but 2 processes were started", ran.stderr)
        self.assertEqual(ran.stderr.count("the config has 3 workers"), 1, "one process speaks")

        ran = subprocess.run(command + ["--set=backend.name=threads"], text=True,
                             capture_output=True, timeout=60, check=False)
        self.assertIn("trains all workers in one process, but Open MPI has started several",
                      ran.stderr)


if __name__ == "__main__":
    unittest.main()
