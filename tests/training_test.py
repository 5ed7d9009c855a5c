"""Trainings as wholes: what they reach, what they write down, how they stop."""

import json
import math
import os
import signal
import subprocess
import time
import unittest

from tests import starling

ARMS = starling.CONFIG + """
arm { name: "gossip" }
arm { name: "allreduce" set: "algorithm.name=allreduce" set: "optimizer.name=adam" }
"""


class TrainingTest(unittest.TestCase):

    def test_summary_has_every_number(self):
        summary = starling.trained_summary(starling.CONFIG)
        self.assertEqual(summary["status"], "done")
        self.assertEqual(summary["workers"], 8)
        self.assertEqual(summary["steps"], 30)
        self.assertEqual(len(summary["worker_accuracy"]), 8)
        for key in ("eval_accuracy", "eval_loss", "train_loss", "consensus_distance",
                    "wall_seconds", "bytes_sent_per_worker"):
            self.assertGreater(summary[key], 0, key)
        self.assertGreater(summary["eval_accuracy"], 0.3)  # chance: 0.1

    def test_language_models_report_their_perplexity(self):
        summary = starling.trained_summary(
            starling.language_config('name: "lstm" config { layers: 1 embedding: 16 hidden: 16 }'))
        self.assertIsNone(summary["eval_accuracy"])
        self.assertAlmostEqual(summary["eval_perplexity"], math.exp(summary["eval_loss"]))
        self.assertLess(summary["eval_perplexity"], 18)  # the number of different characters

    def test_mixed_precision_learns_as_well(self):
        plain = starling.trained_summary(starling.CONFIG)
        mixed = starling.trained_summary(starling.CONFIG, "--set=train.autocast=BF16")
        self.assertNotEqual(mixed["state_digest"], plain["state_digest"])
        self.assertAlmostEqual(mixed["eval_loss"], plain["eval_loss"], delta=0.05)
        # LibTorch 1.13 has no F16 on the host.
        result, directory = starling.train(starling.CONFIG, "--set=train.autocast=F16")
        if result.code == 0:
            self.assertAlmostEqual(starling.summary(directory)["eval_loss"], plain["eval_loss"],
                                   delta=0.05)
        else:
            self.assertIn("has F16 on GPUs only; on the host train.autocast may be BF16",
                          result.err.replace("\n", " "))

    def test_run_directory_is_complete(self):
        result, directory = starling.train(starling.CONFIG)
        self.assertEqual(result.code, 0, result.err)
        names = os.listdir(directory)
        for name in ("config.textproto", "command.txt", "manifest.json", "metrics.jsonl",
                     "metrics.csv", "summary.json", "STATUS"):
            self.assertIn(name, names)
        self.assertTrue(any(name.startswith("events.out.tfevents") for name in names))
        with open(os.path.join(directory, "STATUS"), encoding="utf-8") as file:
            self.assertEqual(file.read().strip(), "done")
        with open(os.path.join(directory, "metrics.jsonl"), encoding="utf-8") as file:
            records = [json.loads(line) for line in file]
        steps = [r["step"] for r in records if "train/loss" in r]
        self.assertEqual(steps, [10, 20, 30])
        self.assertTrue(any("eval/accuracy" in r and r["worker"] == -1 for r in records))
        self.assertEqual(sorted(r["worker"] for r in records
                                if "eval/accuracy" in r and r["worker"] >= 0), list(range(8)))
        # Results last, on standard output; progress elsewhere.
        self.assertEqual(result.out.strip().splitlines()[-1], "results: " + directory)
        for line in (result.out + result.err).splitlines():
            if directory not in line:
                self.assertLessEqual(len(line), 80, line)

    def test_arms_run_one_after_the_other_and_are_compared(self):
        result, directory = starling.train(ARMS)
        self.assertEqual(result.code, 0, result.err)
        gossip = starling.summary(os.path.join(directory, "gossip"))
        allreduce = starling.summary(os.path.join(directory, "allreduce"))
        self.assertEqual(gossip["status"], "done")
        self.assertLess(allreduce["consensus_distance"], 1e-6)
        # AER sends half of the model per machine and step, All-Reduce once: algorithms' own sums.
        self.assertGreater(allreduce["bytes_sent_per_worker"], gossip["bytes_sent_per_worker"])
        for word in ("gossip", "allreduce", "accuracy", "nothing about the speed"):
            self.assertIn(word, result.out)
        for line in result.out.splitlines()[:-1]:
            self.assertLessEqual(len(line), 80, line)

    def test_one_worker_is_a_world(self):
        for topology in ("ring", "alternating_exp_ring", "complete", "star", "one_peer_exp"):
            summary = starling.trained_summary(
                starling.CONFIG, "--set", "workers=1", "--set", "workers_per_node=1",
                "--set", "topology.name=" + topology)
            self.assertEqual(summary["bytes_sent_per_worker"], 0)
            self.assertEqual(summary["consensus_distance"], 0)

    def test_complete_atc_equals_one_worker_on_the_whole_batch(self):
        # Averaging after every step of plain SGD is SGD on the mean gradient: in exact arithmetic
        # the same iterates; in double the losses agree to far more digits than are compared.
        config = starling.CONFIG.replace('"accum_adam" config { window: 2 lr: 1e-2 }',
                                         '"sgd" config { lr: 0.1 }')
        flags = ["--set", "train.dtype=F64", "--set", "topology.name=complete",
                 "--set", "algorithm.config.order=ATC"]
        many = starling.trained_summary(config, *flags)
        one = starling.trained_summary(config, *flags, "--set", "workers=1", "--set",
                                       "workers_per_node=1")
        self.assertAlmostEqual(many["eval_loss"], one["eval_loss"], places=9)
        self.assertAlmostEqual(many["train_loss"], one["train_loss"], places=9)

    def test_diverged_run_says_so_and_stops(self):
        config = starling.QUADRATIC.replace("lr: 0.05", "lr: 1e200").replace("max_steps: 20",
                                                                           "max_steps: 100000")
        result, directory = starling.train(config)
        self.assertEqual(result.code, 1)
        self.assertIn("diverged: the loss of worker", result.out)
        summary = starling.summary(directory)
        self.assertEqual(summary["status"], "diverged")
        self.assertIsNone(summary["eval_loss"])
        self.assertLess(summary["steps"], 20)

    def start(self, config):
        """Starts a training; returns (process, run directory) once it has begun to train."""
        directory = os.path.join(starling.scratch(), "run")
        process = subprocess.Popen(
            [starling.LIGHT_BINARY, "train", "--config=" + starling.write(config),
             "--run_dir=" + directory],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        metrics = os.path.join(directory, "metrics.jsonl")
        while not (os.path.exists(metrics) and os.path.getsize(metrics)):
            self.assertIsNone(process.poll())
            time.sleep(0.01)
        return process, directory

    def test_interrupted_once_finishes_the_step_and_writes_everything(self):
        process, directory = self.start(
            starling.QUADRATIC.replace("max_steps: 20", "max_steps: 1000000000"))
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=60)
        self.assertEqual(process.returncode, 130, err)
        summary = starling.summary(directory)
        self.assertEqual(summary["status"], "interrupted")
        self.assertRegex(summary["state_digest"], "^[0-9a-f]{16}$")
        with open(os.path.join(directory, "metrics.jsonl"), encoding="utf-8") as file:
            for line in file:
                json.loads(line)

    def test_interrupted_twice_stops_at_once_with_valid_files(self):
        process, directory = self.start(
            starling.QUADRATIC.replace("max_steps: 20", "max_steps: 1000000000"))
        process.send_signal(signal.SIGINT)
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=60)
        self.assertEqual(process.returncode, 130, err)
        with open(os.path.join(directory, "STATUS"), encoding="utf-8") as file:
            self.assertEqual(file.read().strip(), "interrupted")
        with open(os.path.join(directory, "metrics.jsonl"), encoding="utf-8") as file:
            for line in file:
                json.loads(line)

    def test_max_seconds_ends_the_run(self):
        summary = starling.trained_summary(
            starling.QUADRATIC.replace("max_steps: 20", "max_steps: 1000000000 max_seconds: 0.3"))
        self.assertEqual(summary["status"], "done")


if __name__ == "__main__":
    unittest.main()
