#!/bin/sh
# test-peers.sh [hub] [pictures] - sdw beside the Python programs (from PyPI). Both parts unless one is named.
# hub: huggingface_hub and sdw share one cache in both directions, against the fake hub of the tests. Needs python3 with
#   venv; SDW_PEERS_HUB_PYTHON names a python that has huggingface_hub already. With a python that has torch and
#   diffusers (below), diffusers loads what sdw fetched.
# pictures: the same pictures with diffusers, on the CPU, and with sdw, compared. Needs some 6 GB of disk for PyTorch;
#   SDW_PEERS_PYTHON names a python that already has torch, diffusers, transformers, numpy and pillow. SDW_DEMO_MODEL or
#   demo/model is compared, and tiny random pipelines.
set -eu
cd "$(dirname "$0")/.."
parts=${*:-hub pictures}
python=${SDW_PEERS_PYTHON:-build/peers/bin/python}
model=${SDW_DEMO_MODEL:-demo/model}
[ -x build/sdw ] || make

hub() {
    hub_python=${SDW_PEERS_HUB_PYTHON:-build/peers-hub/bin/python}
    if [ ! -x "$(command -v "$hub_python")" ]; then
        echo "test-peers: making build/peers-hub with huggingface_hub"
        python3 -m venv build/peers-hub
        build/peers-hub/bin/pip install -q huggingface_hub==1.29.0
    fi
    fake_hub=build/release/tests/fake_hub/fake_hub
    [ -x $fake_hub ] || cmake --build --preset release --target fake_hub
    rm -rf build/peers-hub-work
    mkdir -p build/peers-hub-work/hub/org
    cp -r "$model" build/peers-hub-work/hub/org/tiny
    [ ! -x "$(command -v "$python")" ] || export SDW_PEERS_DIFFUSERS="$python"
    "$hub_python" tests/peers/hub.py build/sdw $fake_hub build/peers-hub-work
}

pictures() {
    if [ ! -x "$(command -v "$python")" ]; then
        echo "test-peers: making build/peers with torch, diffusers and transformers"
        python3 -m venv build/peers
        build/peers/bin/pip install -q torch diffusers transformers safetensors accelerate numpy pillow scipy
    fi
    mkdir -p build/peers-tiny
    SDW_PEERS_TOKENIZER=$model/tokenizer HF_HUB_OFFLINE=1 "$python" tests/peers/compare.py build/sdw "$model" --photos demo/photos --tiny build/peers-tiny
}

for part in $parts; do
    case $part in
    hub | pictures) $part ;;
    *) echo "test-peers: unknown part $part, expected hub or pictures" >&2; exit 2 ;;
    esac
done
