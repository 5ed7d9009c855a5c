"""Kernels of passes touch memory in whole pieces of 16 bytes, or as many narrower numbers, and write
every value once. nvcc decides that, so its PTX is read; no card is needed."""

import re
import sys
import unittest

# Values written for each element, the copy to send not counted.
WRITTEN = {"Sgd": 1, "SgdMomentum": 2, "Adam": 3, "AccumAdam": 2, "AccumAdamCommit": 4}
WHOLE = {"F32": "st.global.v4.f32", "F64": "st.global.v2.f64"}
# Of a piece, in the type that is computed in and in the narrower ones.
BYTES = {"F32": (16, 8), "F64": (16, 8, 4)}

ENTRY = re.compile(r"\.entry (\w+?)(F32|F64)\((.*?)\n\}", re.DOTALL)
ACCESS = re.compile(r"^\s+(?:@%p\d+ )?((?:ld|st|atom|red)\.[\w.]+)", re.MULTILINE)


class AccessesTest(unittest.TestCase):

    def kernels(self):
        """Yields pass, type and accesses of each kernel of each architecture."""
        for path in PTX:
            with open(path, encoding="utf-8") as file:
                for match in ENTRY.finditer(file.read()):
                    accesses = ACCESS.findall(match[3])
                    yield match[1], match[2], [access for access in accesses
                                               if not access.startswith("ld.param")]

    def test_every_access_is_of_a_whole_piece(self):
        seen = set()
        for name, number, accesses in self.kernels():
            seen.add((name, number))
            self.assertGreater(len(accesses), 0)
            for access in accesses:
                # Not .local: all is in registers. Not without a space: the compiler knows which.
                match = re.fullmatch(r"(?:ld|st)\.global\.(?:v(\d)\.)?[a-z](\d+)", access)
                self.assertIsNotNone(match, "%s%s: %s" % (name, number, access))
                self.assertIn(int(match[1] or 1) * int(match[2]) // 8, BYTES[number],
                              "%s%s: %s" % (name, number, access))
        self.assertEqual(seen, {(name, number) for name in WRITTEN for number in BYTES})

    def test_every_value_is_written_once(self):
        for name, number, accesses in self.kernels():
            copy = 1
            self.assertEqual(accesses.count(WHOLE[number]), WRITTEN[name] + copy, name + number)


if __name__ == "__main__":
    PTX = sys.argv[1:]
    unittest.main(argv=sys.argv[:1])
