"""Every mistake ends in one clear message, the right exit code, and nothing half-written."""

import gzip
import os
import struct
import unittest

from tests import starling

BASE = starling.CONFIG.replace('"mlp" config { hidden: [24, 16] }', '"quadratic"')
LIGHT = starling.LIGHT_BINARY


def idx_images(count, declared=None):
    return struct.pack(">IIII", 0x803, declared or count, 28, 28) + bytes(28 * 28 * count)


def idx_labels(count):
    return struct.pack(">II", 0x801, count) + bytes(count)


def mnist_dir(**changed):
    """A directory of small MNIST-format files, some of them replaced."""
    directory = starling.scratch()
    files = {
        "train-images-idx3-ubyte": idx_images(100), "train-labels-idx1-ubyte": idx_labels(100),
        "t10k-images-idx3-ubyte": idx_images(20), "t10k-labels-idx1-ubyte": idx_labels(20),
    }
    for name, contents in files.items():
        key = name.replace("-", "_")
        contents = changed.get(key, contents)
        if contents is None:
            continue
        suffix = ".gz" if contents[:2] == b"\x1f\x8b" else ""
        with open(os.path.join(directory, name + suffix), "wb") as file:
            file.write(contents)
    return directory


class MistakesTest(unittest.TestCase):

    def check(self, config, code, *words, flags=()):
        result, directory = starling.train(config, *flags, binary=LIGHT)
        self.assertEqual(result.code, code, result.err)
        for word in words:
            self.assertIn(word, result.err)
        self.assertNotIn("*** Check failure", result.err)
        self.assertLess(len(result.err.splitlines()), 8, result.err)
        self.assertFalse(os.path.exists(directory), "a run directory was made")

    def test_misspelt_field(self):
        self.check(BASE.replace("max_steps", "max_stps"), 2, "config.textproto:12:",
                   "max_stps", "max_steps")

    def test_misspelt_field_of_a_plugin(self):
        self.check(BASE.replace("order:", "ordr:"), 2, "config.textproto:7:", "ordr", "order")

    def test_unknown_plugin_lists_the_choice(self):
        self.check(BASE.replace('"alternating_exp_ring"', '"rign"'), 2, "config.textproto:6:",
                   "rign", "did you mean \"ring\"", "hypercube")

    def test_wrong_type(self):
        self.check(BASE.replace("workers: 8", 'workers: "eight"'), 2, "config.textproto:4:",
                   "eight")

    def test_value_out_of_range(self):
        self.check(BASE.replace("lr: 1e-2", "lr: -1"), 2, "config.textproto:8:", "lr is -1",
                   "at least 0")

    def test_several_mistakes_come_at_once(self):
        self.check(BASE.replace("lr: 1e-2", "lr: -1").replace("seed: 3", "seed: 3 workers_per_node: 0")
                   .replace("workers_per_node: 4\n", ""), 2, "lr is -1", "workers_per_node is 0")

    def test_set_names_the_assignment(self):
        self.check(BASE, 2, "--set", "train.max_steps=soon", flags=["--set", "train.max_steps=soon"])
        self.check(BASE, 2, "--set", "train.max_step", "max_steps",
                   flags=["--set", "train.max_step=1"])
        self.check(BASE, 2, "--set train.max_steps=-1", "at least 1",
                   flags=["--set", "train.max_steps=-1"])

    def test_world_that_the_topology_cannot_serve(self):
        self.check(BASE.replace("workers: 8", "workers: 7").replace("batch_size: 64", "batch_size: 63")
                   .replace("alternating_exp_ring", "hypercube"), 2, "hypercube", "7", "4 or 8")

    def test_batch_that_the_workers_do_not_divide(self):
        self.check(BASE.replace("batch_size: 64", "batch_size: 63"), 2, "63", "56 or 64")

    def test_neither_epochs_nor_steps(self):
        self.check(BASE.replace("max_steps: 30", ""), 2, "epochs", "max_steps")
        self.check(BASE.replace("max_steps: 30", "epochs: 0"), 2, "epochs", "greater than 0")

    def test_missing_model_and_topology(self):
        self.check(BASE.replace('model { name: "quadratic" }', ""), 2,
                   "model is missing", "starling list model")
        self.check(BASE.replace('topology { name: "alternating_exp_ring" }', ""), 2,
                   "topology is missing", "starling list topology")

    def test_missing_config(self):
        result = starling.run("train", "--config=/nowhere/x.textproto", binary=LIGHT)
        self.assertEqual(result.code, 2)
        self.assertIn("/nowhere/x.textproto", result.err)
        self.assertEqual(starling.run("train", binary=LIGHT).code, 2)

    def test_unknown_flag_and_verb(self):
        result = starling.run("train", "--cofig=x", binary=LIGHT)
        self.assertEqual(result.code, 2)
        self.assertIn('did you mean "config"', result.err)
        result = starling.run("trian", binary=LIGHT)
        self.assertEqual(result.code, 2)
        self.assertIn('did you mean "train"', result.err)
        result = starling.run("train", "--cores=many", binary=LIGHT)
        self.assertEqual(result.code, 2)
        self.assertIn("--cores=many", result.err)

    def data_config(self, directory):
        return BASE.replace('"synthetic_classification"',
                            '"fashion_mnist" config { dir: "%s" validation_examples: 10 }' %
                            directory)

    def test_data_files_that_are_fine(self):
        result, _ = starling.train(self.data_config(mnist_dir()), binary=LIGHT)
        self.assertEqual(result.code, 0, result.err)

    def test_missing_data_file(self):
        directory = mnist_dir(t10k_labels_idx1_ubyte=None)
        self.check(self.data_config(directory), 1, directory, "t10k-labels-idx1-ubyte")

    def test_corrupt_gzip(self):
        packed = bytearray(gzip.compress(os.urandom(100) + idx_images(100)))
        packed[len(packed) // 2] ^= 0xFF
        self.check(self.data_config(mnist_dir(train_images_idx3_ubyte=bytes(packed))), 1,
                   "train-images-idx3-ubyte.gz")

    def test_truncated_idx(self):
        self.check(self.data_config(mnist_dir(train_images_idx3_ubyte=idx_images(90, 100))), 1,
                   "train-images-idx3-ubyte", "100")

    def test_run_directory_that_is_not_empty(self):
        result, directory = starling.train(starling.QUADRATIC, binary=LIGHT)
        self.assertEqual(result.code, 0, result.err)
        before = starling.summary(directory)
        again = starling.run("train", "--config=" + starling.write(starling.QUADRATIC),
                             "--run_dir=" + directory, binary=LIGHT)
        self.assertEqual(again.code, 2)
        self.assertIn(directory, again.err)
        self.assertEqual(starling.summary(directory), before)

    def test_run_directory_that_cannot_be_written(self):
        file = starling.write("not a directory")
        result = starling.run("train", "--config=" + starling.write(starling.QUADRATIC),
                              "--run_dir=" + file + "/run", binary=LIGHT)
        self.assertEqual(result.code, 1)
        self.assertIn(file, result.err)


if __name__ == "__main__":
    unittest.main()
