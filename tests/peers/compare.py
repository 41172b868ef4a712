#!/usr/bin/env python3
"""Draws the same pictures with diffusers and with sdw and compares them value by value.

    compare.py SDW MODEL... [--photos DIR] [--tiny DIR]

MODEL: diffusers folders. --photos DIR has each draw what the demo draws too, with DIR/coffee.jpg and its mask. --tiny DIR makes small random pipelines of each family there and compares those too. A case passes
when 99 % of the values differ by at most 2 of 255 levels. Ends with `N passed, N failed`.
"""
import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile

import numpy
import torch
from PIL import Image
import diffusers
import transformers

SAMPLERS = {
    "ddim": ("DDIMScheduler", {}),
    "ddpm": ("DDPMScheduler", {}),
    "pndm": ("PNDMScheduler", {"skip_prk_steps": True}),
    "euler": ("EulerDiscreteScheduler", {}),
    "euler_a": ("EulerAncestralDiscreteScheduler", {}),
    "heun": ("HeunDiscreteScheduler", {}),
    "lms": ("LMSDiscreteScheduler", {}),
    "dpm2": ("KDPM2DiscreteScheduler", {}),
    "dpm2_a": ("KDPM2AncestralDiscreteScheduler", {}),
    "dpmpp_2m": ("DPMSolverMultistepScheduler", {}),
    "dpmpp_2m_sde": ("DPMSolverMultistepScheduler", {"algorithm_type": "sde-dpmsolver++"}),
    "dpmpp_3m": ("DPMSolverMultistepScheduler", {"solver_order": 3}),
    "dpmpp_2s": ("DPMSolverSinglestepScheduler", {}),
    "deis": ("DEISMultistepScheduler", {}),
    "unipc": ("UniPCMultistepScheduler", {}),
    "lcm": ("LCMScheduler", {}),
}
PROMPTS = [
    ("a red apple on a blue background", ""),
    ("3d smiling cat face on a yellow background, (very) detailed; 4k!", "blurry, grey"),
]


def make_tiny(folder):
    """Small random pipelines in the layouts of SD 1.5, SD 2.1 (v-prediction) and SDXL; returns their folders."""
    made = []
    tokenizer_dir = os.environ["SDW_PEERS_TOKENIZER"]
    for name in ("sd15", "sd21", "sdxl"):
        path = os.path.join(folder, name)
        torch.manual_seed(sum(map(ord, name)))
        tokenizer = transformers.CLIPTokenizer.from_pretrained(tokenizer_dir)
        text = dict(vocab_size=len(tokenizer), hidden_size=32, intermediate_size=64, num_attention_heads=4, num_hidden_layers=3,
                    max_position_embeddings=77, hidden_act="gelu" if name == "sd21" else "quick_gelu", bos_token_id=len(tokenizer) - 2,
                    eos_token_id=len(tokenizer) - 1, pad_token_id=len(tokenizer) - 1, projection_dim=32)
        vae = diffusers.AutoencoderKL(block_out_channels=(32, 32, 64, 64), down_block_types=("DownEncoderBlock2D",) * 4,
                                      up_block_types=("UpDecoderBlock2D",) * 4, latent_channels=4, layers_per_block=1, sample_size=64)
        base = dict(sample_size=16, in_channels=4, out_channels=4, layers_per_block=2)
        betas = dict(beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear", steps_offset=1, clip_sample=False, set_alpha_to_one=False)
        if name == "sdxl":
            unet = diffusers.UNet2DConditionModel(block_out_channels=(32, 64), down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"),
                                                  up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"), cross_attention_dim=64, attention_head_dim=(2, 4),
                                                  use_linear_projection=True, addition_embed_type="text_time", addition_time_embed_dim=8,
                                                  transformer_layers_per_block=(1, 2), projection_class_embeddings_input_dim=80, **base)
            pipe = diffusers.StableDiffusionXLPipeline(
                vae=vae, unet=unet, tokenizer=tokenizer, tokenizer_2=tokenizer, text_encoder=transformers.CLIPTextModel(transformers.CLIPTextConfig(**text)),
                text_encoder_2=transformers.CLIPTextModelWithProjection(transformers.CLIPTextConfig(**dict(text, hidden_act="gelu"))),
                scheduler=diffusers.EulerDiscreteScheduler(beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear", timestep_spacing="leading", steps_offset=1))
        else:
            unet = diffusers.UNet2DConditionModel(block_out_channels=(32, 64), down_block_types=("CrossAttnDownBlock2D", "DownBlock2D"),
                                                  up_block_types=("UpBlock2D", "CrossAttnUpBlock2D"), cross_attention_dim=32, attention_head_dim=4,
                                                  use_linear_projection=name == "sd21", **base)
            scheduler = diffusers.DDIMScheduler(prediction_type="v_prediction" if name == "sd21" else "epsilon", **betas)
            pipe = diffusers.StableDiffusionPipeline(vae=vae, unet=unet, tokenizer=tokenizer, scheduler=scheduler, safety_checker=None,
                                                     text_encoder=transformers.CLIPTextModel(transformers.CLIPTextConfig(**text)),
                                                     feature_extractor=None, requires_safety_checker=False)
        pipe.save_pretrained(path)
        for part in ("tokenizer", "tokenizer_2"):  # newer libraries write tokenizer.json alone
            for file in ("vocab.json", "merges.txt", "special_tokens_map.json", "tokenizer_config.json"):
                if os.path.isdir(os.path.join(path, part)):
                    shutil.copy(os.path.join(tokenizer_dir, file), os.path.join(path, part, file))
        made.append(path)
    return made


def reference(pipe, case, photo, mask):
    """The picture that diffusers draws, as an array (height, width, 3) of bytes."""
    cls, settings = SAMPLERS[case["sampler"]] if case["sampler"] else (None, None)
    config = pipe.scheduler.config
    scheduler = getattr(diffusers, cls).from_config(config, **settings) if cls else type(pipe.scheduler).from_config(config)
    parts = dict(pipe.components, scheduler=scheduler)
    xl = "text_encoder_2" in parts
    generator = torch.Generator("cpu").manual_seed(case["seed"])
    kind = {"text": "", "image": "Img2Img", "inpaint": "Inpaint"}[case["mode"]]
    klass = getattr(diffusers, ("StableDiffusionXL" if xl else "StableDiffusion") + kind + "Pipeline")
    if not xl:
        parts.pop("image_encoder", None)
        drawer = klass(**parts, requires_safety_checker=False)
    else:
        parts.pop("image_encoder", None)
        parts.pop("feature_extractor", None)
        drawer = klass(**parts)
    drawer.set_progress_bar_config(disable=True)
    args = dict(prompt=case["prompt"], negative_prompt=case["negative"], num_inference_steps=case["steps"], guidance_scale=case["guidance"], generator=generator,
                output_type="np")
    if case["mode"] != "text":
        args.update(image=photo, strength=case["strength"])
    if case["mode"] == "inpaint":
        args.update(mask_image=mask)
    if case["mode"] != "image":
        args.update(width=photo.width, height=photo.height)
    return numpy.rint(drawer(**args).images[0] * 255).astype(numpy.int32)


def ours(sdw, model, case, photo_file, mask_file, size, out):
    command = [sdw, "generate", "--model", model, "--prompt", case["prompt"], "--negative-prompt", case["negative"], "--steps", str(case["steps"]), "--guidance",
               str(case["guidance"]), "--seed", str(case["seed"]), "--truncate", "--quiet", "--force", "-o", out]
    if case["sampler"]:
        command += ["--sampler", case["sampler"]]
    if case["mode"] != "text":
        command += ["--init-image", photo_file, "--strength", str(case["strength"])]
    else:
        command += ["--width", str(size[0]), "--height", str(size[1])]
    if case["mode"] == "inpaint":
        command += ["--mask", mask_file, "--no-paste-back"]
    subprocess.run(command, check=True)
    return numpy.asarray(Image.open(out).convert("RGB")).astype(numpy.int32)


def cases():
    base = dict(mode="text", sampler=None, steps=8, guidance=7.5, seed=3, strength=0.6)
    for i, (prompt, negative) in enumerate(PROMPTS):
        yield dict(base, prompt=prompt, negative=negative, seed=3 + i)
        yield dict(base, prompt=prompt, negative=negative, seed=13 + i, mode="image")
    for sampler in SAMPLERS:
        yield dict(base, prompt=PROMPTS[1][0], negative=PROMPTS[1][1], sampler=sampler, seed=23)
    yield dict(base, prompt=PROMPTS[0][0], negative="", mode="inpaint", strength=0.8, seed=33)


def demo_cases():
    """The pictures that people really ask of the demo model: its own sampler, 20 steps, guidance 4."""
    base = dict(mode="text", sampler=None, steps=20, guidance=4.0, seed=7, strength=1.0, negative="")
    for prompt in ("3d red apple on a teal background", "flat cat face on a purple background", "classic rocket on a blue background",
                   "a 3d smiling face with sunglasses on a pink background", "sailboat, flat style, white background", "3d castle on a gray background"):
        yield dict(base, prompt=prompt)
    yield dict(base, prompt="3d house on a yellow background", mode="image", strength=0.7)
    yield dict(base, prompt="classic doughnut on a brown background", mode="inpaint", strength=0.9)


def inputs(photos, side, scratch):
    """A photo and a mask, as pictures and as files: from the folder `photos`, or drawn."""
    if photos:
        photo = Image.open(os.path.join(photos, "coffee.jpg")).convert("RGB").resize((side, side))
        mask = Image.open(os.path.join(photos, "coffee-mask.png")).convert("L").resize((side, side))
    else:
        y, x = numpy.mgrid[0:side, 0:side]
        photo = Image.fromarray(numpy.stack([x * 255 // side, y * 255 // side, (x ^ y) & 255], -1).astype(numpy.uint8))
        mask = Image.fromarray((255 * ((x > side // 4) & (y > side // 3))).astype(numpy.uint8))
    names = os.path.join(scratch, "photo.png"), os.path.join(scratch, "mask.png")
    photo.save(names[0])
    mask.save(names[1])
    return photo, mask, *names


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("sdw")
    parser.add_argument("models", nargs="*")
    parser.add_argument("--photos")
    parser.add_argument("--tiny")
    parser.add_argument("--size", type=int, default=0, help="side of the pictures; 0 = what the model was trained at")
    options = parser.parse_args()
    models = list(options.models) + (make_tiny(options.tiny) if options.tiny else [])
    passed = failed = 0
    with tempfile.TemporaryDirectory() as scratch:
        for model in models:
            pipe = diffusers.DiffusionPipeline.from_pretrained(model, torch_dtype=torch.float32, safety_checker=None, local_files_only=True)
            side = options.size or pipe.unet.config.sample_size * 8
            given = options.photos if model in options.models else None
            work = [(case, None) for case in cases()] + [(case, given) for case in (demo_cases() if given else ())]
            for case, photos in work:
                photo, mask, photo_file, mask_file = inputs(photos, side, scratch)
                want = reference(pipe, case, photo, mask)
                have = ours(options.sdw, model, case, photo_file, mask_file, (side, side), os.path.join(scratch, "out.png"))
                difference = numpy.abs(want - have)
                near = float((difference <= 2).mean())
                ok = have.shape == want.shape and near >= 0.99
                passed, failed = passed + ok, failed + (not ok)
                print(f"{'ok  ' if ok else 'FAIL'} {os.path.basename(model):8} {case['mode']:8} {case['sampler'] or 'default':14} within 2 levels {100 * near:7.3f} %, "
                      f"largest {difference.max()}, equal {100 * float((difference == 0).mean()):.2f} %", flush=True)
                if not ok:
                    print("     " + json.dumps(case), flush=True)
    print(f"{passed} passed, {failed} failed")
    return failed > 0


if __name__ == "__main__":
    sys.exit(main())
