#!/bin/sh
# The small page: a build without Node carries it and says so, and it does its job in a real browser (over the executor
# without weights; the page does not know).
set -eu
rm -rf small
cmake -S "$SDW_SOURCE_DIR" -B small -G Ninja -DSDW_TESTS=OFF "-DSDW_UI_DIR=$PWD/nowhere" >configure.log 2>&1 || { cat configure.log; exit 1; }
grep -q "the program carries the small page" configure.log || { echo "the build does not say which page it carries"; exit 1; }
for file in index.html page.css page.js; do
    grep -q "{ \"$file\", \"\"" small/generated/ui_table.c || { echo "$file is not in the table"; exit 1; }
done
rm -rf small
# Without npm the full page is not built, with a reason.
mkdir -p bare/scripts bare/ui && cp "$SDW_SOURCE_DIR/scripts/build-ui.sh" bare/scripts/
printf '#!/bin/sh\necho "node: there is no npm here to fetch Node with" >&2\nexit 1\n' >bare/scripts/node.sh && chmod +x bare/scripts/node.sh
if (cd bare && scripts/build-ui.sh) 2>bare.log; then echo "build-ui.sh succeeds without Node"; exit 1; fi
grep -q "no npm" bare.log || { echo "build-ui.sh gives no reason:"; cat bare.log; exit 1; }

. "$SDW_SOURCE_DIR/tests/ui/browser.sh"
in_browser small
