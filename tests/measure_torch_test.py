"""cluster/tools/measure_torch.py: a PyTorch model's profile, and what is predicted from it."""

import importlib.util
import json
import os
import re
import socket
import subprocess
import sys
import unittest

from tests import starling

TOOL = os.path.join(os.environ["TEST_SRCDIR"], os.environ["TEST_WORKSPACE"],
                    "cluster/tools/measure_torch.py")
HAS_TORCH = importlib.util.find_spec("torch") is not None

# 1.6 MB of weights in `wide`, the first layer; 16 kB in the last. Gradients come last layer first.
NET = """
import torch

class Net(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.wide = torch.nn.Linear(400, 1000, bias=False)
        self.frozen = torch.nn.Linear(1000, 1000, bias=False).requires_grad_(False)
        self.narrow = torch.nn.Linear(1000, 4, bias=False)
        self.tied = self.narrow

    def forward(self, x):
        return self.narrow(torch.relu(self.frozen(self.wide(x))))

def make(device):
    torch.manual_seed(1)
    torch.set_num_threads(1)
    net = Net().to(device)
    x = torch.randn(32, 400, device=device)
    return net, lambda: net(x).square().mean(), torch.optim.SGD(net.parameters(), lr=0.01)

def without_optimizer(device):
    return make(device)[:2]

def wrong(device):
    return Net()
"""


@unittest.skipUnless(HAS_TORCH, "python3-torch is not installed")
class MeasureTorchTest(unittest.TestCase):

    def setUp(self):
        self.folder = starling.scratch()
        with open(os.path.join(self.folder, "net.py"), "w", encoding="utf-8") as file:
            file.write(NET)

    def start(self, *flags, model="net:make", **environment):
        return subprocess.Popen(
            [sys.executable, TOOL, "--model=" + model, "--out=net.textproto", "--device=cpu",
             "--steps=10", "--warmup=2", *flags],
            cwd=self.folder, env=dict(os.environ, **environment), text=True,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE)

    def measure(self, *flags, **kwargs):
        process = self.start(*flags, **kwargs)
        _, errors = process.communicate(timeout=200)
        return process.returncode, errors

    def read(self):
        with open(os.path.join(self.folder, "net.textproto"), encoding="utf-8") as file:
            return file.read()

    def profile(self, *flags, **kwargs):
        code, errors = self.measure(*flags, **kwargs)
        self.assertEqual(code, 0, errors)
        return self.read()

    def predict(self):
        result = starling.run("predict", "--cluster=laptop", "--workers=4", "--json",
                              "--model=%s/net.textproto" % self.folder,
                              binary=starling.LIGHT_BINARY)
        self.assertEqual(result.code, 0, result.err)
        return json.loads(result.out)

    def test_cuts_buckets_in_the_order_of_the_backward_pass(self):
        text = self.profile("--bucket_mb=0.01")
        sizes = [float(mb) for mb in re.findall(r"bucket \{ mb: (\S+)", text)]
        self.assertEqual(sizes, [0.016, 1.6])
        shares = [float(share) for share in re.findall(r"backward_share: (\S+)", text)]
        self.assertAlmostEqual(sum(shares), 1, places=6)
        # The gradient of the wide layer, and of what it feeds, takes nearly all.
        self.assertGreater(shares[1], 0.5)
        self.assertGreater(float(re.search(r"update_ms: (\S+)", text).group(1)), 0)
        rows = self.predict()
        compute = float(re.search(r"fixed_ms: (\S+)", text).group(1))
        self.assertGreaterEqual(min(row["step_ms"] for row in rows), 0.99 * compute)

    def test_one_bucket_and_no_optimizer(self):
        text = self.profile(model="net:without_optimizer")
        self.assertEqual(re.findall(r"bucket \{ mb: (\S+)", text), ["1.616"])
        self.assertIn("update_ms: 0\n", text)
        self.predict()

    def test_several_workers(self):
        # As torchrun would start them; Debian's own does not run with Debian's Python.
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = str(free.getsockname()[1])
        workers = [self.start(MASTER_ADDR="127.0.0.1", MASTER_PORT=port, WORLD_SIZE="2",
                              RANK=str(rank), LOCAL_RANK=str(rank)) for rank in range(2)]
        for worker in workers:
            _, errors = worker.communicate(timeout=200)
            self.assertEqual(worker.returncode, 0, errors)
        self.assertIn("2 workers at once, 10 steps", self.read())
        self.predict()

    def test_mistakes_are_answered_in_one_sentence(self):
        for model, message in (
                ("net", "--model=net: say MODULE:FUNCTION, my_net:make"),
                ("nothing:make", "--model=nothing:make: No module named 'nothing'"),
                ("net:fake", "--model=net:fake: module 'net' has no attribute 'fake'"),
                ("net:wrong", "net:wrong returns (model, forward) or (model, forward, optimizer)")):
            code, errors = self.measure(model=model)
            self.assertEqual(code, 1)
            self.assertIn("measure_torch: " + message, errors)
            self.assertNotIn("Traceback", errors)


if __name__ == "__main__":
    unittest.main()
