"""The backend sim: the same bits as threads, the times of the closed forms, the same twice."""

import csv
import json
import os
import re
import unittest

import starling

PROFILE = starling.TRANSFORMER_PROFILE

CONFIG = """
name: "timed"
workers: 8
workers_per_node: 8
topology { name: "one_peer_exp" }
algorithm { name: "gossip" config { order: AWC } }
model { name: "paced" }
dataset { name: "no_data" }
train { local_batch_size: 1 max_steps: 100 }
"""

BOWL = """
name: "bowl"
workers: 6
workers_per_node: 2
topology { name: "ring" }
optimizer { name: "adam" config { lr: 0.01 } }
model { name: "quadratic" config { dimension: 700 tensors: 5 } }
dataset { name: "no_data" }
train { local_batch_size: 1 max_steps: 12 consensus_every_steps: 5 bucket_mb: 1e-6 }
"""

ALLREDUCE = '--set=algorithm={name:"allreduce"}'


def backend(cluster, **fields):
    """The flag that says where a run is simulated; `cluster` is a name or a ClusterSpec's text."""
    path = starling.write(cluster, "cluster.textproto") if ":" in cluster else cluster
    config = " ".join("%s: %s" % field for field in fields.items())
    return '--set=backend={name:"sim" config{cluster:"%s" %s}}' % (path, config)


def timed(cluster, profile, **fields):
    return backend(cluster, mode="TIME_ONLY",
                   model_profile='"%s"' % starling.write(profile, "profile.textproto"), **fields)


def summary(config, *flags):
    result, directory = starling.train(config, *flags, binary=starling.LIGHT_BINARY)
    assert result.code == 0, result.err
    return starling.summary(directory)


class SimTest(unittest.TestCase):
    def test_ends_in_the_bits_of_threads(self):
        for algorithm in ("allreduce", "gossip", "gradient_tracking", "sgp"):
            with self.subTest(algorithm=algorithm):
                flag = "--set=algorithm.name=" + algorithm
                real = summary(BOWL, flag)
                simulated = summary(BOWL, flag, backend("laptop"))
                for name in ("state_digest", "train_loss", "eval_loss", "consensus_distance",
                             "bytes_sent_per_worker", "bytes_per_link"):
                    self.assertEqual(simulated[name], real[name], name)
                self.assertNotIn("sim_seconds", real)
                self.assertGreater(simulated["sim_seconds"], 12 * 0.1 * 0.5)
                self.assertAlmostEqual(simulated["sim_step_ms"],
                                       simulated["sim_seconds"] * 1e3 / 12)

    def test_is_the_same_twice_and_on_any_number_of_cores(self):
        runs = [summary(BOWL, backend("laptop"), "--cores=%d" % cores) for cores in (1, 2, 2)]
        for name in ("state_digest", "sim_seconds", "worker_phase_ms", "step_ms"):
            self.assertEqual(runs[0][name], runs[1][name])
            self.assertEqual(runs[1][name], runs[2][name])

    def test_another_seed_draws_other_times(self):
        seconds = {summary(BOWL, backend("laptop"), "--set=seed=%d" % seed)["sim_seconds"]
                   for seed in (1, 2)}
        self.assertEqual(len(seconds), 2)

    def test_closed_forms_inside_a_machine(self):
        # max(compute, communication), and F + U_1..b + the sums from b on at its largest.
        expected = {1: (252.6, 485.1), 2: (126.3, 264.1), 4: (100, 153.56), 8: (100, 120.7)}
        for gigabytes, (gossip_ms, allreduce_ms) in expected.items():
            cluster = "workers_per_node: 8 node_gbps: %d collective: RING" % (8 * gigabytes)
            with self.subTest(gigabytes=gigabytes):
                gossip = summary(CONFIG, timed(cluster, PROFILE))
                self.assertAlmostEqual(gossip["sim_step_ms"] / gossip_ms, 1, delta=0.01)
                allreduce = summary(CONFIG, timed(cluster, PROFILE), ALLREDUCE)
                self.assertAlmostEqual(allreduce["sim_step_ms"] / allreduce_ms, 1, delta=1e-3)

    def agrees_with_the_runtime_model(self, cluster, workers, per_node, tolerance, topologies):
        """Compares the step times of All-Reduce and gossip with those of `starling predict`."""
        path = starling.write(cluster, "cluster.textproto")
        profile = starling.write(PROFILE, "profile.textproto")
        predicted = starling.run(
            "predict", "--config=" + starling.write(CONFIG), "--json", "--cluster=" + path,
            "--model=" + profile, "--workers=%d" % workers, "--workers_per_node=%d" % per_node,
            binary=starling.LIGHT_BINARY)
        self.assertEqual(predicted.code, 0, predicted.err)
        step_ms = {(row["algorithm"], row["topology"]): row["step_ms"]
                   for row in json.loads(predicted.out)}
        world = ["--set=workers=%d" % workers, "--set=workers_per_node=%d" % per_node,
                 backend(path, mode="TIME_ONLY", model_profile='"%s"' % profile)]
        runs = [("allreduce", "none", [ALLREDUCE])]
        runs += [("gossip", name, ["--set=topology.name=" + name]) for name in topologies]
        for algorithm, topology, flags in runs:
            with self.subTest(algorithm=algorithm, topology=topology, cluster=cluster):
                simulated = summary(CONFIG, *world, *flags)["sim_step_ms"]
                self.assertAlmostEqual(simulated / step_ms[algorithm, topology], 1,
                                       delta=tolerance)

    def test_agrees_with_the_runtime_model_without_contention(self):
        for collective in ("RING", "TWO_LEVEL"):
            for gbps in (10, 50):
                self.agrees_with_the_runtime_model(
                    "workers_per_node: 1 nic_gbps: %d collective: %s collective_latency_us: 50"
                    % (gbps, collective), workers=8, per_node=1, tolerance=0.02,
                    topologies=["one_peer_exp", "alternating_exp_ring"])

    def test_agrees_with_the_runtime_model_where_workers_share_cards(self):
        for collective in ("RING", "TWO_LEVEL"):
            self.agrees_with_the_runtime_model(
                "workers_per_node: 4 node_gbps: 200 nic_gbps: 40 communicator_gbps: 30 "
                "collective: %s" % collective, workers=16, per_node=4, tolerance=0.05,
                topologies=["one_peer_exp", "alternating_exp_ring", "ring"])

    def test_keeps_what_the_model_predicts_beside_a_run(self):
        # Transformer base, once as a profile and once as a model of other size that counts as it.
        cluster = "workers_per_node: 1 nic_gbps: 10"
        for flag in (timed(cluster, PROFILE),
                     backend(cluster, compute_ms=100, model_bytes=252600000)):
            with self.subTest(flag=flag):
                config = BOWL if "model_bytes" in flag else CONFIG
                result, directory = starling.train(
                    config, flag, "--set=workers_per_node=1", "--set=train.max_steps=100",
                    "--set=topology.name=one_peer_exp", "--set=workers=8",
                    "--set=train.consensus_every_steps=0",
                    binary=starling.LIGHT_BINARY)
                self.assertEqual(result.code, 0, result.err)
                with open(os.path.join(directory, "prediction.json"), encoding="utf-8") as file:
                    prediction = json.load(file)
                measured = starling.summary(directory)["step_ms"]["mean"]
                self.assertAlmostEqual(prediction["step_ms"]["mean"] / measured, 1, delta=0.05)
                if config == BOWL:
                    # The same as from the config alone.
                    path = os.path.join(directory, "config.textproto")
                    predicted = starling.run("predict", "--config=" + path, "--json",
                                             binary=starling.LIGHT_BINARY)
                    row = [row for row in json.loads(predicted.out)
                           if row["algorithm"] == "gossip" and row["topology"] == "one_peer_exp"][0]
                    self.assertAlmostEqual(row["step_ms"], prediction["step_ms"]["mean"])

    def test_numbers_change_no_times(self):
        cluster = "workers_per_node: 8 node_gbps: 8 jitter { distribution: NORMAL relative: 0.2 }"
        paced = ["--set=model={name:\"paced\" config{parameters: 4096 tensors: 4 forward_ms: 0 "
                 "backward_ms: 0}}", "--set=train.bucket_mb=1e-6", "--set=train.max_steps=20",
                 "--set=train.consensus_every_steps=0"]
        fields = {"model_bytes": 100000000, "update_ms": 3}
        times = [summary(CONFIG, backend(cluster, mode=mode, **fields), *paced)
                 for mode in ("NUMERIC", "TIME_ONLY")]
        for name in ("sim_seconds", "bytes_sent_per_worker", "bytes_per_link", "phase_ms"):
            self.assertEqual(times[0][name], times[1][name], name)
        self.assertIsNotNone(times[0]["eval_loss"])
        self.assertIsNone(times[1]["eval_loss"])
        self.assertIsNone(times[1]["train_loss"])

    def test_micro_batches_take_the_time_of_one_batch(self):
        config = CONFIG.replace("local_batch_size: 1", "local_batch_size: 4")
        cluster = "workers_per_node: 8 node_gbps: 1000"
        seconds = [summary(config, timed(cluster, PROFILE), "--set=train.micro_batches=%d" % parts)
                   ["sim_seconds"] for parts in (1, 4)]
        self.assertAlmostEqual(seconds[0], seconds[1], places=3)

    def test_every_registered_algorithm_runs_without_numbers(self):
        listed = starling.run("list", "algorithm", binary=starling.LIGHT_BINARY).out
        algorithms = re.findall(r"^  (\S+)", listed, re.MULTILINE)
        self.assertIn("gossip", algorithms)
        cluster = "workers_per_node: 8 node_gbps: 64"
        for algorithm in algorithms:
            with self.subTest(algorithm=algorithm):
                flags = ["--set=algorithm={name:\"%s\"}" % algorithm,
                         "--set=topology={name:\"ring\"}", "--set=optimizer={name:\"sgd\"}",
                         "--set=mixing.gamma=0.5", "--set=train.max_steps=8"]
                seconds = summary(CONFIG, timed(cluster, PROFILE), *flags)["sim_seconds"]
                self.assertGreater(seconds, 0.799)  # 8 steps of 100 ms

    def test_a_pause_is_paid_once_by_all_reduce(self):
        cluster = "workers_per_node: 8 node_gbps: 64"
        plain = summary(CONFIG, timed(cluster, PROFILE), ALLREDUCE)
        paused = summary(CONFIG, timed(cluster, PROFILE), ALLREDUCE,
                         "--set=faults={pause{worker: 3 at_step: 20 seconds: 5}}")
        self.assertAlmostEqual(paused["sim_seconds"] - plain["sim_seconds"], 5, places=6)

    def test_workers_leave_and_return(self):
        leave = "--set=faults={leave{worker: 3 at_step: 4 return_at_step: 8}}"
        real, simulated = summary(BOWL, leave), summary(BOWL, leave, backend("laptop"))
        for name in ("state_digest", "eval_loss", "bytes_per_link"):
            self.assertEqual(simulated[name], real[name], name)
        self.assertNotEqual(real["state_digest"], summary(BOWL)["state_digest"])

        # Neither it nor who would be its partner sends: 2 of 8 workers, for 40 of 100 steps.
        cluster = "workers_per_node: 8 node_gbps: 64"
        whole = summary(CONFIG, timed(cluster, PROFILE))
        away = summary(CONFIG, timed(cluster, PROFILE),
                       "--set=faults={leave{worker: 3 at_step: 20 return_at_step: 60}}")
        sent = [sum(link["bytes"] for link in run["bytes_per_link"]) for run in (whole, away)]
        self.assertAlmostEqual(sent[1] / sent[0], 0.9)
        self.assertAlmostEqual(away["sim_seconds"], whole["sim_seconds"])  # all hidden

    def test_a_slow_link_slows_its_pair_from_its_step_on(self):
        # Two workers, bound by communication: 252.6 ms a step at 1 GB/s, twice that at half rate.
        cluster = "workers_per_node: 1 nic_gbps: 8"
        pair = ["--set=workers=2", "--set=workers_per_node=1"]
        plain = summary(CONFIG, timed(cluster, PROFILE), *pair)
        self.assertAlmostEqual(plain["sim_step_ms"], 252.6, delta=2.526)
        slow = summary(CONFIG, timed(cluster, PROFILE), *pair,
                       "--set=faults={slow_link{worker: 0 other_worker: 1 from_step: 60 rate: 0.5}}")
        self.assertAlmostEqual(slow["sim_seconds"] - plain["sim_seconds"], 40 * 0.2526, delta=0.5)

    def test_metrics_tell_simulated_seconds(self):
        result, directory = starling.train(BOWL, backend("laptop"), "--timeline",
                                           binary=starling.LIGHT_BINARY)
        self.assertEqual(result.code, 0, result.err)
        ends = starling.summary(directory)
        self.assertIn("simulated: %.6g s" % ends["sim_seconds"], result.out)
        with open(os.path.join(directory, "metrics.jsonl"), encoding="utf-8") as file:
            records = [json.loads(line) for line in file]
        seconds = [record["time/sim_seconds"] for record in records
                   if "train/loss" in record or "validation/loss" in record]
        self.assertEqual(seconds, sorted(seconds))
        self.assertAlmostEqual(seconds[-1], ends["sim_seconds"], places=6)
        with open(os.path.join(directory, "metrics.csv"), encoding="utf-8") as file:
            self.assertIn("time/sim_seconds", {row["name"] for row in csv.DictReader(file)})

    def test_simulated_seconds_can_end_a_run(self):
        ended = summary(CONFIG, timed("workers_per_node: 8 node_gbps: 1000", PROFILE),
                        "--set=train.max_seconds=2.05")
        self.assertEqual(ended["status"], "done")
        self.assertEqual(ended["steps"], 21)

    def test_arms_are_simulated_one_after_the_other(self):
        arms = BOWL + """
            arm { name: "first" set: "algorithm.name=gossip" }
            arm { name: "second" set: "algorithm.name=allreduce" }
            """
        result, directory = starling.train(arms, backend("laptop"), binary=starling.LIGHT_BINARY)
        self.assertEqual(result.code, 0, result.err)
        for name, algorithm in (("first", "gossip"), ("second", "allreduce")):
            alone = summary(BOWL, backend("laptop"), "--set=algorithm.name=" + algorithm)
            arm = starling.summary(os.path.join(directory, name))
            for field in ("state_digest", "sim_seconds"):
                self.assertEqual(arm[field], alone[field])

    def test_a_resumed_run_ends_in_the_same_bits_and_goes_on_in_time(self):
        flags = [backend("laptop"), "--set=train.consensus_every_steps=0"]
        whole = summary(BOWL, *flags)
        directory = os.path.join(starling.scratch(), "run")
        for steps in (6, 12):
            config = starling.write(BOWL)
            result = starling.run("train", "--config=" + config, "--run_dir=" + directory,
                                  "--set=train.max_steps=%d" % steps, *flags,
                                  *(["--resume"] if steps == 12 else []),
                                  binary=starling.LIGHT_BINARY)
            self.assertEqual(result.code, 0, result.err)
        resumed = starling.summary(directory)
        self.assertEqual(resumed["state_digest"], whole["state_digest"])
        self.assertAlmostEqual(resumed["sim_seconds"] / whole["sim_seconds"], 1, delta=0.1)


if __name__ == "__main__":
    unittest.main()
