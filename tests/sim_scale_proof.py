"""How large a world the backend sim takes on: each run in less than five minutes on two cores.

Prints how long each took and how much memory it needed; see docs/proofs.md.
"""

import os
import subprocess
import time
import unittest

import starling

MOST_SECONDS = 300
STEPS_OF_TIME, STEPS_OF_NUMBERS = 1000, 100

TIME_ONLY = """
name: "time_only"
workers: 1024
workers_per_node: 8
backend { name: "sim" config { mode: TIME_ONLY cluster: "t4_infiniband" model_profile: "PROFILE" } }
topology { name: "one_peer_exp" }
algorithm { name: "gossip" config { order: AWC } }
model { name: "paced" }
dataset { name: "no_data" }
train { local_batch_size: 1 max_steps: %d consensus_every_steps: 0 eval_every_steps: 0 }
""" % STEPS_OF_TIME

NUMERIC = """
name: "numeric"
workers: 256
workers_per_node: 8
backend { name: "sim" config { cluster: "t4_infiniband" } }
topology { name: "one_peer_exp" }
algorithm { name: "gossip" config { order: AWC } }
model { name: "mlp" }
dataset { name: "fashion_mnist" }
train { local_batch_size: 2 max_steps: %d consensus_every_steps: 0 eval_every_steps: 0
        evaluate_each_worker: false }
""" % STEPS_OF_NUMBERS


class SimScaleProof(unittest.TestCase):
    def trains(self, config, binary, workers, steps):
        directory = starling.scratch() + "/run"
        begin = time.monotonic()
        # Not subprocess.run, which does not tell the memory of one child.
        child = subprocess.Popen([binary, "train", "--config=" + starling.write(config),
                                  "--run_dir=" + directory],
                                 stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
        _, status, usage = os.wait4(child.pid, 0)
        seconds = time.monotonic() - begin
        child.returncode = os.waitstatus_to_exitcode(status)
        self.assertEqual(child.returncode, 0)
        mib = usage.ru_maxrss / 1024
        summary = starling.summary(directory)
        self.assertEqual((summary["workers"], summary["steps"]), (workers, steps))
        print("%d workers x %d steps: %.0f s, %.0f MiB, %.2f MiB per worker, %.1f simulated s" % (
            workers, steps, seconds, mib, mib / workers, summary["sim_seconds"]))
        self.assertLess(seconds, MOST_SECONDS)

    def test_time_alone(self):
        profile = starling.write(starling.TRANSFORMER_PROFILE, "profile.textproto")
        config = TIME_ONLY.replace("PROFILE", profile)
        self.trains(config, starling.LIGHT_BINARY, 1024, STEPS_OF_TIME)

    def test_numbers_too(self):
        self.trains(NUMERIC, starling.BINARY, 256, STEPS_OF_NUMBERS)


if __name__ == "__main__":
    unittest.main()
