#!/bin/sh
# Models at run time, against the real program: listed, loaded, chosen by a request, fetched from a hub, removed.
set -eu
case $PWD in */tests/run/*) rm -rf -- * ;; esac
fail() {
    echo "FAIL: $*"
    [ ! -s serve.log ] || tail -n 5 serve.log
    exit 1
}
command -v curl >/dev/null || { echo "skipped: no curl here"; exit 77; }

mkdir golden folder home && (cd golden && cmake -E tar xf "$SDW_SOURCE_DIR/tests/golden/weights.tar.xz")
mkdir -p folder/a home/.cache/rbee/models/org hub/org
cp -r golden/sd15 folder/a/first
cp -r golden/sdxl folder/a/fourth
mkdir folder/org && cp -r golden/sd15 folder/org/second # hidden by the one of this name in the shared folder
cp -r golden/sdxl home/.cache/rbee/models/org/second
cp -r golden/sd15 hub/org/third
if [ ! -d hub/org/third/tokenizer ]; then cp -r "$SDW_SOURCE_DIR/demo/model/tokenizer" hub/org/third/; fi

cleanup() {
    [ -z "${serve:-}" ] || kill "$serve" 2>/dev/null || true
    exec 9>&- || true
}
trap cleanup EXIT
mkfifo hold
"${FAKE_HUB:-$SDW_BUILD_DIR/tests/fake_hub/fake_hub}" hub <hold >hub.txt 2>/dev/null &
exec 9>hold
for _ in $(seq 1200); do [ "$(wc -l <hub.txt)" = 3 ] && break; sleep 0.05; done
[ "$(wc -l <hub.txt)" = 3 ] || fail "the hub does not start"

start() { # ARGUMENT...
    : >serve.log
    env -u SDW_API_KEY HOME="$PWD/home" HF_HOME="$PWD/home/hf" HF_ENDPOINT="$(head -n 1 hub.txt)" HF_HUB_DISABLE_XET=1 \
        "$SDW" serve --port 0 --models-dir "$PWD/folder" "$@" >serve.log 2>&1 &
    serve=$!
    for _ in $(seq 1200); do
        url=$(sed -n 's/.*listening on \(http:[^ ]*\).*/\1/p' serve.log)
        [ -n "$url" ] && curl -sf "$url/ready" >/dev/null 2>&1 && return 0
        sleep 0.05
    done
    fail "the service does not start"
}
stop() {
    kill "$serve"
    wait "$serve" || fail "exit code $?"
    serve=
}
post() { # PATH JSON: status and body in answer.txt
    curl -s -o answer.txt -w '%{http_code}' -H 'Content-Type: application/json' -d "$2" "$url$1"
}
status_of() { curl -s "$url/v1/models/$1" | sed -n 's/.*"status":"\([a-z]*\)".*/\1/p'; }
wait_status() { # ID STATUS
    for _ in $(seq 1200); do [ "$(status_of "$1")" = "$2" ] && return 0; sleep 0.05; done
    fail "$1 is $(status_of "$1"), want $2"
}
# job JSON: submits, waits for the end; the stream is in stream.txt.
job() {
    [ "$(post /v1/jobs "$1")" = 200 ] || fail "job refused: $(cat answer.txt)"
    curl -sN "$url$(sed -n 's/.*"sse_url":"\([^"]*\)".*/\1/p' answer.txt)" >stream.txt
}

start --model "$PWD/folder/a/first" --model-switch
list=$(curl -s "$url/v1/models")
for id in first a/fourth demo org/second; do echo "$list" | grep -q "\"id\":\"[^\"]*$id\"" || fail "$id is not listed: $list"; done
first=$(echo "$list" | sed 's/.*"data":\[{"id":"\([^"]*\)".*/\1/')
[ "$(status_of "$first")" = loaded ] || fail "the first model is not loaded"
[ "$(echo "$list" | sed "s|$first||g" | grep -c '"/')" = 0 ] || fail "a path is shown: $list"
[ "$(echo "$list" | grep -o '"id":"org/second"' | wc -l)" = 1 ] || fail "org/second is listed twice: $list"
[ "$(status_of org%2Fsecond)" = unloaded ] || fail "org/second is $(status_of org%2Fsecond)"
[ "$(curl -s -o answer.txt -w '%{http_code}' "$url/v1/models/org/none")" = 404 ] || fail "an unknown model must be 404"
grep -q model_not_found answer.txt || fail "no model_not_found"

# What AUTOMATIC1111 tells models apart by: computed beside the service, null until known.
unet=$(sha256sum folder/a/first/unet/diffusion_pytorch_model.safetensors | cut -c1-64)
title="$first [$(echo "$unet" | cut -c1-10)]"
curl -s "$url/sdapi/v1/options" | grep -q "\"sd_model_checkpoint\":\"$first\",\"sd_checkpoint_hash\":\"\"" || fail "a hash before anybody asked"
for _ in $(seq 1200); do
    curl -s "$url/sdapi/v1/sd-models" >list.txt
    grep -q '"sha256":null' list.txt || break
    sleep 0.05
done
[ "$(sed "s|$first||g" list.txt | grep -c '"/')" = 0 ] && grep -q '"filename":"first"' list.txt || fail "a path is shown: $(cat list.txt)"
grep -qF "{\"title\":\"$title\",\"model_name\":\"$first\",\"hash\":\"$(echo "$unet" | cut -c1-10)\",\"sha256\":\"$unet\"," list.txt || fail "sd-models: $(cat list.txt)"
grep -q "\"sha256\":\"$(sha256sum golden/sdxl/unet/diffusion_pytorch_model.safetensors | cut -c1-64)\"" list.txt || fail "sd-models: no hash of org/second"
curl -s "$url/sdapi/v1/options" | grep -qF "\"sd_model_checkpoint\":\"$title\",\"sd_checkpoint_hash\":\"$unet\"" || fail "options do not name the title"

# A request names another model, and the current one stays.
job '{"prompt":"x","steps":1,"width":64,"height":64,"seed":1,"model":"org/second"}'
grep -q '"model":"org/second"' stream.txt && grep -q '^data: \[DONE\]' stream.txt || fail "the job did not run on org/second: $(tail -c 300 stream.txt)"
job '{"prompt":"x","steps":1,"width":64,"height":64,"seed":1}'
grep -q "\"model\":\"$first\"" stream.txt || fail "the current model changed"
job '{"prompt":"x","steps":1,"width":64,"height":64,"seed":1,"model":"a/fourth"}'
grep -q '"model":"a/fourth"' stream.txt || fail "a model of --models-dir: $(tail -c 300 stream.txt)"
code=$(post /sdapi/v1/txt2img '{"prompt":"x","steps":1,"width":64,"height":64,"override_settings":{"sd_model_checkpoint":"org/second"}}')
[ "$code" = 200 ] && grep -q 'sd_model_name\\":\\"org/second' answer.txt || fail "override_settings: $code"
[ "$(post /sdapi/v1/txt2img "{\"prompt\":\"x\",\"steps\":1,\"width\":64,\"height\":64,\"override_settings\":{\"sd_model_checkpoint\":\"$title\"}}")" = 200 ] || fail "a title: $(cat answer.txt)"
grep -q "sd_model_hash\\\\\":\\\\\"$(echo "$unet" | cut -c1-10)" answer.txt || fail "info has no hash: $(tail -c 900 answer.txt)"

# Loaded by the routes of both faces; unloaded; a removed one is gone from the disk.
[ "$(post /v1/models/load '{"model":"org/second"}')" = 200 ] || fail "load: $(cat answer.txt)"
wait_status org/second loaded
curl -s "$url/v1/models" >list.txt
[ "$(status_of org%2Fsecond)" = loaded ] || fail "a second model of the same name took the place of the loaded one"
curl -s -X DELETE "$url/v1/models/org/second" | grep -q CONFLICT || fail "a loaded model must not be removed"
[ "$(post /sdapi/v1/options "{\"sd_model_checkpoint\":\"$title\"}")" = 200 ] || fail "options: $(cat answer.txt)"
wait_status "$first" loaded
[ "$(post /v1/models/unload '{"model":"org/second"}')" = 200 ] || fail "unload"
wait_status org/second unloaded
for path in /metrics /health /v1/health /readyz /slots /props /info /v1/capabilities; do curl -s -o answer.txt "$url$path"; done
[ "$(status_of org/second)" = unloaded ] || fail "looking at the service loaded a model"
curl -s -X DELETE "$url/v1/models/org/second" | grep -q '"status":"deleted"' || fail "delete"
[ ! -e home/.cache/rbee/models/org/second ] || fail "org/second is still on the disk"
curl -s -X DELETE "$url/v1/models/$first" | grep -q '"error"' || fail "the loaded model was removed"

# Fetched from a hub, then used; what the answer says is true.
curl -s "$url/v1/capabilities" | grep -q '"model_pull":true' || fail "capabilities must allow pull from this machine"
[ "$(post /v1/models/pull '{"model":"no repository"}')" = 400 ] || fail "a bad name must be 400"
(timeout 120 curl -sNi "$url/v1/models/sse" >events.txt || true) &
for _ in $(seq 1200); do [ -s events.txt ] && break; sleep 0.05; done # its head: it has begun
[ "$(post /v1/models/pull '{"model":"org/third"}')" = 200 ] || fail "pull: $(cat answer.txt)"
wait_status org/third unloaded
curl -s "$url/sdapi/v1/sd-models" | grep -q "\"title\":\"org/third \[$(echo "$unet" | cut -c1-10)\]\"" || fail "a blob of the cache has its hash in its name: $(curl -s "$url/sdapi/v1/sd-models")"
job '{"prompt":"x","steps":1,"width":64,"height":64,"seed":1,"model":"org/third"}'
grep -q '"model":"org/third"' stream.txt && grep -q '^data: \[DONE\]' stream.txt || fail "the fetched model does not draw"
for _ in $(seq 1200); do grep -q '"status":"done"' events.txt && break; sleep 0.05; done
grep -q 'event: download_progress' events.txt && grep -q '"status":"done"' events.txt || fail "no download events: $(cat events.txt)"
[ "$(post /models '{"model":"org/nowhere"}')" = 200 ] || fail "the short spelling of pull"
for _ in $(seq 1200); do grep -q '"status":"failed"' events.txt && break; sleep 0.05; done
grep -q '"status":"failed"' events.txt || fail "a failed download is not told"
wait_status org/nowhere failed
curl -s "$url/v1/models" | grep -q '"id":"org/nowhere"[^}]*"message":"[^"]*org/nowhere' || fail "the list does not say why: $(curl -s "$url/v1/models")"
curl -s "$url/sdapi/v1/sd-models" | grep -q org/nowhere && fail "a model that is not here is offered"
code=$(post /v1/models/load '{"model":"org/nowhere"}')
[ "$code" = 404 ] || fail "load of a model that is not here: $code"

# Behind a proxy every peer is loopback: without a key, nothing may be fetched or removed.
code=$(curl -s -o answer.txt -w '%{http_code}' -H 'X-Forwarded-For: 192.0.2.1' -H 'Content-Type: application/json' -d '{"model":"org/third"}' "$url/v1/models/pull")
[ "$code" = 403 ] || fail "pull through a proxy without a key: $code"
curl -s -H 'Via: 1.1 x' "$url/v1/capabilities" | grep -q '"model_pull":false' || fail "capabilities behind a proxy"
stop
echo ok
