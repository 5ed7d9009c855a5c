"""Runs the starling binary as a user does, for tests."""

import json
import os
import subprocess
import tempfile

_RUNFILES = os.path.join(os.environ["TEST_SRCDIR"], os.environ["TEST_WORKSPACE"])
BINARY = os.path.join(_RUNFILES, "experiments", "starling")
# The same without models that need LibTorch.
LIGHT_BINARY = os.path.join(_RUNFILES, "tests", "starling_without_torch")

# Where data are prepared.
os.environ["XDG_CACHE_HOME"] = os.path.join(os.environ["TEST_TMPDIR"], "cache")

# Eight workers, learnable in a second; every test changes what it is about.
CONFIG = """
name: "tiny"
seed: 3
workers: 8
workers_per_node: 4
topology { name: "alternating_exp_ring" }
algorithm { name: "gossip" config { order: AWC } }
optimizer { name: "accum_adam" config { window: 2 lr: 1e-2 } }
schedule { name: "cosine" }
model { name: "mlp" config { hidden: [24, 16] } }
dataset { name: "synthetic_classification" }
train { global_batch_size: 64 max_steps: 30 }
"""

# A sum of squares that every worker sees differently: needs no LibTorch.
QUADRATIC = """
name: "bowl"
workers: 4
topology { name: "ring" }
optimizer { name: "sgd" config { lr: 0.05 } }
model { name: "quadratic" }
dataset { name: "no_data" }
train { local_batch_size: 1 max_steps: 20 dtype: F64 }
"""

# Transformer base as 7 buckets (63.15 M parameters, F32), 100 ms of computing.
TRANSFORMER_PROFILE = """
fixed_ms: 100
forward_share: 0.33
bucket { mb: 26.3 backward_share: 0.15 } bucket { mb: 26.3 backward_share: 0.15 }
bucket { mb: 26.3 backward_share: 0.15 } bucket { mb: 26.3 backward_share: 0.15 }
bucket { mb: 26.3 backward_share: 0.13 } bucket { mb: 26.3 backward_share: 0.13 }
bucket { mb: 94.8 backward_share: 0.14 }
"""


class Result:
    def __init__(self, completed):
        self.code = completed.returncode
        self.out = completed.stdout
        self.err = completed.stderr


def run(*args, binary=BINARY, env=None, timeout=120):
    """Runs `starling ARGS`; returns its exit code, output and errors."""
    environment = dict(os.environ, **(env or {}))
    completed = subprocess.run([binary, *args], stdin=subprocess.DEVNULL, capture_output=True,
                               text=True, env=environment, timeout=timeout, check=False)
    return Result(completed)


def scratch():
    """Returns a new directory, gone with the test."""
    return tempfile.mkdtemp(dir=os.environ["TEST_TMPDIR"])


def write(text, name="config.textproto"):
    """Writes a config into a new directory; returns its path."""
    path = os.path.join(scratch(), name)
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)
    return path


def language_config(model):
    """Returns CONFIG with a model of text (its PluginRef in text format) on a few lines."""
    text = write("".join("line %d of %d\n" % (i, i * i) for i in range(300)), "text.txt")
    return CONFIG.replace('model { name: "mlp" config { hidden: [24, 16] } }',
                          "model { %s }" % model).replace(
                              'dataset { name: "synthetic_classification" }',
                              'dataset { name: "text" config { path: "%s" context: 8 } }' % text)


def train(config, *flags, **kwargs):
    """Trains `config` (text); returns (result, run directory)."""
    directory = os.path.join(scratch(), "run")
    result = run("train", "--config=" + write(config), "--run_dir=" + directory, *flags, **kwargs)
    return result, directory


def summary(directory):
    with open(os.path.join(directory, "summary.json"), encoding="utf-8") as file:
        return json.load(file)


def trained_summary(config, *flags):
    """Trains and returns the summary; fails unless the run ended well."""
    result, directory = train(config, *flags)
    assert result.code == 0, result.err
    return summary(directory)
