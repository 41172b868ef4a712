#!/bin/sh
# test-peers.sh - draws the same pictures with diffusers (from PyPI, on the CPU) and with sdw and compares them.
# Needs python3 with venv and some 6 GB of disk for PyTorch; SDW_PEERS_PYTHON names a python that already has
# torch, diffusers, transformers, numpy and pillow. SDW_DEMO_MODEL or demo/model is compared, and tiny random pipelines.
set -eu
cd "$(dirname "$0")/.."
python=${SDW_PEERS_PYTHON:-build/peers/bin/python}
if [ ! -x "$(command -v "$python")" ]; then
    echo "test-peers: making build/peers with torch, diffusers and transformers"
    python3 -m venv build/peers
    build/peers/bin/pip install -q torch diffusers transformers safetensors accelerate numpy pillow scipy
fi
[ -x build/sdw ] || make
model=${SDW_DEMO_MODEL:-demo/model}
mkdir -p build/peers-tiny
SDW_PEERS_TOKENIZER=$model/tokenizer HF_HUB_OFFLINE=1 "$python" tests/peers/compare.py build/sdw "$model" --tiny build/peers-tiny
