"""Stopped and killed trainings go on: to the same bits, or they say why not."""

import json
import os
import shutil
import signal
import subprocess
import time
import unittest

from tests import kills
from tests import safetensors
from tests import starling

CONFIG = """
name: "bowl"
workers: 4
workers_per_node: 2
topology { name: "ring" }
algorithm { name: "gossip" config { order: AWC } }
optimizer { name: "adam" config { lr: 0.05 } }
model { name: "quadratic" config { dimension: 100 tensors: 3 noise: 0.1 } }
dataset { name: "no_data" }
train { local_batch_size: 1 max_steps: 20 consensus_every_steps: 3 log_every_steps: 4 }
checkpoint { every_steps: 5 keep: 3 }
"""

ALGORITHMS = [
    ['algorithm={name: "gossip" config {order: AWC}}'],
    ['algorithm={name: "gossip" config {order: ATC}}'],
    ['algorithm={name: "gossip" config {order: AWC}}', "mixing.staleness=2", "mixing.gamma=0.4"],
    ['algorithm={name: "gossip" config {order: AWC}}', "mixing.precision=BF16",
     "mixing.every_steps=2"],
    ["algorithm.name=allreduce"],
    ["algorithm.name=gradient_tracking"],
    ["algorithm.name=sgp", "topology.name=exponential"],
    ['algorithm={name: "osgp" config {tau: 2}}', "topology.name=exponential"],
    ['algorithm={name: "local_sgd" config {local_steps: 3}}'],
    ['algorithm={name: "slowmo" config {local_steps: 3}}', "optimizer={name: \"sgd\"}"],
    ["algorithm.name=d2", "optimizer={name: \"sgd\"}", "mixing.gamma=0.5"],
    ["algorithm.name=qg_dsgdm", "optimizer={name: \"sgd\"}"],
]

OPTIMIZERS = ["adam", "accum_adam", "sgd"]


def sets(values):
    return ["--set=" + value for value in values]


def flip(path, place=-3):
    with open(path, "rb+") as file:
        file.seek(place, os.SEEK_END if place < 0 else os.SEEK_SET)
        byte = file.read(1)[0]
        file.seek(-1, os.SEEK_CUR)
        file.write(bytes([byte ^ 4]))


def contents(directory):
    found = {}
    for folder, _, names in os.walk(directory):
        for name in names:
            with open(os.path.join(folder, name), "rb") as file:
                found[os.path.join(folder, name)] = file.read()
    return found


class ResumeTest(unittest.TestCase):

    def setUp(self):
        self.config = starling.write(CONFIG)
        self.directory = os.path.join(starling.scratch(), "run")

    def train(self, *flags, directory=None, code=0):
        """Returns what was said."""
        result = starling.run("train", "--config=" + self.config,
                              "--run_dir=" + (directory or self.directory), *flags,
                              binary=starling.LIGHT_BINARY)
        self.assertEqual(result.code, code, result.err)
        return result.out + result.err

    def digest(self, directory=None):
        return starling.summary(directory or self.directory)["state_digest"]

    def whole(self, *flags):
        """The digest of a run that nothing stops."""
        directory = os.path.join(starling.scratch(), "run")
        self.train(*flags, "--set=checkpoint.keep=0", directory=directory)
        self.assertFalse(os.path.exists(os.path.join(directory, "checkpoints")))
        return self.digest(directory)

    def checkpoint(self, step, name=""):
        return os.path.join(self.directory, "checkpoints", "step_%06d" % step, name)

    def steps(self):
        return sorted(name for name in os.listdir(os.path.join(self.directory, "checkpoints"))
                      if name.startswith("step_"))

    def test_every_algorithm_and_optimizer_goes_on_to_the_same_bits(self):
        cases = [algorithm for algorithm in ALGORITHMS]
        cases += [ALGORITHMS[0] + ['optimizer={name: "%s"}' % name] for name in OPTIMIZERS]
        for case in cases:
            with self.subTest(case):
                shutil.rmtree(self.directory, ignore_errors=True)
                self.train(*sets(case), "--set=train.max_steps=7")
                # Other buckets, nothing overlapped: the bits are the same.
                self.train(*sets(case), "--resume", "--set=train.bucket_mb=1e-6",
                           "--set=mixing.overlap=false", "--cores=1")
                self.assertEqual(self.digest(), self.whole(*sets(case)))

    def test_goes_on_while_workers_are_away(self):
        faults = ["faults={leave {worker: 2 at_step: 3 return_at_step: 12}"
                  " leave {worker: 3 at_step: 5}}"]
        for case in ALGORITHMS:
            # 5 and 12: the change is the first thing to come.
            for step in [7] if case != ALGORITHMS[0] else [4, 5, 7, 12]:
                with self.subTest(case, step=step):
                    shutil.rmtree(self.directory, ignore_errors=True)
                    self.train(*sets(case + faults), "--set=train.max_steps=%d" % step)
                    away = [name for name in ("worker_2", "worker_3") if not os.path.exists(
                        self.checkpoint(step, name + ".safetensors"))]
                    self.assertEqual(away, {4: ["worker_2"], 5: ["worker_2"]}.get(
                        step, ["worker_2", "worker_3"]))
                    self.train(*sets(case + faults), "--resume")
                    self.assertEqual(self.digest(), self.whole(*sets(case + faults)))

    def test_without_a_checkpoint_it_starts_from_the_beginning(self):
        self.train("--resume")
        self.assertEqual(self.digest(), self.whole())

    def test_keeps_the_newest_checkpoints(self):
        self.train()
        self.assertEqual(self.steps(), ["step_000010", "step_000015", "step_000020"])
        with open(self.checkpoint(20, "../last_checkpoint"), encoding="utf-8") as file:
            self.assertEqual(file.read(), "step_000020\n")

    def test_a_finished_run_says_so_and_changes_nothing(self):
        self.train()
        before = contents(self.directory)
        self.assertIn("finished, nothing to do", self.train("--resume"))
        self.assertEqual(contents(self.directory), before)

    def test_totals_go_on(self):
        self.train("--set=train.max_steps=10")
        first = starling.summary(self.directory)
        self.train("--resume")
        second = starling.summary(self.directory)
        self.assertEqual(second["steps"], 20)
        self.assertEqual(second["bytes_sent_per_worker"], 2 * first["bytes_sent_per_worker"])
        self.assertEqual(sum(link["bytes"] for link in second["bytes_per_link"]),
                         2 * sum(link["bytes"] for link in first["bytes_per_link"]))
        with open(os.path.join(self.directory, "metrics.jsonl"), encoding="utf-8") as file:
            seconds = [record["wall_s"] for record in map(json.loads, file)
                       if "train/loss" in record]
        self.assertGreater(len(seconds), 1)
        self.assertEqual(seconds, sorted(seconds), "the clock went on where it was")
        self.assertGreater(second["wall_seconds"], seconds[-1])
        with open(os.path.join(self.directory, "command.txt"), encoding="utf-8") as file:
            self.assertEqual(len(file.readlines()), 2)

    def test_a_damaged_checkpoint_is_passed_over(self):
        self.train("--set=train.max_steps=15")
        flip(self.checkpoint(15, "worker_2.safetensors"))
        said = self.train("--resume")
        self.assertRegex(said, "note: checkpoint .*step_000015 is passed over: "
                         ".*worker_2.safetensors is damaged: its checksum is .*\n"
                         "note: goes on after step 10 of 20, from .*step_000010\n")
        self.assertEqual(self.digest(), self.whole())

    def test_an_unfinished_checkpoint_does_not_count(self):
        self.train("--set=train.max_steps=15")
        os.remove(self.checkpoint(15, "manifest.json"))
        self.assertIn("goes on after step 10 of 20", self.train("--resume"))
        self.assertEqual(self.digest(), self.whole())

    def test_without_a_whole_checkpoint_it_refuses(self):
        self.train("--set=train.max_steps=10")
        for step in (5, 10):
            flip(self.checkpoint(step, "manifest.json"), 30)
        before = contents(self.directory)
        said = self.train("--resume", code=1)
        self.assertRegex(said, "starling: no checkpoint of .*run can be used: "
                         ".*step_000010/manifest.json is damaged: its checksum does not fit\n")
        self.assertEqual(contents(self.directory), before)

    def test_a_checkpoint_of_another_experiment_is_refused(self):
        self.train("--set=train.max_steps=10")
        before = contents(self.directory)
        for change, difference in {
            "optimizer.config.lr=0.1": "optimizer.config.lr was 0.05 and is 0.1 now",
            "seed=2": "seed was 1 and is 2 now",
            "workers=8": "workers was 4 and is 8 now",
            "optimizer.name=sgd": 'optimizer.name was "adam" and is "sgd" now',
            "model.config.dimension=99": "model.config.dimension was 100 and is 99 now",
            "train.grad_clip_norm=1": "train.grad_clip_norm was 0 and is 1 now",
        }.items():
            said = self.train("--resume", "--set=" + change, code=2)
            self.assertRegex(said, "starling: checkpoint .*step_000010 is of another experiment: "
                             + difference + "\n")
        said = self.train("--resume", "--set=train.max_steps=9", code=2)
        self.assertIn("is after step 10, but the config ends after 9; train.max_steps or", said)
        self.assertEqual(contents(self.directory), before)

    def test_goes_on_from_any_checkpoint_and_elsewhere(self):
        self.train("--set=train.max_steps=15")
        elsewhere = self.directory + "-branch"
        self.train("--resume=" + self.checkpoint(10), directory=elsewhere)
        self.assertEqual(self.digest(elsewhere), self.whole())
        # Back in time: what came later is gone.
        result = starling.run("train", "--config=" + self.config, "--set=train.max_steps=12",
                              "--resume=" + self.checkpoint(5), binary=starling.LIGHT_BINARY)
        self.assertEqual(result.code, 0, result.err)
        self.assertEqual(self.steps(), ["step_000005", "step_000010", "step_000012"])
        self.assertEqual(self.digest(), self.whole("--set=train.max_steps=12"))

    def test_goes_on_with_another_backend(self):
        for first, second in (([], ["--np=4"]), (["--np=4"], [])):
            for algorithm in (ALGORITHMS[0], ALGORITHMS[2]):
                with self.subTest(first=first, second=second, algorithm=algorithm):
                    shutil.rmtree(self.directory, ignore_errors=True)
                    self.train(*sets(algorithm), *first, "--set=train.max_steps=7")
                    self.train(*sets(algorithm), *second, "--resume")
                    self.assertEqual(self.digest(), self.whole(*sets(algorithm)))

    def test_wrong_usage(self):
        for flags, error in (
            (["--resume"], "--resume goes on with the run in --run_dir=DIR, which is missing; "
             "or name the run: --resume=DIR"),
            (["--resume=/nowhere"], "--resume=/nowhere: there is no such directory"),
        ):
            result = starling.run("train", "--config=" + self.config, *flags,
                                  binary=starling.LIGHT_BINARY)
            self.assertEqual(result.code, 2)
            self.assertEqual(result.err, "starling: " + error + "\n")
        empty = starling.scratch()
        result = starling.run("train", "--config=" + self.config, "--resume=" + empty,
                              binary=starling.LIGHT_BINARY)
        self.assertEqual(result.code, 1)
        self.assertIn("there is no checkpoint in %s/checkpoints to resume from\n" % empty,
                      result.err)

    def test_finished_arms_stay_and_others_go_on(self):
        arm = '--set=arm=[{name: "one"}, {name: "two" set: "seed=2"}%s]'
        self.train(arm % "")
        one = contents(os.path.join(self.directory, "one"))
        said = self.train(arm % ', {name: "three" set: "seed=3"}', "--resume")
        for name in ("one ", "two ", "three "):
            self.assertIn("\n" + name, said)
        self.assertEqual(contents(os.path.join(self.directory, "one")), one)
        self.assertIn("finished, nothing to do",
                      self.train(arm % ', {name: "three" set: "seed=3"}', "--resume"))

    def stopped(self, sent, code, *flags):
        """A run that a signal stops soon after its first metrics."""
        self.config = starling.write(CONFIG.replace("max_steps: 20", "max_steps: 3000").replace(
            "every_steps: 5 keep", "every_steps: 1000 keep"))
        process = subprocess.Popen(
            [starling.LIGHT_BINARY, "train", "--config=" + self.config,
             "--run_dir=" + self.directory, *flags], stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        metrics = os.path.join(self.directory, "metrics.jsonl")
        while not (os.path.exists(metrics) and os.path.getsize(metrics)):
            self.assertIsNone(process.poll())
            time.sleep(0.002)
        process.send_signal(sent)
        _, err = process.communicate(timeout=60)
        self.assertEqual(process.returncode, code, err)
        self.assertEqual(starling.summary(self.directory)["status"], "interrupted")

    def test_signals_leave_a_checkpoint_and_a_code_that_says_so(self):
        for sent, code in ((signal.SIGTERM, 75), (signal.SIGUSR1, 75), (signal.SIGINT, 130)):
            shutil.rmtree(self.directory, ignore_errors=True)
            self.stopped(sent, code)
            self.assertEqual(os.path.exists(os.path.join(self.directory, "hang_report.txt")),
                             sent == signal.SIGUSR1)
            steps = starling.summary(self.directory)["steps"]
            self.assertIn("goes on after step %d of 3000" % steps, self.train("--resume"))
            self.assertEqual(self.digest(), self.whole())

    def test_python_reads_a_checkpoint(self):
        self.train()
        workers = [safetensors.read(self.checkpoint(20, "worker_%d.safetensors" % worker))[0]
                   for worker in range(4)]
        average, metadata = safetensors.read(self.checkpoint(20, "average.safetensors"))
        self.assertEqual(metadata, {"format": "pt", "step": "20"})
        self.assertGreater(len(average), 1)
        for name, (dtype, shape, numbers) in average.items():
            self.assertEqual(dtype, "F32")
            own = [worker["parameters/" + name] for worker in workers]
            self.assertEqual([tensor[1] for tensor in own], [shape] * 4)
            for i, number in enumerate(numbers):
                mean = sum(tensor[2][i] for tensor in own) / 4
                self.assertAlmostEqual(number, mean, delta=1e-6 * max(1, abs(mean)))
        self.assertEqual(workers[0]["optimizer/step"][2], (20,))

    def test_export(self):
        self.train("--set=topology.name=exponential", "--set=algorithm.name=sgp")
        out = os.path.join(starling.scratch(), "model.safetensors")
        export = ["export", "--run_dir=" + self.directory, "--out=" + out]
        result = starling.run(*export, binary=starling.LIGHT_BINARY)
        self.assertEqual(result.code, 0, result.err)
        self.assertRegex(result.out, "model.safetensors: 3 tensors, the average of 4 workers after "
                         "step 20\n")
        average = safetensors.read(out)
        self.assertEqual(average, safetensors.read(self.checkpoint(20, "average.safetensors")))
        result = starling.run(*export, "--worker=2", binary=starling.LIGHT_BINARY)
        self.assertEqual(result.code, 0, result.err)
        own, _ = safetensors.read(out)
        worker, _ = safetensors.read(self.checkpoint(20, "worker_2.safetensors"))
        self.assertEqual(own, {name: worker["parameters/" + name] for name in average[0]})
        flip(self.checkpoint(20, "average.safetensors"))
        result = starling.run(*export, binary=starling.LIGHT_BINARY)
        self.assertEqual(result.code, 0, result.err)
        self.assertIn("after step 15\n", result.out)
        self.assertIn("step_000020 is passed over: ", result.err)
        for flags, code, error in (
            (["--out=x"], 2, "--run_dir is missing; export needs --run_dir=DIR "
             "--out=FILE.safetensors"),
            (["--run_dir=" + self.directory, "--out=" + out, "--worker=4"], 2,
             "--worker=4: the run has 4 workers, counted from 0"),
            (["--run_dir=/nowhere", "--out=" + out], 1,
             "there is no checkpoint in /nowhere/checkpoints to export"),
        ):
            result = starling.run("export", *flags, binary=starling.LIGHT_BINARY)
            self.assertEqual(result.code, code, result.err)
            self.assertIn("starling: " + error + "\n", result.err)


class KillsTest(unittest.TestCase):

    def test_killed_runs_go_on_to_the_same_bits_and_metrics(self):
        for seed, (setup, (processes, _)) in enumerate(kills.SETUPS.items()):
            kills.kill_and_compare(setup, points=1 if processes else 2, seed=seed, light=True)


if __name__ == "__main__":
    unittest.main()
