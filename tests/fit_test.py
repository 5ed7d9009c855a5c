"""`starling fit` and `starling advise`, as a user meets them."""

import json
import os
import unittest

from tests import starling

# Two machines and four; a third size is held out.
MEASUREMENTS = """cluster,gpus,workers_per_node,method,ms
ours,4,2,allreduce,120
ours,4,2,aer,100
ours,8,2,allreduce,80
ours,8,2,aer,60
ours,16,2,allreduce,61
ours,16,2,aer,42
"""


def run(*args):
    return starling.run(*args, binary=starling.LIGHT_BINARY)


class FitTest(unittest.TestCase):

    def setUp(self):
        self.file = starling.write(MEASUREMENTS, "ours.csv")

    def test_predicts_what_is_held_out(self):
        out = os.path.join(starling.scratch(), "clusters")
        result = run("fit", "--measurements=" + self.file, "--holdout=gpus:16", "--json",
                     "--out=" + out)
        self.assertEqual(result.code, 0, result.err)
        answer = json.loads(result.out)
        self.assertEqual(list(answer), ["fitted", "holdout"])
        self.assertLess(answer["fitted"]["ours"]["rms_error"], 0.05)
        self.assertEqual([(row["cluster"], row["gpus"], row["method"], row["measured_ms"])
                          for row in answer["holdout"]],
                         [("ours", 16, "allreduce", 61), ("ours", 16, "aer", 42)])
        for row in answer["holdout"]:
            self.assertLess(row["low_ms"], row["predicted_ms"])
            self.assertLess(row["predicted_ms"], row["high_ms"])
        # The file is a cluster like others.
        result = run("predict", "--cluster=%s/ours.textproto" % out, "--workers=16", "--json")
        self.assertEqual(result.code, 0, result.err)
        gossip = [row["step_ms"] for row in json.loads(result.out)
                  if (row["algorithm"], row["topology"]) == ("gossip", "alternating_exp_ring")]
        self.assertAlmostEqual(gossip[0] / answer["holdout"][1]["predicted_ms"], 1, delta=0.01)

    def test_table_fits_a_terminal(self):
        result = run("fit", "--measurements=" + self.file, "--buckets_mb=20,20",
                     "--model_bytes=40e6", "--backward_shares=0.6,0.4")
        self.assertEqual(result.code, 0, result.err)
        self.assertIn("ours: 6 measurements fitted, root mean square error", result.out)
        self.assertIn("root mean square error of the 6 fitted", result.out)
        for line in result.out.splitlines():
            self.assertLessEqual(len(line), 80, line)

    def test_mistakes_are_answered_in_one_sentence(self):
        for flags, message in (
                ([], "--measurements=FILE.csv is missing, with columns "
                     "cluster,gpus,workers_per_node,method,ms"),
                (["--measurements=/nonexistent.csv"],
                 "cannot read /nonexistent.csv: No such file or directory"),
                (["--measurements=" + self.file, "--holdout=gpus:5"],
                 "--holdout=gpus:5: no row of %s is like that" % self.file),
                (["--measurements=" + self.file, "--holdout=5"],
                 '--holdout: "5" describes no rows; say COLUMN:VALUE'),
                (["--measurements=" + self.file, "--holdout=cluster:ours"],
                 'cluster "ours": no row is left to fit to'),
                (["--measurements=" + self.file, "--backward_shares=0.5,0.5"],
                 "--backward_shares has 2 values, the model 7 buckets; see --buckets_mb"),
                (["some.csv"], 'fit takes no "some.csv"')):
            result = run("fit", *flags)
            self.assertNotEqual(result.code, 0, flags)
            self.assertIn(message, result.err)


class AdviseTest(unittest.TestCase):

    def test_ranks_topologies_with_reasons(self):
        result = run("advise", "--cluster=t4_infiniband", "--workers=32")
        self.assertEqual(result.code, 0, result.err)
        self.assertIn("Take gossip over", result.out)
        self.assertIn("its card carries", result.out)
        for line in result.out.splitlines():
            self.assertLessEqual(len(line), 80, line)
        result = run("advise", "--cluster=t4_infiniband", "--workers=32", "--json")
        hours = [row["hours"] for row in json.loads(result.out)]
        self.assertEqual(hours, sorted(hours))

    def test_mistakes_are_answered_in_one_sentence(self):
        for flags, message in ((["--cluster=t4"], "t4"),
                               (["--cluster=laptop", "--target_steps=0"],
                                "--target_steps=0: at least 1"),
                               (["laptop"], 'advise takes no "laptop"')):
            result = run("advise", *flags)
            self.assertEqual(result.code, 2, flags)
            self.assertIn(message, result.err)


if __name__ == "__main__":
    unittest.main()
