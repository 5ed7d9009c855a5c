"""The same config gives the same bits, whatever cannot matter; what can matter changes them."""

import unittest

from tests import starling


def digest(config, *flags):
    return starling.trained_summary(config, *flags)["state_digest"]


class ReproducibilityTest(unittest.TestCase):

    def setUp(self):
        self.reference = digest(starling.CONFIG, "--cores=2")

    def test_digest_is_hexadecimal(self):
        self.assertRegex(self.reference, "^[0-9a-f]{16}$")

    def test_cores_do_not_matter(self):
        self.assertEqual(digest(starling.CONFIG, "--cores=1"), self.reference)
        self.assertEqual(digest(starling.CONFIG, "--cores=8"), self.reference)

    def test_evaluating_does_not_matter(self):
        for every in ("0", "1"):
            self.assertEqual(digest(starling.CONFIG, "--set", "train.eval_every_steps=" + every,
                                    "--set", "train.consensus_every_steps=" + every),
                             self.reference)

    def test_dropout_depends_on_neither_cores_nor_buckets(self):
        config = starling.language_config(
            'name: "gpt2" config { layers: 1 heads: 2 width: 8 dropout: 0.2 }')
        reference = digest(config, "--cores=1")
        self.assertEqual(digest(config, "--cores=2", "--set", "train.bucket_mb=1e-6"), reference)
        self.assertNotEqual(digest(config, "--set", "model.config.dropout=0"), reference)

    def test_batch_norm_keeps_its_statistics(self):
        resnet = ("--set", "dataset.config.shape=[1,8,8]", "--set", "model.name=resnet", "--set",
                  "model.config.width=4", "--set", "model.config.blocks=[1,1]")
        never = starling.trained_summary(starling.CONFIG, *resnet, "--set",
                                         "train.eval_every_steps=0")
        always = starling.trained_summary(starling.CONFIG, *resnet, "--set",
                                          "train.eval_every_steps=1")
        local = starling.trained_summary(starling.CONFIG, *resnet, "--set",
                                         "train.average_statistics=false")
        self.assertEqual(always["state_digest"], never["state_digest"])
        self.assertEqual(local["state_digest"], never["state_digest"])
        self.assertNotEqual(local["eval_loss"], never["eval_loss"])

    def test_bucket_size_does_not_matter(self):
        for size in ("1e-6", "0.002", "1000"):
            self.assertEqual(digest(starling.CONFIG, "--set", "train.bucket_mb=" + size),
                             self.reference)

    def test_overlap_does_not_matter(self):
        self.assertEqual(digest(starling.CONFIG, "--set", "mixing.overlap=false"), self.reference)

    def test_the_record_of_a_run_repeats_it(self):
        result, directory = starling.train(starling.CONFIG)
        self.assertEqual(result.code, 0, result.err)
        again = directory + "-again"
        result = starling.run("train", "--config=" + directory + "/config.textproto",
                              "--run_dir=" + again)
        self.assertEqual(result.code, 0, result.err)
        self.assertEqual(starling.summary(again)["state_digest"], self.reference)

    def test_what_matters_changes_it(self):
        seen = {self.reference}
        for change in ("seed=4", "topology.name=ring", "algorithm.config.order=ATC",
                       "mixing.every_steps=2", "mixing.gamma=0.5", "optimizer.config.window=3",
                       "optimizer.name=sgd", "train.max_steps=29", "train.grad_clip_norm=0.1",
                       "algorithm.name=allreduce", "partition.name=shards",
                       "train.micro_batches=2", "train.dtype=F64"):
            seen.add(digest(starling.CONFIG, "--set", change))
        self.assertEqual(len(seen), 14)

    def test_every_algorithm_and_order_ignores_buckets_and_overlap(self):
        for change in ("algorithm.config.order=ATC", "algorithm.name=allreduce",
                       "mixing.every_steps=3", "mixing.gamma=0.7", "topology.name=exponential"):
            reference = digest(starling.CONFIG, "--set", change)
            self.assertEqual(digest(starling.CONFIG, "--set", change, "--cores=1", "--set",
                                    "train.bucket_mb=1e-6", "--set", "mixing.overlap=false"),
                             reference, change)


if __name__ == "__main__":
    unittest.main()
