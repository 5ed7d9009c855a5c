"""`starling calibrate` and `starling compare` as a user meets them, on the backend threads."""

import json
import os
import unittest

from tests import starling

# Waits 12 ms a pass, whatever else runs.
PACED = """
name: "waits"
workers: 2
topology { name: "complete" }
algorithm { name: "gossip" }
optimizer { name: "sgd" config { lr: 0.05 } }
model { name: "paced" config { parameters: 4096 tensors: 4 forward_ms: 4 backward_ms: 8 } }
dataset { name: "no_data" }
train { local_batch_size: 1 max_steps: 1000 bucket_mb: 0.004 }
arm { name: "gossip" }
arm { name: "allreduce" set: "algorithm.name=allreduce" }
"""


def light(*args):
    return starling.run(*args, binary=starling.LIGHT_BINARY)


class CalibrateTest(unittest.TestCase):

    def test_what_it_writes_predicts_and_is_compared(self):
        config = starling.write(PACED)
        cluster = os.path.join(starling.scratch(), "here.textproto")
        result = light("calibrate", "--config=" + config, "--out=" + cluster)
        self.assertEqual(result.code, 0, result.err)
        self.assertEqual(result.out, "cluster: %s\n" % cluster)
        for line in result.err.splitlines():
            self.assertLessEqual(len(line), 80, line)
        with open(cluster, encoding="utf-8") as file:
            text = file.read()
        for part in ("backend threads, 2 workers", 'field: "node_gbps"', "forward_share",
                     "hop_latency_us", "nodes: 1"):
            self.assertIn(part, text)
        self.assertNotIn(os.uname().nodename, text)

        run = os.path.join(starling.scratch(), "run")
        result = light("compare", "--config=" + config, "--cluster=" + cluster, "--steps=20",
                       "--run_dir=" + run, "--json")
        self.assertEqual(result.code, 0, result.err)
        rows = json.loads(result.out)
        self.assertEqual([(row["arm"], row["topology"], row["algorithm"]) for row in rows],
                         [("gossip", "complete", "gossip"), ("allreduce", "none", "allreduce")])
        for row in rows:
            # 12 ms are slept; how much comes on top is this machine's affair.
            self.assertGreaterEqual(row["measured_ms"], 12)
            self.assertGreaterEqual(row["predicted_ms"], 12)
            self.assertLessEqual(row["predicted_low_ms"], row["predicted_ms"])
            self.assertAlmostEqual(row["error"], row["predicted_ms"] / row["measured_ms"] - 1)
            self.assertTrue(os.path.exists(os.path.join(run, row["arm"], "summary.json")))

    def test_mistakes(self):
        config = starling.write(PACED)
        for args, message in (
                (["calibrate"], "--out=FILE is missing: where calibrate writes the cluster"),
                (["calibrate", "here"], 'calibrate takes no "here"; the config is --config=FILE'),
                (["calibrate", "--out=x", "--config=" + config, "--import_nccl_tests=a"],
                 "--config names a model to measure here; --import_nccl_tests measures nothing"),
                (["compare"], "--config=FILE is missing"),
                (["compare", "--config=" + config, "--steps=3"],
                 "--steps=3: fewer than 10 steps measure nothing"),
                (["compare", "--config=" + config, "--cluster=laptoq"], 'laptop')):
            result = light(*args)
            self.assertEqual(result.code, 2, result.err)
            self.assertIn(message, result.err)
            self.assertEqual(result.out, "")


if __name__ == "__main__":
    unittest.main()
