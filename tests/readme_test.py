"""What the README shows is what the tree holds."""

import os
import re
import textwrap
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

    def config_shown(self):
        return textwrap.dedent(re.search(r'    name: "mine"\n(?:    [^\n]*\n)+',
                                         read("README.md")).group(0))

    def dry_run(self, config):
        path = starling.write(config, "mine.textproto")
        result = starling.run("train", "--config=" + path, "--dry_run")
        if "dataset-fashion-mnist" in result.err:
            self.skipTest("Fashion-MNIST is not installed")
        return result

    def test_config_shown_trains(self):
        result = self.dry_run(self.config_shown())
        self.assertEqual(result.code, 0, result.err)

    def test_mistakes_shown_are_answered_like_that(self):
        shown = re.findall(r"^    (mine.textproto:\d+:\d+: [^;]*)", read("README.md"), re.MULTILINE)
        mistakes = [("one_peer_exp", "one_per_exp"), ("batch_size: 256", "batch_size: 250")]
        self.assertEqual(len(shown), len(mistakes))
        for line, (right, wrong) in zip(shown, mistakes):
            self.assertIn(line, self.dry_run(self.config_shown().replace(right, wrong)).err)


if __name__ == "__main__":
    unittest.main()
