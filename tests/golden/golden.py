"""Golden runs: a short training with each algorithm, as text that is reviewed and compared.

A dump begins with its config, which may be edited, and holds what that config gives: losses and
traffic, the first digits of the digests of all state, and in the end the parameters.
"""

import json
import os
import subprocess
import tempfile

from tests import safetensors

COMMAND = "./bazelw run //tests/golden:regenerate"
END_OF_CONFIG = "---\n"
SHOWN_STEPS = (1, 2, 3, 6, 12)

# What suits any algorithm: plain sgd, and weights without negative eigenvalues.
CONFIG = """\
workers: 4
workers_per_node: 2
topology { name: "ring" }
algorithm { name: "%s" }
optimizer { name: "sgd" config { lr: 0.25 } }
model { name: "dyadic" }
dataset { name: "no_data" }
mixing { gamma: 0.5 }
train { local_batch_size: 1 max_steps: 12 dtype: F64 }
"""


class TooOld(Exception):
    """The processor has no AVX2."""


def algorithms(binary):
    """The names of all that the binary has."""
    listed = subprocess.run([binary, "list", "algorithm"], check=True, text=True,
                            stdout=subprocess.PIPE).stdout.splitlines()
    return [line.split()[0] for line in listed[1:] if line.startswith("  ") and line[2] != " "]


def read(path):
    with open(path, encoding="utf-8") as file:
        return file.read()


def config_of(dump):
    return dump.partition(END_OF_CONFIG)[0]


def _train(binary, config, cpu, directory):
    path = os.path.join(directory, "config.textproto")
    with open(path, "w", encoding="utf-8") as file:
        file.write(config)
    run = os.path.join(directory, "run")
    ran = subprocess.run(
        [binary, "train", "--cpu=" + cpu, "--config=" + path, "--run_dir=" + run,
         "--set=train.digest_every_steps=1", "--set=train.log_every_steps=1",
         "--set=train.consensus_every_steps=1"],
        text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
    if "this processor has no AVX2" in ran.stdout:
        raise TooOld(ran.stdout)
    if ran.returncode != 0:
        raise RuntimeError(ran.stdout)
    return run


def _lines(path):
    with open(path, encoding="utf-8") as file:
        return [json.loads(line) for line in file]


def _metrics(run):
    """{step: {name: value}} of the whole world."""
    found = {}
    for record in _lines(os.path.join(run, "metrics.jsonl")):
        if record["worker"] == -1:
            found.setdefault(record["step"], {}).update(record)
    return found


def _digests(run):
    """{step: {tensor: {worker: digest}}}, in the order of the state."""
    names, found = {}, {}
    for record in _lines(os.path.join(run, "digests.jsonl")):
        if "tensors" in record:
            names[record["names"]] = record["tensors"]
            continue
        for i, tensor in enumerate(names[record["names"]]):
            digest = record["digests"][16 * i:16 * i + 16]
            found.setdefault(record["step"], {}).setdefault(tensor, {})[record["worker"]] = digest
    return found


def dump(binary, config, cpu="native"):
    """Trains; returns the text of the dump."""
    with tempfile.TemporaryDirectory() as directory:
        run = _train(binary, config, cpu, directory)
        metrics, digests = _metrics(run), _digests(run)
        last = os.path.join(run, "checkpoints", "step_%06d" % max(digests))
        workers = 1 + max(worker for tensors in digests.values() for by_worker in tensors.values()
                          for worker in by_worker)
        parameters = [safetensors.read(os.path.join(last, "worker_%d.safetensors" % worker))[0]
                      for worker in range(workers)]
    text = [config, END_OF_CONFIG]
    for step in SHOWN_STEPS:
        text.append("step %d: loss %r, consensus distance %r, %r bytes sent per worker\n" % (
            step, metrics[step]["train/loss"], metrics[step]["consensus/distance"],
            metrics[step]["comm/bytes_sent_per_worker"]))
        for tensor, by_worker in digests[step].items():
            text.append("  %-28s %s\n" % (tensor, " ".join(
                by_worker.get(worker, "-" * 16)[:8] for worker in range(workers))))
    text.append("parameters at the end:\n")
    for worker, tensors in enumerate(parameters):
        values = [value for name, (_, _, numbers) in sorted(tensors.items())
                  if name.startswith("parameters/") for value in numbers]
        text.append("  worker %d: %s\n" % (worker, " ".join("%r" % value for value in values)))
    return "".join(text)
