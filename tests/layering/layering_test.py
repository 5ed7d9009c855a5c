"""Holds the source tree to the rules of rules.py, and to .clang-format."""

import os
import shutil
import subprocess
import unittest

from tests.layering import rules

# The source tree itself, not the copy of declared files that Bazel makes: what is undeclared is
# checked too.
ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.realpath(__file__))))


class LayeringTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.tree = rules.Tree(ROOT)

    def check(self, problems):
        if problems:
            self.fail("\n" + "\n".join(problems))

    def test_finds_the_sources(self):
        self.assertIn("WORKSPACE", self.tree.files)
        self.assertTrue(self.tree.sources())

    def test_include_directions(self):
        self.check(rules.include_directions(self.tree))

    def test_torch_only_in_models(self):
        self.check(rules.torch_only_in_models(self.tree))

    def test_external_labels(self):
        self.check(rules.external_labels(self.tree))

    def test_third_party_deps(self):
        self.check(rules.third_party_deps(self.tree))

    def test_plugins_stand_alone(self):
        self.check(rules.plugins_stand_alone(self.tree))

    def test_plugin_folders_complete(self):
        self.check(rules.plugin_folders_complete(self.tree))

    def test_packages_listed(self):
        self.check(rules.packages_listed(self.tree))

    def test_file_length(self):
        self.check(rules.file_length(self.tree))

    def test_format(self):
        program = shutil.which("clang-format", path="/usr/local/bin:/usr/bin:/bin")
        if not program:
            self.skipTest("clang-format is not installed (apt-get install clang-format)")
        done = subprocess.run(
            [program, "--dry-run", "--Werror", *self.tree.sources()],
            cwd=ROOT, stderr=subprocess.PIPE, check=False)
        found = [line for line in done.stderr.decode().splitlines() if ": error: " in line]
        self.check(["%s; run clang-format -i on it" % line for line in found])


if __name__ == "__main__":
    unittest.main()
