#!/bin/sh
# The web page in a real browser against the real program with the demo model: see ui/e2e.
set -eu
. "$SDW_SOURCE_DIR/tests/ui/browser.sh"
in_browser page
