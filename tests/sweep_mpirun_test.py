"""A sweep whose runs are processes of MPI has the results of one that runs on threads."""

import csv
import os
import unittest

from tests import starling


def digests(launcher):
    directory = starling.scratch()
    config = starling.write("base {%s}\naxis { path: \"topology.name\" values: \"ring\" "
                            "values: \"complete\" }" % starling.QUADRATIC)
    result = starling.run("sweep", "--config=" + config, "--sweep_dir=" + directory,
                          "--launcher=" + launcher, binary=starling.LIGHT_BINARY)
    assert result.code == 0, result.err
    with open(os.path.join(directory, "runs.csv"), encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    backends = set()
    for row in rows:
        with open(os.path.join(directory, "runs", row["run_id"], "config.textproto"),
                  encoding="utf-8") as file:
            text = file.read()
        backends |= {name for name in ("mpi", "threads") if 'name: "%s"' % name in text}
    return [(row["run_id"], row["state_digest"]) for row in rows], backends


class MpirunLauncher(unittest.TestCase):

    def test_ids_and_digests_are_those_of_threads(self):
        of_mpi, backends = digests("mpirun")
        self.assertEqual(backends, {"mpi"})
        self.assertEqual(len(of_mpi), 2)
        of_threads, backends = digests("local")
        self.assertEqual(backends, {"threads"})
        self.assertEqual(of_mpi, of_threads)


if __name__ == "__main__":
    unittest.main()
