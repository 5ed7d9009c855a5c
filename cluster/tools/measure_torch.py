#!/usr/bin/env python3
"""Measures what one training step of a PyTorch model computes, for Starling's predictions.

Writes a ModelProfile (cluster/cluster.proto): the time of the forward pass, how much of the backward
pass each bucket of gradients takes until it is complete, and the optimizer's step. Needs nothing of
Starling, only torch:

    python3 measure_torch.py --model=my_net:make --out=my_net.textproto
    torchrun --nproc_per_node=8 measure_torch.py --model=my_net:make --out=my_net.textproto
    starling predict --cluster=t4_infiniband --model=my_net.textproto

my_net.py, in this folder or on PYTHONPATH, has a function that gets the device and returns the model
and a function that runs one forward pass and returns the loss; if it returns an optimizer as well,
its step is measured too:

    def make(device):
        net = Net().to(device)
        x, y = next(batches)                  # as many examples as one worker has in a step
        return net, lambda: loss(net(x), y), torch.optim.Adam(net.parameters())

Several processes (torchrun) compute at the same time and do not exchange anything, so that they
disturb each other as workers of one machine do. The times are means over all of them.
"""

import argparse
import importlib
import json
import os
import statistics
import sys
import time

import torch
import torch.distributed

BLOCKS = 5  # the spread of a figure is that of its mean over a fifth of the steps


class Clock:
    """Marks moments of a step: with events on a GPU, which runs behind the program."""

    def __init__(self, device):
        self.on_gpu = device.type == "cuda"

    def now(self):
        if not self.on_gpu:
            return time.perf_counter()
        event = torch.cuda.Event(enable_timing=True)
        event.record()
        return event

    def ms(self, begin, end):
        if not self.on_gpu:
            return 1000 * (end - begin)
        end.synchronize()
        return begin.elapsed_time(end)


class Gradients:
    """Notes when each parameter's gradient is complete."""

    def __init__(self, model, clock):
        self.moments = {}  # name -> moment, in the order of the last backward pass
        self.bytes = {}
        self._accumulators = []  # they live as long as something holds them
        seen = set()
        for name, parameter in model.named_parameters():
            if not parameter.requires_grad or id(parameter) in seen:
                continue
            seen.add(id(parameter))
            self.bytes[name] = parameter.numel() * parameter.element_size()
            # The node that adds to .grad: what DistributedDataParallel hooks, too.
            accumulator = parameter.expand_as(parameter).grad_fn.next_functions[0][0]
            accumulator.register_hook(self._hook(name, clock))
            self._accumulators.append(accumulator)
        if not self.bytes:
            sys.exit("measure_torch: the model has no parameter that is trained")

    def _hook(self, name, clock):
        def hook(*_):
            self.moments.pop(name, None)
            self.moments[name] = clock.now()
        return hook


def cut(order, sizes, bucket_bytes):
    """Cuts parameters, in the order of the backward pass, where a bucket is full."""
    buckets, current, total = [], [], 0
    for name in order:
        current.append(name)
        total += sizes[name]
        if total >= bucket_bytes:
            buckets.append(current)
            current, total = [], 0
    if current:
        buckets.append(current)
    return buckets


def load(text, device):
    module, _, function = text.partition(":")
    if not module or not function:
        sys.exit("measure_torch: --model=%s: say MODULE:FUNCTION, my_net:make" % text)
    sys.path.insert(0, os.getcwd())
    try:
        make = getattr(importlib.import_module(module), function)
    except (ImportError, AttributeError) as error:
        sys.exit("measure_torch: --model=%s: %s" % (text, error))
    made = make(device)
    if not isinstance(made, tuple) or len(made) not in (2, 3) or not callable(made[1]):
        sys.exit("measure_torch: %s returns (model, forward) or (model, forward, optimizer), where "
                 "forward() is the loss" % text)
    return made if len(made) == 3 else (*made, None)


def measure(options, device, barrier):
    """Returns buckets (lists of names), their bytes, and a dict of ms for each step."""
    model, forward, optimizer = load(options.model, device)
    model.train()
    clock = Clock(device)
    gradients = Gradients(model, clock)
    buckets, steps = None, []
    for step in range(-options.warmup, options.steps):
        barrier()
        gradients.moments.clear()
        start = clock.now()
        loss = forward()
        begin = clock.now()
        loss.backward()
        end = clock.now()
        if optimizer is None:
            model.zero_grad()
            updated = end
        else:
            optimizer.step()
            optimizer.zero_grad()
            updated = clock.now()
        if step < 0:
            # The last step before the first that counts decides: the first ones set things up.
            buckets = cut(gradients.moments, gradients.bytes, options.bucket_mb * 1e6)
            continue
        if not all(name in gradients.moments for bucket in buckets for name in bucket):
            sys.exit("measure_torch: not every step gives every parameter a gradient")
        last = {id(moment): i for i, moment in enumerate(gradients.moments.values())}
        moments = [max((gradients.moments[name] for name in bucket), key=lambda m: last[id(m)])
                   for bucket in buckets]
        moments[-1] = end
        steps.append({
            "forward": clock.ms(start, begin),
            "backward": [clock.ms(a, b) for a, b in zip([begin] + moments, moments)],
            "update": clock.ms(end, updated),
        })
    return [sum(gradients.bytes[name] for name in bucket) for bucket in buckets], steps


def spread(values):
    """Standard deviation of means over blocks of steps, over the mean."""
    size = max(1, len(values) // BLOCKS)
    means = [statistics.mean(values[i:i + size]) for i in range(0, len(values), size)]
    mean = statistics.mean(values)
    return statistics.stdev(means) / mean if len(means) > 1 and mean > 0 else 0


def profile(options, device, bucket_bytes, workers):
    """The ModelProfile in text format; `workers` holds the steps of each."""
    steps = [step for worker in workers for step in worker]
    forward = statistics.mean(step["forward"] for step in steps)
    backward = [statistics.mean(step["backward"][b] for step in steps)
                for b in range(len(bucket_bytes))]
    # Rounding of GPU events may leave a bucket that takes no time below 0.
    backward = [max(0.0, ms) for ms in backward]
    update = statistics.mean(step["update"] for step in steps)
    compute = forward + sum(backward)
    gpu = torch.cuda.get_device_name(device) if device.type == "cuda" else "CPU"
    source = "measured with torch %s on %s: %d worker%s at once, %d steps" % (
        torch.__version__, gpu, len(workers), "" if len(workers) == 1 else "s", options.steps)
    lines = ["name: %s" % json.dumps(options.model), "source: %s" % json.dumps(source),
             "fixed_ms: %.9g" % compute, "forward_share: %.9g" % (forward / compute),
             "update_ms: %.9g" % update]
    for size, ms in zip(bucket_bytes, backward):
        lines.append("bucket { mb: %.9g backward_share: %.9g }"
                     % (size / 1e6, ms / sum(backward)))
    by_step = [statistics.mean(worker[s]["forward"] + sum(worker[s]["backward"])
                               for worker in workers) for s in range(options.steps)]
    updates = [statistics.mean(worker[s]["update"] for worker in workers)
               for s in range(options.steps)]
    for field, values in (("fixed_ms", by_step), ("update_ms", updates)):
        lines.append('spread { field: "%s" relative: %.3g }' % (field, spread(values)))
    return "\n".join(lines) + "\n"


def jitter(workers):
    """Standard deviation of single passes of single workers, over the mean."""
    passes = [step["forward"] + sum(step["backward"]) for worker in workers for step in worker]
    return statistics.pstdev(passes) / statistics.mean(passes)


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", required=True, help="MODULE:FUNCTION that makes it")
    parser.add_argument("--out", required=True, help="the file to write")
    parser.add_argument("--bucket_mb", type=float, default=26.2144,
                        help="size at which buckets are cut, in 10^6 bytes (default: 25 MiB)")
    parser.add_argument("--steps", type=int, default=50)
    parser.add_argument("--warmup", type=int, default=10, help="steps before, not counted")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    options = parser.parse_args()
    if options.steps < 1 or options.warmup < 1 or options.bucket_mb <= 0:
        parser.error("--steps, --warmup and --bucket_mb: more than 0")
    rank, world = int(os.environ.get("RANK", 0)), int(os.environ.get("WORLD_SIZE", 1))
    device = torch.device(options.device)
    if device.type == "cuda":
        if device.index is None:
            device = torch.device("cuda", int(os.environ.get("LOCAL_RANK", 0)))
        torch.cuda.set_device(device)
    if world > 1:
        torch.distributed.init_process_group("gloo")  # only times are exchanged

    def barrier():
        if device.type == "cuda":
            torch.cuda.synchronize(device)
        if world > 1:
            torch.distributed.barrier()

    bucket_bytes, steps = measure(options, device, barrier)
    workers = [(bucket_bytes, steps)]
    if world > 1:
        workers = [None] * world
        torch.distributed.all_gather_object(workers, (bucket_bytes, steps))
        torch.distributed.destroy_process_group()
    if rank != 0:
        return
    if any(sizes != bucket_bytes for sizes, _ in workers):
        sys.exit("measure_torch: the workers' gradients come in different orders")
    text = profile(options, device, bucket_bytes, [steps for _, steps in workers])
    with open(options.out, "w", encoding="ascii") as file:
        file.write(text)
    print("%s: %.4g MB in %d bucket%s" % (options.out, sum(bucket_bytes) / 1e6, len(bucket_bytes),
                                          "" if len(bucket_bytes) == 1 else "s"))
    print("The cluster's jitter, for its own file: jitter { distribution: NORMAL relative: %.3f }"
          % jitter([steps for _, steps in workers]))


if __name__ == "__main__":
    main()
