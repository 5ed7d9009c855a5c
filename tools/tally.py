"""Counts what .ci/run ran, from Bazel's build events.

  tally.py count DIR            prints what failed, then `N passed, N failed[, N skipped]`
  tally.py accuracy FILE MIN    fails unless a run's summary.json reports at least that accuracy

DIR holds NAME.json (build events) and NAME.exit (exit status) per `bazel test`, and NAME.check (exit
status) per other command, which counts as one test.
"""

import json
import os
import sys

BAZEL_TESTS_FAILED = 3  # Bazel's exit status when everything built and some tests failed.


def read_events(path):
    """Returns {target: "passed" | "failed" | "skipped"} of all tests in a file of build events."""
    results = {}
    tests = set()
    try:
        with open(path, encoding="utf-8") as file:
            events = [json.loads(line) for line in file if line.strip()]
    except (OSError, ValueError):
        return results  # Bazel did not come that far; its exit status says so.
    for event in events:
        name, identity = next(iter(event["id"].items()))
        label = identity.get("label") if isinstance(identity, dict) else None
        if name == "targetConfigured":
            if "_test rule" in event.get("configured", {}).get("targetKind", ""):
                tests.add(label)
        elif name == "targetCompleted" and label in tests:
            if event.get("aborted", {}).get("reason") == "SKIPPED":
                results[label] = "skipped"
            elif not event.get("completed", {}).get("success"):
                results[label] = "failed"
        elif name == "testSummary" and "testSummary" in event:
            passed = event["testSummary"]["overallStatus"] == "PASSED"
            results[label] = "passed" if passed else "failed"
    return results


def count(folder):
    """Returns the lines to print; the last is the total."""
    total = {"passed": 0, "failed": 0, "skipped": 0}
    lines = []

    def add(outcome, what):
        total[outcome] += 1
        if outcome != "passed":
            lines.append("%s: %s" % (outcome.upper(), what))

    for entry in sorted(os.listdir(folder)):
        name, kind = os.path.splitext(entry)
        if kind not in (".exit", ".check"):
            continue
        with open(os.path.join(folder, entry), encoding="utf-8") as file:
            status = int(file.read())
        if kind == ".check":
            add("failed" if status else "passed", name)
            continue
        results = read_events(os.path.join(folder, name + ".json"))
        for label, outcome in sorted(results.items()):
            add(outcome, "%s (%s)" % (label, name))
        if status not in (0, BAZEL_TESTS_FAILED):
            add("failed", "the build of %s (Bazel's exit status %d)" % (name, status))
        elif "passed" not in results.values() and "failed" not in results.values():
            add("failed", "%s ran no test" % name)
    last = "%(passed)d passed, %(failed)d failed" % total
    if total["skipped"]:
        last += ", %(skipped)d skipped" % total
    return lines + [last], total["failed"] == 0 and total["passed"] > 0


def accuracy(path, minimum):
    with open(path, encoding="utf-8") as file:
        reached = json.load(file)["eval_accuracy"]
    good = reached >= minimum
    print("eval_accuracy %.4f, at least %.4f wanted: %s" % (
        reached, minimum, "good" if good else "NOT reached"))
    return good


def main(arguments):
    if arguments[:1] == ["accuracy"]:
        return accuracy(arguments[1], float(arguments[2]))
    lines, good = count(arguments[1])
    print("\n".join(lines))
    return good


if __name__ == "__main__":
    sys.exit(0 if main(sys.argv[1:]) else 1)
