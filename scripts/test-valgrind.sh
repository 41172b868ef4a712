#!/bin/sh
# The program under valgrind, on a tiny model: no invalid access, no value that was never set, nothing lost. valgrind
# knows no AVX-512, so the instruction set is capped. A few minutes; needs the package valgrind and a built program.
set -eu
top=$(cd "$(dirname "$0")/.." && pwd)
sdw=${SDW:-$top/build/sdw}
command -v valgrind >/dev/null || { echo "test-valgrind: valgrind is not installed (package valgrind)"; exit 1; }
[ -x "$sdw" ] || { echo "test-valgrind: $sdw is not there; run make first"; exit 1; }
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
cmake -E tar xf "$top/tests/golden/weights.tar.xz"

# check ISA ARGUMENT...
check() {
    isa=$1
    shift
    echo "valgrind ($isa): sdw $*"
    SDW_CPU_MAX=$isa valgrind -q --error-exitcode=99 --leak-check=full --errors-for-leak-kinds=definite,indirect,possible \
        "$sdw" "$@" >out.txt 2>err.txt || { cat out.txt err.txt; exit 1; }
}
small="--width 64 --height 64 --steps 2 --seed 1 --threads 2"
check avx2 generate --model sd15 --prompt "a cat" $small -o avx2.png
check scalar generate --model sd15 --prompt "a (cat:1.2) BREAK a dog" --prompt-syntax weighted --negative-prompt "" $small -o a.png
check scalar generate --model sd15 --prompt "a cat" --init-image a.png --mask avx2.png --mask-blur 2 --strength 0.7 $small -o b.jpg
check scalar generate --from b.jpg --init-image a.png --mask avx2.png -o b.webp
check scalar generate --model sdxl --prompt "a cat" --sampler dpmpp-2m-sde --count 2 --rng-batch shared $small -o c.png
check scalar info sdxl --plan 64x128
echo "valgrind: no errors"
