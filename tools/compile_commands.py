"""Writes compile_commands.json at the top of the workspace, for clangd and other editors.

Run it as `./bazelw run //tools:compile_commands`, again after adding files. Headers that Bazel
generates (*.pb.h) exist once their targets are built.
"""

import json
import os
import subprocess
import sys

# Clang, which reads the file, does not know these options of GCC.
GCC_ONLY = {"-fno-canonical-system-headers", "-Wno-free-nonheap-object"}
# They describe by-products of a compilation: this many words each.
BY_PRODUCTS = {"-MD": 1, "-MF": 2, "-o": 2}


def entries(aquery, workspace, execution_root, output_base):
    """Returns one entry per compiled source file.

    Args:
      aquery: what `bazel aquery --output=jsonproto` printed, parsed.
      workspace: the folder with WORKSPACE; our own sources and headers are named there.
      execution_root: the folder in which Bazel runs compilers; generated files are below it.
      output_base: holds external/, the wrapped libraries.
    """

    def absolute(path):
        if path.startswith("external/"):
            return os.path.join(output_base, path)
        if path.startswith("bazel-out/"):
            return os.path.join(execution_root, path)
        return path

    by_file = {}
    for action in aquery.get("actions", []):
        arguments = action["arguments"]
        if "-c" not in arguments:
            continue
        source = absolute(arguments[arguments.index("-c") + 1])
        kept = []
        skip = 0
        for word in arguments:
            skip = skip or BY_PRODUCTS.get(word, 0)
            if skip:
                skip -= 1
            elif word not in GCC_ONLY and not word.startswith("-frandom-seed="):
                kept.append(absolute(word))
        by_file.setdefault(source, {"directory": workspace, "file": source, "arguments": kept})
    return [by_file[source] for source in sorted(by_file)]


def main():
    workspace = os.environ.get("BUILD_WORKSPACE_DIRECTORY")
    if not workspace:
        sys.exit("run it as: ./bazelw run //tools:compile_commands")

    def bazel(*arguments):
        command = [os.path.join(workspace, "bazelw"), *arguments]
        done = subprocess.run(command, cwd=workspace, stdout=subprocess.PIPE, check=False)
        if done.returncode:
            sys.exit("failed: " + " ".join(command))
        return done.stdout.decode()

    info = dict(line.split(": ", 1) for line in bazel("info").splitlines() if ": " in line)
    aquery = json.loads(bazel(
        "aquery", "--noshow_progress", "--output=jsonproto", 'mnemonic("CppCompile", //...)'))
    result = entries(aquery, workspace, info["execution_root"], info["output_base"])
    target = os.path.join(workspace, "compile_commands.json")
    with open(target + ".new", "w") as file:
        json.dump(result, file, indent=1)
    os.replace(target + ".new", target)
    print("%s: %d files" % (target, len(result)))


if __name__ == "__main__":
    main()
