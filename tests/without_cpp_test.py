"""A model and data of one's own, brought from Python: torchscript and tensor_file."""

import importlib.util
import os
import random
import re
import struct
import subprocess
import sys
import textwrap
import unittest

from tests import starling

RUNFILES = os.path.join(os.environ["TEST_SRCDIR"], os.environ["TEST_WORKSPACE"])
HAS_TORCH = importlib.util.find_spec("torch") is not None
HAS_NUMPY = importlib.util.find_spec("numpy") is not None
EXAMPLES = 240

CONFIG = """
name: "own"
workers: 4
topology { name: "one_peer_exp" }
algorithm { name: "gossip" }
optimizer { name: "adam" config { lr: 0.01 } }
model { name: "torchscript" config { file: "%(folder)s/net.pt" } }
dataset {
  name: "tensor_file"
  config {
    dir: "%(folder)s"
    field { name: "point" train: "%(points)s" }
    field { name: "label" train: "%(labels)s" }
  }
}
train { local_batch_size: 6 max_steps: 60 }
"""


def write_npy(path, descr, code, shape, values):
    header = "{'descr': '%s', 'fortran_order': False, 'shape': %r, }" % (descr, shape)
    header += " " * (-(len(header) + 11) % 64) + "\n"
    with open(path, "wb") as file:
        file.write(b"\x93NUMPY\1\0" + struct.pack("<H", len(header)) + header.encode())
        file.write(struct.pack("<%d%s" % (len(values), code), *values))


def points_and_labels():
    """Three clusters of points with four coordinates, shuffled."""
    numbers = random.Random(5)
    labels = [numbers.randrange(3) for _ in range(EXAMPLES)]
    points = [numbers.gauss(2 * (axis == label), 0.5) for label in labels for axis in range(4)]
    return points, labels


def write_points(folder):
    points, labels = points_and_labels()
    write_npy(os.path.join(folder, "x.npy"), "<f4", "f", (EXAMPLES, 4), points)
    write_npy(os.path.join(folder, "y.npy"), "<i8", "q", (EXAMPLES,), labels)


def config(folder, points="x.npy", labels="y.npy"):
    return CONFIG % {"folder": folder, "points": points, "labels": labels}


def python(code, folder):
    """Runs `code` in `folder`, with this test's Python; from a file, which torch.jit reads again."""
    with open(os.path.join(folder, "code.py"), "w", encoding="utf-8") as file:
        file.write(code)
    subprocess.run([sys.executable, "code.py"], cwd=folder, check=True, timeout=120)


def read(path):
    with open(os.path.join(RUNFILES, path), encoding="utf-8") as file:
        return file.read()


def python_blocks(text):
    return re.findall(r"```python\n(.*?)```", text, re.DOTALL)


class WithoutCppTest(unittest.TestCase):

    def setUp(self):
        self.folder = starling.scratch()
        write_points(self.folder)

    def write_example(self):
        subprocess.run([os.path.join(RUNFILES, "models/torchscript/write_example"),
                        os.path.join(self.folder, "net.pt")], check=True)

    def test_learns_and_ends_alike_on_threads_and_mpi(self):
        self.write_example()
        threads = starling.trained_summary(config(self.folder))
        self.assertGreater(threads["eval_accuracy"], 0.9)  # chance: 0.33
        mpi = starling.trained_summary(config(self.folder), "--np=4")
        self.assertEqual(mpi["state_digest"], threads["state_digest"])

    def test_mistakes_are_answered_in_one_sentence(self):
        result, _ = starling.train(config(self.folder))
        self.assertNotEqual(result.code, 0)
        self.assertIn('model "torchscript": cannot open %s/net.pt: No such file or directory'
                      % self.folder, result.err)
        self.write_example()
        write_npy(os.path.join(self.folder, "x.npy"), "<f4", "f", (EXAMPLES, 2),
                  [0] * (2 * EXAMPLES))
        result, _ = starling.train(config(self.folder))
        self.assertNotEqual(result.code, 0)
        self.assertIn("mat1 and mat2 shapes cannot be multiplied", result.err)

    @unittest.skipUnless(HAS_NUMPY, "python3-numpy is not installed")
    def test_numpy_writes_what_is_read(self):
        self.write_example()
        python("""
import numpy
x, y = numpy.load("x.npy"), numpy.load("y.npy")
numpy.savez_compressed("packed.npz", x=x, y=y.astype("<i4"))
numpy.savez("plain.npz", x=x, y=y.astype("uint8"))
numpy.save("fortran.npy", numpy.asfortranarray(x))
numpy.save("big.npy", x.astype(">f4"))
""", self.folder)
        digests = {starling.trained_summary(config(self.folder, *arrays))["state_digest"]
                   for arrays in (("x.npy", "y.npy"), ("packed.npz:x", "packed.npz:y"),
                                  ("plain.npz:x", "plain.npz:y"))}
        self.assertEqual(len(digests), 1)
        for name, hint in (("fortran", "numpy.ascontiguousarray"), ("big", 'astype("<f4")')):
            result, _ = starling.train(config(self.folder, name + ".npy"))
            self.assertIn(hint, result.err)

    @unittest.skipUnless(HAS_TORCH and HAS_NUMPY, "python3-torch or -numpy is not installed")
    def test_guide_works_as_it_stands(self):
        guide = read("docs/data.md")
        for example in python_blocks(guide):
            python(example, self.folder)
        own = re.search(r'    name: "own"\n(?:    [^\n]*\n)+', guide).group(0)
        own = textwrap.dedent(own).replace('"net.pt"', '"%s/net.pt"' % self.folder)
        own = own.replace("spirals.npz", self.folder + "/spirals.npz")
        self.assertGreater(starling.trained_summary(own)["eval_accuracy"], 0.95)  # chance: 0.33

    @unittest.skipUnless(HAS_TORCH, "python3-torch is not installed")
    def test_example_of_the_readme_trains(self):
        python(python_blocks(read("models/torchscript/README.md"))[0], self.folder)
        pixels = [i * 37 % 256 for i in range(EXAMPLES * 784)]
        write_npy(os.path.join(self.folder, "image.npy"), "|u1", "B", (EXAMPLES, 1, 28, 28), pixels)
        starling.trained_summary(config(self.folder, "image.npy"), "--set", "train.max_steps=3",
                                 "--set", "dataset.config.classes=10")

    @unittest.skipUnless(HAS_TORCH, "python3-torch is not installed")
    def test_layers_of_pytorch_train(self):
        python("""
import torch

class Net(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.spread = torch.nn.Linear(1, 8)
        self.encoder = torch.nn.TransformerEncoderLayer(8, 2, 16, dropout=0.1, batch_first=True)
        self.lstm = torch.nn.LSTM(8, 8, batch_first=True)
        self.norm = torch.nn.BatchNorm1d(8)
        self.drop = torch.nn.Dropout(0.2, inplace=True)
        self.tied = torch.nn.Linear(8, 8)
        self.tied_too = torch.nn.Linear(8, 8)
        self.tied_too.weight = self.tied.weight
        self.out = torch.nn.Linear(8, 3)

    def forward(self, point):
        h = self.encoder(torch.relu(self.spread(point.unsqueeze(2))))
        h, _ = self.lstm(h)
        h = self.drop(self.norm(h[:, -1]))
        return self.out(self.tied_too(torch.tanh(self.tied(h))))

torch.manual_seed(3)
torch.jit.script(Net()).save("net.pt")
""", self.folder)
        first = starling.trained_summary(config(self.folder))
        self.assertGreater(first["eval_accuracy"], 0.6)
        one_core = starling.trained_summary(config(self.folder), "--cores=1")
        self.assertEqual(one_core["state_digest"], first["state_digest"])

    @unittest.skipUnless(HAS_TORCH, "python3-torch is not installed")
    def test_traced_losses_train(self):
        python("""
import torch

class Loss(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = torch.nn.Linear(4, 3)

    def forward(self, point, label):
        return torch.nn.functional.cross_entropy(self.fc(point), label, reduction="none")

torch.manual_seed(3)
example = torch.zeros(2, 4), torch.zeros(2, dtype=torch.int64)
torch.jit.trace(Loss(), example).save("net.pt")
""", self.folder)
        self.assertLess(starling.trained_summary(config(self.folder))["eval_loss"], 0.9)


if __name__ == "__main__":
    unittest.main()
