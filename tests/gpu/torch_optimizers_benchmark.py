"""PyTorch's optimizers on one flat tensor, each against a copy that moves as many bytes: the table of
fused_pass_benchmark.cc, which says what the columns are.

    python3 tests/gpu/torch_optimizers_benchmark.py [--device=cpu] [--tiny]

Bytes are what one pass over memory has to move, so the ratio says how far from that an optimizer is.
"""

import argparse
import statistics
import sys
import time

try:
    import torch
except ImportError:
    print("not run: python3 has no torch; pip install torch")
    sys.exit(0)

SGD = dict(lr=0.1, weight_decay=1e-4)
ADAM = dict(lr=1e-3, betas=(0.9, 0.999), eps=1e-8)

# Name, class, arguments, states per parameter.
OPTIMIZERS = [
    ("sgd", torch.optim.SGD, SGD, 0),
    ("sgd, momentum", torch.optim.SGD, dict(SGD, momentum=0.9), 1),
    ("adam", torch.optim.Adam, ADAM, 2),
    ("adamw", torch.optim.AdamW, ADAM, 2),
]


def synchronize(device):
    if device == "cuda":
        torch.cuda.synchronize()


def milliseconds(call, device, repetitions, calls):
    """Returns the milliseconds of one call, the median of all repetitions."""
    times = []
    for _ in range(repetitions):
        synchronize(device)
        start = time.perf_counter()
        for _ in range(calls):
            call()
        synchronize(device)
        times.append((time.perf_counter() - start) / calls * 1e3)
    return statistics.median(times)


def row(name, make, states, sources, count, device, repetitions, calls):
    x = torch.zeros(count, device=device, requires_grad=True)
    x.grad = torch.zeros_like(x)
    neighbour = torch.zeros_like(x, requires_grad=False)
    send = torch.zeros(count, device=device, dtype=torch.bfloat16)
    optimizer = make([x])

    @torch.no_grad()
    def step():
        if sources == 2:
            torch._foreach_lerp_([x], [neighbour], 0.5)
        optimizer.step()
        if sources == 2:
            send.copy_(x)

    moved = count * (4 * (sources + 1 + states + 1 + states) + (2 if sources == 2 else 0))
    source = torch.zeros(moved // 2, dtype=torch.uint8, device=device)
    target = torch.zeros_like(source)
    step()  # makes the states
    step_ms = milliseconds(step, device, repetitions, calls)
    copy_ms = milliseconds(lambda: target.copy_(source), device, repetitions, calls)
    print("%-24s %8d %6g MB %9.4f %9.4f %9.1f %6.2f" % (
        name, sources, count * 4 / 1e6, step_ms, copy_ms, moved / step_ms / 1e6, copy_ms / step_ms),
        flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--device", default="cuda", choices=["cuda", "cpu"])
    parser.add_argument("--tiny", action="store_true", help="small sizes, to see that it runs")
    options = parser.parse_args()
    if options.device == "cuda" and not torch.cuda.is_available():
        print("not run: PyTorch %s sees no GPU here" % torch.__version__)
        return 0
    sizes, repetitions, calls = ([0.1], 3, 2) if options.tiny else ([1, 25, 250], 21, 20)
    name = torch.cuda.get_device_name() if options.device == "cuda" else "processor"
    print("PyTorch %s, %s" % (torch.__version__, name))
    print("%-24s %8s %9s %9s %9s %9s %6s" % (
        "optimizer", "sources", "size", "ms", "copy ms", "GB/s", "ratio"))
    for kind in ("foreach", "fused"):
        for name, cls, arguments, states in OPTIMIZERS:
            for sources in (1, 2):
                for megabytes in sizes:
                    row("%s, %s" % (name, kind),
                        lambda params: cls(params, **arguments, **{kind: True}), states, sources,
                        int(megabytes * 1e6) // 4, options.device, repetitions, calls)
    return 0


if __name__ == "__main__":
    sys.exit(main())
