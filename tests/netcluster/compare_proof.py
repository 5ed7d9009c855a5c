#!/usr/bin/env python3
"""Are predictions right? Calibrated once, then held against measured steps on emulated clusters.

`starling calibrate` measures a cluster of 4 hosts with 2 workers each at 100 Mbit/s. What it wrote
predicts steps that it has not seen: 4 and 8 hosts, 1 and 2 workers on each, gossip over four
topologies and All-Reduce, two bucket sizes, three rates. The rate of the emulated cards is the one
figure that is changed by hand, and in proportion: nic_gbps and communicator_gbps times rate / 100.
The model is `paced`, which waits instead of computing, so that the hosts do not fight for this
machine's cores. Prints every prediction beside the measurement, the mean and the worst error, and
whether pairs of configurations of the same cluster that differ by more than 5 % come out in the right
order.

    ./bazelw build //tests:starling_without_torch
    tests/netcluster/compare_proof.py [--out=FILE.csv] [--part=K/N]      # root, about 5 min
"""

import argparse
import csv
import itertools
import json
import os
import re
import subprocess
import sys
import tempfile

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.realpath(__file__))))
RUN = os.path.join(ROOT, "tests/netcluster/run")
CALIBRATED_MBIT = 100
STEPS = 30

CONFIG = """
name: "emulated" workers: %(workers)d workers_per_node: %(per_host)d
optimizer { name: "sgd" config { lr: 0.05 } }
model { name: "paced" config {
  parameters: 400000 tensors: 32 forward_ms: 30 backward_ms: 60 } }
dataset { name: "no_data" }
train { local_batch_size: 1 max_steps: %(steps)d bucket_mb: %(bucket_mb)g
        eval_every_steps: 0 consensus_every_steps: 0 }
"""
METHODS = ("one_peer_exp", "alternating_exp_ring", "ring", "complete", "allreduce")
COLUMNS = ("hosts", "per_host", "mbit", "bucket_mb", "method", "predicted_ms", "measured_ms",
           "error", "regime")


def starling(options, hosts, per_host, mbit, *arguments):
    """Runs starling on an emulated cluster; returns what it printed."""
    command = [RUN, "--hosts", str(hosts), "--per_host", str(per_host), "--rate", "%gmbit" % mbit,
               "--program", options.program, "--", *arguments]
    result = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                            stderr=subprocess.PIPE, text=True, check=False)
    if result.returncode != 0:
        sys.exit("%s\nended with %d:\n%s" % (" ".join(command), result.returncode, result.stderr))
    return result.stdout


def write_config(path, hosts, per_host, bucket_mb):
    with open(path, "w", encoding="utf-8") as file:
        file.write(CONFIG % {"workers": hosts * per_host, "per_host": per_host, "steps": STEPS,
                             "bucket_mb": bucket_mb})


def scaled(text, factor):
    """The cluster with cards so many times as fast."""
    return re.sub(r"(?m)^(nic_gbps|communicator_gbps): (\S+)$",
                  lambda match: "%s: %.6g" % (match[1], factor * float(match[2])), text)


# Hosts, workers on each, Mbit/s, bucket size in MiB.
CLUSTERS = ((4, 1, 100, 0.1), (4, 2, 200, 0.4), (4, 2, 400, 0.1),
            (8, 1, 200, 0.1), (8, 1, 400, 0.4), (8, 2, 100, 0.4))


def configurations():
    """Every cluster with every method."""
    return [cluster + (method,) for cluster in CLUSTERS for method in METHODS]


def compare(options, folder, cluster, hosts, per_host, mbit, bucket_mb, method):
    config = os.path.join(folder, "config.textproto")
    write_config(config, hosts, per_host, bucket_mb)
    path = os.path.join(folder, "cluster.textproto")
    with open(path, "w", encoding="utf-8") as file:
        file.write(scaled(cluster, mbit / CALIBRATED_MBIT))
    sets = ["--set=algorithm.name=allreduce"] if method == "allreduce" else [
        "--set=algorithm.name=gossip", "--set=topology.name=" + method]
    printed = starling(options, hosts, per_host, mbit, "compare", "--config=" + config,
                       "--cluster=" + path, "--steps=%d" % STEPS, "--json",
                       "--run_dir=" + os.path.join(folder, "run-%d" % len(os.listdir(folder))),
                       *sets)
    row = json.loads(printed)[0]
    return dict(hosts=hosts, per_host=per_host, mbit=mbit, bucket_mb=bucket_mb, method=method,
                predicted_ms=row["predicted_ms"], measured_ms=row["measured_ms"],
                error=row["error"], regime=row["regime"])


def show(row):
    print("%(hosts)5d %(per_host)8d %(mbit)5g %(bucket_mb)6g %(method)-21s %(predicted_ms)9.1f "
          "%(measured_ms)9.1f" % row + " %+7.1f %%" % (100 * row["error"]), flush=True)


def conclude(rows):
    """Prints errors and orderings."""
    errors = [abs(row["error"]) for row in rows]
    right = wrong = 0
    for a, b in itertools.combinations(rows, 2):
        if any(a[key] != b[key] for key in ("hosts", "per_host", "mbit", "bucket_mb")):
            continue
        if abs(a["measured_ms"] / b["measured_ms"] - 1) <= 0.05:
            continue
        if (a["measured_ms"] < b["measured_ms"]) == (a["predicted_ms"] < b["predicted_ms"]):
            right += 1
        else:
            wrong += 1
            print("wrong order: %s, %s at %d x %d, %g Mbit/s" % (
                a["method"], b["method"], a["hosts"], a["per_host"], a["mbit"]))
    print("%d configurations: mean error %.1f %%, worst %.1f %%; orders right %d, wrong %d" % (
        len(rows), 100 * sum(errors) / len(errors), 100 * max(errors), right, wrong))


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--program",
                        default=os.path.join(ROOT, "bazel-bin/tests/starling_without_torch"))
    parser.add_argument("--cluster", help="a calibration made before; written if it is not there")
    parser.add_argument("--out", help="a file for the table; rows are added")
    parser.add_argument("--part", default="1/1", help="only the K-th of N parts: K/N")
    options = parser.parse_args()
    part, parts = map(int, options.part.split("/"))
    with tempfile.TemporaryDirectory() as folder:
        path = options.cluster or os.path.join(folder, "calibrated.textproto")
        if not os.path.exists(path):
            config = os.path.join(folder, "calibrate.textproto")
            write_config(config, 4, 2, 0.1)
            starling(options, 4, 2, CALIBRATED_MBIT, "calibrate", "--config=" + config,
                     "--set=algorithm.name=allreduce", "--out=" + path)
        with open(path, encoding="utf-8") as file:
            cluster = file.read()
        rows = []
        print("hosts per_host  mbit bucket method                predicted  measured   error")
        everything = list(configurations())
        size = -(-len(everything) // parts)
        for configuration in everything[(part - 1) * size:part * size]:
            rows.append(compare(options, folder, cluster, *configuration))
            show(rows[-1])
    if options.out:
        new = not os.path.exists(options.out)
        with open(options.out, "a", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, COLUMNS)
            if new:
                writer.writeheader()
            writer.writerows(rows)
        with open(options.out, encoding="utf-8", newline="") as file:
            rows = [{key: value if key in ("method", "regime") else float(value)
                     for key, value in row.items()} for row in csv.DictReader(file)]
    conclude(rows)


if __name__ == "__main__":
    main()
