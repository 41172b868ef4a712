#!/bin/sh
# build-ui.sh - builds the web page into build/ui/packed, which the program then carries. Needs npm (scripts/node.sh).
# Does nothing (0.1 s) when neither the sources nor the pinned packages have changed. Exit 1 with the reason if it cannot.
set -eu
cd "$(dirname "$0")/.."

fail() { printf '%s\n' "build-ui: $*" >&2; exit 1; }

# What the page is made from; the tests are not part of it.
stamp=$(find ui -name node_modules -prune -o -name test -prune -o -name e2e -prune -o -type f -print | LC_ALL=C sort | xargs cat scripts/node.sh | sha256sum)
if [ -f build/ui/packed/index.html ] && [ "$(cat build/ui/stamp 2>/dev/null)" = "$stamp" ]; then exit 0; fi

bin=$(scripts/node.sh) || exit 1
PATH="$bin:$PATH"
export PATH
mkdir -p build/ui
log=$PWD/build/ui/build.log
step() {
    "$@" >>"$log" 2>&1 </dev/null && return 0
    tail -n 30 "$log" >&2
    fail "failed: $*"
}
: >"$log"
cd ui
# The packages of package-lock.json, no others; none of their install scripts runs.
step npm ci --no-audit --no-fund
step npx tsc -b
step npx vite build app
step node scripts/size.mjs ../build/ui/dist
step node scripts/pack.mjs ../build/ui/dist ../build/ui/packed
cd ..
printf '%s\n' "$stamp" >build/ui/stamp
