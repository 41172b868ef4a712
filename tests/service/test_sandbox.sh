#!/bin/sh
# The unit files: systemd finds no fault in them, and the service makes no system call that their sandbox forbids while it
# loads, draws, hashes, asks a hub and stops.
set -eu
case $PWD in */tests/run/*) rm -rf -- * ;; esac
fail() {
    echo "FAIL: $*"
    exit 1
}
for tool in strace systemd-analyze curl; do
    command -v "$tool" >/dev/null || { echo "skipped: no $tool here"; exit 77; }
done
strace -f -qq -o /dev/null true 2>/dev/null || { echo "skipped: strace may trace nothing here"; exit 77; }
if grep -q -e __asan_init -e __tsan_init "$SDW"; then
    echo "skipped: a sanitizer makes system calls of its own"
    exit 77
fi

mkdir home unit
cp "$SDW_SOURCE_DIR/packaging/sdw.socket" unit/
sed "s|^ExecStart=[^ ]*|ExecStart=$SDW|" "$SDW_SOURCE_DIR/packaging/sdw.service" >unit/sdw.service
(cd unit && systemd-analyze verify ./sdw.service ./sdw.socket) >verify.txt 2>&1 || fail "systemd-analyze verify: $(cat verify.txt)"
grep -v -i '^$' verify.txt && fail "systemd-analyze verify has something to say"

# Names of the calls in a set, those of the sets it holds included.
calls_of() {
    systemd-analyze --no-pager syscall-filter "$1" </dev/null | sed -n 's/^    *\([-@a-z_0-9]*\)$/\1/p' | while read -r name; do
        case $name in @*) calls_of "$name" ;; *) echo "$name" ;; esac
    done
}
: >allowed.txt
sed -n 's/^SystemCallFilter=//p' unit/sdw.service >filters.txt
while read -r filter; do # in their order: added, or after ~ taken away
    for name in ${filter#\~}; do
        case $name in @*) calls_of "$name" ;; *) echo "$name" ;; esac
    done | sort -u >these.txt
    case $filter in
    \~*) comm -23 allowed.txt these.txt >next.txt ;;
    *) sort -u allowed.txt these.txt >next.txt ;;
    esac
    mv next.txt allowed.txt
done <filters.txt
[ "$(wc -l <allowed.txt)" -gt 200 ] && ! grep -qx mount allowed.txt || fail "the list of allowed calls is wrong"

HOME="$PWD/home" HF_HOME="$PWD/home/hf" HF_ENDPOINT=http://127.0.0.1:9 strace -f -qq -o trace.txt "$SDW" serve --port 0 --state state >log.txt 2>&1 &
tracer=$!
trap 'kill "$tracer" 2>/dev/null || true' EXIT
for _ in $(seq 1200); do
    url=$(sed -n 's/.*listening on \(http:[^ ]*\).*/\1/p' log.txt)
    [ -n "$url" ] && curl -sf "$url/ready" >/dev/null 2>&1 && break
    sleep 0.1
done
[ -n "$url" ] || fail "the service does not start: $(cat log.txt)"
post() { curl -s -H 'Content-Type: application/json' -d "$2" "$url$1"; }
post /v1/images/generations '{"prompt":"a red cube","steps":2,"size":"64x64","stream":true,"partial_images":1}' | grep -q completed || fail "nothing was drawn"
for _ in $(seq 1200); do curl -s "$url/sdapi/v1/sd-models" | grep -q '"sha256":null' || break; sleep 0.1; done
post /v1/models/pull '{"model":"org/nowhere"}' >/dev/null
curl -s "$url/metrics" | grep -q process_open_fds || fail "no metrics"
post /v1/shutdown '{}' >/dev/null
wait "$tracer" || fail "exit code $?"
sed -n 's/^[0-9]* *\([a-z_0-9]*\)(.*/\1/p' trace.txt | sort -u >used.txt
[ "$(wc -l <used.txt)" -gt 30 ] || fail "strace saw only $(wc -l <used.txt) calls"
comm -23 used.txt allowed.txt >forbidden.txt
[ ! -s forbidden.txt ] || fail "the unit forbids: $(tr '\n' ' ' <forbidden.txt)"
