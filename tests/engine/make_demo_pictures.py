#!/usr/bin/env python3
"""Writes tests/engine/data/demo-{text,image,inpaint}.png: what diffusers draws with the demo model, for test_demo_pictures.c.

    make_demo_pictures.py            (Python with torch, diffusers, transformers, numpy, Pillow; scripts/test-peers.sh makes one)

The requests are those of the C test. Picture to picture and inpainting start from the first picture.
"""
import os
import pathlib
import sys

import numpy
import torch
from PIL import Image
import diffusers

here = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(here.parent / "peers"))
import compare  # noqa: E402


def main():
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    root = here.parent.parent
    pipe = diffusers.DiffusionPipeline.from_pretrained(str(root / "demo/model"), torch_dtype=torch.float32, safety_checker=None, local_files_only=True)
    base = dict(sampler=None, steps=6, guidance=4.0, seed=7, negative="", strength=1.0)
    mask = Image.open(root / "demo/photos/coffee-mask.png").convert("L")
    photo = Image.new("RGB", (256, 256))
    for case in (dict(base, mode="text", prompt="3d red apple on a teal background"),
                 dict(base, mode="image", prompt="3d green apple on a teal background", strength=0.7),
                 dict(base, mode="inpaint", prompt="flat smiling face on a teal background", strength=0.9)):
        picture = Image.fromarray(compare.reference(pipe, case, photo, mask).astype(numpy.uint8))
        picture.save(here / f"data/demo-{case['mode']}.png", optimize=True)
        photo = photo if case["mode"] != "text" else picture


if __name__ == "__main__":
    main()
