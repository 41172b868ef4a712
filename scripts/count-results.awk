# count-results.awk - reads ctest's JUnit file and prints "PASSED FAILED SKIPPED"; with -v list=1 instead a line for
# each skipped test with its reason. Only a test that said so itself (exit code 77) is skipped: ctest writes a missing
# program down as "notrun" too, and that is a failure. A cmocka test that skips itself inside a passing program is
# counted as skipped beside that program. Exit code 1 if the file holds another number of tests than it announces.
function attribute(name) {
    if (!match($0, "(^|[ \t])" name "=\"[^\"]*\"")) return ""
    value = substr($0, RSTART, RLENGTH)
    sub(/^[^"]*"/, "", value)
    sub(/"$/, "", value)
    return value
}
function report(what, why) { if (list) print "skipped: " what ": " why }

/^[ \t]*tests="/ { announced = attribute("tests") }
/<testcase / {
    name = attribute("name")
    status = attribute("status")
    seen++
    if (status == "run") passed++
    else failed++
}
/<skipped message=/ {
    if (status == "notrun" && attribute("message") ~ /^SKIP_RETURN_CODE/) {
        failed--
        skipped++
        waiting = 1
    }
}
# The first line of a skipped test's output is its reason.
/<system-out>/ && waiting { text = $0; sub(/.*<system-out>/, "", text); sub(/<\/system-out>.*/, "", text) }
/<system-out>/ && waiting { report(name, text == "" ? "no reason given" : text); waiting = 0 }
/\[  SKIPPED \] [A-Za-z_]/ {
    inner_name = $0
    sub(/.*\[  SKIPPED \] /, "", inner_name)
    sub(/[^A-Za-z0-9_].*/, "", inner_name)
    # cmocka names each twice, as it happens and in its summary.
    if (!((name, inner_name) in inner)) { inner[name, inner_name] = 1; skipped++; report(name, inner_name) }
}
END {
    if (!seen || announced != seen) exit 1
    if (!list) print passed + 0, failed + 0, skipped + 0
}
