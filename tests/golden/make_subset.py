#!/usr/bin/env python3
"""make_subset.py ROOT - picks the reference vectors that live in the repository out of the whole set in ROOT, and packs
them beside this file: weights.tar.xz (F16 weights and configs) and vectors.tar.xz (F32 results).

The SDXL folder shares the VAE weights of the SD 1.5 folder, so only vectors that no VAE touches are kept of it. Needs
nothing but Python's own library. The output depends on the input alone."""
import io
import json
import lzma
import os
import re
import struct
import sys
import tarfile

KEEP = {
    "sd15": r"text_encoder\.0\.|unet\.0\.|vae_(de|en)code\.0\.|txt2img\.0\.(noise|latents|image_u8)"
            r"|txt2img_seeded(_batch2)?\.0\.latents|img2img\.0\.(image_in|latents)"
            r"|inpaint4ch\.0\.(image_in|mask_in|latents)|sampler_[a-z0-9_]+\.0\.(timesteps|sigmas)"
            r"|sampler_(?!euler_[kebt]|dpmpp_2m_k|deis)[a-z0-9_]+\.0\.latents",
    "sdxl": r"text_encoder(_2)?\.0\.|unet\.0\.|txt2img\.[01]\.latents|txt2img_no_negative\.0\.latents",
}
KEEP_RNG = r".*\.(5|15|16|17|10_then_20|1x4x16x16)$"
PARTS = ["model_index.json", "scheduler", "text_encoder", "text_encoder_2", "unet", "vae"]


def read_safetensors(path):
    with open(path, "rb") as f:
        size = struct.unpack("<Q", f.read(8))[0]
        return json.loads(f.read(size)), f.read()


def subset(path, pattern):
    header, data = read_safetensors(path)
    new, out, at = {}, [], 0
    if "__metadata__" in header:
        new["__metadata__"] = header["__metadata__"]
    for name, t in sorted(header.items(), key=lambda kv: str(kv[1].get("data_offsets"))):
        if name == "__metadata__" or not re.match(pattern, name):
            continue
        begin, end = t["data_offsets"]
        new[name] = dict(t, data_offsets=[at, at + end - begin])
        out.append(data[begin:end])
        at += end - begin
    text = json.dumps(new, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    return struct.pack("<Q", len(text)) + text + b"".join(out)


class Pack:
    """A tar in memory, then xz whose literal coder knows the size of one element."""

    def __init__(self, bits):
        self.bits, self.bytes = bits, io.BytesIO()
        self.tar = tarfile.open(fileobj=self.bytes, mode="w", format=tarfile.USTAR_FORMAT)

    def add(self, name, data):
        info = tarfile.TarInfo(name)
        info.size, info.mode = len(data), 0o644
        self.tar.addfile(info, io.BytesIO(data))

    def write(self, path):
        self.tar.close()
        filters = [{"id": lzma.FILTER_LZMA2, "preset": 9 | lzma.PRESET_EXTREME, "lc": 4 - self.bits if self.bits > 1 else 3,
                    "lp": self.bits, "pb": self.bits}]
        packed = lzma.compress(self.bytes.getvalue(), format=lzma.FORMAT_XZ, check=lzma.CHECK_CRC64, filters=filters)
        with open(path, "wb") as f:
            f.write(packed)
        print(f"{path}: {len(packed)} bytes")


def files_below(root, folder):
    for part in PARTS:
        top = os.path.join(root, folder, part)
        if os.path.isfile(top):
            yield part
        for base, dirs, names in os.walk(top):
            dirs.sort()
            for name in sorted(names):
                yield os.path.relpath(os.path.join(base, name), os.path.join(root, folder))


def main():
    root, here = sys.argv[1], os.path.dirname(os.path.abspath(__file__))
    weights, vectors = Pack(1), Pack(2)
    for folder, pattern in KEEP.items():
        for name in files_below(root, folder):
            source = "sd15" if name == "vae/diffusion_pytorch_model.safetensors" else folder
            with open(os.path.join(root, source, name), "rb") as f:
                weights.add(f"{folder}/{name}", f.read())
        vectors.add(f"{folder}/golden.safetensors", subset(os.path.join(root, folder, "golden.safetensors"), pattern))
    vectors.add("rng.safetensors", subset(os.path.join(root, "rng.safetensors"), KEEP_RNG))
    with open(os.path.join(root, "clip_tokens.json"), "rb") as f:
        rows = json.load(f)
    vectors.add("clip_tokens.json", json.dumps(rows[::2], ensure_ascii=True).encode())
    weights.write(os.path.join(here, "weights.tar.xz"))
    vectors.write(os.path.join(here, "vectors.tar.xz"))


if __name__ == "__main__":
    main()
