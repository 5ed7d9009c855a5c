"""`starling verify`, and trainings that it refuses."""

import os
import unittest

from tests import starling

ARMS = starling.QUADRATIC + """
arm { name: "gossip" }
arm { name: "centre" set: "algorithm.name=allreduce" }
"""


def verify(config, *flags, **kwargs):
    return starling.run("verify", "--config=" + starling.write(config), *flags,
                        binary=starling.LIGHT_BINARY, **kwargs)


def over_edges(edges):
    """The config of four workers over an undirected graph."""
    path = starling.write(edges, "edges.txt")
    return starling.QUADRATIC.replace('"ring"', '"from_file" config { path: "%s" }' % path)


class VerifyTest(unittest.TestCase):

    def check_refused(self, config, *words):
        """Verifying and training both refuse, in the same words; returns them."""
        verified = verify(config)
        self.assertEqual(verified.code, 2, verified.out)
        self.assertEqual(verified.out, "")
        trained, directory = starling.train(config, binary=starling.LIGHT_BINARY)
        self.assertEqual(trained.code, 2, trained.out)
        self.assertFalse(os.path.exists(directory), "a run directory was made")
        for result in (verified, trained):
            self.assertEqual(len(result.err.splitlines()), 1, result.err)
            for word in words:
                self.assertIn(word, result.err)

    def test_a_good_plan_is_told_what_was_checked(self):
        home = starling.scratch()
        result = verify(starling.QUADRATIC, env={"BUILD_WORKING_DIRECTORY": home})
        self.assertEqual(result.code, 0, result.err)
        self.assertEqual(result.err, "")
        lines = result.out.splitlines()
        self.assertEqual(lines[0], "bowl")
        self.assertIn("  topology ring: 1 round", lines)
        # In each step three buckets, from four workers to two neighbours each.
        self.assertIn("  algorithm gossip: 5 steps rehearsed, 120 messages", lines)
        for line in lines:
            self.assertLessEqual(len(line), 80, line)
        self.assertEqual(os.listdir(home), [])

    def test_it_says_the_same_again(self):
        config = starling.CONFIG.replace('"mlp" config { hidden: [24, 16] }', '"quadratic"')
        self.assertEqual(verify(config).out, verify(config).out)

    def test_every_arm_is_verified(self):
        out = verify(ARMS).out
        self.assertIn("bowl, arm gossip\n", out)
        self.assertIn("bowl, arm centre\n  algorithm allreduce", out)
        broken = ARMS.replace('"algorithm.name=allreduce"', '"workers_per_node=5"')
        result = verify(broken)
        self.assertEqual(result.code, 2)
        self.assertIn('arm "centre"', result.err)

    def test_set_changes_what_is_verified(self):
        result = verify(starling.QUADRATIC, "--set", "workers=3", "--set", "mixing.overlap=false")
        self.assertEqual(result.code, 0, result.err)
        result = verify(starling.QUADRATIC, "--set", "topology.name=hypercube", "--set", "workers=7")
        self.assertEqual(result.code, 2)
        self.assertIn("needs a power of two workers, not 7; nearest: 4 or 8", result.err)

    def test_groups_that_never_exchange(self):
        connected = verify(over_edges("0 1\n1 2\n2 3\n"))
        self.assertEqual(connected.code, 0, connected.err)
        self.check_refused(over_edges("0 1\n2 3\n"), "config.textproto:4:",
                           'topology "from_file": workers 0-1 and workers 2-3 exchange nothing in '
                           "its round, so they never agree")

    def test_more_workers_per_machine_than_workers(self):
        self.check_refused(starling.QUADRATIC + "workers_per_node: 5", "config.textproto:9:19: ",
                           "workers_per_node is 5, but workers is only 4; it must be at most 4")

    def test_wrong_usage(self):
        for args in (["verify"], ["verify", "--config=/nowhere/x.textproto"],
                     ["verify", "--config=" + starling.write(starling.QUADRATIC), "all"],
                     ["verify", "--dry_run"]):
            result = starling.run(*args, binary=starling.LIGHT_BINARY)
            self.assertEqual(result.code, 2, args)
            self.assertIn("starling: ", result.err)


if __name__ == "__main__":
    unittest.main()
