"""`starling replay`: recorded runs come out again, and where two part is named to the bit."""

import json
import os
import re
import shutil
import sys
import tempfile
import unittest

from tests import starling

BINARY = os.path.abspath(sys.argv.pop(1))

CONFIG = """
name: "bowl"
workers: 4
workers_per_node: 2
topology { name: "ring" }
algorithm { name: "bit_flip" config {
  algorithm { name: "gossip" config { order: ATC } }
  worker: 3 tensor: "x1" element: 12 bit: 20
} }
optimizer { name: "adam" config { lr: 0.05 } }
model { name: "quadratic" config { dimension: 100 tensors: 3 noise: 0.1 } }
dataset { name: "no_data" }
train { local_batch_size: 1 max_steps: 40 consensus_every_steps: 3 log_every_steps: 4 }
checkpoint { every_steps: 10 keep: 2 }
"""

FLIP = "--set=algorithm.config.step=37"
TRAIL = "--set=train.digest_every_steps=1"
SGP = ("--set=topology.name=exponential", "--set=algorithm={name: \"sgp\"}")
AWC = ("--set=algorithm={name: \"gossip\" config {order: AWC}}",)

# Element 12 of x1: which of the 100 coordinates does not matter, but that it is one bit does.
FIRST = re.compile(r'first difference: step (\d+), worker (\d+), tensor "(\w+)", '
                   r"element \[(\d+)\]: (\S+) \(0x(\w+)\) in A, (\S+) \(0x(\w+)\) in B\n")


def read(*path):
    with open(os.path.join(*path), encoding="utf-8") as file:
        return file.read()


def edit(path, change):
    text = read(path)
    changed = change(text)
    assert changed != text, path
    with open(path, "w", encoding="utf-8") as file:
        file.write(changed)


class ReplayTest(unittest.TestCase):

    def run_(self, *args, code=0, **kwargs):
        result = starling.run(*args, binary=BINARY, **kwargs)
        self.assertEqual(result.code, code, result.out + result.err)
        return result

    def train(self, *flags, config=CONFIG, code=0):
        """Returns the run's directory."""
        directory = os.path.join(starling.scratch(), "run")
        self.run_("train", "--config=" + starling.write(config), "--run_dir=" + directory, *flags,
                  code=code)
        return directory

    def replay(self, *args, code=0):
        """Returns what is printed. Nothing may stay of it, unless it is asked to."""
        temporary = tempfile.mkdtemp(dir=os.environ["TEST_TMPDIR"])
        result = self.run_("replay", *args, code=code, env={"TMPDIR": temporary})
        # What Open MPI leaves there is not ours.
        self.assertEqual([name for name in os.listdir(temporary) if "starling" in name], [])
        return result.out

    def assert_planted(self, out, equal_bits=20):
        match = FIRST.search(out)
        self.assertIsNotNone(match, out)
        step, worker, tensor, element, a, a_bits, b, b_bits = match.groups()
        self.assertEqual((step, worker, tensor, element), ("37", "3", "x1", "12"))
        self.assertEqual(int(a_bits, 16) ^ int(b_bits, 16), 1 << equal_bits)
        self.assertNotEqual(float(a), float(b))
        by = re.search(r"\n1 of 4 workers and 1 of 40 tensors differ there, in 1 element, by (\S+)\n",
                       out)
        self.assertIsNotNone(by, out)
        self.assertAlmostEqual(float(by[1]), abs(float(a) - float(b)), places=5)

    # Two runs.

    def test_names_the_planted_difference(self):
        for trails in [((), ()), ((TRAIL,), (TRAIL,)), ((TRAIL,), ()),
                       (("--set=train.digest_every_steps=5",), (TRAIL,)),
                       (("--set=train.digest_every_steps=5",),) * 2]:
            with self.subTest(trails):
                clean = self.train(*trails[0])
                flipped = self.train(FLIP, *trails[1])
                out = self.replay(clean, flipped, code=1)
                self.assertIn("their configs differ, first in algorithm.config.step: 0 in A, 37 in "
                              "B\n", out)
                self.assert_planted(out)

    def test_takes_values_from_checkpoints_that_are_there(self):
        flip = "--set=algorithm.config.step=30"
        clean, flipped = self.train(TRAIL), self.train(TRAIL, flip)
        result = self.run_("replay", clean, flipped, code=1)
        self.assertRegex(result.out, 'first difference: step 30, worker 3, tensor "x1", element '
                         r"\[12\]: ")
        self.assertNotIn(" again, up to step ", result.err)
        shutil.rmtree(os.path.join(flipped, "checkpoints"))
        again = self.run_("replay", clean, flipped, code=1)
        self.assertEqual(again.out, result.out)
        self.assertIn("B again, up to step 30\n", again.err)

    def test_in_every_algorithm_and_in_f64(self):
        for algorithm in ('{name: "gossip" config {order: AWC}}', '{name: "allreduce"}',
                          '{name: "gradient_tracking"}', '{name: "local_sgd"}'):
            flags = ("--set=algorithm.config.algorithm=" + algorithm, "--set=train.dtype=F64",
                     "--set=algorithm.config.bit=52")
            with self.subTest(algorithm):
                out = self.replay(self.train(*flags), self.train(*flags, FLIP), code=1)
                match = FIRST.search(out)
                self.assertIsNotNone(match, out)
                self.assertEqual(match.groups()[:4], ("37", "3", "x1", "12"))
                self.assertEqual(int(match[6], 16) ^ int(match[8], 16), 1 << 52)

    def test_a_bound_before_the_difference_hides_it(self):
        clean, flipped = self.train(), self.train(FLIP)
        out = self.replay(clean, flipped, "--until_step=36")
        self.assertIn("no difference in the state of 36 steps, up to step 36\n", out)
        # From the checkpoint after 30 steps.
        self.assert_planted(self.replay(clean, flipped, "--from_step=34", code=1))
        out = self.replay(clean, flipped, "--from_step=37", code=1)
        self.assertIn("first difference: step 38, worker 0, ", out)
        self.assertRegex(out, r"\n\d of 4 workers and \d+ of 40 tensors differ there, in \d+ elements, "
                         r'most by \S+ in worker \d, tensor "\S+", element \[\d+\]: \S+ \(0x\w+\) in A, ')

    def test_equal_runs_have_no_difference(self):
        out = self.replay(self.train(), self.train("--cores=1", "--set=mixing.overlap=false"))
        self.assertIn("no difference in the state of 40 steps, up to step 40\n", out)
        self.assertNotIn("configs differ", out)

    def test_what_does_not_come_again_is_told_from_the_record(self):
        # As if a bit of B had changed by itself: only the trail knows.
        clean, damaged = self.train(TRAIL), self.train(TRAIL)
        shutil.rmtree(os.path.join(damaged, "checkpoints"))

        def change(text):
            lines = text.splitlines(keepends=True)
            (place,) = [i for i, line in enumerate(lines)
                        if line.startswith('{"step":23,"worker":2,')]
            head, digests = lines[place].split('"digests":"')
            digit = 16 * 2  # the first of the third tensor
            other = "0" if digests[digit] != "0" else "1"
            lines[place] = head + '"digests":"' + digests[:digit] + other + digests[digit + 1:]
            return "".join(lines)

        edit(os.path.join(damaged, "digests.jsonl"), change)
        out = self.replay(clean, damaged, code=1)
        self.assertIn('first difference: step 23, worker 2, tensor "x2"\n'
                      "1 of 4 workers and 1 of 40 tensors differ there; no values: a replay of B "
                      "does not come to what B has recorded", out)
        out = self.replay(damaged, code=1)
        self.assertIn("digest trail  DIFFERENT: first difference: step 23, worker 2, tensor \"x2\"; "
                      "1 of 4 workers and 1 of 40 tensors differ there\ndifferent\n", out)

    def test_a_run_that_diverged_has_no_values(self):
        diverged = self.train("--set=optimizer={name: \"sgd\" config {lr: 1e300}}",
                              "--set=train.dtype=F64", code=1)
        out = self.replay(self.train("--set=train.dtype=F64"), diverged, code=1)
        self.assertRegex(out, r"first difference: step 1, worker 0, tensor \"x0\"")

    def test_worlds_that_are_not_alike(self):
        out = self.replay(self.train(), self.train("--set=workers=3"), code=1)
        self.assertIn("their configs differ, first in workers: 4 in A, 3 in B\n", out)
        self.assertIn("first difference: step 1, worker 0, ", out)

    def test_where_nothing_can_be_replayed_metrics_are_compared(self):
        clean, flipped = self.train(), self.train(FLIP)
        edit(os.path.join(flipped, "manifest.json"),
             lambda text: re.sub(r'"cpu": "\w+"', '"cpu": "other"', text))
        out = self.replay(clean, flipped, code=1)
        self.assertIn("only metrics can be compared: A was made at vector level ", out)
        self.assertRegex(out, r"first difference: step 39, consensus/distance: \S+ in A, \S+ in B\n")

    # One run.

    def test_a_run_comes_out_again(self):
        for flags in ((), (TRAIL,), AWC, SGP, ("--set=algorithm={name: \"slowmo\"}",
                                               "--set=optimizer={name: \"sgd\"}")):
            with self.subTest(flags):
                out = self.replay(self.train(*flags))
                self.assertIn("again, steps 1 to 40 of 40, on threads\nstate_digest  equal: ", out)
                self.assertRegex(
                    out, r"\nmetrics       equal: \d+ values, times and traffic not compared\n")
                self.assertEqual("\ndigest trail  equal: 40 steps\n" in out, TRAIL in flags)
                self.assertTrue(out.endswith("\nequal\n"), out)

    def test_a_model_of_libtorch(self):
        directory = os.path.join(starling.scratch(), "run")
        config = starling.CONFIG + "checkpoint { every_steps: 10 keep: 3 }"
        for flags in (["train", "--config=" + starling.write(config), "--run_dir=" + directory,
                       TRAIL, "--cpu=avx2"],
                      ["replay", directory], ["replay", directory, "--from_step=15", "--cores=1"]):
            result = starling.run(*flags)
            self.assertEqual(result.code, 0, result.out + result.err)
        self.assertIn("again, steps 11 to 30 of 30, ", result.out)
        self.assertIn("digest trail  equal: 20 steps\n", result.out)

    def test_a_part_of_a_run(self):
        directory = self.train(TRAIL)
        out = self.replay(directory, "--from_step=35", "--until_step=38")
        self.assertIn("again, steps 31 to 38 of 40, ", out)
        self.assertNotIn("state_digest", out)
        self.assertIn("\ndigest trail  equal: 8 steps\n", out)
        self.assertIn("again, steps 1 to 5 of 40, ",
                      self.replay(directory, "--from_step=3", "--until_step=5"))

    def test_what_is_different_is_told(self):
        directory = self.train()
        edit(os.path.join(directory, "metrics.jsonl"),
             lambda text: text.replace('"consensus/distance":', '"consensus/distance":1', 1))
        edit(os.path.join(directory, "summary.json"),
             lambda text: re.sub(r'("state_digest": ")\w+', r"\g<1>00000000000000ab", text))
        out = self.replay(directory, code=1)
        self.assertRegex(out, "state_digest  DIFFERENT: 00000000000000ab recorded, "
                         "[0-9a-f]{16} replayed\n")
        self.assertRegex(out, "metrics       DIFFERENT: first at step 3, consensus/distance: "
                         r"1\S+ recorded, \S+ replayed\n")
        self.assertTrue(out.endswith("\ndifferent\n"), out)

    def test_what_changes_bits_differs_and_what_does_not_is_equal(self):
        directory = self.train(TRAIL)
        self.replay(directory, "--set=train.bucket_mb=1e-6", "--cores=1")
        self.assertIn("first difference: step 1, worker 0, ",
                      self.replay(directory, "--set=optimizer.config.lr=0.06", code=1))

    def test_resumed_runs_come_out_from_the_beginning(self):
        directory = self.train(TRAIL, "--set=train.max_steps=17")
        self.run_("train", "--config=" + os.path.join(directory, "config.textproto"),
                  "--run_dir=" + directory, "--resume", "--set=train.max_steps=40")
        out = self.replay(directory)
        self.assertIn("steps 1 to 40 of 40, ", out)
        self.assertIn("times and traffic not compared\n", out)
        self.assertIn("\ndigest trail  equal: 40 steps\n", out)
        self.assertIn("no difference in the state of 40 steps",
                      self.replay(directory, self.train(TRAIL)))

    def test_workers_that_leave_and_return(self):
        directory = self.train(TRAIL, *SGP, "--set=faults={leave {worker: 2 at_step: 5 "
                               "return_at_step: 20} leave {worker: 3 at_step: 30}}")
        self.assertIn("\ndigest trail  equal: 40 steps\n", self.replay(directory))

    def test_time_that_ended_a_run_ends_its_replay_at_the_same_step(self):
        directory = self.train("--set=train.max_steps=100000000", "--set=train.max_seconds=0.3",
                               "--set=train.log_every_steps=100",
                               "--set=train.consensus_every_steps=0")
        summary = starling.summary(directory)
        out = self.replay(directory)
        self.assertIn("steps 1 to %d of %d, " % (summary["steps"], summary["steps"]), out)
        self.assertIn("state_digest  equal: " + summary["state_digest"], out)
        self.assertIsNotNone(summary["eval_loss"])

    def test_a_run_that_diverged_diverges_again(self):
        directory = self.train("--set=optimizer={name: \"sgd\" config {lr: 1e30}}", code=1)
        self.assertEqual(starling.summary(directory)["status"], "diverged")
        self.assertIn("state_digest  equal: ", self.replay(directory))

    def test_mpi_and_threads_repeat_each_other(self):
        threads = self.train(TRAIL)
        mpi = self.train(TRAIL, "--np=4")
        out = self.replay(mpi)
        self.assertIn(" of 40, on threads (recorded on mpi)\n", out)
        self.assertIn("\ndigest trail  equal: 40 steps\n", out)
        out = self.replay(threads, "--np=4")
        self.assertIn(" of 40, on mpi (recorded on threads)\n", out)
        self.assertIn("\ndigest trail  equal: 40 steps\n", out)
        self.assertIn("no difference in the state of 40 steps", self.replay(threads, mpi))
        self.assert_planted(self.replay(mpi, self.train(FLIP, "--np=4"), code=1))

    def test_simulated_time_comes_out_again(self):
        directory = self.train("--set=backend={name: \"sim\" config {cluster: \"t4_infiniband\"}}")
        self.assertIn("on sim\nstate_digest  equal: ", self.replay(directory))
        self.replay(directory, "--set=backend={name: \"threads\"}")
        directory = self.train("--set=backend={name: \"sim\" config {mode: TIME_ONLY}}")
        out = self.replay(directory)
        self.assertNotIn("state_digest", out)
        self.assertRegex(out, r"metrics       equal: \d+ values, times not compared\n")

    def test_a_level_that_the_processor_lacks(self):
        directory = self.train()
        edit(os.path.join(directory, "manifest.json"),
             lambda text: re.sub(r'"cpu": "\w+"', '"cpu": "avx4096"', text))
        out = self.replay(directory)
        self.assertIn("only a comparison within tolerance is possible: %s was made at vector level "
                      "avx4096, which this processor does not offer; here it is " % directory, out)
        self.assertNotIn("state_digest", out)
        self.assertTrue(out.endswith("\nequal within tolerance\n"), out)
        # 1 % is allowed, 3 % are not.
        edit(os.path.join(directory, "metrics.jsonl"),
             lambda text: re.sub('"train/loss":([0-9.]+)',
                                 lambda match: '"train/loss":%r' % (1.03 * float(match[1])), text))
        out = self.replay(directory, code=1)
        self.assertIn("first at step 4, train/loss: ", out)
        self.replay(directory, "--tolerance=0.05")

    def test_the_level_of_the_record_is_taken(self):
        directory = self.train("--cpu=avx2")
        kept = os.path.join(starling.scratch(), "kept")
        self.replay(directory, "--run_dir=" + kept)
        self.assertEqual(json.loads(read(kept, "manifest.json"))["run"]["cpu"], "avx2")
        self.assertEqual(starling.summary(kept)["state_digest"],
                         starling.summary(directory)["state_digest"])

    def test_other_data_are_told_before_anything_is_trained(self):
        directory = self.train()
        edit(os.path.join(directory, "manifest.json"),
             lambda text: re.sub(r'"data_fingerprint": "\w+"', '"data_fingerprint": "12"', text))
        result = self.run_("replay", directory, code=2)
        self.assertRegex(result.err, "dataset no_data had fingerprint 12 when .* was made, and has "
                         "[0-9a-f]{16} here")
        self.assertEqual(result.out, "")

    def test_the_record_names_plugins_and_level(self):
        manifest = json.loads(read(self.train(), "manifest.json"))
        self.assertIn("bit_flip", manifest["plugins"]["algorithm"])
        self.assertIn("threads", manifest["plugins"]["backend"])
        self.assertIn(manifest["run"]["cpu"], ("avx2", "avx512", "baseline"))

    def test_uncommitted_changes_are_in_the_record(self):
        directory = self.train()
        source = json.loads(read(directory, "manifest.json"))["starling"]
        self.assertEqual(os.path.exists(os.path.join(directory, "source.patch")),
                         bool(source["dirty"]))
        self.assertNotIn("note: ", self.run_("replay", directory).err)
        edit(os.path.join(directory, "manifest.json"),
             lambda text: re.sub(r'"commit": ("\w+"|null)', '"commit": "%s"' % ("ab" * 20), text))
        self.assertRegex(self.run_("replay", directory).err, "note: .* was made by commit (ab){20}.*, "
                         "this program is of ")

    def test_mistakes(self):
        directory = self.train()
        arms = self.train(config=CONFIG + 'arm { name: "one" } arm { name: "two" set: "seed=2" }')
        other = self.train(config=CONFIG)
        edit(os.path.join(other, "config.textproto"),
             lambda text: text.replace('name: "ring"', 'name: "rong"'))
        for args, error in (
            ([], "replay takes one run's directory, to run it again, or two, to compare them; 0 "
             "were given"),
            (["/nowhere"], "/nowhere holds no run (no STATUS)"),
            ([arms], "of arms each has its directory there"),
            ([directory, "--from_step=5", "--until_step=5"], "--from_step is 5 and --until_step 5"),
            ([directory, "--from_step=40"], "--from_step is 40, but %s has made 40 steps" % directory),
            ([directory, directory, "--np=4"], "two runs are compared in one process"),
            ([other], 'no topology "rong" is linked into this binary; did you mean "ring"?'),
        ):
            self.assertIn(error, self.run_("replay", *args, code=2).err)
        self.assertIn("\nequal\n", self.replay(os.path.join(arms, "two")))


if __name__ == "__main__":
    unittest.main()
