#!/bin/sh
# bench-pull.sh [MB [ROUNDS]] - a large file from the fake hub on loopback: `sdw pull`, which hashes it and waits for the
# disk, beside `curl -o`, which does neither. Alternates, prints each time and the ratio of the medians (1000 MB, 7
# rounds). SYNC=1: curl's file is synced too. TLS=--tls encrypts. TMPDIR says where. Needs curl, awk, twice the space.
set -eu
cd "$(dirname "$0")/.."
sdw=$PWD/build/sdw
fake_hub=$PWD/build/release/tests/fake_hub/fake_hub
megabytes=${1:-1000} rounds=${2:-7}
[ -x "$fake_hub" ] || cmake --build --preset release --target fake_hub
work=$(mktemp -d "${TMPDIR:-/tmp}/bench-pull.XXXXXX")
trap 'exec 9>&-; wait; rm -rf "$work"' EXIT
cd "$work"
mkdir -p hub/org/big
size=$((megabytes * 1000000))
# A safetensors file of one tensor: length of the header, header, noise.
header=$(printf '{"t":{"dtype":"U8","shape":[%d],"data_offsets":[0,%d]}}' $((size - 88)) $((size - 88)))
{ printf '\120\0\0\0\0\0\0\0%-80s' "$header"; head -c $((size - 88)) /dev/urandom; } >hub/org/big/model.safetensors

mkfifo pipe
exec 9<>pipe
# shellcheck disable=SC2086 # TLS is an option or nothing
"$fake_hub" ${TLS:-} hub <pipe >place.txt 9>&- &
rm pipe
while [ "$(wc -l <place.txt)" -lt 3 ]; do sleep 0.2; done
HF_ENDPOINT=$(sed -n 1p place.txt) HF_HUB_CACHE=$work/cache
export HF_ENDPOINT HF_HUB_CACHE
ca=$(sed -n 3p place.txt)
[ "$ca" = - ] || export SSL_CERT_FILE="$ca" CURL_CA_BUNDLE="$ca"

seconds() { # seconds NAME COMMAND...: appends to NAME.txt
    name=$1
    shift
    begin=$(date +%s.%N)
    "$@"
    echo "$begin $(date +%s.%N)" | awk '{ printf "%.3f\n", $2 - $1 }' >>"$name.txt"
}
with_curl() {
    curl -s -L -o out.bin "$HF_ENDPOINT/org/big/resolve/main/model.safetensors"
    [ -z "${SYNC:-}" ] || sync out.bin
}
median() { sort -n "$1.txt" | awk '{ v[NR] = $1 } END { print (v[int((NR + 1) / 2)] + v[int(NR / 2) + 1]) / 2 }'; }

i=0
while [ $i -lt "$rounds" ]; do
    rm -rf out.bin cache
    seconds curl with_curl
    rm -rf out.bin cache
    seconds sdw "$sdw" pull org/big -q
    i=$((i + 1))
done
for name in curl sdw; do echo "$name: $(tr '\n' ' ' <$name.txt)s, median $(median $name) s"; done
echo "$(median curl) $(median sdw) $megabytes" | awk '{ printf "curl %.0f MB/s, sdw %.0f MB/s: %.0f %%\n", $3 / $1, $3 / $2, 100 * $1 / $2 }'
