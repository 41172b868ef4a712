# lib.sh - for the tests of this folder: a tiny model to run, and ways to expect refusals. Sourced, not run.
set -eu
failures=0
passed=0
unset SDW_CPU_MAX || true

# What an earlier run left would be refused as existing files.
case $PWD in */tests/run/*) rm -rf -- * ;; esac

# A tiny model of SD 1.5's layout: model/ in the working folder.
unpack_model() {
    mkdir packed out
    (cd packed && cmake -E tar xf "$SDW_SOURCE_DIR/tests/golden/weights.tar.xz")
    mv packed/sd15 model
    export SDW_DEMO_MODEL="$PWD/model"
}

ok() { passed=$((passed + 1)); }
bad() {
    failures=$((failures + 1))
    echo "FAIL: $*"
    [ ! -s stderr.txt ] || sed 's/^/    stderr: /' stderr.txt | head -n 5
}

# run CODE WHAT COMMAND...: the exit code must be CODE; output is kept in stdout.txt and stderr.txt.
run() {
    want=$1 what=$2
    shift 2
    code=0
    "$@" >stdout.txt 2>stderr.txt </dev/null || code=$?
    if [ "$code" = "$want" ]; then ok; else bad "$what: exit code $code, want $want"; fi
}

# refuse CODE PATTERN ARGUMENT...: sdw must exit with CODE, say one line "Error: ..." that matches, and leave no file.
refuse() {
    want=$1 pattern=$2
    shift 2
    run "$want" "sdw $*" "$SDW" "$@"
    grep -v '^Warning: ' stderr.txt >errors.txt || true
    if [ "$(wc -l <errors.txt)" != 1 ]; then bad "sdw $*: want one line on standard error"
    elif ! grep -Eq "^Error: .*($pattern)" errors.txt; then bad "sdw $*: the line does not match '$pattern'"
    else ok; fi
    if [ -n "$(ls -A out)" ]; then bad "sdw $*: left $(ls -A out) behind"; rm -rf out; mkdir out; else ok; fi
}

expect() { # expect WHAT COMMAND...: the command must succeed
    what=$1
    shift
    if "$@" >/dev/null 2>&1; then ok; else bad "$what"; fi
}

finish() {
    echo "$passed checks passed, $failures failed"
    [ "$failures" = 0 ]
}
