"""Writes the golden run of every registered algorithm anew, with the config that its dump has."""

import os
import sys

from tests.golden import golden


def main():
    binary = os.path.abspath(sys.argv[1])
    folder = os.path.join(os.environ["BUILD_WORKSPACE_DIRECTORY"], "tests", "golden")
    for name in golden.algorithms(binary):
        path = os.path.join(folder, name + ".txt")
        before = golden.read(path) if os.path.exists(path) else ""
        after = golden.dump(binary, golden.config_of(before) or golden.CONFIG % name)
        if after != before:
            with open(path, "w", encoding="utf-8") as file:
                file.write(after)
        print("%s: %s" % (path, "as it was" if after == before else "written"))


if __name__ == "__main__":
    main()
