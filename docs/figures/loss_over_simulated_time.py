#!/usr/bin/env python3
"""Trains on simulated clusters and draws training loss over simulated seconds, beside this file.

The config is experiments/configs/simulated_clusters.textproto, which has one arm per cluster and
algorithm, `<cluster>_<algorithm>`.

    docs/figures/loss_over_simulated_time.py [--run_dir=DIR]      # where runs stay, to go on with
"""

import argparse
import json
import math
import os
import subprocess
import tempfile

HERE = os.path.dirname(os.path.realpath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
CONFIG = os.path.join(ROOT, "experiments", "configs", "simulated_clusters.textproto")
FIGURE = os.path.join(HERE, "loss_over_simulated_time.svg")
CLUSTERS = {"fast": "4 A100 a node, InfiniBand", "slow": "gigabit Ethernet"}
ALGORITHMS = {"allreduce": ("All-Reduce", "#444444"), "exp": ("Exp", "#1f77b4"),
              "aer": ("AER", "#d62728")}
WIDTH, HEIGHT, LEFT, TOP = 320, 220, 60, 36


def losses(directory):
    """Returns (simulated seconds, training loss) of a run."""
    with open(os.path.join(directory, "metrics.jsonl"), encoding="utf-8") as file:
        records = [json.loads(line) for line in file]
    return [(record["time/sim_seconds"], record["train/loss"]) for record in records
            if "train/loss" in record]


def ticks(largest):
    """Returns a few round numbers from 0 to `largest`."""
    step = 10 ** math.floor(math.log10(largest / 2))
    step *= next(factor for factor in (1, 2, 5) if largest / (step * factor) <= 6)
    return [i * step for i in range(int(largest / step) + 1)]


def panel(curves, title, left):
    """Returns the SVG of one cluster's curves {algorithm: points}, on a logarithmic loss axis."""
    seconds = max(x for points in curves.values() for x, _ in points)
    low = min(y for points in curves.values() for _, y in points)
    high = max(y for points in curves.values() for _, y in points)

    def place(x, y):
        height = (math.log(y) - math.log(low)) / (math.log(high) - math.log(low))
        return left + WIDTH * x / seconds, TOP + HEIGHT * (1 - height)

    lines = ['<rect x="%g" y="%g" width="%g" height="%g" fill="none" stroke="#999"/>'
             % (left, TOP, WIDTH, HEIGHT),
             '<text x="%g" y="%g" text-anchor="middle">%s</text>'
             % (left + WIDTH / 2, TOP - 12, title),
             '<text x="%g" y="%g" text-anchor="middle">simulated seconds</text>'
             % (left + WIDTH / 2, TOP + HEIGHT + 34)]
    for x in ticks(seconds):
        lines.append('<text x="%.1f" y="%g" text-anchor="middle">%g</text>'
                     % (place(x, low)[0], TOP + HEIGHT + 16, x))
    for y in (0.2, 0.3, 0.5, 0.7, 1, 1.5, 2):
        if low <= y <= high:
            lines.append('<text x="%g" y="%.1f" text-anchor="end">%g</text>'
                         % (left - 6, place(0, y)[1] + 4, y))
    for row, (name, points) in enumerate(curves.items()):
        label, colour = ALGORITHMS[name]
        lines.append('<polyline fill="none" stroke="%s" stroke-width="1.5" points="%s"/>'
                     % (colour, " ".join("%.1f,%.1f" % place(x, y) for x, y in points)))
        lines.append('<text x="%g" y="%g" text-anchor="end" fill="%s">%s, %.0f s</text>'
                     % (left + WIDTH - 8, TOP + 18 + 16 * row, colour, label, points[-1][0]))
    return "\n".join(lines)


def draw(run):
    """Writes the figure of a run's arms."""
    panels = []
    for place, (cluster, title) in enumerate(CLUSTERS.items()):
        curves = {name: losses(os.path.join(run, "%s_%s" % (cluster, name)))
                  for name in ALGORITHMS}
        panels.append(panel(curves, title, LEFT + place * (WIDTH + 70)))
    with open(FIGURE, "w", encoding="utf-8") as file:
        file.write('<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%d" '
                   'font-family="sans-serif" font-size="12">\n'
                   '<rect width="100%%" height="100%%" fill="white"/>\n'
                   '<text x="16" y="%g" transform="rotate(-90 16 %g)" text-anchor="middle">'
                   'training loss</text>\n%s\n</svg>\n'
                   % (LEFT + 2 * WIDTH + 90, TOP + HEIGHT + 48, TOP + HEIGHT / 2, TOP + HEIGHT / 2,
                      "\n".join(panels)))


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--run_dir", help="where the runs are kept; else they are thrown away")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        run = options.run_dir or os.path.join(scratch, "run")
        subprocess.run([os.path.join(ROOT, "starling"), "train", "--resume", "--config=" + CONFIG,
                        "--run_dir=" + run], check=True)
        draw(run)


if __name__ == "__main__":
    main()
