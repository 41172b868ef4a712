#!/bin/sh
# test.sh - installs what is missing, builds, runs every test, and ends with one line: N passed, N failed.
#
# Stages: release build with the whole suite (layers, lint and fuzz corpus included); the unit tests and the fuzz
# corpus again under address and undefined behaviour sanitizers; the tests that use threads under the thread
# sanitizer; a build with the second compiler for its warnings. A stage that does not build counts as one failure.
# SDW_TEST_STAGES="release" (or asan-ubsan, tsan, clang) runs only those. About 12 to 15 minutes on two cores.
set -u
cd "$(dirname "$0")" || exit 1
stages=${SDW_TEST_STAGES:-release asan-ubsan tsan clang}
jobs=$(nproc 2>/dev/null || echo 2)
passed=0
failed=0
skipped=0
started=$(date +%s)

finish() {
    line="$passed passed, $failed failed"
    [ "$skipped" = 0 ] || line="$line, $skipped skipped"
    echo "took $(($(date +%s) - started)) s"
    echo "$line"
    [ "$failed" = 0 ] && [ "$passed" -gt 0 ]
    exit
}
# Interrupted or not, the last line is the truth: an unfinished run has a failure.
trap 'echo "interrupted"; failed=$((failed + 1)); finish' HUP INT TERM

stage_failed() { # WHAT
    echo "FAILED: $1"
    failed=$((failed + 1))
}

# build PRESET [ARGUMENT...]: quiet unless it fails. The ARGUMENTs go to the build.
build() {
    preset=$1
    shift
    mkdir -p "build/$preset"
    log=build/$preset/build.log
    begun=$(date +%s)
    if cmake --preset "$preset" -DSDW_WERROR=ON -DSDW_TESTS=ON >"$log" 2>&1 &&
        cmake --build --preset "$preset" --parallel "$jobs" "$@" >>"$log" 2>&1; then
        echo "built $preset in $(($(date +%s) - begun)) s"
        return 0
    fi
    grep -E -A 12 'error|FAILED|undefined reference' "$log" | head -n 120
    tail -n 20 "$log"
    stage_failed "build of $preset (whole log: $log)"
    return 1
}

# run PRESET [ARGUMENT...]: ctest, whose own result file is counted, not what it prints.
run() {
    preset=$1
    shift
    results=$PWD/build/$preset/results.xml
    rm -f "$results"
    ctest --test-dir "build/$preset" --parallel "$jobs" --output-on-failure --no-tests=error \
        --test-output-size-passed 1000000 --test-output-size-failed 1000000 --output-junit "$results" "$@"
    code=$?
    counts=$(awk -f scripts/count-results.awk "$results" 2>/dev/null) || counts=
    if [ -z "$counts" ]; then
        stage_failed "ctest of $preset left no readable results"
        return
    fi
    # shellcheck disable=SC2086 # three numbers
    set -- $counts
    passed=$((passed + $1))
    failed=$((failed + $2))
    skipped=$((skipped + $3))
    # ctest knows reasons to fail that are no test's failure; they must not vanish from the last line.
    [ "$code" = 0 ] || [ "$2" -gt 0 ] || stage_failed "ctest of $preset ended with code $code"
    awk -v list=1 -f scripts/count-results.awk "$results"
}

scripts/install-deps.sh build test || { stage_failed "installing packages"; finish; }
scripts/build-ui.sh || stage_failed "building the web page"
# The sanitizers' reports are failures, and they say so with an exit code of their own.
export ASAN_OPTIONS="abort_on_error=0:exitcode=99:detect_leaks=1${ASAN_OPTIONS:+:$ASAN_OPTIONS}"
export UBSAN_OPTIONS="print_stacktrace=1${UBSAN_OPTIONS:+:$UBSAN_OPTIONS}"
export TSAN_OPTIONS="exitcode=98${TSAN_OPTIONS:+:$TSAN_OPTIONS}"
export CMOCKA_MESSAGE_OUTPUT=STDOUT

for stage in $stages; do
    echo "== $stage"
    case $stage in
    release) build release && run release ;;
    # The reference vectors, the checks of the sources and the page in a browser run once; under a sanitizer they only
    # take time.
    asan-ubsan) build asan-ubsan && run asan-ubsan --label-exclude '^(golden|tools|ui)$' ;;
    tsan) build tsan --target test_programs && run tsan ;;
    clang)
        if command -v clang-14 >/dev/null 2>&1; then
            build clang && passed=$((passed + 1))
        else
            echo "skipped: no clang-14 here"
            skipped=$((skipped + 1))
        fi
        ;;
    *) stage_failed "unknown stage $stage, expected release, asan-ubsan, tsan or clang" ;;
    esac
done
finish
