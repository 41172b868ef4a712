"""Encodes what training draws from: CACHE/part-R-of-N.pt, one file for each process of train_unet.py.

A part holds every N-th training sprite on every colour as a latent (mean and spread, still and slightly
moved), the token ids of its captions, and how often each pair is drawn.
"""
import argparse
import pathlib
import time

import torch

import captions
import data
from modules import load_vae
from tokens import Tokens


def share(subject):
    """How often a subject is drawn: what people ask for first comes half as often again."""
    return 3 if subject["group"] in captions.OFTEN_GROUPS or subject["label"] in captions.OFTEN else 2


def pairs(sprites, rows):
    """[P, 2] int64: position in `rows` and colour of each pair that training may show, repeated by its share."""
    which = sprites.allowed()[rows].nonzero()
    shares = torch.tensor([share(sprites.subjects[sprites.index[r][0]]) for r in rows.tolist()])
    return which.repeat_interleave(shares[which[:, 0]], 0)


@torch.no_grad()
def latents(vae, scale, sprites, rows, batch, device, seed):
    """float16 [2, rows, 12, 8, 32, 32]: still, then moved by up to 8 % of half the side."""
    gen = torch.Generator(device).manual_seed(seed)
    out = torch.empty(2, len(rows) * 12, 8, 32, 32, dtype=torch.float16)
    for moved in (0, 1):
        for at in range(0, out.shape[1], batch):
            n = torch.arange(at, min(at + batch, out.shape[1]))
            pictures = data.plain_pictures(sprites, rows[n // 12].to(device), (n % 12).to(device), device, gen if moved else None)
            with torch.autocast(torch.device(device).type, torch.bfloat16, enabled=device != "cpu"):
                mean, logvar = vae.encode(pictures.contiguous(memory_format=torch.channels_last))
            both = torch.cat([mean.float() * scale, torch.exp(0.5 * logvar.float()) * scale], 1)
            out[moved, at:at + batch] = both.half().cpu()
    return out.view(2, len(rows), 12, 8, 32, 32)


def main():
    ap = argparse.ArgumentParser(description=__doc__)
    ap.add_argument("--data", required=True)
    ap.add_argument("--model", type=pathlib.Path, required=True, help="model folder: its VAE and its tokenizer are used")
    ap.add_argument("--cache", type=pathlib.Path, required=True)
    ap.add_argument("--part", type=int, default=0)
    ap.add_argument("--parts", type=int, default=1)
    ap.add_argument("--batch", type=int, default=192)
    ap.add_argument("--captions", type=int, default=8, help="captions drawn per sprite and colour")
    ap.add_argument("--device", default="cuda")
    ap.add_argument("--limit", type=int, help="use the first so many sprites (trial runs)")
    args = ap.parse_args()
    args.cache.mkdir(parents=True, exist_ok=True)
    began = time.time()
    torch.backends.cudnn.allow_tf32 = True
    sprites = data.Sprites(args.data, args.device, args.limit)
    rows = torch.as_tensor(sprites.train)[args.part::args.parts]
    vae, scale = load_vae(args.model)
    vae = vae.to(args.device, memory_format=torch.channels_last).eval().requires_grad_(False)
    tokens = Tokens(args.model / "tokenizer")
    part = {"latents": latents(vae, scale, sprites, rows, args.batch, args.device, 7 + args.part),
            "ids": data.caption_table(sprites, rows, tokens, args.captions, 11 + args.part),
            "pairs": pairs(sprites, rows), "empty": torch.tensor(tokens(""))}
    to = args.cache / f"part-{args.part}-of-{args.parts}.pt"
    torch.save(part, to.with_suffix(".tmp"))
    to.with_suffix(".tmp").rename(to)
    print(f"{to}: {len(rows)} of {len(sprites.train)} training sprites, {len(part['pairs'])} draws, "
          f"spread of the latents {part['latents'][0, :, :, :4].float().std():.4f}, {time.time() - began:.0f} s", flush=True)


if __name__ == "__main__":
    main()
