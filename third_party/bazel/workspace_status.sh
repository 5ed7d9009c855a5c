#!/bin/bash
# Tells Bazel what it builds: a commit (`stamp = 1` rules read it from bazel-out/stable-status.txt),
# and what of the source is in no commit. That second part is volatile: a program gets it when it is
# linked and keeps it until it is linked again, which is whenever one of its own sources changes.
# BUILD_SCM_STATUS is the one text of ours that Bazel hands to a `linkstamp`.
commit=$(git rev-parse HEAD 2>/dev/null) || commit=unknown
dirty=0
if [ "$commit" != unknown ] && [ -n "$(git status --porcelain 2>/dev/null)" ]; then dirty=1; fi
echo "STABLE_GIT_COMMIT $commit"
echo "STABLE_GIT_DIRTY $dirty"
if [ "$dirty" = 1 ]; then
  echo "BUILD_SCM_STATUS patch:$("$(dirname -- "$0")/source_patch.sh" | base64 --wrap=0)"
fi
