#!/bin/sh
# The unit tests of the TypeScript client (recorded streams, and the real service over the executor without weights), the
# hooks and the page's own parsers (Vitest), and the types (tsc).
set -eu
cd "$SDW_SOURCE_DIR"
scripts/build-ui.sh
PATH="$(scripts/node.sh):$PATH"
cd ui
[ -d node_modules ] || npm ci --no-audit --no-fund >/dev/null 2>&1
npx tsc -b
npx vitest run --reporter=dot
npm run --silent size
