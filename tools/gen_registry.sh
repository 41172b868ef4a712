#!/bin/sh
# gen_registry.sh DIR OUT [PREFIX] - writes the registry of a folder: one line X(name) for every DIR/PREFIXname.c,
# sorted, and touches OUT only when its content changes, so that nothing is recompiled without need.
# A folder that is absent or empty gives an empty registry.
set -eu
if [ $# -lt 2 ]; then
    echo "usage: gen_registry.sh DIR OUT [PREFIX]" >&2
    exit 2
fi
dir=$1 out=$2 prefix=${3:-}
mkdir -p "$(dirname "$out")"
new=$out.$$.tmp
trap 'rm -f "$new"' EXIT
for file in "$dir/$prefix"*.c; do
    [ -f "$file" ] || continue
    name=$(basename "$file" .c)
    echo "X(${name#"$prefix"})"
done | LC_ALL=C sort >"$new"
if ! cmp -s "$new" "$out"; then
    mv "$new" "$out"
fi
