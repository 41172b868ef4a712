#!/bin/sh
# The web page in a real browser against the real program with the demo model: see ui/e2e.
set -eu
if ! [ -x "${SDW_CHROMIUM:-/usr/bin/chromium}" ]; then
    echo "skipped: no chromium here"
    exit 77
fi
cd "$SDW_SOURCE_DIR"
scripts/build-ui.sh
PATH="$(scripts/node.sh):$PATH"
cd ui
[ -d node_modules ] || npm ci --no-audit --no-fund >/dev/null 2>&1
exec node --test --test-reporter=spec e2e/page.test.mjs
