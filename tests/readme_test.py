"""What the README shows is what the tree holds."""

import os
import re
import unittest

from tests import starling

RUNFILES = os.path.join(os.environ["TEST_SRCDIR"], os.environ["TEST_WORKSPACE"])


def read(path):
    with open(os.path.join(RUNFILES, path), encoding="utf-8") as file:
        return file.read()


def indented(text):
    return "".join("    " + line if line.strip() else line for line in text.splitlines(True))


class ReadmeTest(unittest.TestCase):

    def test_example_is_the_one_that_is_tested(self):
        readme = read("README.md")
        lines = 0
        for name in ("late_gossip.proto", "late_gossip.cc"):
            text = read("docs/example/late_gossip/" + name)
            lines += len(text.splitlines())
            self.assertIn(indented(text), readme, name)
        self.assertLess(lines, 60)
        build = read("docs/example/late_gossip/BUILD")
        self.assertIn(indented(build[:build.index("starling_experiment(")].rstrip() + "\n"), readme)

    def test_config_shown_trains(self):
        block = re.search(r'(?:    [^\n]*\n)*    name: "mine"\n(?:    [^\n]*\n)+',
                          read("README.md")).group(0)
        path = starling.write(block)
        result = starling.run("train", "--config=" + path, "--dry_run")
        if "dataset-fashion-mnist" in result.err:
            self.skipTest("Fashion-MNIST is not installed")
        self.assertEqual(result.code, 0, result.err)

    def test_mistake_shown_is_answered_like_that(self):
        readme = read("README.md")
        wrong = starling.CONFIG.replace('"alternating_exp_ring"', '"rign"').replace("lr: 1e-2",
                                                                                    "lr: -1")
        result = starling.run("train", "--config=" + starling.write(wrong, "mine.textproto"),
                              binary=starling.LIGHT_BINARY)
        for shown in re.findall(r"^    mine.textproto:\d+:\d+: (.*)$", readme, re.MULTILINE):
            self.assertIn(shown[:40], result.err)


if __name__ == "__main__":
    unittest.main()
