"""Training on a device gives the bits of the host, whatever is mixed how: on a pretend device, which
puts everything off until somebody must wait for it."""

import os
import unittest

import starling

BINARY = os.path.join(os.path.dirname(starling.LIGHT_BINARY), "starling_on_pretend_device")

ON_DEVICE = '--set=backend={name: "threads" config {device: "cuda:0"}}'
# What `nccl` does but for NCCL: messages by the orders of a referee, over TCP.
BY_REFEREE = '--set=backend={name: "pretend_nccl" config {deterministic: true}}'

ALGORITHMS = {
    "allreduce": ['--set=algorithm.name=allreduce'],
    "gossip AWC": ['--set=algorithm={name: "gossip" config {order: AWC}}'],
    "gossip ATC": ['--set=algorithm={name: "gossip" config {order: ATC}}'],
    "stale gossip": ['--set=algorithm={name: "gossip" config {order: AWC}}',
                     '--set=mixing.staleness=2', '--set=mixing.gamma=0.5'],
    "gossip in F16": ['--set=algorithm={name: "gossip" config {order: AWC}}',
                      '--set=mixing.precision=F16'],
    "allreduce in BF16": ['--set=algorithm.name=allreduce', '--set=mixing.precision=BF16'],
    "gradient_tracking": ['--set=algorithm.name=gradient_tracking',
                          '--set=optimizer={name: "sgd" config {lr: 0.05}}'],
    "sgp": ['--set=algorithm.name=sgp', '--set=topology.name=exponential'],
    "osgp": ['--set=algorithm={name: "osgp" config {tau: 1}}', '--set=topology.name=exponential'],
    "local_sgd": ['--set=algorithm.name=local_sgd'],
    "slowmo": ['--set=algorithm.name=slowmo', '--set=optimizer={name: "sgd" config {lr: 0.05}}'],
    "d2": ['--set=algorithm.name=d2', '--set=optimizer={name: "sgd" config {lr: 0.05}}',
           '--set=topology.name=ring', '--set=mixing.gamma=0.5'],
    "qg_dsgdm": ['--set=algorithm.name=qg_dsgdm',
                 '--set=optimizer={name: "sgd" config {lr: 0.05}}'],
    "micro-batches, clipped": ['--set=train.micro_batches=2', '--set=train.grad_clip_norm=0.5'],
    "clipped per bucket": ['--set=train.grad_clip_norm=0.5', '--set=train.grad_clip_per=BUCKET'],
    "autocast": ['--set=train.autocast=BF16'],
    "small buckets": ['--set=train.bucket_mb=0.001'],
    "no overlap": ['--set=mixing.overlap=false'],
    "leaving and returning": ['--set=faults={leave {worker: 2 at_step: 5 return_at_step: 9}}'],
}

BY_REFEREE_TOO = {"allreduce", "gossip AWC", "gossip in F16", "sgp", "small buckets",
                  "leaving and returning"}


class PretendDeviceTest(unittest.TestCase):
    def train(self, *flags):
        """Returns the run's summary and directory."""
        result, directory = starling.train(starling.CONFIG, "--set=train.max_steps=12",
                                           "--set=train.consensus_every_steps=5", *flags,
                                           binary=BINARY)
        self.assertEqual(result.code, 0, result.err)
        return starling.summary(directory), directory

    def assert_same(self, device, host):
        for key in ("state_digest", "eval_loss", "eval_accuracy", "consensus_distance"):
            self.assertEqual(device[key], host[key], key)

    def test_algorithms_have_the_bits_of_the_host(self):
        for name, flags in ALGORITHMS.items():
            with self.subTest(name):
                host, _ = self.train(*flags)
                device, _ = self.train(ON_DEVICE, *flags)
                self.assert_same(device, host)
                if name in BY_REFEREE_TOO:
                    by_referee, _ = self.train(BY_REFEREE, *flags)
                    self.assert_same(by_referee, host)

    def test_the_host_waits_for_no_step(self):
        for name, flags in ALGORITHMS.items():
            with self.subTest(name):
                waits = []
                for steps in (12, 16):
                    count = os.path.join(starling.scratch(), "waits")
                    result, _ = starling.train(
                        starling.CONFIG, ON_DEVICE, "--set=train.max_steps=%d" % steps, *flags,
                        binary=BINARY, env={"STARLING_PRETEND_WAITS": count})
                    self.assertEqual(result.code, 0, result.err)
                    with open(count, encoding="utf-8") as file:
                        waits.append(int(file.read()))
                # At the end, for its state and its evaluation.
                self.assertGreater(waits[0], 0)
                self.assertEqual(waits[0], waits[1])

    def test_calibrate_measures_a_device(self):
        cluster = os.path.join(starling.scratch(), "card.textproto")
        result = starling.run("calibrate", "--config=" + starling.write(starling.CONFIG),
                              "--out=" + cluster, "--set=workers=2", "--set=workers_per_node=2",
                              "--set=topology.name=ring",
                              ON_DEVICE, binary=BINARY)
        self.assertEqual(result.code, 0, result.err)
        with open(cluster, encoding="utf-8") as file:
            text = file.read()
        for part in ('name: "mlp"', "fixed_ms", "backward_share", "node_gbps"):
            self.assertIn(part, text)

    def test_a_resumed_run_goes_on_to_the_same_bits(self):
        constant = "--set=schedule.name=constant"
        whole, _ = self.train(constant)
        _, stopped = self.train(ON_DEVICE, constant, "--set=train.max_steps=7")
        resumed, _ = self.train(ON_DEVICE, constant, "--resume=" + stopped)
        self.assert_same(resumed, whole)


if __name__ == "__main__":
    unittest.main()
