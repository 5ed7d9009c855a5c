"""Kills trainings at random points (kill -9), resumes them, and compares with ones left alone.

As a program: `kills.py --points=20` does so for every setup and prints where each was killed.
"""

import argparse
import collections
import glob
import itertools
import json
import os
import random
import shutil
import signal
import subprocess
import time

from tests import starling

# Steps, evaluations and checkpoints take about a third of the time each.
CONFIG = """
name: "kills"
seed: 5
workers: 4
workers_per_node: 2
topology { name: "ring" }
schedule { name: "cosine" }
%s
train { global_batch_size: 32 max_steps: 60 eval_every_steps: 6 consensus_every_steps: 2
        log_every_steps: 5 }
checkpoint { every_steps: 4 keep: 2 }
"""

MODEL = """
model { name: "mlp" config { hidden: [24, 16] } }
dataset { name: "synthetic_classification" config { validation_examples: 4096 } }
"""
# Starts in a moment, and evaluates in one.
LIGHT_MODEL = """
model { name: "quadratic" config { dimension: 3000 tensors: 4 noise: 0.1 } }
dataset { name: "no_data" }
"""

AWC = 'algorithm={name: "gossip" config {order: AWC}}'
ADAM = 'optimizer={name: "adam" config {lr: 1e-2}}'
ACCUM_ADAM = 'optimizer={name: "accum_adam" config {window: 3 lr: 1e-2}}'

# Name: (processes, --set of each). Processes 0: threads.
SETUPS = {
    "gossip AWC, adam, threads": (0, [AWC, ADAM]),
    "gossip AWC, accum_adam, mpi": (4, [AWC, ACCUM_ADAM]),
    "gossip AWC two mixings stale, accum_adam, threads":
        (0, [AWC, ACCUM_ADAM, "mixing.staleness=2", "mixing.gamma=0.4"]),
    "gradient_tracking, adam, threads": (0, ["algorithm.name=gradient_tracking", ADAM]),
    "local_sgd, accum_adam, mpi":
        (4, ['algorithm={name: "local_sgd" config {local_steps: 3}}', ACCUM_ADAM]),
}

MOMENTS = ("step", "checkpoint", "evaluation")


def descendants(pid):
    """Of a process, itself last."""
    children = collections.defaultdict(list)
    for path in glob.glob("/proc/[0-9]*/stat"):
        try:
            with open(path, encoding="utf-8") as file:
                fields = file.read().rsplit(")", 1)[1].split()
        except OSError:
            continue
        children[int(fields[1])].append(int(path.split("/")[2]))

    def walk(root):
        return [pid for child in children[root] for pid in walk(child)] + [root]

    return walk(pid)


def alive(pid):
    try:
        with open("/proc/%d/stat" % pid, encoding="utf-8") as file:
            return file.read().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


class Training:
    """One run directory, trained in as many parts as it takes."""

    def __init__(self, setup, light):
        self.processes, self.sets = SETUPS[setup]
        self.binary = starling.LIGHT_BINARY if light else starling.BINARY
        self.directory = os.path.join(starling.scratch(), "run")
        self.config = starling.write(CONFIG % (LIGHT_MODEL if light else MODEL))

    def command(self, *flags):
        command = [self.binary, "train", "--config=" + self.config, "--resume",
                   "--run_dir=" + self.directory]
        command += ["--set=" + value for value in self.sets]
        if self.processes:
            command.append("--np=%d" % self.processes)
        return command + list(flags)

    def run(self, *flags):
        """Trains to the end; returns what was said."""
        ran = subprocess.run(self.command(*flags), stdin=subprocess.DEVNULL, text=True,
                             stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=120,
                             check=False)
        assert ran.returncode == 0, ran.stdout
        return ran.stdout

    def digest(self):
        return starling.summary(self.directory)["state_digest"]

    def metrics(self):
        """All that was recorded, without times and without bytes, since what was under way is sent
        again; in order, since reports of other processes may come after measurements of the same
        step."""
        with open(os.path.join(self.directory, "metrics.jsonl"), encoding="utf-8") as file:
            records = [json.loads(line) for line in file]
        records = [{name: value for name, value in record.items()
                    if name != "wall_s" and not name.startswith(("time/", "comm/"))} for record in records]
        return sorted(records, key=lambda r: (r["step"], r["worker"], sorted(r)))

    def last_record(self):
        """The last line of metrics.jsonl, or {}."""
        try:
            with open(os.path.join(self.directory, "metrics.jsonl"), "rb") as file:
                file.seek(max(0, os.fstat(file.fileno()).st_size - 1000))
                return json.loads(file.read().splitlines()[-1])
        except (OSError, IndexError, ValueError):
            return {}

    def moment(self):
        """What the run is doing, as far as its files say."""
        for path in glob.glob(os.path.join(self.directory, "checkpoints", "step_*")):
            if not os.path.exists(os.path.join(path, "manifest.json")):
                return "checkpoint"
        last = self.last_record()
        if not last:
            return "start"
        evaluates = last.get("step", 1) % 6 == 0 and ("consensus/distance" in last
                                                      or "validation/loss" in last
                                                      and last["worker"] < 3)
        return "evaluation" if evaluates else "step"

    def kill(self, moment, seconds, chance):
        """Trains, and kills at the first such moment after so many seconds, if the run lasts so
        long; returns the moment of the kill, or None."""
        with subprocess.Popen(self.command(), stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                              stderr=subprocess.DEVNULL) as process:
            try:
                process.wait(timeout=seconds)
                return None
            except subprocess.TimeoutExpired:
                pass
            pids = descendants(process.pid) if self.processes else [process.pid]
            if len(pids) > self.processes and chance.random() < 0.5:
                pids = pids[:1]  # one worker: the others must end by themselves
            while process.poll() is None and self.moment() != moment:
                pass
            if process.poll() is not None:
                return None
            for pid in pids:
                try:
                    os.kill(pid, signal.SIGKILL)
                except ProcessLookupError:
                    pass
            at = self.moment()
            process.wait()
            while any(alive(pid) for pid in pids):
                time.sleep(0.001)
            return at


def kill_and_compare(setup, points, seed, light=False):
    """Kills `points` runs once each and resumes them; prints how often each moment was hit."""
    chance = random.Random(seed)
    whole = Training(setup, light)
    began = time.monotonic()
    whole.run()
    seconds = time.monotonic() - began
    hits = collections.Counter()
    while sum(hits.values()) < points:
        training = Training(setup, light)
        moment = MOMENTS[sum(hits.values()) % len(MOMENTS)]
        began = time.monotonic()
        at = training.kill(moment, chance.uniform(0.2, 0.95) * seconds, chance)
        if at is None:
            seconds = min(seconds, time.monotonic() - began)  # the machine is faster now
            shutil.rmtree(training.directory)
            continue
        said = training.run()
        assert training.digest() == whole.digest(), "%s, killed in a %s: %s" % (setup, at, said)
        for one, other in itertools.zip_longest(training.metrics(), whole.metrics()):
            assert one == other, "%s, killed in a %s: %s, not %s" % (setup, at, one, other)
        hits[at] += 1
        shutil.rmtree(os.path.dirname(training.directory))
    print("%s: %d of %d equal, killed in %s" %
          (setup, points, points, ", ".join("%s %d" % hit for hit in sorted(hits.items()))),
          flush=True)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--points", type=int, default=20)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    began = time.monotonic()
    for setup in SETUPS:
        kill_and_compare(setup, arguments.points, arguments.seed)
    print("%d points in %.0f s" % (arguments.points * len(SETUPS), time.monotonic() - began))


if __name__ == "__main__":
    main()
