#!/bin/sh
# examples/embed.c, built as its first lines say against an installed libsdw, draws a picture.
set -eu
fail() { echo "FAIL: $*"; exit 1; }

case $PWD in */tests/run/*) rm -rf -- * ;; esac
mkdir model && (cd model && cmake -E tar xf "$SDW_SOURCE_DIR/tests/golden/weights.tar.xz")
cmake --install "$SDW_BUILD_DIR" --prefix "$PWD/prefix" >install.log 2>&1 || { cat install.log; fail "cmake --install"; }
export PKG_CONFIG_PATH="$PWD/prefix/lib/pkgconfig:$(find "$PWD/prefix" -name pkgconfig | tr '\n' ':')"
# shellcheck disable=SC2046 # flags are words; sanitizers of the library must be linked too
${CC:-cc} -std=c11 -Wall -Wextra -Werror "$SDW_SOURCE_DIR/examples/embed.c" $(pkg-config --cflags --libs sdw) \
    $(sed -n 's/^SDW_SANITIZE:STRING=\(..*\)/-fsanitize=\1/p' "$SDW_BUILD_DIR/CMakeCache.txt") -o embed
./embed model/sd15 "a red apple" 2 7 >out.txt 2>progress.txt || { cat progress.txt; fail "the example failed"; }
grep -q "^picture.ppm: .* seed 7$" out.txt || fail "wrong line: $(cat out.txt)"
grep -q "step 2 of 2" progress.txt || fail "no progress"
code=0
./embed model/nowhere x 2>error.txt || code=$?
[ "$code" = 1 ] && grep -q "^error: .*nowhere" error.txt || fail "a missing model: exit code $code, $(cat error.txt)"

# A whole picture, the same for the same seed and another for another.
bytes=$(wc -c <picture.ppm)
want=$(sed -n 2p picture.ppm | awk '{ print length("P6\n") + length($0) + 1 + length("255\n") + $1 * $2 * 3 }')
[ "$bytes" = "$want" ] || fail "picture.ppm has $bytes bytes, want $want"
mv picture.ppm first.ppm
./embed model/sd15 "a red apple" 2 7 >/dev/null 2>&1
cmp -s first.ppm picture.ppm || fail "the same seed gave another picture"
./embed model/sd15 "a red apple" 2 8 >/dev/null 2>&1
! cmp -s first.ppm picture.ppm || fail "another seed gave the same picture"
echo "ok: $(cat out.txt)"
