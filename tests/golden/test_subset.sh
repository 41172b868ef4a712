#!/bin/sh
# The reference vectors of the repository are computed again, with the fastest kernels and with the scalar
# ones, and their components in narrow arithmetics.
set -eu
cmake -E make_directory golden
cd golden
for pack in weights vectors; do
    cmake -E tar xf "$SDW_SOURCE_DIR/tests/golden/$pack.tar.xz"
done
replay() {
    "$SDW" oracle --failures "$@" . >replay.txt 2>replay.err || { cat replay.txt replay.err; exit 1; }
    tail -n 1 replay.txt
    # A replay that finds nothing must not pass for one that finds nothing wrong.
    awk 'END { exit !($1 >= 120 && $3 == 0 && $5 == 0) }' replay.txt || { echo "want at least 120 passed, 0 failed, 0 skipped"; exit 1; }
}
replay
replay --isa scalar
# Narrow arithmetics: components only. The scalar entries are everywhere; the others where the machine has them.
narrow() {
    "$SDW" oracle --failures "$@" . >replay.txt 2>replay.err || {
        if ! grep -q "needs a processor with" replay.txt; then cat replay.txt replay.err; exit 1; fi
        head -n 1 replay.txt
        return
    }
    tail -n 1 replay.txt
    awk 'END { exit !($1 >= 2 && $3 == 0) }' replay.txt || { echo "want at least 2 passed, 0 failed"; exit 1; }
}
for precision in bf16 f16 int8; do narrow --isa scalar --precision $precision --only unet.0; done
for precision in bf16 f16 int8; do narrow --precision $precision; done
# A planted fault is seen: another weight somewhere in the UNet.
cmake -E copy_directory sd15 planted/sd15
printf '\103' | dd of=planted/sd15/unet/diffusion_pytorch_model.safetensors bs=1 seek=2000001 conv=notrunc 2>/dev/null
if "$SDW" oracle --failures planted >planted.txt 2>/dev/null; then
    echo "a changed weight passed:"
    cat planted.txt
    exit 1
fi
grep -q "^FAIL  sd15 unet.0.out" planted.txt || { echo "the failure was not in the UNet:"; cat planted.txt; exit 1; }
