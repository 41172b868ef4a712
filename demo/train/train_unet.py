"""Trains UNet and text encoder together on cached latents until a deadline; saves OUT/unet.pt as it goes.

Compiles while it waits for OUT/vae.pt, so it can be started beside train_vae.py. OUT/deadline holds the
time (seconds since 1970) at which the learning rate reaches zero; it may be rewritten while training runs.
"""
import argparse
import pathlib
import time

import torch

import data
from modules import TEXT, UNET, VAE, TextEncoder, UNet, VAEModel
from tokens import Tokens


def alphas(device):
    betas = torch.linspace(0.00085 ** 0.5, 0.012 ** 0.5, 1000, dtype=torch.float64) ** 2
    return torch.cumprod(1.0 - betas, 0).float().to(device)


class Model(torch.nn.Module):
    """Both trained parts in one module: one optimizer, one graph, one average."""

    def __init__(self):
        super().__init__()
        self.unet, self.text = UNet(**UNET), TextEncoder(**TEXT)
        self.unet.quiet_start()

    def forward(self, x, t, ids):
        return self.unet(x, t, self.text(ids))


class Cache:
    """Latents of every training sprite on every colour: mean and spread, still and slightly moved."""

    def __init__(self, sprites, device):
        self.sprites, self.device = sprites, device
        self.rows = torch.as_tensor(sprites.train, device=device)
        shape = (2, len(self.rows), 12, 8, 32, 32)
        self.latents = torch.empty(shape, dtype=torch.float16, device=device)
        ok = sprites.allowed().to(device)[self.rows]
        self.pairs = ok.nonzero()

    @torch.no_grad()
    def fill(self, encode, scale, batch):
        """`encode` takes pictures [batch, 3, 256, 256]; the last batch is padded to keep its shape."""
        gen = torch.Generator(self.device).manual_seed(7)
        flat = self.latents.view(2, -1, 8, 32, 32)
        total = flat.shape[1]
        for moved in (0, 1):
            for at in range(0, total, batch):
                n = torch.arange(at, at + batch, device=self.device).clamp(max=total - 1)
                pictures = data.plain_pictures(self.sprites, self.rows[n // 12], n % 12, self.device, gen if moved else None)
                with torch.autocast(self.device, torch.bfloat16, enabled=self.device == "cuda"):
                    mean, logvar = encode(pictures.contiguous(memory_format=torch.channels_last))
                both = torch.cat([mean.float() * scale, torch.exp(0.5 * logvar.float()) * scale], 1)
                flat[moved, at:at + batch] = both[: total - at].half()

    def draw(self, n, gen):
        """n latents, the rows of their sprites and their colours."""
        pair = self.pairs[torch.randint(len(self.pairs), (n,), generator=gen, device=self.device)]
        moved = (torch.rand(n, generator=gen, device=self.device) < 0.3).long()
        both = self.latents[moved, pair[:, 0], pair[:, 1]].float()
        mean, spread = both.chunk(2, 1)
        noise = torch.randn(mean.shape, generator=gen, device=self.device)
        return mean + spread * noise, self.rows[pair[:, 0]], pair[:, 1]


def batch_of(cache, table, empty, abar, n, gen, device):
    z, sprite, colour = cache.draw(n, gen)
    which = torch.randint(table.shape[2], (n,), generator=gen, device=device)
    ids = table[sprite, colour, which].long()
    ids = torch.where(torch.rand(n, 1, generator=gen, device=device) < 0.1, empty, ids)
    t = torch.randint(1000, (n,), generator=gen, device=device)
    noise = torch.randn(z.shape, generator=gen, device=device)
    # A little noise shared by a whole channel: without it the mean colour is never really hidden, and
    # the model does not learn to make it from the caption.
    noise = noise + 0.06 * torch.randn(n, 4, 1, 1, generator=gen, device=device)
    a = abar[t][:, None, None, None]
    x = a.sqrt() * z + (1.0 - a).sqrt() * noise
    snr = abar[t] / (1.0 - abar[t])
    weight = snr.clamp(max=5.0) / snr  # min-SNR weighting (gamma 5) of the noise prediction
    return x.contiguous(memory_format=torch.channels_last), t, ids, noise, weight


class Trainer:
    def __init__(self, args):
        self.args, self.cuda = args, args.device == "cuda"
        self.model = Model().to(args.device, memory_format=torch.channels_last)
        self.ema = Model().to(args.device, memory_format=torch.channels_last)
        self.ema.load_state_dict(self.model.state_dict())
        self.opt = torch.optim.AdamW(self.model.parameters(), lr=args.lr, betas=(0.9, 0.98), weight_decay=0.01, fused=self.cuda)
        self.run = torch.compile(self.model) if self.cuda else self.model
        self.step, self.seen, self.spent = 0, 0, 0.0

    def train(self, x, t, ids, noise, weight, lr):
        for group in self.opt.param_groups:
            group["lr"] = lr
        with torch.autocast(self.args.device, torch.bfloat16, enabled=self.cuda):
            got = self.run(x, t, ids)
        loss = (weight * (got.float() - noise).square().mean((1, 2, 3))).mean()
        self.opt.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
        self.opt.step()
        return loss.detach()

    def average(self):
        decay = min(0.9995, (1 + self.step) / (20 + self.step))
        with torch.no_grad():
            torch._foreach_lerp_(list(self.ema.parameters()), list(self.model.parameters()), 1.0 - decay)

    def save(self, vae_std, path):
        state = {"model": self.model.state_dict(), "ema": self.ema.state_dict(), "opt": self.opt.state_dict(), "step": self.step,
                 "seen": self.seen, "spent": self.spent, "std": vae_std}
        torch.save(state, path.with_suffix(".tmp"))
        path.with_suffix(".tmp").rename(path)

    def load(self, path):
        state = torch.load(path, map_location=self.args.device)
        self.model.load_state_dict(state["model"])
        self.ema.load_state_dict(state["ema"])
        self.opt.load_state_dict(state["opt"])
        self.step, self.seen, self.spent = state["step"], state["seen"], state["spent"]


def compile_first(trainer, cache_encode, args):
    """Runs every graph once on noise with a learning rate of zero, then puts the fresh state back."""
    n = args.batch
    x = torch.randn(n, 4, 32, 32, device=args.device).contiguous(memory_format=torch.channels_last)
    t, ids = torch.randint(1000, (n,), device=args.device), torch.randint(8000, (n, 77), device=args.device)
    for i in range(23):
        if i == 3:
            start = sync(args.device)
        trainer.train(x, t, ids, torch.randn_like(x), torch.ones(n, device=args.device), 0.0)
    rate = 20 * n / (sync(args.device) - start)
    trainer.opt.state.clear()
    pictures = torch.zeros(args.encode_batch, 3, 256, 256, device=args.device).contiguous(memory_format=torch.channels_last)
    with torch.no_grad(), torch.autocast(args.device, torch.bfloat16):
        cache_encode(pictures)
    print(f"compiled; {rate:.0f} pictures/s while waiting", flush=True)


def sync(device):
    if device == "cuda":
        torch.cuda.synchronize()
    return time.time()


def rate_at(args, spent, left, step):
    part = spent / max(1.0, spent + left)
    return args.lr * min(1.0, (step + 1) / 500, max(0.0, (1.0 - part) / 0.75))


def main():
    ap = argparse.ArgumentParser(description=__doc__)
    ap.add_argument("--data", required=True)
    ap.add_argument("--tokenizer", required=True)
    ap.add_argument("--out", type=pathlib.Path, required=True)
    ap.add_argument("--batch", type=int, default=256)
    ap.add_argument("--encode-batch", type=int, default=192)
    ap.add_argument("--lr", type=float, default=8e-4)
    ap.add_argument("--captions", type=int, default=6, help="captions drawn per sprite and colour")
    ap.add_argument("--device", default="cuda")
    ap.add_argument("--limit", type=int, help="use the first so many sprites (trial runs)")
    ap.add_argument("--resume", action="store_true", help="go on from OUT/unet.pt")
    args = ap.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(3)
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = True
    torch.backends.cudnn.benchmark = True
    trainer = Trainer(args)
    vae = VAEModel(**VAE).to(args.device, memory_format=torch.channels_last).eval().requires_grad_(False)
    encode = torch.compile(vae.encode) if trainer.cuda else vae.encode
    if trainer.cuda:
        compile_first(trainer, encode, args)
    sprites = data.Sprites(args.data, args.device, args.limit)
    tokens = Tokens(args.tokenizer)
    table = data.caption_table(sprites, tokens, args.captions, 11).to(args.device)
    empty = torch.tensor(tokens(""), device=args.device)
    print(f"{len(sprites.train)} sprites to train on, {table[:, :, :, 0].numel()} captions", flush=True)
    if args.resume:
        trainer.load(args.out / "unet.pt")
    while not (args.out / "vae.pt").exists():
        time.sleep(0.5)
    state = torch.load(args.out / "vae.pt", map_location=args.device)
    vae.load_state_dict(state["model"])
    began = time.time()
    cache = Cache(sprites, args.device)
    cache.fill(encode, 1.0 / state["std"], args.encode_batch)
    print(f"encoded {2 * len(cache.rows) * 12} pictures in {time.time() - began:.0f} s, std now {cache.latents[0, :, :, :4].float().std():.4f}", flush=True)
    learn(trainer, cache, table, empty, state["std"], args)


def learn(trainer, cache, table, empty, std, args):
    abar = alphas(args.device)
    gen = torch.Generator(args.device).manual_seed(13 + trainer.step)
    before, start = trainer.spent, time.time()
    logged = saved = start
    deadline, total, count = float((args.out / "deadline").read_text()), 0.0, 0
    while time.time() < deadline:
        lr = rate_at(args, trainer.spent, deadline - time.time(), trainer.step)
        total = total + trainer.train(*batch_of(cache, table, empty, abar, args.batch, gen, args.device), lr)
        trainer.step += 1
        trainer.seen += args.batch
        count += 1
        trainer.average()
        if trainer.step % 25:
            continue
        total = torch.as_tensor(total)
        now = sync(args.device)
        trainer.spent = before + now - start
        if now - logged > 20:
            deadline = float((args.out / "deadline").read_text())
            print(f"step {trainer.step} seen {trainer.seen} at {trainer.spent:.0f} s: loss {total.item() / count:.5f} lr {lr:.2e} "
                  f"{trainer.seen / trainer.spent:.0f} pictures/s, {deadline - now:.0f} s left", flush=True)
            logged, total, count = now, 0.0, 0
        if now - saved > 60:
            trainer.save(std, args.out / "unet.pt")
            saved = time.time()
    trainer.save(std, args.out / "unet.pt")
    (args.out / "finished").write_text(f"{trainer.step} steps, {trainer.seen} pictures, {trainer.spent:.0f} s\n")
    print("finished:", (args.out / "finished").read_text(), flush=True)


if __name__ == "__main__":
    main()
