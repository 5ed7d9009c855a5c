"""Packs the GPU tests and benchmarks into one folder that runs on another machine:

    ./bazelw run --config=cuda //tests/gpu:pack -- --output=/tmp/starling-gpu

That machine needs Linux on x86-64, an NVIDIA driver, a card and, for what uses NCCL or LibTorch,
pip's torch; `/tmp/starling-gpu/run`, started there, runs everything in less than 8 minutes and
prints a table. Exit code 0 if nothing failed. What lacks something there is skipped, and says why.
"""

import argparse
import os
import re
import subprocess
import sys
import tarfile

from tools.bundle import bundle

# What pip's torch there has, which is too large to bring along; and the loader, which is brought anyway.
_LEFT_OUT = re.compile(r"lib(torch|c10|nccl|cu|nv)|ld-linux")

_RUN = r"""#!/bin/bash
# Runs the GPU tests and benchmarks that are packed here, and prints what became of them.
here=$(cd -- "$(dirname -- "$0")" && pwd) || exit 1
cd -- "$(mktemp -d)" || exit 1
trap 'rm -rf -- "$PWD"' EXIT
tar -xzf "$here/programs.tar.gz" || exit 1
built_with='@TORCH@'
cuda=$(ldconfig -p 2> /dev/null | sed -n 's|.*libcuda\.so\.1.*=> \(.*\)/[^/]*$|\1|p' | head -n 1)
system=${cuda:-/usr/lib/x86_64-linux-gnu}:/usr/lib/x86_64-linux-gnu:/usr/lib64:/usr/local/nvidia/lib64
facts=$(python3 -c 'import os, torch
print(torch.__version__, torch.version.cuda is not None, os.path.dirname(torch.__file__))' 2> /dev/null)
read -r torch_version torch_has_cuda torch_home <<< "$facts"
path=$PWD/lib:${torch_home:+$torch_home/lib:$torch_home/../nvidia/nccl/lib:}$system
# How each program is started, also by itself: it finds the libraries here.
mkdir launch
for program in programs/* tests/* benchmarks/*; do
  [[ $program != *.py ]] || continue
  launcher=$PWD/launch/$(basename "$program")
  printf '#!/bin/sh\nSTARLING_LAUNCHER=%s\nexport STARLING_LAUNCHER\nexec %s %s %s "$@"\n' "$launcher" \
    "$PWD/lib/ld-linux-x86-64.so.2 --inhibit-cache --library-path $path" "--argv0 $launcher" \
    "$PWD/$program" > "$launcher"
  chmod +x "$launcher"
done

# Why the program cannot run here; nothing if it can.
obstacle() {
  case $1 in
    */nccl_test) [ -n "$torch_home" ] || echo "NCCL comes with pip's torch, which python3 does not find" ;;
    */models_test | */train_test.py | */step_benchmark.py)
      if [ -z "$built_with" ]; then
        echo 'built with a LibTorch without CUDA (LIBTORCH_HOME)'
      elif [ "$torch_version" != "$built_with" ]; then
        echo "built with torch $built_with; python3 finds ${torch_version:-none}"
      fi ;;
    *.py) [ "$torch_has_cuda" = True ] || echo "no python3 with a torch that has CUDA" ;;
  esac
}

run() {
  case $1 in
    */train_test.py) python3 "$1" --starling "$PWD/launch/starling" --recipes recipes \
                       --text "$PWD/text.txt" ;;
    */step_benchmark.py) python3 "$1" --benchmark "$PWD/launch/throughput_benchmark" ;;
    *.py) python3 "$1" ;;
    *) "launch/$(basename "$1")" ;;
  esac
}

failed=0
table=$(printf '%-30s %-8s %7s' program result seconds)
for program in tests/* benchmarks/*; do
  begin=$SECONDS
  printf '\n%s\n' "$program"
  obstacle=$(obstacle "$program")
  if [ -n "$obstacle" ]; then
    result=skipped
    echo "not run: $obstacle"
  else
    output=$(run "$program" 2>&1)
    code=$?
    printf '%s\n' "$output"
    result=passed
    if [ "$code" != 0 ]; then
      result=FAILED
      failed=1
    elif printf '%s' "$output" | grep -qE '\[  SKIPPED \]|^not run: '; then
      result=skipped
    fi
  fi
  table+=$(printf '\n%-30s %-8s %7d' "$(basename "$program")" "$result" $((SECONDS - begin)))
done
printf '\n%s\n' "$table"
exit $failed
"""


def needed(program):
    """{name: file} of what `program` is linked with and pip's torch does not bring."""
    # Of the libraries themselves: ldd would list LibTorch's needs too.
    found, names = {}, [program]
    where = bundle.needed_or_not(program)
    while names:
        path = names.pop()
        dynamic = subprocess.run(["readelf", "-d", path], capture_output=True, text=True, check=True)
        for name in re.findall(r"\(NEEDED\).*\[(.*)\]", dynamic.stdout):
            if name in found or _LEFT_OUT.match(name):
                continue
            if where.get(name) is None:
                sys.exit("pack: %s needs %s, which is not installed" % (program, name))
            found[name] = where[name]
            names.append(where[name])
    return found


def torch_version(program):
    """Of the LibTorch with CUDA that `program` is linked with; "" if it has none."""
    library = bundle.needed_or_not(program).get("libtorch_cuda.so")
    if library is None:
        return ""
    with open(os.path.join(os.path.dirname(library), "..", "version.py"), encoding="utf-8") as file:
        return re.search(r"__version__ = '([^']*)'", file.read())[1]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--output", required=True, help="the folder; must not exist")
    parser.add_argument("--text", required=True, help="what gpt2_small is trained on, without Tiny "
                        "Shakespeare in $STARLING_DATA")
    for kind in ("programs", "recipes", "tests", "benchmarks"):
        parser.add_argument("--" + kind, nargs="+", required=True)
    options = parser.parse_args()
    output = os.path.join(os.environ.get("BUILD_WORKING_DIRECTORY", ""), options.output)
    if os.path.exists(output):
        sys.exit("pack: %s is there already; name another folder" % output)
    files = {"text.txt": options.text, "lib/ld-linux-x86-64.so.2": bundle.LOADER}
    shakespeare = os.path.join(os.environ.get("STARLING_DATA", ""), "tinyshakespeare/input.txt")
    if os.path.exists(shakespeare):
        files["text.txt"] = shakespeare
    for kind in ("programs", "recipes", "tests", "benchmarks"):
        for file in getattr(options, kind):
            files["%s/%s" % (kind, os.path.basename(file))] = file
            if not os.path.splitext(file)[1]:
                files.update({"lib/" + name: path for name, path in needed(file).items()})
    os.makedirs(output)
    with tarfile.open(os.path.join(output, "programs.tar.gz"), "w:gz", compresslevel=6,
                      dereference=True) as archive:
        for name, path in sorted(files.items()):
            archive.add(path, arcname=name)
    run = os.path.join(output, "run")
    version = torch_version(options.programs[0])
    with open(run, "w", encoding="utf-8") as file:
        file.write(_RUN.replace("@TORCH@", version))
    os.chmod(run, 0o755)
    size = sum(os.path.getsize(path) for path in bundle.files_below(output))
    print("%s: %.1f MB; there: %s/run" % (output, size / 1e6, output))
    if not version:
        print("The LibTorch that this was built with has no CUDA, so models and training are skipped "
              "there:\nexport LIBTORCH_HOME=.../site-packages/torch before building.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
