#!/bin/sh
# What each page promises beyond its main job, in a real browser over the executor without weights: see ui/e2e.
set -eu
. "$SDW_SOURCE_DIR/tests/ui/browser.sh"
in_browser detail
