#!/bin/sh
# The commands of docs/api.md, as a new user would type them: every block of the guide runs, and what it promises is there.
# The service takes a free port instead of 8081; the rest is as printed.
set -eu
command -v curl >/dev/null 2>&1 || { echo "curl is not installed"; exit 77; }
rm -rf guide && mkdir guide && cd guide
mkdir bin && ln -s "$SDW" bin/sdw
PATH=$PWD/bin:$PATH

sed -n '/^```sh$/,/^```$/p' "$SDW_SOURCE_DIR/docs/api.md" | sed '/^```/d' >commands.sh
[ "$(wc -l <commands.sh)" -ge 15 ] || { echo "FAIL: the guide has lost its commands"; exit 1; }
# The first lines are done here: start, and the address.
sed -e '/^sdw serve &/d' -e '/^API=/d' commands.sh >rest.sh
PORT=0 SDW_LOG_FILE=serve.log sdw serve &
server=$!
trap 'kill $server 2>/dev/null || true' EXIT
tries=0
until grep -q 'listening on' serve.log 2>/dev/null; do
    tries=$((tries + 1))
    [ $tries -lt 1200 ] || { echo "FAIL: the service does not start"; exit 1; }
    sleep 0.05
done
API=$(sed -n 's/.*listening on \(http:[^ ]*\).*/\1/p' serve.log)
export API
sh -eu rest.sh >out.txt 2>err.txt || { echo "FAIL: a command of the guide fails"; cat err.txt; tail -n 5 out.txt; exit 1; }

bad=0
want() { # want WHAT PATTERN FILE
    grep -aq -- "$2" "$3" || { echo "FAIL: $1"; bad=1; }
}
want "readiness" '"ready":true' out.txt
want "steps" '"step":6,"total":6' out.txt
want "a complete event" '^event: complete' out.txt
want "the end marker" '^data: \[DONE\]' out.txt
want "a PNG file" 'PNG' picture.png
want "a small JPEG" 'JFIF' small.jpg
want "OpenAI's answer" '{"created":[0-9]*,"data":\[{"url":"http[^"]*/v1/outputs/.*"size":"128x128"' out.txt
[ "$(grep -ao '"data":\[{"url":"' out.txt | wc -l)" = 2 ] || { echo "FAIL: generations and edits"; bad=1; }
want "AUTOMATIC1111's answer" '{"images":\["iVBOR' out.txt
want "the infotext" '"info":"a red fox on a blue background\\nSteps: 6' out.txt
want "the cancelled job" '"status":"cancelled"' out.txt
want "the list" '"jobs":\[{' out.txt
want "the end" '"stopping"' out.txt
trap - EXIT
code=0
wait $server || code=$?
[ $code = 0 ] || { echo "FAIL: the service ended with $code"; bad=1; }
[ $bad = 0 ] && echo "the guide works"
exit $bad
