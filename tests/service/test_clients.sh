#!/bin/sh
# Client libraries that others wrote (tests/clients/package.json, pinned) against the real program; the OpenAPI document
# through a linter. Needs npm.
set -eu
case $PWD in */tests/run/*) rm -rf -- * ;; esac
mkdir golden && (cd golden && cmake -E tar xf "$SDW_SOURCE_DIR/tests/golden/weights.tar.xz")
bin=$("$SDW_SOURCE_DIR/scripts/node.sh")
PATH="$bin:$PATH"
# The packages are unpacked once, beside other build products, and again when the list changes.
clients=$SDW_SOURCE_DIR/build/clients
stamp=$(cat "$SDW_SOURCE_DIR/tests/clients/package-lock.json" "$SDW_SOURCE_DIR/scripts/node.sh" | sha256sum)
if [ "$(cat "$clients/stamp" 2>/dev/null)" != "$stamp" ]; then
    rm -rf "$clients"
    mkdir -p "$clients"
    cp "$SDW_SOURCE_DIR/tests/clients/package.json" "$SDW_SOURCE_DIR/tests/clients/package-lock.json" "$SDW_SOURCE_DIR/tests/clients/.npmrc" "$clients/"
    (cd "$clients" && npm ci --no-audit --no-fund >npm.log 2>&1) || { tail -n 20 "$clients/npm.log"; exit 1; }
    printf '%s\n' "$stamp" >"$clients/stamp"
fi
cp "$SDW_SOURCE_DIR/tests/clients/clients.test.mjs" "$clients/"
cd "$clients"
SDW_MODEL="$OLDPWD/golden/sd15" exec node --test --test-reporter=spec clients.test.mjs
