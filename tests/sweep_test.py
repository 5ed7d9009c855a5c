"""`starling sweep` as a user meets it."""

import csv
import glob
import json
import os
import signal
import subprocess
import time
import unittest

from tests import starling

AXES = """
axis { path: "optimizer.config.lr" values: "0.05" values: "0.1" }
axis { path: "topology.name" values: "ring" values: "complete" }
seeds: 2
"""


def definition(body=AXES, base=starling.QUADRATIC):
    return starling.write('name: "bowls"\nbase {%s}\n%s' % (base, body), "sweep.textproto")


def sweep(config, directory, *flags, **kwargs):
    return starling.run("sweep", "--config=" + config, "--sweep_dir=" + directory, *flags,
                        binary=starling.LIGHT_BINARY, **kwargs)


def table(directory, name="runs.csv"):
    with open(os.path.join(directory, name), encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def timeless(rows):
    return [{k: v for k, v in row.items() if k != "wall_seconds"} for row in rows]


# Some seconds of steps, with checkpoints to go on from.
LONG = starling.QUADRATIC.replace("max_steps: 20", "max_steps: 30000") + \
    "checkpoint { every_steps: 2000 }"


def processes_of(directory):
    """Ids of processes that train a run of the sweep."""
    found = []
    for name in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open("/proc/%s/cmdline" % name, "rb") as file:
                words = file.read().split(b"\0")
        except OSError:
            continue
        if b"train" in words and any(directory.encode() in word for word in words):
            found.append(int(name))
    return found


def wait_until(condition, what):
    deadline = time.monotonic() + 60
    while not condition():
        if time.monotonic() > deadline:
            raise AssertionError("still not: " + what)
        time.sleep(0.01)


class Sweep(unittest.TestCase):

    def test_runs_every_combination_with_every_seed(self):
        directory = starling.scratch()
        result = sweep(definition(), directory)
        self.assertEqual(result.code, 0, result.err)
        rows = table(directory)
        self.assertEqual(
            list(rows[0]),
            ["run_id", "status", "seed", "optimizer.config.lr", "topology.name", "eval_accuracy",
             "eval_loss", "wall_seconds", "state_digest"])
        self.assertEqual([row["status"] for row in rows], ["done"] * 8)
        self.assertEqual([(row["optimizer.config.lr"], row["topology.name"], row["seed"])
                          for row in rows[:5]],
                         [("0.05", "ring", "1"), ("0.05", "ring", "2"), ("0.05", "complete", "1"),
                          ("0.05", "complete", "2"), ("0.1", "ring", "1")])
        self.assertEqual(len({row["run_id"] for row in rows}), 8)
        # The fourth run, trained alone.
        alone = starling.trained_summary(
            starling.QUADRATIC, "--set", "seed=2", "--set", "topology.name=complete")
        self.assertEqual(rows[3]["state_digest"], alone["state_digest"])
        self.assertEqual(float(rows[3]["eval_loss"]), alone["eval_loss"])
        summary = table(directory, "summary.csv")
        self.assertEqual(len(summary), 4)
        self.assertEqual([row["n"] for row in summary], ["2"] * 4)
        losses = [float(rows[0]["eval_loss"]), float(rows[1]["eval_loss"])]
        self.assertAlmostEqual(float(summary[0]["eval_loss_mean"]), sum(losses) / 2)
        # Half the width is t(0.975, 1) times the standard error, which of two is |a - b| / 2.
        half = 12.706204736 * abs(losses[0] - losses[1]) / 2
        self.assertAlmostEqual(float(summary[0]["eval_loss_high"]), sum(losses) / 2 + half, 5)
        self.assertEqual(len(table(directory, "differences.csv")), 3)
        self.assertLessEqual(max(map(len, result.out.splitlines()[:-1])), 80)

    def test_what_is_finished_does_not_run_again(self):
        directory, config = starling.scratch(), definition()
        self.assertEqual(sweep(config, directory).code, 0)
        before = table(directory)
        times = {row["run_id"]: os.stat(os.path.join(
            directory, "runs", row["run_id"], "summary.json")).st_mtime_ns for row in before}
        more = definition(AXES.replace("seeds: 2", "seeds: 3"))
        result = sweep(more, directory)
        self.assertEqual(result.code, 0, result.err)
        after = table(directory)
        self.assertEqual(len(after), 12)
        known = [row for row in after if row["run_id"] in times]
        self.assertEqual(known, before)
        for run, when in times.items():
            path = os.path.join(directory, "runs", run, "summary.json")
            self.assertEqual(os.stat(path).st_mtime_ns, when)

    def test_another_base_is_refused(self):
        directory = starling.scratch()
        self.assertEqual(sweep(definition(), directory).code, 0)
        other = definition(base=starling.QUADRATIC.replace("max_steps: 20", "max_steps: 21"))
        result = sweep(other, directory)
        self.assertEqual(result.code, 2)
        self.assertIn("train.max_steps was 20 and is 21 now", result.err)

    def test_another_build_is_refused(self):
        directory, config = starling.scratch(), definition()
        self.assertEqual(sweep(config, directory).code, 0)
        path = os.path.join(directory, "sweep.json")
        with open(path, encoding="utf-8") as file:
            description = json.load(file)
        description["build"] = "0123456"
        with open(path, "w", encoding="utf-8") as file:
            json.dump(description, file)
        result = sweep(config, directory)
        self.assertEqual(result.code, 2)
        self.assertIn("was begun by build 0123456", result.err)
        self.assertEqual(sweep(config, directory, "--accept_build").code, 0)

    def test_dry_run_shows_runs_and_dropped_fields_and_runs_nothing(self):
        directory = starling.scratch()
        config = definition("""
            axis { path: "optimizer.name" values: "sgd" values: "adam" }
            arm { label: "momentum" set: "optimizer.config.momentum=0.9" }""")
        result = sweep(config, directory, "--dry_run")
        self.assertEqual(result.code, 0, result.err)
        self.assertIn("momentum, adam\n", result.out)
        self.assertIn("optimizer.config.momentum is dropped", result.out)
        self.assertIn("2 runs, 2 combinations", result.out)
        self.assertEqual(os.listdir(directory), [])

    def test_combinations_are_dropped_with_count_and_reason(self):
        config = definition("""
            axis { path: "topology.name" values: "ring" values: "hypercube" }
            axis { path: "workers" values: "4" values: "6" }
            exclude { when: "topology.name=ring" when: "workers=6" reason: "too slow" }
            drop_illegal: true""")
        result = sweep(config, starling.scratch(), "--dry_run")
        self.assertEqual(result.code, 0, result.err)
        self.assertIn("1 combination dropped: too slow\n  ring, workers=6\n", result.out)
        self.assertIn("hypercube, workers=6\n", result.out)
        self.assertIn("2 runs, 2 combinations\n", result.out)

    def test_an_illegal_combination_is_an_error_unless_told(self):
        config = definition('axis { path: "topology.name" values: "ring" values: "hypercube" }',
                            starling.QUADRATIC.replace("workers: 4", "workers: 6"))
        result = sweep(config, starling.scratch())
        self.assertEqual(result.code, 2)
        self.assertIn("hypercube: ", result.err)

    def test_zip_list_and_random(self):
        axes = """
            axis { path: "optimizer.config.lr" values: "0.05" values: "0.1" }
            axis { path: "workers" values: "2" values: "6" }
            combine: """
        zipped = sweep(definition(axes + "ZIP"), starling.scratch(), "--dry_run").out
        self.assertIn("lr=0.05, workers=2\n", zipped)
        self.assertIn("lr=0.1, workers=6\n", zipped)
        self.assertIn("2 runs", zipped)
        listed = sweep(definition(axes + "LIST"), starling.scratch(), "--dry_run").out
        # The first value is the base's own.
        for point in ("lr=0.05", "lr=0.1", "workers=2", "workers=6"):
            self.assertIn(point + "\n", listed)
        drawn = """axis { path: "optimizer.config.lr" min: 1e-3 max: 1 log: true }
            combine: RANDOM samples: 7"""
        first = sweep(definition(drawn), starling.scratch(), "--dry_run").out
        self.assertIn("7 runs", first)
        self.assertEqual(first, sweep(definition(drawn), starling.scratch(), "--dry_run").out)

    def test_mistakes_are_told_at_their_place(self):
        config = definition('axis { path: "optimizer.config.lr" }\naxis { path: "seed" values: "1" }')
        result = sweep(config, starling.scratch())
        self.assertEqual(result.code, 2)
        self.assertIn("axis[0] (optimizer.config.lr) has no values", result.err)
        self.assertIn("seeds: N runs each combination N times", result.err)
        config = definition('axis { path: "optimizer.config.rate" values: "1" }')
        result = sweep(config, starling.scratch())
        self.assertEqual(result.code, 2)
        self.assertIn("rate=1: SgdConfig has no field \"rate\"", result.err)

    def test_a_run_that_diverges_is_a_result(self):
        directory = starling.scratch()
        result = sweep(definition('axis { path: "optimizer.config.lr" values: "0.05" values: "1e9" }',
                                  LONG), directory)
        self.assertEqual(result.code, 0, result.err)
        self.assertEqual([row["status"] for row in table(directory)], ["done", "diverged"])

    def test_a_failure_does_not_end_the_sweep_and_can_be_retried(self):
        directory = starling.scratch()
        axis = 'axis { path: "train.max_steps" values: "100000000" values: "20" }\n'
        result = sweep(definition(axis + "run_seconds: 1"), directory, "--jobs=1")
        self.assertEqual(result.code, 1)
        self.assertIn("took longer than run_seconds", result.err)
        self.assertIn("--retry_failed", result.out)
        self.assertEqual([row["status"] for row in table(directory)], ["failed", "done"])
        # Left alone unless asked for.
        self.assertNotIn("took longer", sweep(definition(axis + "run_seconds: 1"), directory).err)
        result = sweep(definition(axis + "run_seconds: 1"), directory, "--retry_failed")
        self.assertIn("took longer", result.err)
        attempts = []
        for path in glob.glob(os.path.join(directory, "outcomes", "*")):
            with open(path, encoding="utf-8") as file:
                attempts.append(json.load(file)["attempts"])
        self.assertEqual(sorted(attempts), [1, 2])

    def test_fail_fast_stops(self):
        directory = starling.scratch()
        axis = 'axis { path: "train.max_steps" values: "100000000" values: "20" values: "21" }\n'
        result = sweep(definition(axis + "run_seconds: 1"), directory, "--jobs=1", "--fail_fast")
        self.assertEqual(result.code, 1)
        self.assertEqual([row["status"] for row in table(directory)],
                         ["failed", "pending", "pending"])

    @unittest.skipIf(len(os.sched_getaffinity(0)) < 2, "needs two cores")
    def test_runs_are_pinned_to_cores_of_their_own(self):
        directory = starling.scratch()
        config = definition("seeds: 2", LONG.replace("30000", "100000000"))
        launcher = subprocess.Popen(
            [starling.LIGHT_BINARY, "sweep", "--config=" + config, "--sweep_dir=" + directory,
             "--jobs=2"], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL)
        try:
            wait_until(lambda: len(processes_of(directory)) == 2, "two runs run")
            cores = [os.sched_getaffinity(run) for run in processes_of(directory)]
        finally:
            launcher.kill()
            launcher.wait()
        share = len(os.sched_getaffinity(0)) // 2
        self.assertEqual([len(own) for own in cores], [share, share])
        self.assertFalse(cores[0] & cores[1])

    def test_crashed_and_killed_runs(self):
        directory = starling.scratch()
        config = definition('axis { path: "optimizer.config.lr" values: "0.05" values: "0.1" }', LONG)
        launcher = subprocess.Popen(
            [starling.LIGHT_BINARY, "sweep", "--config=" + config, "--sweep_dir=" + directory,
             "--jobs=2"], stdin=subprocess.DEVNULL, stderr=subprocess.PIPE,
            stdout=subprocess.DEVNULL, text=True)
        wait_until(lambda: len(processes_of(directory)) == 2, "two runs run")
        crashed, killed = processes_of(directory)
        os.kill(crashed, signal.SIGSEGV)
        os.kill(killed, signal.SIGKILL)
        err = launcher.communicate()[1]
        self.assertEqual(launcher.returncode, 1, err)
        self.assertIn("killed by signal 11", err)
        self.assertIn("--resume goes on with it", err)
        self.assertEqual(sorted(row["status"] for row in table(directory)), ["failed", "interrupted"])
        result = sweep(config, directory, "--resume", "--retry_failed")
        self.assertEqual(result.code, 0, result.err)
        undisturbed = starling.scratch()
        sweep(config, undisturbed)
        self.assertEqual(timeless(table(directory)), timeless(table(undisturbed)))

    def test_runs_die_with_their_launcher_and_ctrl_c_lets_them_finish_their_step(self):
        directory = starling.scratch()
        config = definition("seeds: 2", LONG.replace("30000", "100000000"))

        def launch(*flags):
            launcher = subprocess.Popen(
                [starling.LIGHT_BINARY, "sweep", "--config=" + config, "--sweep_dir=" + directory,
                 "--jobs=2", *flags], stdin=subprocess.DEVNULL, stderr=subprocess.PIPE,
                stdout=subprocess.PIPE, text=True)
            wait_until(lambda: len(processes_of(directory)) == 2, "two runs run")
            return launcher

        launcher = launch()
        launcher.kill()
        launcher.communicate()
        wait_until(lambda: not processes_of(directory), "the runs are gone")
        launcher = launch("--resume")
        metrics = os.path.join(directory, "runs", "*", "metrics.jsonl")
        wait_until(lambda: len(glob.glob(metrics)) == 2, "both train")
        launcher.send_signal(signal.SIGINT)
        out, err = launcher.communicate(timeout=60)
        self.assertEqual(launcher.returncode, 130, err)
        self.assertIn("2 interrupted: --resume goes on with them", out)
        for path in glob.glob(os.path.join(directory, "runs", "*", "STATUS")):
            with open(path, encoding="utf-8") as file:
                self.assertEqual(file.read(), "interrupted\n")

    def test_tunes_first_and_runs_the_seeds_with_what_is_best(self):
        directory = starling.scratch()
        config = definition("""
            axis { path: "topology.name" values: "ring" values: "complete" }
            tune { path: "optimizer.config.lr" values: "0.001" values: "0.2" values: "1e9" }
            tune_metric: "eval_loss" seeds: 3""")
        result = sweep(config, directory)
        self.assertEqual(result.code, 0, result.err)
        tuning, rows = table(directory, "tuning.csv"), table(directory)
        self.assertEqual(len(tuning), 6)
        self.assertEqual({row["seed"] for row in tuning}, {"4"})
        self.assertEqual([(row["topology.name"], row["optimizer.config.lr"], row["seed"])
                          for row in rows],
                         [(name, "0.2", seed) for name in ("ring", "complete") for seed in "123"])
        # Again, nothing is left to do.
        self.assertEqual(sweep(config, directory).code, 0)
        self.assertEqual(table(directory), rows)

    def test_early_stopping_stops_the_worse_ones(self):
        directory = starling.scratch()
        # The worse ones would take an hour.
        config = definition("""
            combine: ZIP
            axis { path: "optimizer.config.lr" values: "0.1" values: "1e-7" values: "2e-7"
                   values: "3e-7" }
            axis { path: "train.max_steps" values: "2000" values: "100000000" values: "100000001"
                   values: "100000002" }
            early_stopping { metric: "train/loss" min_steps: 100 reduction: 4 }""")
        result = sweep(config, directory, "--jobs=1")
        self.assertEqual(result.code, 0, result.err)
        self.assertEqual([row["status"] for row in table(directory)], ["done"] + ["stopped"] * 3)
        self.assertIn("runs were better", result.err)

    def test_base_file_and_its_arms(self):
        folder = starling.scratch()
        with open(os.path.join(folder, "base.textproto"), "w", encoding="utf-8") as file:
            file.write(starling.QUADRATIC + """
                arm { name: "slow" set: "optimizer.config.lr=0.01" }
                arm { name: "fast" set: "optimizer.config.lr=0.1" }""")
        config = os.path.join(folder, "sweep.textproto")
        with open(config, "w", encoding="utf-8") as file:
            file.write('base_file: "base.textproto"')
        directory = starling.scratch()
        result = sweep(config, directory, "--set", "seeds=2")
        self.assertEqual(result.code, 0, result.err)
        self.assertEqual([row["arm"] for row in table(directory)], ["slow"] * 2 + ["fast"] * 2)
        # What it has written is a definition, too.
        again = sweep(os.path.join(directory, "sweep.textproto"), directory)
        self.assertEqual(again.code, 0, again.err)


if __name__ == "__main__":
    unittest.main()
