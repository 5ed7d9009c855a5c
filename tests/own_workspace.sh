#!/bin/bash
# Builds the README's example plug-in in a workspace of a user's own, which refers to this checkout
# with local_repository, and resolves its experiment there; with --train, builds and runs that too,
# for which most of Starling is compiled again under its other name. Needs a Bazel of its own, so
# .ci/run calls it; it is no Bazel test.
set -eu

starling=$(cd -- "$(dirname -- "$0")/.." && pwd)
scratch=$(mktemp -d)
workspace=$scratch/research
mkdir -p "$workspace/docs/example"
cp -r -- "$starling/docs/example/late_gossip" "$workspace/docs/example/"
cat > "$workspace/WORKSPACE" << END
workspace(name = "research")

local_repository(name = "starling", path = "$starling")

load("@starling//third_party:repositories.bzl", "starling_repositories")

starling_repositories()
END
echo "import $starling/third_party/bazel/flags.bazelrc" > "$workspace/.bazelrc"

cd -- "$workspace"
bazel() { "$starling/bazelw" --output_base="$scratch/output" "$@"; }
# Bazel makes its outputs read-only, also for the trap.
trap 'bazel shutdown; chmod -R u+w "$scratch/output"; rm -rf -- "$scratch"' EXIT
if [ "${1:-}" = --train ]; then
  bazel run --noshow_progress //docs/example/late_gossip:experiment -- --run_dir="$scratch/run"
  grep -q '"status": "done"' "$scratch/run/summary.json"
else
  bazel build --noshow_progress //docs/example/late_gossip
  bazel build --noshow_progress --nobuild //docs/example/late_gossip:experiment
fi
