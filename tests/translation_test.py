"""A made-up language is learnt, translated and scored, from text files to BLEU."""

import json
import os
import random
import shutil
import unittest

from tests import starling

WORDS = {"red": "rot", "old": "alt", "big": "groß", "house": "Haus", "dog": "Hund", "sees": "sieht",
         "man": "Mann", "tree": "Baum", "the": "das", "and": "und"}

CONFIG = """
name: "tiny_translation"
seed: 5
workers: 2
topology { name: "ring" }
algorithm { name: "gossip" config { order: AWC } }
optimizer { name: "adam" config { lr: 5e-3 beta2: 0.98 } }
schedule { name: "inverse_sqrt" config { warmup { steps: 50 } } }
model {
  name: "transformer"
  config { d_model: 32 heads: 2 encoder_layers: 1 decoder_layers: 1 ff: 64 max_length: 64 }
}
dataset { name: "translation" config { dir: "%s" test: "test" vocabulary: 60 } }
train { global_batch_tokens: 512 max_steps: 300 eval_every_steps: 0 consensus_every_steps: 0 }
"""


def write_corpus():
    """Writes sentences of 4 to 8 words, which are translated word by word; returns the directory."""
    directory = starling.scratch()
    draw = random.Random(1)
    for name, count in (("train", 600), ("val", 20), ("test", 40)):
        pairs = [draw.choices(sorted(WORDS), k=draw.randint(4, 8)) for _ in range(count)]
        for ending, translate in (("en", str), ("de", WORDS.get)):
            with open(os.path.join(directory, name + "." + ending), "w", encoding="utf-8") as file:
                for words in pairs:
                    file.write(" ".join(translate(word) for word in words) + ".\n")
    return directory


@unittest.skipUnless(shutil.which("spm_train"), "Debian's package sentencepiece is not installed")
class TranslationTest(unittest.TestCase):

    @classmethod
    def setUpClass(cls):
        cls.config = CONFIG % write_corpus()

    def test_learns_to_translate(self):
        result, directory = starling.train(self.config, "--set", "train.validation_bleu=true",
                                           "--set", "train.eval_every_steps=200")
        self.assertEqual(result.code, 0, result.err)
        bleu = starling.summary(directory)["eval_bleu"]
        self.assertGreater(bleu, 60)
        self.assertIn("BLEU %.2f" % bleu, result.out)
        with open(os.path.join(directory, "metrics.jsonl"), encoding="utf-8") as file:
            metrics = [json.loads(line) for line in file]
        values = {name: value for line in metrics for name, value in line.items()}
        self.assertEqual(values["eval/bleu"], bleu)
        self.assertGreater(values["validation/bleu"], 0)

    def test_bits_depend_on_neither_cores_nor_buckets(self):
        short = ("--set", "train.max_steps=20")
        reference = starling.trained_summary(self.config, "--cores=1", *short)
        other = starling.trained_summary(self.config, "--cores=2", "--set", "train.bucket_mb=1e-6",
                                         *short)
        for name in ("state_digest", "eval_bleu", "eval_loss"):
            self.assertEqual(other[name], reference[name])
        changed = starling.trained_summary(self.config, "--set", "model.config.dropout=0", *short)
        self.assertNotEqual(changed["state_digest"], reference["state_digest"])


if __name__ == "__main__":
    unittest.main()
