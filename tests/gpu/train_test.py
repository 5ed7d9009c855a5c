"""Training eight workers on one card: deterministic, and as on the CPU.

    train_test.py --starling 'PROGRAM [WORDS]' --recipes FOLDER --text FILE

skips, with a reason, where the program finds no card.
"""

import argparse
import json
import os
import shlex
import subprocess
import sys
import tempfile
import unittest

ON_CARD = '--set=backend={name: "threads" config {device: "cuda:0"}}'
# No arms: one run of what the recipe's AccumAdam over AER does.
GPT2 = ["gpt2_small.textproto", "--set=arm=[]", "--set=train.max_steps=60"]
RESNET = ["resnet_small.textproto", "--set=arm=[]", "--set=train.max_steps=60",
          '--set=dataset={name: "synthetic_classification" config '
          '{shape: [1, 28, 28] train_examples: 4096}}']

OPTIONS = argparse.Namespace()


def train(recipe, *flags):
    """Trains; returns (summary, [training loss, averaged over 10 steps each])."""
    config, *sets = recipe
    directory = os.path.join(tempfile.mkdtemp(), "run")
    command = shlex.split(OPTIONS.starling) + [
        "train", "--config=" + os.path.join(OPTIONS.recipes, config), "--run_dir=" + directory,
        *sets, *flags]
    if recipe is GPT2:
        command.append("--set=dataset.config.path=" + OPTIONS.text)
    ran = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                         stderr=subprocess.STDOUT, text=True, timeout=300, check=False)
    if ran.returncode != 0:
        raise RuntimeError("%s\n%s" % (shlex.join(command), ran.stdout))
    with open(os.path.join(directory, "metrics.jsonl"), encoding="utf-8") as file:
        lines = [json.loads(line) for line in file]
    with open(os.path.join(directory, "summary.json"), encoding="utf-8") as file:
        return json.load(file), [line["train/loss"] for line in lines if "train/loss" in line]


class TrainTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        try:
            train(RESNET, ON_CARD, "--set=train.max_steps=1")
        except RuntimeError as error:
            for reason in ("no GPU that CUDA can use", "built without CUDA", "LibTorch"):
                if reason in str(error):
                    # Where //tests/gpu:pack's table looks for it.
                    print("[  SKIPPED ] " + str(error).strip().splitlines()[-1])
                    raise unittest.SkipTest(reason) from None
            raise

    def check(self, recipe):
        first, losses = train(recipe, ON_CARD)
        again, _ = train(recipe, ON_CARD)
        self.assertEqual(first["state_digest"], again["state_digest"])
        _, on_cpu = train(recipe)
        self.assertEqual(len(losses), len(on_cpu))
        for i, (card, cpu) in enumerate(zip(losses, on_cpu)):
            # The same batches and starting values: rounding is all that differs, and grows.
            self.assertLess(abs(card - cpu), 0.02 * cpu, "steps %d to %d" % (10 * i, 10 * i + 10))
        self.assertLess(losses[-1], losses[0])

    def test_gpt2_small(self):
        self.check(GPT2)

    def test_resnet_small(self):
        self.check(RESNET)

    def test_64_workers_share_the_card(self):
        first, _ = train(RESNET, ON_CARD, "--set=workers=64", "--set=train.max_steps=10")
        again, _ = train(RESNET, ON_CARD, "--set=workers=64", "--set=train.max_steps=10")
        self.assertEqual(first["state_digest"], again["state_digest"])


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--starling", required=True)
    parser.add_argument("--recipes", required=True)
    parser.add_argument("--text", required=True)
    OPTIONS, rest = parser.parse_known_args()
    OPTIONS.text = os.path.abspath(OPTIONS.text)
    unittest.main(argv=sys.argv[:1] + rest)
