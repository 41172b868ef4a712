"""CLIP text encoder, UNet and VAE in the SD 1.x layout.

Module names are those of the published weight files, so a state dict saved here is a model folder's
weight file as it stands. The maths is written down beside each block.
"""
import json
import math
import pathlib

import torch
import torch.nn.functional as F
from safetensors.torch import load_file
from torch import nn

TEXT = dict(vocab_size=8514, width=192, layers=4, heads=3, positions=77)
UNET = dict(channels=(96, 192, 256), attention=(True, True, False), layers=2, heads=4, context=192, groups=32)
VAE = dict(channels=(32, 64, 128, 128), layers=1, latent=4, groups=8)


class Resnet(nn.Module):
    """GroupNorm, SiLU, conv, (+ time), GroupNorm, SiLU, conv, + skip."""

    def __init__(self, cin, cout, groups, eps, time=None):
        super().__init__()
        self.norm1 = nn.GroupNorm(groups, cin, eps)
        self.conv1 = nn.Conv2d(cin, cout, 3, padding=1)
        self.time_emb_proj = nn.Linear(time, cout) if time else None
        self.norm2 = nn.GroupNorm(groups, cout, eps)
        self.conv2 = nn.Conv2d(cout, cout, 3, padding=1)
        self.conv_shortcut = nn.Conv2d(cin, cout, 1) if cin != cout else None

    def forward(self, x, emb=None):
        h = self.conv1(F.silu(self.norm1(x)))
        if self.time_emb_proj is not None:
            h = h + self.time_emb_proj(F.silu(emb))[:, :, None, None]
        h = self.conv2(F.silu(self.norm2(h)))
        return (x if self.conv_shortcut is None else self.conv_shortcut(x)) + h


class Attention(nn.Module):
    def __init__(self, width, heads, context=None, bias=False):
        super().__init__()
        self.heads = heads
        self.to_q = nn.Linear(width, width, bias=bias)
        self.to_k = nn.Linear(context or width, width, bias=bias)
        self.to_v = nn.Linear(context or width, width, bias=bias)
        self.to_out = nn.ModuleList([nn.Linear(width, width)])

    def forward(self, x, context=None):
        c = x if context is None else context
        b, n, w = x.shape
        q, k, v = (t.view(b, -1, self.heads, w // self.heads).transpose(1, 2) for t in (self.to_q(x), self.to_k(c), self.to_v(c)))
        y = F.scaled_dot_product_attention(q, k, v)
        return self.to_out[0](y.transpose(1, 2).reshape(b, n, w))


class GEGLU(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.proj = nn.Linear(width, 8 * width)

    def forward(self, x):
        value, gate = self.proj(x).chunk(2, -1)
        return value * F.gelu(gate)


class FeedForward(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.net = nn.ModuleList([GEGLU(width), nn.Identity(), nn.Linear(4 * width, width)])

    def forward(self, x):
        return self.net[2](self.net[0](x))


class TransformerBlock(nn.Module):
    def __init__(self, width, heads, context):
        super().__init__()
        self.norm1, self.norm2, self.norm3 = (nn.LayerNorm(width, 1e-5) for _ in range(3))
        self.attn1 = Attention(width, heads)
        self.attn2 = Attention(width, heads, context)
        self.ff = FeedForward(width)

    def forward(self, x, context):
        x = x + self.attn1(self.norm1(x))
        x = x + self.attn2(self.norm2(x), context)
        return x + self.ff(self.norm3(x))


class Transformer(nn.Module):
    """GroupNorm (1e-6), 1x1 conv, one block over the pixels as tokens, 1x1 conv, + input."""

    def __init__(self, width, heads, context, groups):
        super().__init__()
        self.norm = nn.GroupNorm(groups, width, 1e-6)
        self.proj_in = nn.Conv2d(width, width, 1)
        self.transformer_blocks = nn.ModuleList([TransformerBlock(width, heads, context)])
        self.proj_out = nn.Conv2d(width, width, 1)

    def forward(self, x, context):
        b, c, h, w = x.shape
        y = self.proj_in(self.norm(x)).permute(0, 2, 3, 1).reshape(b, h * w, c)
        y = self.transformer_blocks[0](y, context)
        return x + self.proj_out(y.reshape(b, h, w, c).permute(0, 3, 1, 2))


class Sampler(nn.Module):
    """Down (stride 2) or up (nearest x2) with a 3x3 conv. The VAE pads right and bottom only on the way down."""

    def __init__(self, width, up, lopsided=False):
        super().__init__()
        self.up, self.lopsided = up, lopsided
        self.conv = nn.Conv2d(width, width, 3, stride=1 if up else 2, padding=0 if lopsided else 1)

    def forward(self, x):
        if self.up:
            x = F.interpolate(x, scale_factor=2.0, mode="nearest")
        elif self.lopsided:
            x = F.pad(x, (0, 1, 0, 1))
        return self.conv(x)


class Block(nn.Module):
    """Resnets, an attention after each where asked for, and a sampler at the end."""

    def __init__(self, widths, groups, eps, time=None, heads=None, context=None, down=False, up=False, lopsided=False):
        super().__init__()
        self.resnets = nn.ModuleList([Resnet(i, o, groups, eps, time) for i, o in widths])
        out = widths[-1][1]
        if heads:
            self.attentions = nn.ModuleList([Transformer(out, heads, context, groups) for _ in widths])
        if down:
            self.downsamplers = nn.ModuleList([Sampler(out, False, lopsided)])
        if up:
            self.upsamplers = nn.ModuleList([Sampler(out, True)])


class UNet(nn.Module):
    def __init__(self, channels, attention, layers, heads, context, groups):
        super().__init__()
        first, last, time = channels[0], channels[-1], channels[0] * 4
        self.first = first
        self.time_embedding = nn.ModuleDict({"linear_1": nn.Linear(first, time), "linear_2": nn.Linear(time, time)})
        self.conv_in = nn.Conv2d(4, first, 3, padding=1)
        skips, width, n = [first], first, len(channels)
        self.down_blocks = nn.ModuleList()
        for i, c in enumerate(channels):
            widths = [(width if j == 0 else c, c) for j in range(layers)]
            self.down_blocks.append(Block(widths, groups, 1e-5, time, heads if attention[i] else None, context, down=i < n - 1))
            skips += [c] * layers + ([c] if i < n - 1 else [])
            width = c
        self.mid_block = Block([(last, last)] * 2, groups, 1e-5, time)
        self.mid_block.attentions = nn.ModuleList([Transformer(last, heads, context, groups)])
        self.up_blocks = nn.ModuleList()
        for i in reversed(range(n)):
            widths = []
            for _ in range(layers + 1):
                widths.append((width + skips.pop(), channels[i]))
                width = channels[i]
            self.up_blocks.append(Block(widths, groups, 1e-5, time, heads if attention[i] else None, context, up=i > 0))
        self.conv_norm_out = nn.GroupNorm(groups, first, 1e-5)
        self.conv_out = nn.Conv2d(first, 4, 3, padding=1)

    def embed_time(self, t):
        half = self.first // 2
        freq = torch.exp(-math.log(10000.0) * torch.arange(half, device=t.device, dtype=torch.float32) / half)
        wave = t.float()[:, None] * freq[None]
        wave = torch.cat([wave.cos(), wave.sin()], -1).to(self.time_embedding["linear_1"].weight.dtype)
        return self.time_embedding["linear_2"](F.silu(self.time_embedding["linear_1"](wave)))

    def forward(self, x, t, context):
        emb = self.embed_time(t)
        x = self.conv_in(x)
        skips = [x]
        for block in self.down_blocks:
            for j, resnet in enumerate(block.resnets):
                x = resnet(x, emb)
                if hasattr(block, "attentions"):
                    x = block.attentions[j](x, context)
                skips.append(x)
            if hasattr(block, "downsamplers"):
                x = block.downsamplers[0](x)
                skips.append(x)
        x = self.mid_block.resnets[0](x, emb)
        x = self.mid_block.resnets[1](self.mid_block.attentions[0](x, context), emb)
        for block in self.up_blocks:
            for j, resnet in enumerate(block.resnets):
                x = resnet(torch.cat([x, skips.pop()], 1), emb)
                if hasattr(block, "attentions"):
                    x = block.attentions[j](x, context)
            if hasattr(block, "upsamplers"):
                x = block.upsamplers[0](x)
        return self.conv_out(F.silu(self.conv_norm_out(x)))

    def quiet_start(self):
        """Every residual branch begins at zero, and so does the output: training starts from the identity."""
        nn.init.zeros_(self.conv_out.weight)
        nn.init.zeros_(self.conv_out.bias)
        for m in self.modules():
            out = m.conv2 if isinstance(m, Resnet) else m.proj_out if isinstance(m, Transformer) else None
            if out is not None:
                nn.init.zeros_(out.weight)
                nn.init.zeros_(out.bias)


class PixelAttention(nn.Module):
    """Single-head self-attention over the pixels of the VAE's middle."""

    def __init__(self, width, groups):
        super().__init__()
        self.group_norm = nn.GroupNorm(groups, width, 1e-6)
        self.to_q, self.to_k, self.to_v = (nn.Linear(width, width) for _ in range(3))
        self.to_out = nn.ModuleList([nn.Linear(width, width)])

    def forward(self, x):
        b, c, h, w = x.shape
        y = self.group_norm(x).permute(0, 2, 3, 1).reshape(b, 1, h * w, c)
        y = F.scaled_dot_product_attention(self.to_q(y), self.to_k(y), self.to_v(y))
        return x + self.to_out[0](y).reshape(b, h, w, c).permute(0, 3, 1, 2)


def vae_middle(width, groups):
    mid = Block([(width, width)] * 2, groups, 1e-6)
    mid.attentions = nn.ModuleList([PixelAttention(width, groups)])
    return mid


def run_middle(mid, x):
    return mid.resnets[1](mid.attentions[0](mid.resnets[0](x)))


class Encoder(nn.Module):
    def __init__(self, channels, layers, latent, groups):
        super().__init__()
        self.conv_in = nn.Conv2d(3, channels[0], 3, padding=1)
        self.down_blocks = nn.ModuleList()
        width = channels[0]
        for i, c in enumerate(channels):
            widths = [(width if j == 0 else c, c) for j in range(layers)]
            self.down_blocks.append(Block(widths, groups, 1e-6, down=i < len(channels) - 1, lopsided=True))
            width = c
        self.mid_block = vae_middle(width, groups)
        self.conv_norm_out = nn.GroupNorm(groups, width, 1e-6)
        self.conv_out = nn.Conv2d(width, 2 * latent, 3, padding=1)

    def forward(self, x):
        x = self.conv_in(x)
        for block in self.down_blocks:
            for resnet in block.resnets:
                x = resnet(x)
            if hasattr(block, "downsamplers"):
                x = block.downsamplers[0](x)
        return self.conv_out(F.silu(self.conv_norm_out(run_middle(self.mid_block, x))))


class Decoder(nn.Module):
    def __init__(self, channels, layers, latent, groups):
        super().__init__()
        width = channels[-1]
        self.conv_in = nn.Conv2d(latent, width, 3, padding=1)
        self.mid_block = vae_middle(width, groups)
        self.up_blocks = nn.ModuleList()
        for i, c in enumerate(reversed(channels)):
            widths = [(width if j == 0 else c, c) for j in range(layers + 1)]
            self.up_blocks.append(Block(widths, groups, 1e-6, up=i < len(channels) - 1))
            width = c
        self.conv_norm_out = nn.GroupNorm(groups, width, 1e-6)
        self.conv_out = nn.Conv2d(width, 3, 3, padding=1)

    def forward(self, z):
        x = run_middle(self.mid_block, self.conv_in(z))
        for block in self.up_blocks:
            for resnet in block.resnets:
                x = resnet(x)
            if hasattr(block, "upsamplers"):
                x = block.upsamplers[0](x)
        return self.conv_out(F.silu(self.conv_norm_out(x)))


class VAEModel(nn.Module):
    def __init__(self, channels, layers, latent, groups):
        super().__init__()
        self.encoder = Encoder(channels, layers, latent, groups)
        self.decoder = Decoder(channels, layers, latent, groups)
        self.quant_conv = nn.Conv2d(2 * latent, 2 * latent, 1)
        self.post_quant_conv = nn.Conv2d(latent, latent, 1)

    def encode(self, x):
        """Pictures in -1..1 [B, 3, H, W] to mean and log variance, [B, 4, H/8, W/8] each."""
        mean, logvar = self.quant_conv(self.encoder(x)).chunk(2, 1)
        return mean, logvar.clamp(-30.0, 20.0)

    def decode(self, z):
        return self.decoder(self.post_quant_conv(z))

    def forward(self, x):
        mean, logvar = self.encode(x)
        z = mean + torch.exp(0.5 * logvar) * torch.randn_like(mean)
        return self.decode(z), mean, logvar


class TextLayer(nn.Module):
    def __init__(self, width, heads):
        super().__init__()
        self.heads = heads
        self.self_attn = nn.ModuleDict({n: nn.Linear(width, width) for n in ("q_proj", "k_proj", "v_proj", "out_proj")})
        self.layer_norm1, self.layer_norm2 = nn.LayerNorm(width, 1e-5), nn.LayerNorm(width, 1e-5)
        self.mlp = nn.ModuleDict({"fc1": nn.Linear(width, 4 * width), "fc2": nn.Linear(4 * width, width)})

    def forward(self, x):
        b, n, w = x.shape
        y, a = self.layer_norm1(x), self.self_attn
        q, k, v = (a[name](y).view(b, n, self.heads, w // self.heads).transpose(1, 2) for name in ("q_proj", "k_proj", "v_proj"))
        y = F.scaled_dot_product_attention(q, k, v, is_causal=True).transpose(1, 2).reshape(b, n, w)
        x = x + a["out_proj"](y)
        y = self.mlp["fc1"](self.layer_norm2(x))
        return x + self.mlp["fc2"](y * torch.sigmoid(1.702 * y))  # quick_gelu


class TextModel(nn.Module):
    def __init__(self, vocab_size, width, layers, heads, positions):
        super().__init__()
        self.embeddings = nn.ModuleDict({"token_embedding": nn.Embedding(vocab_size, width), "position_embedding": nn.Embedding(positions, width)})
        self.encoder = nn.ModuleDict({"layers": nn.ModuleList([TextLayer(width, heads) for _ in range(layers)])})
        self.final_layer_norm = nn.LayerNorm(width, 1e-5)

    def forward(self, ids):
        x = self.embeddings["token_embedding"](ids) + self.embeddings["position_embedding"].weight[None, :ids.shape[1]]
        for layer in self.encoder["layers"]:
            x = layer(x)
        return self.final_layer_norm(x)


class TextEncoder(nn.Module):
    def __init__(self, **config):
        super().__init__()
        self.text_model = TextModel(**config)
        for e in self.text_model.embeddings.values():
            nn.init.normal_(e.weight, std=0.02)

    def forward(self, ids):
        return self.text_model(ids)


class Model(nn.Module):
    """Both trained parts in one module: one optimizer, one graph, one average."""

    def __init__(self):
        super().__init__()
        self.unet, self.text = UNet(**UNET), TextEncoder(**TEXT)
        self.unet.quiet_start()

    def forward(self, x, t, ids):
        return self.unet(x, t, self.text(ids))


def load_model(folder):
    """UNet and text encoder of a model folder."""
    model, folder = Model(), pathlib.Path(folder)
    model.unet.load_state_dict(load_file(folder / "unet/diffusion_pytorch_model.safetensors"))
    model.text.load_state_dict(load_file(folder / "text_encoder/model.safetensors"))
    return model


def load_vae(folder):
    """VAE of a model folder and its scaling factor."""
    vae, folder = VAEModel(**VAE), pathlib.Path(folder) / "vae"
    vae.load_state_dict(load_file(folder / "diffusion_pytorch_model.safetensors"))
    return vae, json.loads((folder / "config.json").read_text())["scaling_factor"]
