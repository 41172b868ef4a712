#!/usr/bin/env python3
"""Writes the sample files in tests/fuzz/corpus/{png,jpeg,webp,exif} and tests/image/vectors.h, from Pillow.

    python3 -m venv v && v/bin/pip install pillow==13.0.0 numpy && v/bin/python tests/image/make_vectors.py

The expected values are what Pillow computes; rules of ours that Pillow has no word for (white behind transparency,
16-bit grey) are spelled out in upright() below. Hashes are FNV-1a, 64 bits.
"""
import io
import struct
import warnings
import zlib
from pathlib import Path

import numpy as np
import PIL
from PIL import Image, ImageFilter, ImageOps, PngImagePlugin

warnings.simplefilter("ignore")
ROOT = Path(__file__).resolve().parents[1]
CORPUS = ROOT / "fuzz" / "corpus"
W, H = 21, 13


def fnv(data):
    h = 0xCBF29CE484222325
    for b in bytes(data):
        h = (h ^ b) * 0x100000001B3 & (1 << 64) - 1
    return h


def pattern(w, h, c):
    """The same formula stands in support.c."""
    y, x, k = np.meshgrid(np.arange(h), np.arange(w), np.arange(c), indexing="ij")
    return ((x * 7 + y * 13 + k * 29) ^ (x * y // 3) ^ ((x // 5 + y // 3) % 2 * 255)).astype(np.uint8)


def smooth(w=W, h=H, c=3):
    y, x, k = np.meshgrid(np.arange(h), np.arange(w), np.arange(c), indexing="ij")
    return ((x * (9 - 2 * k) + y * (5 + 3 * k)) % 256).astype(np.uint8)


# ---- PNG, by hand: Pillow writes neither interlaced files nor every depth ----

def chunk(name, data):
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def png(w, h, depth, colour, samples, extra=b"", adam7=False):
    """samples: (h, w, channels) integers of `depth` bits."""
    def rows(s):
        out = b""
        for row in s:
            if depth == 16:
                line = row.astype(">u2").tobytes()
            elif depth == 8:
                line = row.astype(np.uint8).tobytes()
            else:
                bits = "".join(format(int(v), f"0{depth}b") for v in row.ravel())
                bits += "0" * (-len(bits) % 8)
                line = bytes(int(bits[i:i + 8], 2) for i in range(0, len(bits), 8))
            out += b"\0" + line
        return out

    passes = [(0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2)]
    raw = b"".join(rows(samples[y::dy, x::dx]) for x, y, dx, dy in passes if samples[y::dy, x::dx].size) if adam7 \
        else rows(samples)
    return (b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", w, h, depth, colour, 0, 0, adam7)) + extra +
            chunk(b"IDAT", zlib.compress(raw, 9)) + chunk(b"IEND", b""))


def exif_orientation(n, order="<"):
    mark = b"II" if order == "<" else b"MM"
    return mark + struct.pack(order + "HIHHHIHHI", 42, 8, 1, 0x0112, 3, 1, n, 0, 0)


def user_comment(text, order=">"):
    """As piexif writes it, which other image generators use."""
    body = b"UNICODE\0" + text.encode("utf-16-be" if order == ">" else "utf-16-le")
    mark = b"II" if order == "<" else b"MM"
    return (mark + struct.pack(order + "HIHHHIII", 42, 8, 1, 0x8769, 4, 1, 26, 0) +
            struct.pack(order + "HHHIII", 1, 0x9286, 7, len(body), 44, 0) + body)


def png_samples():
    g, rgb, wide = smooth(c=1), smooth(), smooth().astype(np.uint16) * 257 + 77
    wide16 = (wide * 3 + np.arange(W, dtype=np.uint16)[None, :, None] * 31).astype(np.uint16)
    alpha = (pattern(W, H, 1) // 64 * 85).clip(0, 255)
    palette = bytes((i * 37 + k * 91) % 256 for i in range(16) for k in range(3))
    plte = chunk(b"PLTE", palette)
    yield "grey1", png(W, H, 1, 0, g % 2)
    yield "grey2", png(W, H, 2, 0, g % 4)
    yield "grey4", png(W, H, 4, 0, g % 16)
    yield "grey8", png(W, H, 8, 0, g)
    yield "grey16", png(W, H, 16, 0, wide16[:, :, :1])
    yield "grey_alpha", png(W, H, 8, 4, np.concatenate([g, alpha], 2))
    yield "grey_key", png(W, H, 8, 0, g // 16 * 16, chunk(b"tRNS", struct.pack(">H", 48)))
    yield "rgb8", png(W, H, 8, 2, rgb)
    yield "rgb16", png(W, H, 16, 2, wide16)
    yield "rgb_key", png(W, H, 8, 2, rgb // 64 * 64, chunk(b"tRNS", struct.pack(">HHH", 64, 64, 64)))
    yield "rgba8", png(W, H, 8, 6, np.concatenate([rgb, alpha], 2))
    yield "palette4", png(W, H, 4, 3, g % 16, plte)
    yield "palette8_alpha", png(W, H, 8, 3, g % 16, plte + chunk(b"tRNS", bytes(range(0, 256, 32))))
    yield "adam7_rgb8", png(W, H, 8, 2, rgb, adam7=True)
    yield "adam7_grey1", png(W, H, 1, 0, g % 2, adam7=True)
    yield "adam7_1x1", png(1, 1, 8, 2, rgb[:1, :1], adam7=True)
    for n in (3, 6):
        yield f"orientation{n}", png(W, H, 8, 2, rgb, chunk(b"eXIf", exif_orientation(n, ">")))
    texts = (chunk(b"tEXt", b"parameters\0caf\xe9, Steps: 20") +
             chunk(b"iTXt", b"sdw\0\0\0en\0\0" + '{"prompt":"猫 🐈"}'.encode()) +
             chunk(b"zTXt", b"Comment\0\0" + zlib.compress(b"squeezed " * 20)))
    yield "texts", png(3, 2, 8, 2, rgb[:2, :3], texts)


def jpeg_samples():
    def save(image, **options):
        out = io.BytesIO()
        image.save(out, "JPEG", **options)
        return out.getvalue()

    rgb = Image.fromarray(smooth())
    yield "rgb444", save(rgb, quality=90, subsampling=0)
    yield "rgb420", save(rgb, quality=75, subsampling=2)
    yield "rgb422", save(rgb, quality=75, subsampling=1)
    yield "progressive", save(rgb, quality=75, progressive=True)
    yield "restart", save(rgb, quality=50, restart_marker_blocks=1)
    yield "grey", save(Image.fromarray(smooth(c=1)[:, :, 0]), quality=80)
    yield "cmyk", save(Image.fromarray(pattern(W, H, 4), "CMYK"), quality=95)
    for n in (6, 8):
        yield f"orientation{n}", save(rgb, quality=75, exif=b"Exif\0\0" + exif_orientation(n))
    yield "comment", save(rgb, quality=30, exif=b"Exif\0\0" + user_comment("a cat, ü 🐈\nSteps: 20"),
                          comment=b"sdw\0{\"seed\":1}")


def webp_samples():
    def save(image, **options):
        out = io.BytesIO()
        image.save(out, "WEBP", **options)
        return out.getvalue()

    rgb = Image.fromarray(smooth())
    rgba = Image.fromarray(np.concatenate([smooth(), pattern(W, H, 1)], 2), "RGBA")
    yield "lossy", save(rgb, quality=80)
    yield "lossless", save(rgb, lossless=True)
    yield "alpha", save(rgba, lossless=True, exact=True)
    yield "lossy_alpha", save(rgba, quality=70)
    yield "orientation5", save(rgb, lossless=True, exif=b"Exif\0\0" + exif_orientation(5))
    yield "comment", save(rgb, lossless=True, exif=b"Exif\0\0" + user_comment("a dog"))
    yield "animated", save(rgb, save_all=True, append_images=[rgb.rotate(180)], lossless=True)


def exif_samples():
    for n in (0, 1, 8, 9):
        yield f"orientation{n}", exif_orientation(n)
    yield "prefixed", b"Exif\0\0" + exif_orientation(6, ">")
    yield "comment_be", user_comment("prompt ü 🐈")
    yield "comment_le", user_comment("prompt ü 🐈", "<")
    yield "ascii", user_comment("").replace(b"UNICODE\0", b"ASCII\0\0\0").replace(
        struct.pack(">I", 8), struct.pack(">I", 13), 2).replace(struct.pack(">I", 13), struct.pack(">I", 8), 1) + b"hello"
    yield "loop", b"MM\0*\0\0\0\x08\0\x01\x87\x69\0\x04\0\0\0\x01\0\0\0\x08\0\0\0\0"
    yield "many", b"II*\0\x08\0\0\0\xff\xff" + b"\x12\x01" * 30


def upright(data):
    """(RGB, L) as sdw_image_decode must give them."""
    image = ImageOps.exif_transpose(Image.open(io.BytesIO(data)))
    if image.mode.startswith("I"):
        image = Image.fromarray((np.asarray(image).astype(np.uint32) >> 8).astype(np.uint8))
    if image.mode in ("RGBA", "LA", "PA") or "transparency" in image.info:
        image = image.convert("RGBA")
        alpha = image.getchannel("A")
        white, black = Image.new("RGB", image.size, "white"), Image.new("L", image.size, 0)
        rgb = image.convert("RGB")
        white.paste(rgb, mask=alpha)
        black.paste(rgb.convert("L"), mask=alpha)
        return white, black
    rgb = image.convert("RGB")
    return rgb, rgb.convert("L")


FILTERS = [("LANCZOS", Image.LANCZOS), ("BICUBIC", Image.BICUBIC), ("BILINEAR", Image.BILINEAR), ("BOX", Image.BOX),
           ("NEAREST", Image.NEAREST)]
SIZES = [(64, 48, 32, 24), (64, 48, 41, 31), (31, 17, 100, 60), (50, 50, 50, 20), (50, 50, 20, 50), (9, 120, 30, 11),
         (3, 433, 2, 7), (1, 1, 5, 4), (200, 3, 7, 3), (97, 61, 13, 128),
         (60, 100, 50, 79), (60, 100, 50, 80)]  # the last two: either side of where the order of passes changes


def resize_rows():
    for w, h, ow, oh in SIZES:
        for c in (1, 3):
            a = pattern(w, h, c)
            image = Image.fromarray(a[:, :, 0] if c == 1 else a)
            for name, f in FILTERS:
                out = image.resize((ow, oh), f)
                yield f"    {{ {w}, {h}, {c}, {ow}, {oh}, SDW_FILTER_{name}, 0x{fnv(out.tobytes()):016x} }},"


def blur_rows():
    for w, h in ((40, 30), (7, 90), (1, 1), (130, 2)):
        mask = Image.fromarray(pattern(w, h, 1)[:, :, 0]).point(lambda v: 255 if v >= 128 else 0)
        for r in (0.3, 1, 2.5, 4, 8, 33.25, 500):
            out = mask.filter(ImageFilter.GaussianBlur(r))
            yield f"    {{ {w}, {h}, {r}f, 0x{fnv(out.tobytes()):016x} }},".replace(f" {r}f", f" {float(r)}f")


def main():
    lines = ["/* vectors.h - made by make_vectors.py with Pillow " + PIL.__version__ + "; do not edit. */",
             "#ifndef TESTS_IMAGE_VECTORS_H", "#define TESTS_IMAGE_VECTORS_H", "", "#include <stdint.h>", "",
             '#include "image/resize.h"', "", "/* A file of the corpus, upright: hashes as RGB and as grey. */",
             "static const struct {", "    const char *file;", "    int width, height;", "    uint64_t rgb, grey;",
             "} FILES[] = {"]
    for folder, samples in (("png", png_samples), ("jpeg", jpeg_samples), ("webp", webp_samples)):
        (CORPUS / folder).mkdir(parents=True, exist_ok=True)
        for name, data in samples():
            (CORPUS / folder / name).write_bytes(data)
            if name == "animated":
                continue
            rgb, grey = upright(data)
            lines.append(f'    {{ "{folder}/{name}", {rgb.width}, {rgb.height}, 0x{fnv(rgb.tobytes()):016x}, '
                         f"0x{fnv(grey.tobytes()):016x} }},")
    (CORPUS / "exif").mkdir(parents=True, exist_ok=True)
    for name, data in exif_samples():
        (CORPUS / "exif" / name).write_bytes(data)
    lines += ["};", "", "static const struct {", "    int width, height, channels, to_width, to_height;",
              "    sdw_filter filter;", "    uint64_t hash;", "} RESIZES[] = {", *resize_rows(), "};", "",
              "static const struct {", "    int width, height;", "    float radius;", "    uint64_t hash;",
              "} BLURS[] = {", *blur_rows(), "};", "", "/* pattern(9, 3, 1) by Lanczos to 5 x 4, in full. */",
              "static const uint8_t LANCZOS_5X4[] = {"]
    small = Image.fromarray(pattern(9, 3, 1)[:, :, 0]).resize((5, 4), Image.LANCZOS)
    lines += ["    " + " ".join(f"{v}," for v in row) for row in np.asarray(small)]
    lines += ["};", "", "#endif", ""]
    (ROOT / "image" / "vectors.h").write_text("\n".join(lines))


if __name__ == "__main__":
    main()
