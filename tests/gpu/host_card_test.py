"""Training with CUDA's device and kernels, on the host as the card, gives the bits of the host."""

import os
import unittest

from tests import starling

BINARY = os.path.join(os.environ["TEST_SRCDIR"], os.environ["TEST_WORKSPACE"], "tests", "gpu",
                      "starling_on_host_card")
ON_CARD = '--set=backend={name: "threads" config {device: "cuda:0"}}'


class HostCardTest(unittest.TestCase):
    def check(self, *flags):
        """Trains on both; returns the summaries."""
        summaries = []
        for place in ([], [ON_CARD]):
            result, directory = starling.train(starling.CONFIG, *flags, *place, binary=BINARY)
            self.assertEqual(result.code, 0, result.err)
            summaries.append(starling.summary(directory))
        return summaries

    def test_gossip(self):
        for precision in ("SAME", "F16", "BF16"):
            host, card = self.check("--set=mixing.precision=" + precision)
            self.assertEqual(card["state_digest"], host["state_digest"], precision)
            self.assertEqual(card["eval_loss"], host["eval_loss"], precision)

    def test_all_reduce_with_micro_batches(self):
        host, card = self.check("--set=algorithm.name=allreduce", "--set=optimizer.name=adamw",
                                "--set=train.micro_batches=2")
        self.assertEqual(card["state_digest"], host["state_digest"])

    def test_clipping_adds_in_another_order(self):
        host, card = self.check("--set=train.grad_clip_norm=0.5")
        self.assertAlmostEqual(card["train_loss"], host["train_loss"], delta=1e-5)


if __name__ == "__main__":
    unittest.main()
