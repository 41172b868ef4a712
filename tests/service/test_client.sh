#!/bin/sh
# The client commands against the real program: the same picture as without a service, jobs listed, cancelled, fetched.
set -eu
case $PWD in */tests/run/*) rm -rf -- * ;; esac
fail() {
    echo "FAIL: $*"
    [ ! -s stderr.txt ] || sed 's/^/    stderr: /' stderr.txt | head -n 5
    exit 1
}
trap '[ -z "${serve:-}" ] || kill "$serve" 2>/dev/null || true' EXIT
unset SDW_SERVER SDW_API_KEY || true
mkdir golden && (cd golden && cmake -E tar xf "$SDW_SOURCE_DIR/tests/golden/weights.tar.xz")
model=$PWD/golden/sd15
printf 's3cret-key\n' >key

SDW_API_KEY=s3cret-key "$SDW" serve --port 0 --model "$model" --max-batch 1 >serve.log 2>&1 &
serve=$!
for _ in $(seq 1200); do
    url=$(sed -n 's/.*listening on \(http:[^ ]*\).*/\1/p' serve.log)
    [ -n "$url" ] && "$SDW" healthcheck --server "$url" >/dev/null 2>&1 && break
    sleep 0.05
done
[ "$("$SDW" healthcheck --server "$url")" = ready ] || fail "healthcheck"
[ "$("$SDW" healthcheck --live --server "${url#http://}")" = live ] || fail "an address without http://"

run() { # CODE COMMAND...: output in stdout.txt, stderr.txt
    want=$1 code=0
    shift
    "$@" >stdout.txt 2>stderr.txt </dev/null || code=$?
    [ "$code" = "$want" ] || fail "$*: exit code $code, want $want"
}
run 1 "$SDW" jobs --server "$url"
grep -q "Missing API key" stderr.txt || fail "a missing key must be told"
run 1 "$SDW" jobs --server http://127.0.0.1:1
grep -q "^Error: http://127.0.0.1:1: " stderr.txt || fail "nobody there must be told"
run 2 "$SDW" jobs --server ftp://x
export SDW_SERVER="$url" SDW_API_KEY=s3cret-key
run 0 "$SDW" jobs
grep -q "^no jobs$" stdout.txt || fail "no jobs"
run 0 env -u SDW_API_KEY "$SDW" jobs --api-key-file key

# The same request here and there: the same pixels, and the same seeds for several pictures.
set -- --prompt "a (red) apple" --negative-prompt "" --steps 3 --seed 7 --sampler euler --schedule karras --guidance 4.5 --width 64 --height 72
run 0 env -u SDW_SERVER "$SDW" generate --model "$model" "$@" -o here.png
run 0 "$SDW" generate "$@" -o there.png
grep -q "there.png" stdout.txt && grep -q "7" stdout.txt || fail "the file and the seed must be told: $(cat stdout.txt)"
run 0 env -u SDW_SERVER "$SDW" generate --model "$model" --prompt x --init-image here.png --strength 0 -o pixels-here.png
run 0 env -u SDW_SERVER "$SDW" generate --model "$model" --prompt x --init-image there.png --strength 0 -o pixels-there.png
tail_of() { # the pixel data of a PNG: everything from IDAT on, whatever texts come before
    offset=$(grep -abo IDAT "$1" | head -n 1 | cut -d: -f1)
    tail -c +"$offset" "$1" | sha256sum
}
[ "$(tail_of here.png)" = "$(tail_of there.png)" ] || fail "the worker drew another picture than this program"
run 1 "$SDW" generate "$@" -o there.png
grep -q "exists" stderr.txt || fail "an existing file must be refused before anything is drawn"
run 0 "$SDW" generate "$@" --count 2 --json -o two.jpg
[ -s two-1.jpg ] && [ -s two-2.jpg ] && grep -q '"seed":8' stdout.txt || fail "two pictures: $(cat stdout.txt)"
run 0 "$SDW" generate --prompt x --steps 2 --init-image here.png --mask here.png --strength 0.9 -o inpaint.png
run 0 "$SDW" generate --prompt x --steps 1 --width 64 --height 64 -q -o - 
[ "$(head -c 4 stdout.txt | tail -c 3)" = PNG ] || fail "-o - must be the picture"
run 2 "$SDW" generate --prompt x --steps 151
grep -q "Steps must be between 1 and 150" stderr.txt || fail "the worker's refusal must be told"

# Jobs: a long one runs, another waits.
curl -s -H 'Authorization: Bearer s3cret-key' -H 'Content-Type: application/json' -d '{"prompt":"long","steps":150,"width":512,"height":512}' "$url/v1/jobs" >long.json
curl -s -H 'Authorization: Bearer s3cret-key' -H 'Content-Type: application/json' -d '{"prompt":"waits","steps":2,"width":64,"height":64}' "$url/v1/jobs" >waits.json
long=$(sed 's/.*"job_id":"\([^"]*\)".*/\1/' long.json) waits=$(sed 's/.*"job_id":"\([^"]*\)".*/\1/' waits.json)
for _ in $(seq 1200); do "$SDW" job "$long" | grep -q "^status  *running$" && break; sleep 0.05; done
run 0 "$SDW" jobs --limit 2
grep -q "^$waits  *queued  *place 1" stdout.txt || fail "the waiting job: $(cat stdout.txt)"
run 0 "$SDW" job "$long"
grep -q "^status  *running$" stdout.txt || fail "the running job: $(cat stdout.txt)"
run 0 "$SDW" job "$long" --json
grep -q '"prompt":"long"' stdout.txt || fail "the job as JSON"
(timeout 120 "$SDW" jobs --watch --json >watch.txt 2>/dev/null || true) &
watch=$!
for _ in $(seq 1200); do [ -s watch.txt ] && break; sleep 0.05; done # something of the running job
run 0 "$SDW" cancel "$long"
run 0 "$SDW" fetch "$waits" -o waited.png
[ -s waited.png ] || fail "fetch must wait for the job and write its picture"
for _ in $(seq 1200); do grep -q '"status":"cancelled"' watch.txt && break; sleep 0.05; done
grep -q '"status":"cancelled"' watch.txt || fail "--watch did not show the cancelled job"
kill "$watch" 2>/dev/null || true
run 1 "$SDW" fetch "$long"
grep -q "no pictures: it is cancelled" stderr.txt || fail "fetching a cancelled job: $(cat stderr.txt)"
run 1 "$SDW" cancel "$long"
run 2 "$SDW" job nonsense
run 2 "$SDW" cancel
run 0 "$SDW" cancel --all
grep -q "no unfinished jobs" stdout.txt || fail "nothing to cancel"

# Ctrl-C ends the job on the worker too.
"$SDW" generate --prompt stopped --steps 150 --width 512 --height 512 -q -o stopped.png 2>stderr.txt &
client=$!
for _ in $(seq 1200); do "$SDW" jobs --status running | grep -q stopped && break; sleep 0.05; done
kill -INT "$client"
code=0
wait "$client" || code=$?
[ "$code" = 130 ] || fail "Ctrl-C: exit code $code, want 130"
[ ! -e stopped.png ] || fail "a stopped picture was written"
for _ in $(seq 1200); do "$SDW" jobs --status cancelled | grep -q stopped && break; sleep 0.05; done
"$SDW" jobs --status cancelled | grep -q stopped || fail "the worker goes on with a job that its client has left"
kill "$serve"
wait "$serve" || fail "serve: exit code $?"
serve=
echo ok
