"""Every recipe can be verified, also where its data are not."""

import glob
import os
import unittest

from tests import starling

RECIPES = os.path.join(os.environ["TEST_SRCDIR"], os.environ["TEST_WORKSPACE"], "experiments",
                       "recipes")


class RecipesTest(unittest.TestCase):

    def test_all_are_verified(self):
        files = sorted(glob.glob(RECIPES + "/*.textproto"))
        self.assertTrue(files)
        for file in files:
            name = os.path.basename(file)[:-len(".textproto")]
            with self.subTest(recipe=name):
                result = starling.run("verify", "--config=" + file)
                if "its files were not found" in result.err:
                    self.skipTest(result.err)
                self.assertEqual(result.code, 0, result.err)
                self.assertEqual(result.out.split(",")[0].split("\n")[0], name)

    def test_what_is_not_here_is_planned_but_not_trained(self):
        file = RECIPES + "/resnet50.textproto"
        nowhere = ("--set", "dataset.config.dir=/nowhere/imagenet")
        verified = starling.run("verify", "--config=" + file, *nowhere)
        self.assertEqual(verified.code, 0, verified.err)
        self.assertIn("dataset imagefolder: not on this machine; taken as the config expects it\n",
                      verified.out)
        directory = starling.scratch() + "/run"
        trained = starling.run("train", "--config=" + file, "--run_dir=" + directory, *nowhere)
        self.assertEqual(trained.code, 1)
        self.assertEqual(trained.err,
                         'starling: dataset "imagefolder": the directory /nowhere/imagenet '
                         "(dataset.config.dir) does not exist; put train/CLASS/* and val/CLASS/* "
                         "there\n")
        self.assertFalse(os.path.exists(directory))


if __name__ == "__main__":
    unittest.main()
