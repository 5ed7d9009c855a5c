import json
import os
import tempfile
import unittest

from tools import tally


def configured(label, kind="cc_test rule"):
    return {"id": {"targetConfigured": {"label": label}}, "configured": {"targetKind": kind}}


def completed(label, success=True):
    return {"id": {"targetCompleted": {"label": label}}, "completed": {"success": success}}


def skipped(label):
    return {"id": {"targetCompleted": {"label": label}}, "aborted": {"reason": "SKIPPED"}}


def summary(label, status):
    return {"id": {"testSummary": {"label": label}}, "testSummary": {"overallStatus": status}}


class TallyTest(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.mkdtemp(dir=os.environ.get("TEST_TMPDIR"))

    def write(self, name, text):
        with open(os.path.join(self.folder, name), "w", encoding="utf-8") as file:
            file.write(text)

    def bazel(self, name, status, *events):
        self.write(name + ".exit", "%d\n" % status)
        self.write(name + ".json", "".join(json.dumps(e) + "\n" for e in events))

    def test_counts_what_passed_in_all_runs_and_checks(self):
        events = [configured("//a:t"), completed("//a:t"), summary("//a:t", "PASSED")]
        self.bazel("tests", 0, *events)
        self.bazel("threads", 0, *events)
        self.write("quickstart.check", "0\n")
        self.assertEqual(tally.count(self.folder), (["3 passed, 0 failed"], True))

    def test_names_what_failed_or_was_skipped(self):
        self.bazel(
            "tests", 3, configured("//a:t"), configured("//a:f"), configured("//a:s"),
            completed("//a:t"), completed("//a:f"), skipped("//a:s"),
            summary("//a:t", "PASSED"), summary("//a:f", "TIMEOUT"))
        self.write("quickstart.check", "1\n")
        self.assertEqual(tally.count(self.folder), ([
            "FAILED: quickstart", "FAILED: //a:f (tests)", "SKIPPED: //a:s (tests)",
            "1 passed, 2 failed, 1 skipped"], False))

    def test_a_test_that_does_not_build_fails_and_a_library_shows_in_the_exit_status(self):
        self.bazel(
            "tests", 1, configured("//a:t"), configured("//a:l", "cc_library rule"),
            completed("//a:t", success=False), completed("//a:l", success=False))
        self.assertEqual(tally.count(self.folder), ([
            "FAILED: //a:t (tests)", "FAILED: the build of tests (Bazel's exit status 1)",
            "0 passed, 2 failed"], False))

    def test_no_test_at_all_is_a_failure(self):
        self.bazel("tests", 0)
        self.assertEqual(
            tally.count(self.folder), (["FAILED: tests ran no test", "0 passed, 1 failed"], False))

    def test_bazel_that_wrote_no_events_is_a_failure(self):
        self.write("tests.exit", "37\n")
        lines, good = tally.count(self.folder)
        self.assertEqual((lines[-1], good), ("0 passed, 1 failed", False))

    def test_nothing_run_is_no_success(self):
        self.assertEqual(tally.count(self.folder), (["0 passed, 0 failed"], False))

    def test_accuracy(self):
        self.write("summary.json", '{"eval_accuracy": 0.88}')
        path = os.path.join(self.folder, "summary.json")
        self.assertTrue(tally.accuracy(path, 0.88))
        self.assertFalse(tally.accuracy(path, 0.881))
        self.write("summary.json", '{"eval_accuracy": NaN}')
        self.assertFalse(tally.accuracy(path, 0.5))


if __name__ == "__main__":
    unittest.main()
