"""Training steps of PyTorch on one card: a plain loop, DistributedDataParallel, and Decent-DP where it
is installed, by 1, 2 and 4 processes that share the card.

    python3 tests/gpu/ddp_benchmark.py [--device=cpu] [--tiny]

NCCL refuses two processes on one card of one host, so each process says it is a host of its own and
they talk over the loopback interface: what a step costs beside a plain loop of as many processes is
the library's own work and that slow network, the same for both libraries.
"""

import argparse
import importlib.util
import os
import socket
import subprocess
import sys
import time

try:
    import torch
except ImportError:
    print("not run: python3 has no torch; pip install torch")
    sys.exit(0)
import torch.distributed as dist
from torch import nn
from torch.nn import functional

SECONDS_PER_WORLD = 90

# Decent-DP hands objects around as NumPy arrays, and mixes among two processes or more.
HAS_DECENT_DP = all(importlib.util.find_spec(name) for name in ("decent_dp", "numpy"))


class Block(nn.Module):
    """Attention and a hidden layer, each behind a layer norm and beside a shortcut."""

    def __init__(self, width, heads):
        super().__init__()
        self.heads = heads
        self.before_attention = nn.LayerNorm(width)
        self.to_qkv = nn.Linear(width, 3 * width)
        self.from_heads = nn.Linear(width, width)
        self.hidden = nn.Sequential(nn.LayerNorm(width), nn.Linear(width, 4 * width),
                                    nn.GELU(approximate="tanh"), nn.Linear(4 * width, width))

    def forward(self, x):
        batch, length, width = x.shape
        qkv = self.to_qkv(self.before_attention(x))
        q, k, v = qkv.view(batch, length, 3, self.heads, -1).permute(2, 0, 3, 1, 4)
        seen = functional.scaled_dot_product_attention(q, k, v, is_causal=True)
        x = x + self.from_heads(seen.transpose(1, 2).reshape(batch, length, width))
        return x + self.hidden(x)


class Gpt(nn.Module):
    """Of the size of GPT-2 small: 124 million parameters."""

    def __init__(self, tiny):
        super().__init__()
        self.vocabulary, self.context, width, heads, layers = (
            (50257, 1024, 768, 12, 12) if not tiny else (101, 16, 32, 2, 2))
        self.batch = 4 if not tiny else 2
        self.tokens = nn.Embedding(self.vocabulary, width)
        self.places = nn.Embedding(self.context, width)
        self.blocks = nn.Sequential(*[Block(width, heads) for _ in range(layers)])
        self.norm = nn.LayerNorm(width)
        for parameter in self.parameters():
            if parameter.dim() > 1:
                nn.init.normal_(parameter, std=0.02)

    def forward(self, ids):
        x = self.tokens(ids) + self.places.weight[:ids.shape[1]]
        return functional.linear(self.norm(self.blocks(x)), self.tokens.weight).flatten(0, 1)

    def example(self):
        ids = torch.randint(self.vocabulary, (self.batch, self.context + 1))
        return ids[:, :-1].contiguous(), ids[:, 1:].flatten()


class Bottleneck(nn.Module):
    def __init__(self, channels, inner, stride):
        super().__init__()
        outer = 4 * inner
        self.path = nn.Sequential(
            nn.Conv2d(channels, inner, 1, bias=False), nn.BatchNorm2d(inner), nn.ReLU(),
            nn.Conv2d(inner, inner, 3, stride, 1, bias=False), nn.BatchNorm2d(inner), nn.ReLU(),
            nn.Conv2d(inner, outer, 1, bias=False), nn.BatchNorm2d(outer))
        self.shortcut = nn.Identity()
        if stride != 1 or channels != outer:
            self.shortcut = nn.Sequential(nn.Conv2d(channels, outer, 1, stride, bias=False),
                                          nn.BatchNorm2d(outer))

    def forward(self, x):
        return functional.relu(self.path(x) + self.shortcut(x))


class ResNet(nn.Module):
    """Of the shape of ResNet-50."""

    def __init__(self, tiny):
        super().__init__()
        stages, width, self.side, self.batch = (
            ((3, 4, 6, 3), 64, 224, 64) if not tiny else ((1, 1), 8, 32, 2))
        layers = [nn.Conv2d(3, width, 7, 2, 3, bias=False), nn.BatchNorm2d(width), nn.ReLU(),
                  nn.MaxPool2d(3, 2, 1)]
        channels = width
        for stage, blocks in enumerate(stages):
            for block in range(blocks):
                inner = width << stage
                layers.append(Bottleneck(channels, inner, 2 if stage > 0 and block == 0 else 1))
                channels = 4 * inner
        self.layers = nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(),
                                    nn.Linear(channels, 1000))

    def forward(self, images):
        return self.layers(images)

    def example(self):
        return torch.randn(self.batch, 3, self.side, self.side), torch.randint(1000, (self.batch,))


MODELS = {"gpt2 124M": Gpt, "resnet50": ResNet}


def adamw(parameters):
    return torch.optim.AdamW(parameters, lr=1e-4, foreach=True)


def steps_of(kind, model, device):
    """Returns what makes one step of training and returns its loss."""
    inputs, targets = [part.to(device) for part in model.example()]
    optimizer = None
    if kind == "Decent-DP":
        from decent_dp.ddp import DecentralizedDataParallel
        # Steps its optimizer by itself, in the backward pass.
        model = DecentralizedDataParallel(model, lambda named: adamw([p for _, p in named]),
                                          topology="complete", _local_world_size=1)
    else:
        optimizer = adamw(model.parameters())
        if kind == "DDP":
            model = nn.parallel.DistributedDataParallel(
                model, device_ids=[0] if device == "cuda" else None)

    def step():
        with torch.autocast(device, torch.bfloat16):
            loss = functional.cross_entropy(model(inputs).float(), targets)
        model.zero_grad()
        loss.backward()
        if optimizer is not None:
            optimizer.step()
        return loss

    return step


def measure(kind, name, options):
    """Returns milliseconds per step and the last loss, of all processes at once."""
    torch.manual_seed(1)
    step = steps_of(kind, MODELS[name](options.tiny).to(options.device), options.device)
    warm_up, counted = (2, 2) if options.tiny else (4, 10)
    for _ in range(warm_up):
        step().item()
    dist.barrier()
    start = time.perf_counter()
    for _ in range(counted):
        loss = step()
    last = loss.item()  # waits for the card
    if options.device == "cuda":
        torch.cuda.synchronize()
    return (time.perf_counter() - start) / counted * 1e3, last


def work(options):
    """What each process does."""
    if HAS_DECENT_DP:
        from loguru import logger
        logger.remove()
    dist.init_process_group("nccl" if options.device == "cuda" else "gloo")
    for name in MODELS:
        plain_ms = None
        for kind in ("plain", "DDP", "Decent-DP"):
            if kind == "Decent-DP" and not (HAS_DECENT_DP and dist.get_world_size() > 1):
                continue
            ms, loss = measure(kind, name, options)
            plain_ms = plain_ms or ms
            if dist.get_rank() == 0:
                print("%-12s %9d  %-10s %10.2f %10.2f %9.3f" % (
                    name, dist.get_world_size(), kind, ms, plain_ms / ms, loss), flush=True)
            if options.device == "cuda":
                torch.cuda.empty_cache()
    dist.barrier()
    os._exit(0)  # taking NCCL's groups down one by one takes seconds


def start(rank, world, port):
    environment = dict(
        os.environ, RANK=str(rank), LOCAL_RANK="0", WORLD_SIZE=str(world), LOCAL_WORLD_SIZE="1",
        MASTER_ADDR="127.0.0.1", MASTER_PORT=str(port), NCCL_HOSTID="host%d" % rank,
        NCCL_SOCKET_IFNAME="lo", NCCL_IB_DISABLE="1", GLOO_SOCKET_IFNAME="lo")
    return subprocess.Popen([sys.executable, __file__, "--worker"] + sys.argv[1:], env=environment)


def run(world):
    """Returns whether all processes of a world of this size ended well."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    processes = [start(rank, world, port) for rank in range(world)]
    end = time.monotonic() + SECONDS_PER_WORLD
    try:
        return all([process.wait(max(0, end - time.monotonic())) == 0 for process in processes])
    except subprocess.TimeoutExpired:
        print("%d processes: not done after %d s" % (world, SECONDS_PER_WORLD))
        return False
    finally:
        for process in processes:
            process.kill()
            process.wait()


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--device", default="cuda", choices=["cuda", "cpu"])
    parser.add_argument("--tiny", action="store_true", help="small nets, to see that it runs")
    parser.add_argument("--worker", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.worker:
        return work(options)
    if options.device == "cuda" and not torch.cuda.is_available():
        print("not run: PyTorch %s sees no GPU here" % torch.__version__)
        return 0
    name = torch.cuda.get_device_name() if options.device == "cuda" else "processor"
    print("PyTorch %s, %s; AdamW, autocast to BF16" % (torch.__version__, name))
    if not HAS_DECENT_DP:
        print("Decent-DP is left out: pip install decent-dp numpy")
    print("%-12s %9s  %-10s %10s %10s %9s" % (
        "model", "processes", "loop", "ms a step", "to plain", "last loss"), flush=True)
    return 0 if all([run(world) for world in (1, 2, 4)]) else 1


if __name__ == "__main__":
    sys.exit(main())
