"""Packs the GPU tests and benchmarks into one folder that runs on another machine:

    ./bazelw run --config=cuda //tests/gpu:pack -- --output=/tmp/starling-gpu

That machine needs Linux on x86-64, an NVIDIA driver and a card; `/tmp/starling-gpu/run`, started
there, runs everything in less than 8 minutes and prints a table. Exit code 0 if nothing failed. What
measures PyTorch uses the python3 of that machine, with a torch that has CUDA, and is skipped without.
"""

import argparse
import os
import shutil
import stat
import sys

from tools.bundle import bundle

# The machine's own libcuda is the only library that is not brought along.
_RUN = r"""#!/bin/bash
# Runs the GPU tests and benchmarks that lie here, and prints what became of them.
cd -- "$(dirname -- "$0")" || exit 1
cuda=$(ldconfig -p 2> /dev/null | sed -n 's|.*libcuda\.so\.1.*=> \(.*\)/[^/]*$|\1|p' | head -n 1)
path=lib:${cuda:-/usr/lib/x86_64-linux-gnu}:/usr/lib/x86_64-linux-gnu:/usr/lib64:/usr/local/nvidia/lib64
start() { lib/ld-linux-x86-64.so.2 --inhibit-cache --library-path "$path" "$@"; }
failed=0
table=$(printf '%-30s %-8s %7s' program result seconds)
run() {
  case $1 in
    *.py) if command -v python3 > /dev/null; then python3 "$1"; else echo 'not run: no python3'; fi ;;
    *) start "$1" ;;
  esac
}
for program in tests/* benchmarks/*; do
  begin=$SECONDS
  output=$(run "$program" 2>&1)
  code=$?
  printf '\n%s\n%s\n' "$program" "$output"
  result=passed
  if [ "$code" != 0 ]; then
    result=FAILED
    failed=1
  elif printf '%s' "$output" | grep -qE '\[  SKIPPED \]|^not run: '; then
    result=skipped
  fi
  table+=$(printf '\n%-30s %-8s %7d' "$(basename "$program")" "$result" $((SECONDS - begin)))
done
printf '\n%s\n' "$table"
exit $failed
"""


def copy(source, target):
    os.makedirs(os.path.dirname(target), exist_ok=True)
    shutil.copyfile(source, target)
    os.chmod(target, os.stat(target).st_mode | stat.S_IXUSR | stat.S_IWUSR)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--output", required=True, help="the folder; must not exist")
    parser.add_argument("--tests", nargs="+", required=True)
    parser.add_argument("--benchmarks", nargs="+", required=True)
    options = parser.parse_args()
    output = os.path.join(os.environ.get("BUILD_WORKING_DIRECTORY", ""), options.output)
    if os.path.exists(output):
        sys.exit("pack: %s is there already; name another folder" % output)
    libraries = {}
    for kind in ("tests", "benchmarks"):
        for program in getattr(options, kind):
            copy(program, os.path.join(output, kind, os.path.basename(program)))
            if not program.endswith(".py"):
                libraries.update(bundle.needed(program))
    copy(bundle.LOADER, os.path.join(output, "lib/ld-linux-x86-64.so.2"))
    for name, path in libraries.items():
        copy(path, os.path.join(output, "lib", name))
    run = os.path.join(output, "run")
    with open(run, "w", encoding="utf-8") as file:
        file.write(_RUN)
    os.chmod(run, 0o755)
    size = sum(os.path.getsize(path) for path in bundle.files_below(output))
    print("%s: %.1f MB; there: %s/run" % (output, size / 1e6, output))
    return 0


if __name__ == "__main__":
    sys.exit(main())
