#!/bin/bash
# Prints what the working tree holds that its commit does not, as `git apply` takes it: changes, and
# new files that are not ignored. Lines that begin with # say what is left out.
set -eu
largest_new_file=131072  # bytes; a larger one is hardly source
largest_patch=524288     # bytes; it becomes part of every program

cd "$(git rev-parse --show-toplevel)"
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
# New files enter a copy of the index: the user's own stays as it is.
cp -- "$(git rev-parse --git-path index)" "$scratch/index"
git ls-files --others --exclude-standard -z | while IFS= read -r -d '' file; do
  if [ "$(stat --format=%s -- "$file")" -gt "$largest_new_file" ]; then
    echo "# not here, larger than $largest_new_file bytes: new file $file"
  elif [ -f "$file" ] && [ -s "$file" ] && ! grep -qI '' -- "$file"; then
    echo "# not here, no text: new file $file"
  else
    GIT_INDEX_FILE="$scratch/index" git add --intent-to-add -- "$file"
  fi
done
GIT_INDEX_FILE="$scratch/index" git diff --binary --no-color --no-ext-diff --no-textconv \
    --src-prefix=a/ --dst-prefix=b/ HEAD > "$scratch/patch"
size=$(stat --format=%s "$scratch/patch")
if [ "$size" -gt "$largest_patch" ]; then
  echo "# not here: the changes are $size bytes, more than $largest_patch"
else
  cat "$scratch/patch"
fi
