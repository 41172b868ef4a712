#!/bin/sh
# The other commands, the help texts, and docs/cli.md, which must be what the program prints.
. "$SDW_SOURCE_DIR/tests/cli/lib.sh"
unpack_model

run 0 "--version" "$SDW" --version
version=$(sed -n 's/^#define SDW_VERSION "\(.*\)"/\1/p' "$SDW_SOURCE_DIR/include/sdw/sdw.h")
expect "the version of the header" grep -qx "sdw $version" stdout.txt
run 0 "--build-info beats every other argument" "$SDW" generate --nonsense --build-info
expect "release or debug" grep -Eqx "release|debug" stdout.txt
run 0 "--help" "$SDW" --help
run 2 "no command" "$SDW"
for command in bench convert generate info models oracle pull random-model rm verify; do
    expect "$command in the overview" sh -c "'$SDW' --help | grep -q '^  $command '"
    run 0 "$command --help" "$SDW" $command --help
    expect "exit codes in the help of $command" grep -q "^  130 " stdout.txt
done
run 0 "the API" "$SDW" help --api
if ! cmp -s stdout.txt "$SDW_SOURCE_DIR/docs/api.md"; then
    bad "docs/api.md is not what 'sdw help --api' prints; write it anew"
    diff stdout.txt "$SDW_SOURCE_DIR/docs/api.md" | head -n 10
else ok; fi
run 0 "the manual" "$SDW" help --manual
if ! cmp -s stdout.txt "$SDW_SOURCE_DIR/docs/cli.md"; then
    bad "docs/cli.md is not what 'sdw help --manual' prints; write it anew"
fi
# Every request field is an option.
for field in $(sed -n 's/.*{ [A-Z]*(\([a-z_]*\)[,)].*/\1/p' "$SDW_SOURCE_DIR/src/engine/fields.c" | tr _ -); do
    expect "--$field in the manual" grep -Eq -- "\`(-[a-z], )?--(\[no-\])?$field[ \`]" stdout.txt
done

run 0 "info" "$SDW" info model --plan 128x64
for word in "family *sd15" "unet" "vae" "text_encoder" "F16" "memory for 128x64" "in all"; do
    expect "info tells $word" grep -q "$word" stdout.txt
done
run 0 "info in another precision" "$SDW" info model --isa scalar --precision int8
expect "info names the arithmetic" grep -q "int8 by scalar" stdout.txt
run 0 "info of the demo model" "$SDW" info

run 0 "bench" "$SDW" bench --model model --width 64 --height 64 --steps 2 --json
for word in '"peak_gflops":[0-9]' '"name":"text"' '"name":"step","seconds":[0-9]' '"name":"vae_decode"' '"ratio":[0-9]'; do
    expect "bench --json has $word" grep -q "$word" stdout.txt
done
run 0 "bench --save" "$SDW" bench --model model --width 64 --height 64 --steps 2 --ops --save before.json
expect "slowest operations" grep -Eq "conv2d +[0-9.]+ ms +[0-9.]+ GFLOP" stdout.txt
for word in '"peak_gflops":[0-9]' '"kind":"conv2d"' '"read":[1-9]' '"written":[1-9]'; do
    expect "the saved file has $word" grep -q "$word" before.json
done
run 0 "bench --plan --compare" "$SDW" bench --model model --width 64 --height 64 --steps 2 --plan --compare before.json
expect "every kind is summed" grep -Eq "^  group_norm +[0-9]+ +[0-9.]+ ms" stdout.txt
expect "all of them too" grep -Eq "^  all +[0-9]+ " stdout.txt
expect "a stage has a change" grep -Eq "^step .* [0-9]+\.[0-9]{3} +[0-9]+\.[0-9]{2}$" stdout.txt
# The same seconds at a tenth of a GFLOP/s were a far better ratio: each change must say so.
sed -E 's/"peak_gflops":[0-9.]+/"peak_gflops":0.1/' before.json > better.json
run 0 "bench --compare goes by ratio" "$SDW" bench --model model --width 64 --height 64 --steps 1 --ops --compare better.json
expect "stages and operations are behind" test "$(grep -Ec "(^(text|step|vae_decode) |GB/s).* [0-9]{2,}\.[0-9]{2}$" stdout.txt)" -ge 30
run 1 "bench --compare without a file" "$SDW" bench --model model --width 64 --height 64 --steps 1 --compare missing.json

run 0 "oracle of one part" "$SDW" random-model --help
finish
