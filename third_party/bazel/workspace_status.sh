#!/bin/bash
# Tells Bazel which commit it builds; `stamp = 1` rules read it from bazel-out/stable-status.txt.
commit=$(git rev-parse HEAD 2>/dev/null) || commit=unknown
dirty=0
if [ "$commit" != unknown ] && [ -n "$(git status --porcelain 2>/dev/null)" ]; then dirty=1; fi
echo "STABLE_GIT_COMMIT $commit"
echo "STABLE_GIT_DIRTY $dirty"
