"""The binary has every plug-in of the tree, and the lists it is linked from are up to date."""

import os
import re
import unittest

from tests import starling
from tools import update_plugins

# The real folder of the tree: this file in the runfiles is a link to it.
ROOT = os.path.dirname(os.path.dirname(os.path.realpath(__file__)))


class PluginsTest(unittest.TestCase):

    def test_lists_are_up_to_date(self):
        for path, text in update_plugins.render(ROOT).items():
            with open(os.path.join(ROOT, path), encoding="utf-8") as file:
                self.assertEqual(file.read(), text,
                                 path + " is old; run ./bazelw run //tools:update_plugins")

    def test_binary_lists_every_plugin(self):
        listed = set(re.findall(r"^  (\S+)", starling.run("list").out, re.MULTILINE))
        plugins = [label for label, _ in update_plugins.find_plugins(ROOT)
                   if not label.startswith(("//docs", "//experiments", "//tests"))
                   and label != "//comm/nccl"]  # in programs with CUDA only
        self.assertGreater(len(plugins), 30)
        for label in plugins:
            self.assertIn(re.split("[/:]", label)[-1], listed, label)


if __name__ == "__main__":
    unittest.main()
