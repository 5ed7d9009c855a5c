"""Sweeps whose launchers and runs are killed with -9 at random moments, and then go on.

    sweep_kills.py --kills=N       N kills of one launcher or of what it runs; then four launchers at
                                   once, of which some are killed

After `--resume` a sweep must have the table of one that was left alone, digests included, and every
run must have come to its end once.
"""

import argparse
import csv
import glob
import os
import random
import signal
import subprocess
import sys
import time

from tests import starling

DEFINITION = """
name: "kills"
base {
  workers: 4
  topology { name: "ring" }
  algorithm { name: "gossip" config { order: AWC } }
  optimizer { name: "accum_adam" config { window: 2 lr: 1e-3 } }
  model { name: "quadratic" }
  dataset { name: "no_data" }
  train { local_batch_size: 1 max_steps: 8000 dtype: F64 }
  checkpoint { every_steps: 500 }
}
axis { path: "topology.name" values: "ring" values: "complete" }
seeds: 3
"""
RUNS = 6


def launch(config, directory):
    return subprocess.Popen(
        [starling.LIGHT_BINARY, "sweep", "--config=" + config, "--sweep_dir=" + directory,
         "--jobs=2", "--resume"],
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def children(process):
    path = "/proc/%d/task/%d/children" % (process.pid, process.pid)
    try:
        with open(path, encoding="utf-8") as file:
            return [int(word) for word in file.read().split()]
    except OSError:
        return []


def kill(pid):
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        pass


def rows(directory):
    with open(os.path.join(directory, "runs.csv"), encoding="utf-8", newline="") as file:
        return [{name: value for name, value in row.items() if name != "wall_seconds"}
                for row in csv.DictReader(file)]


def finish(config, directory):
    launcher = launch(config, directory)
    output = launcher.communicate(timeout=300)[0]
    assert launcher.returncode == 0, output


class Finished:
    """Watches that what has come to its end is not run again."""

    def __init__(self, directory):
        self.directory = directory
        self.ends = {}  # when a run ended, by its path

    def look(self):
        for path in glob.glob(os.path.join(self.directory, "runs", "*")):
            try:
                with open(os.path.join(path, "STATUS"), encoding="utf-8") as file:
                    if file.read() != "done\n":
                        assert path not in self.ends, "%s was done and has begun again" % path
                        continue
            except FileNotFoundError:
                continue
            end = os.stat(os.path.join(path, "summary.json")).st_mtime_ns
            assert self.ends.setdefault(path, end) == end, "%s has ended twice" % path

    def check(self, expected):
        self.look()
        assert len(self.ends) == RUNS
        assert rows(self.directory) == expected, (rows(self.directory), expected)


def one_launcher(config, kills, seconds, expected, draw):
    """Kills, in turn, the launcher, one of its runs, all of its runs, and both."""
    done = 0
    while done < kills:
        directory = starling.scratch()
        finished = Finished(directory)
        for _ in range(4):
            launcher = launch(config, directory)
            try:
                launcher.wait(timeout=draw.uniform(0, 0.6 * seconds))
                launcher.communicate()
                break  # It was finished before the kill.
            except subprocess.TimeoutExpired:
                pass
            runs = children(launcher)
            victims = [[launcher.pid], runs[:1], runs, [launcher.pid] + runs][done % 4]
            for victim in victims:
                kill(victim)
            if launcher.pid not in victims and draw.random() < 0.5:
                kill(launcher.pid)
            launcher.communicate()
            finished.look()
            done += 1
            print("kill %d of %d" % (done, kills), flush=True)
        finish(config, directory)
        finished.check(expected)


def four_launchers(config, seconds, expected, draw):
    directory = starling.scratch()
    finished = Finished(directory)
    launchers = [launch(config, directory) for _ in range(4)]
    for _ in range(3):
        time.sleep(draw.uniform(0, 0.3 * seconds))
        victim = launchers.pop(draw.randrange(len(launchers)))
        kill(victim.pid)
        victim.communicate()
        finished.look()
        launchers.append(launch(config, directory))
    for launcher in launchers:
        output = launcher.communicate(timeout=300)[0]
        # One that had to leave what another has interrupted says so.
        assert launcher.returncode in (0, 1), output
    finish(config, directory)
    finished.check(expected)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kills", type=int, default=4)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    draw = random.Random(options.seed)
    config = starling.write(DEFINITION, "sweep.textproto")
    undisturbed = starling.scratch()
    start = time.monotonic()
    finish(config, undisturbed)
    seconds = time.monotonic() - start
    expected = rows(undisturbed)
    assert [row["status"] for row in expected] == ["done"] * RUNS
    Finished(undisturbed).check(expected)
    one_launcher(config, options.kills, seconds, expected, draw)
    four_launchers(config, seconds, expected, draw)
    print("%d kills and four launchers: all tables equal" % options.kills)
    return 0


if __name__ == "__main__":
    sys.exit(main())
