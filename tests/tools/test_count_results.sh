#!/bin/sh
# The closing line of test.sh is counted from ctest's result file: passes, failures of every kind, and skips.
set -u
place=$(mktemp -d) || exit 1
trap 'rm -rf "$place"' EXIT
count="awk -f $SDW_SOURCE_DIR/scripts/count-results.awk"
cat >"$place/CMakeLists.txt" <<'PROJECT'
cmake_minimum_required(VERSION 3.25)
project(sample LANGUAGES NONE)
enable_testing()
add_test(NAME passes COMMAND sh -c "echo fine")
add_test(NAME passes_quietly COMMAND true)
add_test(NAME says_less_than COMMAND sh -c "echo '<testcase name=\"no\" status=\"fail\">'")
add_test(NAME fails COMMAND sh -c "exit 1")
add_test(NAME crashes COMMAND sh -c "kill -SEGV $$")
add_test(NAME hangs COMMAND sleep 20)
add_test(NAME is_not_there COMMAND ./no-such-program)
add_test(NAME skips COMMAND sh -c "echo no device; exit 77")
add_test(NAME skips_one_inside COMMAND sh -c "echo '[  SKIPPED ] one_case'; echo '[  SKIPPED ] 1 test(s), listed below:'; echo '[  SKIPPED ] one_case'")
set_tests_properties(hangs PROPERTIES TIMEOUT 1)
set_tests_properties(skips is_not_there PROPERTIES SKIP_RETURN_CODE 77)
PROJECT
cmake -S "$place" -B "$place/b" >/dev/null || exit 1
ctest --test-dir "$place/b" --output-junit "$place/r.xml" >/dev/null 2>&1

failed=0
expect() { # FOUND WANTED WHAT
    [ "$1" = "$2" ] || { echo "FAILED: $3: found '$1', wanted '$2'"; failed=1; }
}
expect "$($count "$place/r.xml")" "4 4 2" "passed, failed, skipped"
expect "$($count -v list=1 "$place/r.xml")" "skipped: skips: no device
skipped: skips_one_inside: one_case" "the reasons of skips"
sed '/name="crashes"/,/<\/testcase>/d' "$place/r.xml" >"$place/short.xml"
if $count "$place/short.xml" >/dev/null; then echo "FAILED: a result file that lost a test is accepted"; failed=1; fi
: >"$place/empty.xml"
if $count "$place/empty.xml" >/dev/null; then echo "FAILED: an empty result file is accepted"; failed=1; fi
[ $failed = 0 ] || cat "$place/r.xml"
exit $failed
