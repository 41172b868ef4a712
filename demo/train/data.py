"""Sprites in memory, pictures composed from them on the device, captions as token ids."""
import concurrent.futures
import io
import json
import pathlib
import random
import tarfile

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image

import captions

COLOUR_NAMES = list(captions.COLOURS)


class Sprites:
    """All sprites as one uint8 tensor [N, 4, 256, 256], premultiplied, with who and what they are."""

    def __init__(self, data, device, limit=None):
        data = pathlib.Path(data)
        meta = json.loads((data / "subjects.json").read_text())
        self.subjects, self.index = meta["subjects"], [tuple(x) for x in meta["sprites"]]
        with tarfile.open(data / "sprites.tar") as tar:
            files = [tar.extractfile(m).read() for m in tar.getmembers()]
        if limit:
            files, self.index = files[:limit], self.index[:limit]
        with concurrent.futures.ThreadPoolExecutor(8) as pool:
            pixels = list(pool.map(lambda f: np.asarray(Image.open(io.BytesIO(f)).convert("RGBA")), files))
        self.pixels = torch.from_numpy(np.stack(pixels)).permute(0, 3, 1, 2).contiguous().to(device)
        # Lossy pictures may overshoot what their alpha allows.
        self.pixels[:, :3] = torch.minimum(self.pixels[:, :3], self.pixels[:, 3:])
        self.train = [n for n, (i, style) in enumerate(self.index) if not captions.held_out_style(style, self.subjects[i]["label"])]

    def allowed(self):
        """[N, 12] bool: the subject x colour pairs that training may show."""
        return torch.tensor([[not captions.held_out_colour(self.subjects[i]["label"], c) for c in COLOUR_NAMES] for i, _ in self.index])


def moved(rgba, scale, shift):
    """Scales about the centre and shifts, both per picture; shift in parts of half the side."""
    theta = torch.zeros(len(rgba), 2, 3, device=rgba.device)
    theta[:, 0, 0] = theta[:, 1, 1] = 1.0 / scale
    theta[:, :, 2] = -shift / scale[:, None]
    grid = F.affine_grid(theta, list(rgba.shape), align_corners=False)
    return F.grid_sample(rgba, grid, mode="bilinear", padding_mode="zeros", align_corners=False)


def over(rgba, background):
    """Premultiplied sprite over an opaque picture."""
    return rgba[:, :3] + (1.0 - rgba[:, 3:]) * background


def palette(device):
    return torch.tensor([captions.COLOURS[c] for c in COLOUR_NAMES], device=device, dtype=torch.float32) / 255.0


def backgrounds(n, side, gen, device):
    """Named colours, any colours and slanted gradients, a third each or so: [n, 3, side, side]."""
    def rand(*shape):
        return torch.rand(*shape, generator=gen, device=device)
    named = palette(device)[torch.randint(12, (n,), generator=gen, device=device)]
    first, second = rand(n, 3), rand(n, 3)
    kind = rand(n, 1)
    first = torch.where(kind < 0.5, named, first)
    second = torch.where(kind < 0.7, first, second)
    angle = rand(n, 1, 1) * 6.2832
    axis = torch.linspace(-1, 1, side, device=device)
    ramp = (axis[None, :, None] * angle.sin() + axis[None, None, :] * angle.cos()) * 0.35 + 0.5
    return first[:, :, None, None] * (1 - ramp[:, None]) + second[:, :, None, None] * ramp[:, None]


def vae_batch(sprites, n, gen, device):
    """Varied pictures for the autoencoder, -1..1: one or two sprites of any size on any background."""
    pick = torch.as_tensor(sprites.train, device=device)

    def layer(plain_share):
        which = pick[torch.randint(len(pick), (n,), generator=gen, device=device)]
        rgba = sprites.pixels[which].float() / 255.0
        scale = torch.exp(torch.empty(n, device=device).uniform_(-0.6, 0.8, generator=gen))
        shift = torch.empty(n, 2, device=device).uniform_(-0.5, 0.5, generator=gen)
        plain = torch.rand(n, generator=gen, device=device) < plain_share
        return moved(rgba, torch.where(plain, torch.ones_like(scale), scale), torch.where(plain[:, None], torch.zeros_like(shift), shift))
    picture = backgrounds(n, sprites.pixels.shape[-1], gen, device)
    second = layer(0.0) * (torch.rand(n, 1, 1, 1, generator=gen, device=device) < 0.3)
    return over(layer(0.6), over(second, picture)) * 2.0 - 1.0


def plain_pictures(sprites, which, colour, device, jitter=None):
    """The pictures that captions describe, -1..1; `jitter` is a generator for small moves."""
    rgba = sprites.pixels[which].float() / 255.0
    if jitter is not None:
        n = len(rgba)
        scale = torch.empty(n, device=device).uniform_(0.85, 1.05, generator=jitter)
        shift = torch.empty(n, 2, device=device).uniform_(-0.08, 0.08, generator=jitter)
        rgba = moved(rgba, scale, shift)
    return over(rgba, palette(device)[colour][:, :, None, None]) * 2.0 - 1.0


def caption_table(sprites, rows, tokens, per_pair, seed):
    """Token ids int16 [rows, 12, per_pair, 77] for the sprites numbered `rows` on every colour."""
    rng = random.Random(seed)
    table = np.empty((len(rows), 12, per_pair, 77), np.int16)
    for n, row in enumerate(rows.tolist()):
        i, style = sprites.index[row]
        for c, colour in enumerate(COLOUR_NAMES):
            for k in range(per_pair):
                table[n, c, k] = tokens(captions.caption(rng, style, sprites.subjects[i], colour))
    return torch.from_numpy(table)
