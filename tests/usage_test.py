"""What a user types and sees when nothing is wrong."""

import json
import os
import unittest

from tests import starling

QUICKSTART = os.path.join(os.environ["TEST_SRCDIR"], os.environ["TEST_WORKSPACE"],
                          "experiments", "configs", "quickstart.textproto")


def light(*args, **kwargs):
    """Runs the binary that starts in a moment."""
    return starling.run(*args, binary=starling.LIGHT_BINARY, **kwargs)


class UsageTest(unittest.TestCase):

    def test_help_fits_one_screen(self):
        for args in (["--help"], ["help"], ["train", "--help"], ["list", "--help"],
                     ["verify", "--help"], ["describe", "--help"], ["doctor", "--help"]):
            result = light(*args)
            self.assertEqual(result.code, 0, args)
            lines = result.out.splitlines()
            self.assertLess(len(lines), 24, args)
            for line in lines:
                self.assertLessEqual(len(line), 80, line)

    def test_no_verb_is_wrong_usage(self):
        result = light()
        self.assertEqual(result.code, 2)
        self.assertIn("usage: starling VERB", result.err)

    def test_list_names_every_kind(self):
        out = light("list").out
        for kind in ("algorithm", "backend", "cluster", "dataset", "metric_sink", "model", "optimizer",
                     "partition", "schedule", "topology"):
            self.assertIn("\n" + kind + "\n", "\n" + out)
        only = light("list", "topology").out
        self.assertIn("ring", only)
        self.assertNotIn("accum_adam", only)

    def test_describe_prints_fields_with_defaults(self):
        out = light("describe", "optimizer", "accum_adam").out
        self.assertIn("window", out)
        self.assertIn("default 4", out)

    def test_describe_cluster_prints_its_figures(self):
        out = light("describe", "cluster", "laptop").out
        self.assertIn("nic_gbps: 1\n", out)
        self.assertIn("assumed, not measured", out)
        self.assertIn("of a machine's network card", out)

    def test_describe_experiment_prints_the_switches(self):
        out = light("describe", "experiment").out
        for field in ("workers_per_node", "global_batch_size", "every_steps", "at least 1"):
            self.assertIn(field, out)
        for line in out.splitlines():
            self.assertLessEqual(len(line), 80, line)

    def test_describe_topology_as_json(self):
        result = light("describe", "topology", "alternating_exp_ring", "--workers=8",
                       "--workers_per_node=2", "--json")
        self.assertEqual(result.code, 0, result.err)
        described = json.loads(result.out)
        self.assertEqual(described["workers"], 8)
        self.assertEqual(described["period"], 4)
        self.assertEqual(len(described["rounds"]), 4)
        self.assertTrue(described["exact"])
        self.assertTrue(described["symmetric"])
        self.assertTrue(described["doubly_stochastic"])
        self.assertAlmostEqual(described["rho_period"], 0, places=9)
        for edges in described["rounds"]:
            received = [0.0] * 8
            for edge in edges:
                received[edge["to"]] += edge["weight"]
            for total in received:
                self.assertAlmostEqual(total, 1, places=12)

    def test_describe_topology_fits_the_terminal(self):
        for name in ("ring", "aer", "complete", "exp2", "torus", "base_graph"):
            result = light("describe", "topology", name, "--workers=8", "--workers_per_node=4")
            self.assertEqual(result.code, 0, result.err)
            for line in result.out.splitlines():
                self.assertLessEqual(len(line), 80, line)

    def test_doctor_says_what_is_there(self):
        result = starling.run("doctor")
        self.assertEqual(result.code, 0)
        for word in ("processor", "libtorch", "vector level", "CUDA", "fashion_mnist"):
            self.assertIn(word, result.out)

    def test_dry_run_of_the_quickstart_prints_plan_and_trains_nothing(self):
        directory = os.path.join(starling.scratch(), "run")
        result = starling.run("train", "--config=" + QUICKSTART, "--dry_run",
                              "--run_dir=" + directory)
        if "dataset-fashion-mnist" in result.err:
            self.skipTest("Fashion-MNIST is not installed")
        self.assertEqual(result.code, 0, result.err)
        self.assertIn("# arm allreduce", result.out)
        self.assertIn("[type.googleapis.com/starling.AccumAdamConfig]", result.out)
        self.assertIn('takes no topology: "alternating_exp_ring" is dropped', result.out)
        self.assertFalse(os.path.exists(directory))

    def test_flags_accept_dashes_and_separate_values(self):
        directory = os.path.join(starling.scratch(), "run")
        result = light("train", "-config", starling.write(starling.QUADRATIC), "--run-dir",
                       directory, "--cores", "1", "--set", "seed=9")
        self.assertEqual(result.code, 0, result.err)
        self.assertEqual(starling.summary(directory)["status"], "done")

    def test_relative_paths_start_where_the_user_stands(self):
        home = starling.scratch()
        os.rename(starling.write(starling.QUADRATIC), os.path.join(home, "bowl.textproto"))
        result = light("train", "--config=bowl.textproto", env={"BUILD_WORKING_DIRECTORY": home})
        self.assertEqual(result.code, 0, result.err)
        path = result.out.strip().splitlines()[-1].split("results: ")[1]
        self.assertTrue(path.startswith(os.path.join(home, "runs", "bowl")), path)
        self.assertTrue(os.path.exists(os.path.join(path, "summary.json")))


if __name__ == "__main__":
    unittest.main()
