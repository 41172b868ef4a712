"""Writes MODEL from OUT/vae.pt and OUT/unet.pt: configs and F16 safetensors, as diffusers lays a pipeline out.

Of the two files, one may be missing: what it holds is left as it is in MODEL.
"""
import argparse
import json
import pathlib

import torch
from safetensors.torch import save_file

from modules import TEXT, UNET, VAE, Model, VAEModel

VERSION = "0.30.0"


def write(path, config):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(config, indent=2) + "\n")


def configs(scale):
    n = len(UNET["channels"])
    down = ["CrossAttnDownBlock2D" if a else "DownBlock2D" for a in UNET["attention"]]
    up = ["CrossAttnUpBlock2D" if a else "UpBlock2D" for a in reversed(UNET["attention"])]
    last = TEXT["vocab_size"] - 1
    return {
        "model_index.json": {
            "_class_name": "StableDiffusionPipeline", "_diffusers_version": VERSION, "feature_extractor": [None, None],
            "requires_safety_checker": False, "safety_checker": [None, None], "scheduler": ["diffusers", "DPMSolverMultistepScheduler"],
            "text_encoder": ["transformers", "CLIPTextModel"], "tokenizer": ["transformers", "CLIPTokenizer"],
            "unet": ["diffusers", "UNet2DConditionModel"], "vae": ["diffusers", "AutoencoderKL"]},
        "scheduler/scheduler_config.json": {
            "_class_name": "DPMSolverMultistepScheduler", "_diffusers_version": VERSION, "algorithm_type": "dpmsolver++", "beta_end": 0.012,
            "beta_schedule": "scaled_linear", "beta_start": 0.00085, "clip_sample": False, "lower_order_final": True,
            "num_train_timesteps": 1000, "prediction_type": "epsilon", "set_alpha_to_one": False, "skip_prk_steps": True, "solver_order": 2, "solver_type": "midpoint", "steps_offset": 1, "trained_betas": None,
            "use_karras_sigmas": True},
        "text_encoder/config.json": {
            "architectures": ["CLIPTextModel"], "attention_dropout": 0.0, "bos_token_id": last - 1, "dropout": 0.0, "eos_token_id": last,
            "hidden_act": "quick_gelu", "hidden_size": TEXT["width"], "initializer_factor": 1.0, "initializer_range": 0.02,
            "intermediate_size": 4 * TEXT["width"], "layer_norm_eps": 1e-05, "max_position_embeddings": TEXT["positions"],
            "model_type": "clip_text_model", "num_attention_heads": TEXT["heads"], "num_hidden_layers": TEXT["layers"],
            "pad_token_id": last, "projection_dim": TEXT["width"], "torch_dtype": "float16", "vocab_size": TEXT["vocab_size"]},
        "unet/config.json": {
            "_class_name": "UNet2DConditionModel", "_diffusers_version": VERSION, "act_fn": "silu", "attention_head_dim": UNET["heads"],
            "block_out_channels": list(UNET["channels"]), "center_input_sample": False, "cross_attention_dim": UNET["context"],
            "down_block_types": down, "downsample_padding": 1, "flip_sin_to_cos": True, "freq_shift": 0, "in_channels": 4,
            "layers_per_block": UNET["layers"], "mid_block_scale_factor": 1, "mid_block_type": "UNetMidBlock2DCrossAttn",
            "norm_eps": 1e-05, "norm_num_groups": UNET["groups"], "out_channels": 4, "sample_size": 32, "up_block_types": up},
        "vae/config.json": {
            "_class_name": "AutoencoderKL", "_diffusers_version": VERSION, "act_fn": "silu", "block_out_channels": list(VAE["channels"]),
            "down_block_types": ["DownEncoderBlock2D"] * len(VAE["channels"]), "force_upcast": False, "in_channels": 3,
            "latent_channels": VAE["latent"], "layers_per_block": VAE["layers"], "norm_num_groups": VAE["groups"], "out_channels": 3,
            "sample_size": 256, "scaling_factor": scale, "up_block_types": ["UpDecoderBlock2D"] * len(VAE["channels"])},
    }


def halves(state):
    out = {k: v.detach().cpu().half().contiguous() for k, v in state.items()}
    for k, v in out.items():
        if not torch.isfinite(v).all():
            raise SystemExit(f"{k}: a value does not fit half precision")
    return out


def put(module, path):
    path.parent.mkdir(parents=True, exist_ok=True)
    save_file(halves(module.state_dict()), path, {"format": "pt"})
    path.chmod(0o644)


def scale_of(model):
    path = model / "vae/config.json"
    return json.loads(path.read_text())["scaling_factor"] if path.exists() else None


def main():
    ap = argparse.ArgumentParser(description=__doc__)
    ap.add_argument("--out", type=pathlib.Path, required=True, help="folder that holds unet.pt, vae.pt or both")
    ap.add_argument("--model", type=pathlib.Path, required=True, help="folder to write; its tokenizer is left alone")
    args = ap.parse_args()
    scale, said = scale_of(args.model), []
    if (args.out / "vae.pt").exists():
        state, auto = torch.load(args.out / "vae.pt", map_location="cpu"), VAEModel(**VAE)
        auto.load_state_dict(state["model"])
        scale = round(1.0 / state["std"], 6)
        put(auto, args.model / "vae/diffusion_pytorch_model.safetensors")
        said.append(f"VAE after {state['step']} steps, scaling factor {scale}")
    if scale is None:
        raise SystemExit(f"{args.out}/vae.pt: missing, and {args.model}/vae has no configuration either")
    for name, config in configs(scale).items():
        write(args.model / name, config)
    if (args.out / "unet.pt").exists():
        state, model = torch.load(args.out / "unet.pt", map_location="cpu"), Model()
        model.load_state_dict(state["ema"])
        put(model.unet, args.model / "unet/diffusion_pytorch_model.safetensors")
        put(model.text, args.model / "text_encoder/model.safetensors")
        said.append(f"UNet and text encoder after {state['step']} steps, {state['seen']} pictures")
    size = sum(p.stat().st_size for p in args.model.rglob("*") if p.is_file())
    print(f"{args.model}: {size / 1e6:.1f} MB; " + "; ".join(said))


if __name__ == "__main__":
    main()
