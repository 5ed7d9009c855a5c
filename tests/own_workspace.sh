#!/bin/bash
# Builds and runs the README's example plug-in in a workspace of a user's own, which refers to this
# checkout with local_repository. Needs a Bazel of its own, so .ci/run calls it; it is no Bazel test.
set -eu

starling=$(cd -- "$(dirname -- "$0")/.." && pwd)
scratch=$(mktemp -d)
trap 'rm -rf -- "$scratch"' EXIT
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
"$starling/bazelw" --output_base="$scratch/output" run --noshow_progress \
  //docs/example/late_gossip:experiment -- --run_dir="$scratch/run"
"$starling/bazelw" --output_base="$scratch/output" shutdown
# Bazel makes its outputs read-only, also for the trap.
chmod -R u+w "$scratch/output"
grep -q '"status": "done"' "$scratch/run/summary.json"
