"""Draws pictures with the training-time modules, scores them, saves contact sheets: a first look where the GPU is.

The scores of the model card come from demo/eval/evaluate.py, which draws with sdw.
"""
import argparse
import json
import pathlib
import sys

import numpy as np
import torch
from PIL import Image

from modules import load_model, load_vae
from tokens import Tokens
from train_unet import alphas

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "eval"))
import score  # noqa: E402

SHOW = ("3d red apple on a teal background", "flat fox on a purple background", "classic rocket on a white background",
        "3d dog face on a yellow background", "flat house on a pink background", "classic octopus on a blue background",
        "3d guitar on a brown background", "flat sunflower on a black background", "3d grinning face on a green background",
        "classic t-rex on a gray background", "3d hamburger on an orange background", "flat robot on a red background",
        "3d castle on a blue background", "classic birthday cake on a teal background", "3d butterfly on a white background",
        "flat bicycle on a yellow background")


@torch.no_grad()
def draw(model, vae, scale, tokens, prompts, seeds, steps, guidance, device):
    """DDIM, spacing "leading" with offset 1, final alpha alphas_cumprod[0]; returns uint8 [N, 256, 256, 3]."""
    abar = alphas(device)
    ids = torch.tensor([tokens(p) for p in prompts], device=device)
    empty = torch.tensor(tokens(""), device=device).expand_as(ids)
    context = torch.cat([model.text(empty), model.text(ids)])
    x = torch.stack([torch.randn(1, 4, 32, 32, generator=torch.Generator().manual_seed(s))[0] for s in seeds]).to(device)
    ratio = 1000 // steps
    for i in reversed(range(steps)):
        t = i * ratio + 1
        a, b = abar[t], abar[t - ratio] if t >= ratio else abar[0]
        e0, e1 = model.unet(torch.cat([x, x]), torch.full((2 * len(x),), t, device=device), context).chunk(2)
        e = e0 + guidance * (e1 - e0)
        x0 = (x - (1 - a).sqrt() * e) / a.sqrt()
        x = b.sqrt() * x0 + (1 - b).sqrt() * e
    pictures = vae.decode(x / scale).float().clamp(-1, 1)
    return ((pictures + 1) * 127.5).round().byte().permute(0, 2, 3, 1).cpu().numpy()


def draw_all(prompts, seeds, batch, *rest):
    return np.concatenate([draw(*rest[:3], rest[3], prompts[i:i + batch], seeds[i:i + batch], *rest[4:]) for i in range(0, len(prompts), batch)])


def sheet(pictures, columns):
    rows = [np.concatenate(list(pictures[i:i + columns]), 1) for i in range(0, len(pictures), columns)]
    return Image.fromarray(np.concatenate(rows, 0))


def main():
    ap = argparse.ArgumentParser(description=__doc__)
    ap.add_argument("--data", required=True)
    ap.add_argument("--model", type=pathlib.Path, required=True)
    ap.add_argument("--to", type=pathlib.Path, required=True, help="folder for sheet.jpg and scores.json")
    ap.add_argument("--steps", type=int, default=20)
    ap.add_argument("--guidance", type=float, nargs="+", default=[4.0])
    ap.add_argument("--count", type=int, default=200)
    ap.add_argument("--batch", type=int, default=100)
    ap.add_argument("--device", default="cuda")
    args = ap.parse_args()
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = True
    model = load_model(args.model).to(args.device).eval()
    vae, scale = load_vae(args.model)
    vae, tokens, results = vae.to(args.device).eval(), Tokens(args.model / "tokenizer"), {}
    args.to.mkdir(parents=True, exist_ok=True)
    refs = score.References(args.data)
    seen, held = score.prompts(args.data, args.count)
    for g in args.guidance:
        common = (model, vae, scale, tokens, args.steps, g, args.device)
        shown = draw_all(list(SHOW), list(range(len(SHOW))), args.batch, *common)
        sheet(shown, 8).save(args.to / f"sheet-{g}.jpg", quality=88)
        row = {}
        for name, cases in (("seen", seen), ("held_out", held)):
            pictures = draw_all([c["prompt"] for c in cases], [c["seed"] for c in cases], args.batch, *common)
            row[name] = score.summary([score.judge(p, c, refs) for p, c in zip(pictures, cases)])
            sheet(pictures[:32], 8).resize((1024, 512)).save(args.to / f"{name}-{g}.jpg", quality=85)
        results[str(g)] = row
        print(f"guidance {g}:", json.dumps(row), flush=True)
    (args.to / "scores.json").write_text(json.dumps(results, indent=1) + "\n")


if __name__ == "__main__":
    main()
