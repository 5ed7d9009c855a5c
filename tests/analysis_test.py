"""The Python of docs/analysis.md runs, on a sweep's real files."""

import importlib.util
import os
import re
import unittest

from tests import starling

PAGE = os.path.join(os.environ["TEST_SRCDIR"], os.environ["TEST_WORKSPACE"], "docs/analysis.md")


@unittest.skipUnless(importlib.util.find_spec("pandas"), "needs pandas (Debian: python3-pandas)")
class Analysis(unittest.TestCase):

    def test_every_block_runs_and_prints(self):
        directory = starling.scratch()
        config = starling.write('base {%s}\nseeds: 2\naxis { path: "topology.name" values: "ring" '
                                'values: "complete" }' % starling.QUADRATIC)
        result = starling.run("sweep", "--config=" + config,
                              "--sweep_dir=" + os.path.join(directory, "sweeps/mine"),
                              binary=starling.LIGHT_BINARY)
        self.assertEqual(result.code, 0, result.err)
        with open(PAGE, encoding="utf-8") as file:
            blocks = re.findall(r"^```python\n(.*?)^```", file.read(), re.MULTILINE | re.DOTALL)
        self.assertEqual(len(blocks), 5)
        printed, names = [], {"print": lambda *values: printed.append(values)}
        os.chdir(directory)
        for block in blocks:
            exec(block, names)  # pylint: disable=exec-used
        by_topology, curve, final, records, phases, links = printed
        self.assertEqual(list(by_topology[0]["count"]), [2, 2])
        self.assertEqual(curve[0].index[-1], 20)
        self.assertEqual(len(final[0]), 4)
        self.assertIn("train/loss", records[0].columns)
        self.assertIn("backward", phases[0])
        self.assertEqual(list(links[0].columns), ["from", "to", "bytes"])


if __name__ == "__main__":
    unittest.main()
