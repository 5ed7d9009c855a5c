"""Training many workers on one card: deterministic, as on the CPU, and over NCCL as on threads.

    train_test.py --starling 'PROGRAM [WORDS]' --recipes FOLDER --text FILE

skips, with a reason, where the program finds no card.
"""

import argparse
import json
import os
import shlex
import socket
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


def environments(processes):
    """Of processes that share card 0: what torchrun sets, and what makes NCCL believe in as many
    machines, because it refuses two processes of one on a card."""
    if processes == 1:
        return [dict(os.environ)]
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    return [dict(os.environ, RANK=str(rank), WORLD_SIZE=str(processes), LOCAL_RANK="0",
                 MASTER_ADDR="127.0.0.1", MASTER_PORT=str(port), NCCL_HOSTID="host%d" % rank,
                 NCCL_SOCKET_IFNAME="lo") for rank in range(processes)]


def train(recipe, *flags, processes=1):
    """Trains; returns (summary, [training loss, averaged over 10 steps each])."""
    config, *sets = recipe
    directory = os.path.join(tempfile.mkdtemp(), "run")
    command = shlex.split(OPTIONS.starling) + [
        "train", "--config=" + os.path.join(OPTIONS.recipes, config), "--run_dir=" + directory,
        *sets, *flags]
    if recipe is GPT2:
        command.append("--set=dataset.config.path=" + OPTIONS.text)
    running = [subprocess.Popen(command, env=environment, stdin=subprocess.DEVNULL,
                                stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
               for environment in environments(processes)]
    outputs = [process.communicate(timeout=300)[0] for process in running]
    if any(process.returncode for process in running):
        raise RuntimeError("%s\n%s" % (shlex.join(command), "\n".join(outputs)))
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

    def test_nccl_has_the_bits_of_threads(self):
        nccl = '--set=backend={name: "nccl" config {deterministic: true}}'
        for workers in (2, 4):
            for mixing in ("algorithm.name=allreduce", "topology.name=alternating_exp_ring",
                           "topology.name=exponential"):
                with self.subTest(workers=workers, mixing=mixing):
                    flags = ["--set=workers=%d" % workers, "--set=workers_per_node=1",
                             "--set=train.max_steps=20", "--set=" + mixing]
                    threads, _ = train(RESNET, ON_CARD, *flags)
                    over_nccl, _ = train(RESNET, nccl, *flags, processes=workers)
                    self.assertEqual(over_nccl["state_digest"], threads["state_digest"])

    def test_nccls_own_sums_are_near(self):
        flags = ["--set=workers=2", "--set=workers_per_node=1", "--set=algorithm.name=allreduce"]
        _, losses = train(RESNET, ON_CARD, *flags)
        _, over_nccl = train(RESNET, "--set=backend.name=nccl", *flags, processes=2)
        for own, other in zip(losses, over_nccl):
            self.assertLess(abs(own - other), 0.02 * own)

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
