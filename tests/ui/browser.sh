# browser.sh - for the tests of this folder that drive a browser: in_browser NAME runs ui/e2e/NAME.test.mjs and does not return.
in_browser() {
    if ! [ -x "${SDW_CHROMIUM:-/usr/bin/chromium}" ]; then
        echo "skipped: no chromium here"
        exit 77
    fi
    cd "$SDW_SOURCE_DIR"
    scripts/build-ui.sh
    PATH="$(scripts/node.sh):$PATH"
    cd ui
    [ -d node_modules ] || npm ci --no-audit --no-fund >/dev/null 2>&1
    exec node --test --test-reporter=spec "e2e/$1.test.mjs"
}
