"""A training step of our engine against the same net in a bare LibTorch loop, on one card: GPT-2
(124 M parameters) and ResNet-50, in one process each, taking turns. Wanted: at most 1.02 times.

    step_benchmark.py --benchmark 'PROGRAM [WORDS]' [--device=cpu --tiny]

PROGRAM is //tests/benchmarks:throughput_benchmark.
"""

import argparse
import os
import random
import re
import shlex
import struct
import subprocess
import sys
import tempfile

VOCABULARY = 50257


def tokens(context):
    """Writes random tokens; returns their directory."""
    directory = tempfile.mkdtemp()
    numbers = random.Random(1)
    for name in ("train", "val"):
        with open(os.path.join(directory, name + ".bin"), "wb") as file:
            ids = [numbers.randrange(VOCABULARY) for _ in range(128 * context + 1)]
            file.write(struct.pack("<%dH" % len(ids), *ids))
    return directory


def nets(tiny):
    """{name: [PATH=VALUE]}."""
    context = 32 if tiny else 1024
    size = "layers: 1 heads: 2 width: 16" if tiny else "dropout: 0"
    pixels = 32 if tiny else 224
    return {
        "GPT-2": ['model={name: "gpt2" config {%s}}' % size,
                  'dataset={name: "tokens" config {dir: "%s" context: %d vocabulary: %d}}' % (
                      tokens(context), context, VOCABULARY),
                  "train.local_batch_size=%d" % (1 if tiny else 8)],
        "ResNet-50": ['model={name: "resnet" config {depth: %d}}' % (18 if tiny else 50),
                      'dataset={name: "synthetic_classification" config {classes: 1000 '
                      'shape: [3, %d, %d] train_examples: 512 validation_examples: 8 '
                      'test_examples: 8}}' % (pixels, pixels),
                      "train.local_batch_size=%d" % (8 if tiny else 64),
                  "--compared_steps=2"],  # batch norm drives the two apart, rounding by rounding
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--benchmark", required=True)
    parser.add_argument("--device", default="cuda:0")
    parser.add_argument("--tiny", action="store_true", help="only to see that all of it runs")
    options = parser.parse_args()
    runs = ["--steps=6", "--warm_up=1", "--repetitions=1"] if options.tiny else [
        "--steps=25", "--warm_up=5", "--repetitions=3"]
    print("%-10s %12s %12s %8s" % ("net", "engine ms", "bare ms", "ratio"))
    for name, net in nets(options.tiny).items():
        command = shlex.split(options.benchmark) + ["--device=" + options.device, *runs, *net]
        ran = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                             stderr=subprocess.STDOUT, text=True, check=False)
        fastest = re.search(r"fastest runs, ([\d.]+) and ([\d.]+) ms", ran.stdout)
        if ran.returncode != 0 or fastest is None:
            reason = re.search(r"^.*(no GPU that CUDA|without CUDA|cannot compute).*$", ran.stdout, re.M)
            if reason:
                print("not run: " + reason[0].strip())
                return 0
            sys.exit("%s\n%s" % (shlex.join(command), ran.stdout))
        engine, bare = float(fastest[1]), float(fastest[2])
        print("%-10s %12.2f %12.2f %8.3f" % (name, engine, bare, engine / bare), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
