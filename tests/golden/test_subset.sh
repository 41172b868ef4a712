#!/bin/sh
# The reference vectors of the repository are computed again, with the fastest kernels and with the scalar ones.
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
# A planted fault is seen: another weight somewhere in the UNet.
cmake -E copy_directory sd15 planted/sd15
printf '\103' | dd of=planted/sd15/unet/diffusion_pytorch_model.safetensors bs=1 seek=2000001 conv=notrunc 2>/dev/null
if "$SDW" oracle --failures planted >planted.txt 2>/dev/null; then
    echo "a changed weight passed:"
    cat planted.txt
    exit 1
fi
grep -q "^FAIL  sd15 unet.0.out" planted.txt || { echo "the failure was not in the UNet:"; cat planted.txt; exit 1; }
