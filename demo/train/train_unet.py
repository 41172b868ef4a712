"""Trains UNet and text encoder together on cached latents until a deadline; saves OUT/unet.pt as it goes.

One GPU: python train_unet.py ...; several: torchrun --nproc-per-node N train_unet.py ..., one process a GPU.
It compiles first and then waits for its part of CACHE, so it can be started beside encode.py. OUT/deadline
holds the time (seconds since 1970) at which the learning rate reaches zero; it may be rewritten on the way.
"""
import argparse
import os
import pathlib
import time

import torch
import torch.distributed as dist

from modules import Model, Resnet, TextLayer, Transformer, load_model

BEAT = 25  # steps between two looks at the clock; all processes take the same number of steps


def alphas(device):
    betas = torch.linspace(0.00085 ** 0.5, 0.012 ** 0.5, 1000, dtype=torch.float64) ** 2
    return torch.cumprod(1.0 - betas, 0).float().to(device)


class Draw:
    """Training batches from one part of the cache, wholly on the device."""

    def __init__(self, part, device, seed):
        self.latents, self.ids = part["latents"].to(device), part["ids"].to(device)
        self.pairs, self.empty = part["pairs"].to(device), part["empty"].to(device)
        self.device, self.abar = device, alphas(device)
        self.gen = torch.Generator(device).manual_seed(seed)
        # Min-SNR weights (gamma 5) of the noise prediction. Nearly clean steps have small weights, so they
        # are drawn less often and weighted the more: the same loss in the mean with less spread.
        snr = self.abar / (1.0 - self.abar)
        weight = snr.clamp(max=5.0) / snr
        chance = weight.clamp(min=0.4)
        chance = chance / chance.mean()
        self.weight, self.steps = weight / chance, chance.cumsum(0) / chance.sum()

    def rand(self, *shape):
        return torch.rand(*shape, generator=self.gen, device=self.device)

    def noise(self, *shape):
        return torch.randn(*shape, generator=self.gen, device=self.device)

    def latent(self, n):
        """n latents, the rows of their sprites and their colours."""
        pair = self.pairs[torch.randint(len(self.pairs), (n,), generator=self.gen, device=self.device)]
        moved = (self.rand(n) < 0.1).long()
        mean, spread = self.latents[moved, pair[:, 0], pair[:, 1]].float().chunk(2, 1)
        return mean + spread * self.noise(*mean.shape), pair[:, 0], pair[:, 1]

    def batch(self, n):
        """Noisy latents, steps, token ids, the noise to predict, and the weight of each loss."""
        z, row, colour = self.latent(n)
        ids = self.ids[row, colour, torch.randint(self.ids.shape[2], (n,), generator=self.gen, device=self.device)].long()
        ids = torch.where(self.rand(n, 1) < 0.1, self.empty, ids)
        # Evenly spread over the steps, one random point in each of n intervals.
        even = (torch.arange(n, device=self.device) + self.rand(n)) / n
        t = torch.searchsorted(self.steps, even).clamp(max=999)
        # A little noise shared by a whole channel: without it the mean colour is never really hidden, and
        # the model does not learn to make it from the caption.
        noise = self.noise(*z.shape) + 0.06 * self.noise(n, 4, 1, 1)
        a = self.abar[t][:, None, None, None]
        x = a.sqrt() * z + (1.0 - a).sqrt() * noise
        return x.contiguous(memory_format=torch.channels_last), t, ids, noise, self.weight[t]


class Trainer:
    def __init__(self, args, rank, world, device):
        self.args, self.rank, self.world, self.device = args, rank, world, device
        self.cuda = device.type == "cuda"
        self.model = Model().to(device, memory_format=torch.channels_last)
        self.ema = Model().to(device, memory_format=torch.channels_last)
        self.opt = torch.optim.AdamW(self.model.parameters(), lr=args.lr, betas=(0.9, 0.98), weight_decay=0.01, fused=self.cuda)
        self.run = compiled(self.model, args.compile if self.cuda else "none")
        self.step, self.seen, self.spent, self.warm = 0, 0, 0.0, 0

    def train(self, x, t, ids, noise, weight, lr):
        for group in self.opt.param_groups:
            group["lr"] = lr
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.cuda):
            got = self.run(x, t, ids)
        loss = (weight * (got.float() - noise).square().mean((1, 2, 3))).mean()
        self.opt.zero_grad(set_to_none=True)
        loss.backward()
        self.share_gradients()
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
        self.opt.step()
        return loss.detach()

    def share_gradients(self):
        """Mean over all processes, in one message."""
        if self.world == 1:
            return
        grads = [p.grad for p in self.model.parameters()]
        flat = torch.cat([g.reshape(-1) for g in grads])
        dist.all_reduce(flat)
        flat /= self.world
        torch._foreach_copy_(grads, [part.view_as(g) for part, g in zip(flat.split([g.numel() for g in grads]), grads)])

    def average(self):
        decay = min(self.args.ema, (1 + self.step) / (20 + self.step))
        with torch.no_grad():
            torch._foreach_lerp_(list(self.ema.parameters()), list(self.model.parameters()), 1.0 - decay)

    def save(self, path):
        """The first process alone writes; all hold the same state."""
        if self.rank:
            return
        state = {"model": self.model.state_dict(), "ema": self.ema.state_dict(), "opt": self.opt.state_dict(),
                 "step": self.step, "seen": self.seen, "spent": self.spent}
        torch.save(state, path.with_suffix(".tmp"))
        path.with_suffix(".tmp").rename(path)

    def load(self, path):
        state = torch.load(path, map_location=self.device)
        self.model.load_state_dict(state["model"])
        self.ema.load_state_dict(state["ema"])
        self.opt.load_state_dict(state["opt"])
        self.step, self.seen, self.spent = state["step"], state["seen"], state["spent"]
        self.warm = self.step

    def start_from(self, folder):
        self.model.load_state_dict(load_model(folder).state_dict())

    def agree(self):
        """All processes start from the first one's weights."""
        if self.world > 1:
            for p in self.model.parameters():
                dist.broadcast(p.data, 0)
        if not self.step:
            self.ema.load_state_dict(self.model.state_dict())

    def told(self, *values):
        """Numbers that the first process knows, for all."""
        t = torch.tensor(values, dtype=torch.float64, device=self.device)
        if self.world > 1:
            dist.broadcast(t, 0)
        return t.tolist()


def compiled(model, how):
    """`whole` runs fastest; `blocks` compiles each kind of block once, in a third of the time."""
    if how == "blocks":
        torch._dynamo.config.recompile_limit = 64
        for m in model.modules():
            if isinstance(m, (Resnet, Transformer, TextLayer)):
                m.compile(dynamic=False)
    return torch.compile(model) if how == "whole" else model


def compile_first(trainer, batch):
    """Runs every graph on noise with a learning rate of zero, then puts the fresh state back."""
    began = time.time()
    x = torch.randn(batch, 4, 32, 32, device=trainer.device).contiguous(memory_format=torch.channels_last)
    t, ids = torch.randint(1000, (batch,), device=trainer.device), torch.randint(8000, (batch, 77), device=trainer.device)
    for i in range(23):
        if i == 3:
            start = sync(trainer)
        trainer.train(x, t, ids, torch.randn_like(x), torch.ones(batch, device=trainer.device), 0.0)
    end = sync(trainer)
    trainer.opt.state.clear()
    if not trainer.rank:
        print(f"compiled in {start - began:.0f} s; {20 * batch * trainer.world / (end - start):.0f} pictures/s before there is data", flush=True)


def sync(trainer):
    if trainer.cuda:
        torch.cuda.synchronize()
    return time.time()


def rate_at(trainer, left):
    """Warm-up, level for 30 % of the time, then straight down to zero at the deadline."""
    part = trainer.spent / max(1.0, trainer.spent + left)
    warm = (trainer.step - trainer.warm + 1) / trainer.args.warm_up
    return trainer.args.lr * min(1.0, warm, max(0.0, (1.0 - part) / 0.7))


def wait_for(path):
    while not path.exists():
        time.sleep(0.25)
    return path


def learn(trainer, draw):
    args, offset = trainer.args, trainer.spent
    start = logged = saved = time.time()
    total, count = 0.0, 0
    while True:
        now = sync(trainer)
        left, trainer.spent = trainer.told(*((deadline(args.out) - now, offset + now - start) if not trainer.rank else (0.0, 0.0)))
        if trainer.rank == 0 and count and now - logged > args.log_every:
            print(f"step {trainer.step} seen {trainer.seen} at {trainer.spent:.0f} s: loss {total.item() / count:.5f} lr {lr:.2e} "
                  f"{count * args.batch * trainer.world / (now - logged):.0f} pictures/s, {left:.0f} s left", flush=True)
            logged, total, count = now, 0.0, 0
        if now - saved > args.save_every and trainer.rank == 0:
            trainer.save(args.out / "unet.pt")
            saved = now
        if left <= 0.0:
            break
        for _ in range(BEAT):
            lr = rate_at(trainer, left)
            total = total + trainer.train(*draw.batch(args.batch), lr)
            trainer.average()
            trainer.step += 1
            trainer.seen += args.batch * trainer.world
            count += 1
    trainer.save(args.out / "unet.pt")
    if trainer.rank == 0:
        (args.out / "finished").write_text(f"{trainer.step} steps, {trainer.seen} pictures, {trainer.spent:.0f} s\n")
        print("finished:", (args.out / "finished").read_text(), flush=True)


def deadline(folder):
    return float((folder / "deadline").read_text())


def main():
    ap = argparse.ArgumentParser(description=__doc__)
    ap.add_argument("--cache", type=pathlib.Path, required=True, help="folder that encode.py fills")
    ap.add_argument("--out", type=pathlib.Path, required=True)
    ap.add_argument("--batch", type=int, default=256, help="pictures of a step in each process")
    ap.add_argument("--lr", type=float, default=8e-4)
    ap.add_argument("--warm-up", type=int, default=300, help="steps")
    ap.add_argument("--compile", choices=("whole", "blocks", "none"), default="whole")
    ap.add_argument("--ema", type=float, default=0.999)
    ap.add_argument("--log-every", type=float, default=20.0, help="seconds between lines")
    ap.add_argument("--save-every", type=float, default=90.0, help="seconds between checkpoints")
    ap.add_argument("--device", default="cuda")
    ap.add_argument("--init", type=pathlib.Path, help="start from the weights of this model folder")
    ap.add_argument("--spent", type=float, default=0.0, help="with --init: seconds of the schedule that lie behind")
    ap.add_argument("--seen", type=int, default=0, help="with --init: pictures that lie behind")
    ap.add_argument("--resume", action="store_true", help="go on from OUT/unet.pt")
    args = ap.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    rank, world = int(os.environ.get("RANK", 0)), int(os.environ.get("WORLD_SIZE", 1))
    device = torch.device(args.device, rank) if args.device == "cuda" else torch.device(args.device)
    if args.device == "cuda":
        torch.cuda.set_device(device)
    if world > 1:
        dist.init_process_group("nccl" if args.device == "cuda" else "gloo")
    torch.manual_seed(3)
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = True
    torch.backends.cudnn.benchmark = True
    trainer = Trainer(args, rank, world, device)
    if trainer.cuda:
        compile_first(trainer, args.batch)
    part = torch.load(wait_for(args.cache / f"part-{rank}-of-{world}.pt"))
    if args.resume:
        trainer.load(args.out / "unet.pt")
    elif args.init:
        trainer.start_from(args.init)
        trainer.spent, trainer.seen = args.spent, args.seen
    trainer.agree()
    learn(trainer, Draw(part, device, 1000 * (rank + 1) + trainer.step))
    if world > 1:
        dist.destroy_process_group()


if __name__ == "__main__":
    main()
