#!/bin/bash
# Proves on Bazel's own graph that no folder depends on one above it and no plug-in on another.
# rules.py checks the #include lines; this sees every path between targets. A test cannot call
# Bazel, so .ci/run calls this:  tests/layering/query.sh
set -u
cd -- "$(dirname -- "$0")/../.." || exit 1

failures=0

# Prints the path that a query finds; there must be none.
none() {
  local meaning=$1 query=$2 found
  local flags=(--noshow_progress --ui_event_filters=-info --order_output=full)
  if ! found=$(./bazelw query "${flags[@]}" "$query" < /dev/null); then
    echo "layering: the query for \"$meaning\" failed: $query"
    failures=$((failures + 1))
  elif [ -n "$found" ]; then
    printf 'layering: %s, but:\n%s\n' "$meaning" "${found//$'\n'/ ->$'\n'}"
    failures=$((failures + 1))
  fi
}

# Joins the folders to one set of targets; Bazel refuses a pattern that matches nothing.
targets() {
  local folder set=''
  for folder in "$@"; do
    if [ -n "$(find "$folder" -name BUILD -print -quit 2> /dev/null)" ]; then
      set+="${set:+ + }//$folder/..."
    fi
  done
  printf '%s' "${set:-set()}"
}

forbid() {
  local from=$1 && shift
  none "$from/ must not depend on $*" "somepath($(targets "$from"), $(targets "$@"))"
}

forbid core topology data models cluster comm optim experiments tests
forbid topology data models cluster comm optim experiments tests
forbid data topology models cluster comm optim experiments tests
forbid models topology cluster comm optim experiments tests
forbid cluster data models comm optim experiments tests
forbid comm data models optim experiments tests
forbid optim data models cluster experiments tests
forbid experiments tests
none 'in comm/ only comm/sim may depend on cluster' \
  "somepath($(targets comm) - $(targets comm/sim), $(targets cluster))"
none 'no plug-in depends on another' \
  'attr(tags, starling_plugin, deps(labels(deps, attr(tags, starling_plugin, //...))))'

[ "$failures" -eq 0 ] && echo 'layering: every dependency points downwards'
exit $((failures > 0))
