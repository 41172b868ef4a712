"""Trains the autoencoder for a given number of minutes; prints PSNR and saves OUT/vae.pt when done."""
import argparse
import pathlib
import time

import torch
import torch.nn.functional as F

import data
from modules import VAE, VAEModel


def gradients(x):
    return x[..., 1:, :] - x[..., :-1, :], x[..., :, 1:] - x[..., :, :-1]


def loss_of(got, want, mean, logvar, kl):
    """L1, plus L1 of neighbour differences at three scales (sharp edges), plus a small KL term."""
    rec = (got - want).abs().mean()
    edge = 0.0
    a, b = got, want
    for _ in range(3):
        edge = edge + sum((p - q).abs().mean() for p, q in zip(gradients(a), gradients(b)))
        a, b = F.avg_pool2d(a, 2), F.avg_pool2d(b, 2)
    divergence = 0.5 * (mean.square() + logvar.exp() - 1.0 - logvar).mean()
    return rec + 0.5 * F.mse_loss(got, want) + 0.3 * edge + kl * divergence, rec, divergence


@torch.no_grad()
def psnr(model, sprites, device, count=192):
    """Mean PSNR in dB over plain pictures (posterior mean), and the latents' standard deviation."""
    gen = torch.Generator(device).manual_seed(5)
    pick = torch.randint(len(sprites.index), (count,), generator=gen, device=device)
    colour = torch.randint(12, (count,), generator=gen, device=device)
    want = data.plain_pictures(sprites, pick, colour, device)
    total, latents, shown = 0.0, [], None
    for part in want.split(32):
        mean, _ = model.encode(part.contiguous(memory_format=torch.channels_last))
        got = model.decode(mean).float().clamp(-1, 1)
        total += (10 * torch.log10(4.0 / (got - part).square().mean((1, 2, 3)))).sum().item()
        latents.append(mean.float())
        shown = (part, got) if shown is None else shown
    z = torch.cat(latents)
    return total / count, z.std().item(), z, shown


def save_pairs(shown, path, count=10):
    from PIL import Image
    rows = [torch.cat(list(x[:count]), -1) for x in shown]
    sheet = ((torch.cat(rows, -2).permute(1, 2, 0).float() * 127.5) + 127.5).clamp(0, 255).byte().cpu().numpy()
    Image.fromarray(sheet).save(path)


def main():
    ap = argparse.ArgumentParser(description=__doc__)
    ap.add_argument("--data", required=True)
    ap.add_argument("--out", type=pathlib.Path, required=True)
    ap.add_argument("--minutes", type=float, default=5.0)
    ap.add_argument("--batch", type=int, default=24)
    ap.add_argument("--lr", type=float, default=6e-4)
    ap.add_argument("--kl", type=float, default=3e-5)
    ap.add_argument("--device", default="cuda")
    ap.add_argument("--limit", type=int, help="use the first so many sprites (trial runs)")
    ap.add_argument("--resume", action="store_true", help="go on from OUT/vae_last.pt")
    args = ap.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(1)
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = True
    torch.backends.cudnn.benchmark = True
    cuda = args.device == "cuda"
    sprites = data.Sprites(args.data, args.device, args.limit)
    model = VAEModel(**VAE).to(args.device, memory_format=torch.channels_last)
    ema = VAEModel(**VAE).to(args.device, memory_format=torch.channels_last)
    opt = torch.optim.AdamW(model.parameters(), lr=args.lr, betas=(0.9, 0.99), weight_decay=1e-3, fused=cuda)
    step = 0
    if args.resume:
        state = torch.load(args.out / "vae_last.pt", map_location=args.device)
        model.load_state_dict(state["model"])
        opt.load_state_dict(state["opt"])
        step = state["step"]
    ema.load_state_dict(model.state_dict())
    run = torch.compile(model) if cuda else model
    gen = torch.Generator(args.device).manual_seed(2 + step)
    # The clock starts after the first, compiling step.
    start = logged = None
    while True:
        part = 0.0 if start is None else (time.time() - start) / (60 * args.minutes)
        if part >= 1.0:
            break
        for group in opt.param_groups:
            group["lr"] = args.lr * min(1.0, (step + 1) / 200, max(0.01, (1.0 - part) / 0.6))
        want = data.vae_batch(sprites, args.batch, gen, args.device).contiguous(memory_format=torch.channels_last)
        with torch.autocast(args.device, torch.bfloat16, enabled=cuda):
            got, mean, logvar = run(want)
        loss, rec, divergence = loss_of(got.float(), want, mean.float(), logvar.float(), args.kl)
        opt.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        opt.step()
        step += 1
        decay = min(0.999, (1 + step) / (10 + step))
        with torch.no_grad():
            torch._foreach_lerp_(list(ema.parameters()), list(model.parameters()), 1.0 - decay)
        if start is None:
            start = logged = time.time()
        if time.time() - logged > 20:
            logged = time.time()
            print(f"vae step {step} at {logged - start:.0f} s: loss {loss.item():.4f} L1 {rec.item():.4f} KL {divergence.item():.2f}", flush=True)
    with torch.autocast(args.device, torch.bfloat16, enabled=False):
        db, std, z, shown = psnr(ema, sprites, args.device)
    print(f"vae done: {step} steps of {args.batch}, PSNR {db:.2f} dB, latent std {std:.4f}, per channel mean {z.mean((0, 2, 3)).tolist()} std {z.std((0, 2, 3)).tolist()}", flush=True)
    save_pairs(shown, args.out / "vae.png")
    torch.save({"model": model.state_dict(), "opt": opt.state_dict(), "step": step}, args.out / "vae_last.pt")
    torch.save({"model": ema.state_dict(), "std": std, "psnr": db, "step": step}, args.out / "vae.tmp")
    (args.out / "vae.tmp").rename(args.out / "vae.pt")


if __name__ == "__main__":
    main()
