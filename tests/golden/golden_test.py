"""Every registered algorithm gives the bits of its golden run."""

import os
import sys
import unittest

from tests.golden import golden

BINARY = os.path.abspath(sys.argv.pop(1))
FOLDER = os.path.dirname(os.path.abspath(__file__))
DUMPS = sorted(name[:-len(".txt")] for name in os.listdir(FOLDER) if name.endswith(".txt"))


class GoldenTest(unittest.TestCase):
    maxDiff = None

    def test_every_algorithm_gives_its_dump(self):
        names = golden.algorithms(BINARY)
        self.assertGreater(len(names), 5)
        for name in names:
            with self.subTest(name):
                path = os.path.join(FOLDER, name + ".txt")
                self.assertTrue(os.path.exists(path), "algorithm %s has no golden run; this makes "
                                "it: %s" % (name, golden.COMMAND))
                expected = golden.read(path)
                self.assertIn('algorithm { name: "%s"' % name, expected)
                found = golden.dump(BINARY, golden.config_of(expected))
                self.assertEqual(found, expected, "the golden run of %s has changed; if it should, "
                                 "this writes it anew: %s" % (name, golden.COMMAND))

    def test_the_vector_level_does_not_matter(self):
        for name in DUMPS:
            config = golden.config_of(golden.read(os.path.join(FOLDER, name + ".txt")))
            try:
                found = golden.dump(BINARY, config, cpu="avx2")
            except golden.TooOld as error:
                self.skipTest(str(error))
            self.assertEqual(found, golden.dump(BINARY, config), name)

    def test_every_dump_has_an_algorithm(self):
        self.assertEqual(set(DUMPS) - set(golden.algorithms(BINARY)), set())


if __name__ == "__main__":
    unittest.main()
