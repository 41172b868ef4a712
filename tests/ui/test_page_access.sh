#!/bin/sh
# Who can use the page and from where, in a real browser over the executor without weights: see ui/e2e.
set -eu
. "$SDW_SOURCE_DIR/tests/ui/browser.sh"
in_browser access
