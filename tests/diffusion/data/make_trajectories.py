"""Writes trajectories.json: what the schedulers of the diffusers library do with a model that is a formula.

Run where diffusers, torch and scipy are installed:  python make_trajectories.py > trajectories.json
Known answers for tests/diffusion/test_trajectories.c, which repeats the formula, the noise and the loop below.
"""
import json
import math
import sys

import diffusers
import numpy as np
import torch

SIZE = 2
BASE = dict(beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear", steps_offset=1, clip_sample=False,
            set_alpha_to_one=False)


class Noise:
    """Uniform in -1.7..1.7 from a 32-bit linear congruential generator: exact on both sides."""

    def __init__(self, seed):
        self.state = seed

    def draw(self):
        values = []
        for _ in range(SIZE):
            self.state = (self.state * 1664525 + 1013904223) % 2**32
            values.append(((self.state >> 8) / 2**23 - 1) * 1.7)
        return torch.tensor(values, dtype=torch.float64).float().reshape(1, 1, 1, SIZE)


def model(x, t):
    out = [math.tanh(0.8 * float(v) + 0.3 * i) * 0.9 + 0.2 * math.cos(float(t) / 300 + i)
           for i, v in enumerate(x.flatten())]
    return torch.tensor(out, dtype=torch.float64).float().reshape(1, 1, 1, SIZE)


def patch_noise(scheduler, noise):
    module = sys.modules[type(scheduler).__module__]
    if hasattr(module, "randn_tensor"):
        module.randn_tensor = lambda *args, **kwargs: noise.draw()


def numbers(tensor):
    return [float("%.8g" % v) for v in tensor.flatten().tolist()]


def run(name, cls, config, steps, sampler=None, schedule=None, spacing=None, final=None, strength=None, eta=None,
        noised=False, reference=None, tolerance=None):
    """`config` goes to both sides; `reference` has what the option columns of the case mean for the class."""
    scheduler = getattr(diffusers, cls)(**config, **(reference or {}))
    noise = Noise(7)
    patch_noise(scheduler, noise)
    scheduler.set_timesteps(steps)
    start = 0 if strength is None else (steps - min(int(steps * strength), steps)) * scheduler.order
    timesteps = scheduler.timesteps[start:]
    if hasattr(scheduler, "set_begin_index"):
        scheduler.set_begin_index(start)
    first, image = noise.draw(), torch.tensor([0.4, -1.1]).reshape(1, 1, 1, SIZE)
    if strength is None:
        x = first * scheduler.init_noise_sigma
    else:
        x = scheduler.add_noise(image, first, timesteps[:1])
    extra = {}
    if eta is not None:
        extra["eta"] = eta
    states, renoised = [numbers(x)], []
    for i, t in enumerate(timesteps):
        x = scheduler.step(model(scheduler.scale_model_input(x, t), t), t, x, **extra, return_dict=False)[0]
        states.append(numbers(x))
        if noised:
            last = i + 1 == len(timesteps)
            renoised.append(numbers(image if last else scheduler.add_noise(image, first, timesteps[i + 1:i + 2])))
    sigmas = getattr(scheduler, "sigmas", None)
    every = 1 if steps < 14 else 10  # keeps the file small
    kept = [s for i, s in enumerate(states) if i % every == 0 or i + 1 == len(states)]
    tables = steps < 14 and config.get("prediction_type") != "v_prediction"
    case = dict(name=name, steps=steps, config=dict(_class_name=cls, **config), every=every, states=kept)
    if tables:
        case["timesteps"] = numbers(scheduler.timesteps)
    if tables and sigmas is not None:
        case["sigmas"] = numbers(sigmas)
    for key, value in dict(sampler=sampler, schedule=schedule, spacing=spacing, final_sigma=final, strength=strength,
                           eta=eta, tolerance=tolerance).items():
        if value is not None:
            case[key] = value
    if noised:
        case["noised"] = renoised
    if not np.isfinite(np.array(states)).all():
        print(name + ": not finite in the reference, left out", file=sys.stderr)
        return None
    return case


# sampler name, class, keys that belong to it, spacings its class reads
SAMPLERS = [
    ("ddim", "DDIMScheduler", {}, True),
    ("ddpm", "DDPMScheduler", {}, True),
    ("pndm", "PNDMScheduler", dict(skip_prk_steps=True), True),
    ("euler", "EulerDiscreteScheduler", {}, True),
    ("euler_a", "EulerAncestralDiscreteScheduler", {}, True),
    ("heun", "HeunDiscreteScheduler", {}, True),
    ("lms", "LMSDiscreteScheduler", {}, True),
    ("dpm2", "KDPM2DiscreteScheduler", {}, True),
    ("dpm2_a", "KDPM2AncestralDiscreteScheduler", {}, True),
    ("dpmpp_2m", "DPMSolverMultistepScheduler", {}, True),
    ("dpmpp_3m", "DPMSolverMultistepScheduler", dict(solver_order=3), True),
    ("dpmpp_2m_sde", "DPMSolverMultistepScheduler", dict(algorithm_type="sde-dpmsolver++"), True),
    ("dpmpp_2s", "DPMSolverSinglestepScheduler", {}, False),
    ("deis", "DEISMultistepScheduler", {}, True),
    ("unipc", "UniPCMultistepScheduler", {}, True),
    ("lcm", "LCMScheduler", {}, False),
    ("tcd", "TCDScheduler", {}, False),
]
SIGMA_KEYS = ("euler", "heun", "lms", "dpm2", "dpm2_a", "dpmpp_2m", "dpmpp_3m", "dpmpp_2m_sde", "dpmpp_2s", "deis",
              "unipc")
NO_SAMPLE = ("pndm", "euler_a", "dpm2", "dpm2_a")


def known(cls, config):
    """The keys that the class takes; the rest would only be noted as unused."""
    import inspect
    return {k: v for k, v in config.items() if k in inspect.signature(getattr(diffusers, cls).__init__).parameters}


def cases():
    for name, cls, own, spaced in SAMPLERS:
        base = known(cls, {**BASE, **own})
        v = {**base, "prediction_type": "v_prediction"}
        extra = dict(eta=0.3) if name == "tcd" else {}
        # few steps of dpm2_a hang on the last bit of a sigma: the reference's f32 cancels (ancestral.h)
        for steps in (1, 5 if name == "dpm2_a" else 2, 7, 20):
            yield run(f"{name} eps {steps}", cls, base, steps, **extra)
            # from sigma 14 to 0.03 in one step, the logarithms of DEIS cancel in f32
            loose = dict(tolerance=1e-5) if name == "deis" and steps == 2 else {}
            yield run(f"{name} v {steps}", cls, v, steps, **extra, **loose)
        if name not in NO_SAMPLE:
            yield run(f"{name} x0 4", cls, {**base, "prediction_type": "sample"}, 4, **extra)
        if name != "lms":  # the reference starts with fourth-order weights and one slope there
            yield run(f"{name} image 8", cls, base, 8, strength=0.6, noised=True, **extra)
            yield run(f"{name} image v 16", cls, v, 16, strength=0.35, **extra)
        if spaced:
            for spacing in ("leading", "linspace", "trailing"):
                yield run(f"{name} {spacing} 6", cls, base, 6, spacing=spacing, noised=True,
                          reference=dict(timestep_spacing=spacing))
                yield run(f"{name} {spacing} file 3", cls, {**base, "timestep_spacing": spacing}, 3)
        if name in SIGMA_KEYS:
            for schedule in ("karras", "exponential", "beta"):
                key = {f"use_{schedule}_sigmas": True}
                yield run(f"{name} {schedule} 9", cls, base, 9, schedule=schedule, reference=key)
                yield run(f"{name} {schedule} file 1", cls, {**base, **key}, 1)
                yield run(f"{name} {schedule} file 17", cls, {**v, **key}, 17)
    ddim = known("DDIMScheduler", BASE)
    for eta in (0.4, 1.0):
        yield run(f"ddim eta {eta}", "DDIMScheduler", ddim, 7, eta=eta)
        yield run(f"tcd eta {eta}", "TCDScheduler", known("TCDScheduler", BASE), 5, eta=eta)
    yield run("tcd eta 0", "TCDScheduler", known("TCDScheduler", BASE), 5, eta=0.0)
    yield run("ddim defaults", "DDIMScheduler", {}, 7, eta=0.0)
    yield run("ddim alpha one", "DDIMScheduler", {**ddim, "set_alpha_to_one": True}, 5, eta=0.0)
    yield run("ddim clip", "DDIMScheduler", {**ddim, "clip_sample": True, "clip_sample_range": 0.5}, 7, eta=0.5)
    yield run("ddim zero snr", "DDIMScheduler", {**ddim, "rescale_betas_zero_snr": True, "timestep_spacing": "trailing",
                                                 "prediction_type": "v_prediction"}, 6, eta=0.0)
    yield run("ddim cosine", "DDIMScheduler", {**ddim, "beta_schedule": "squaredcos_cap_v2"}, 6, eta=0.0)
    yield run("ddim linear", "DDIMScheduler", {**ddim, "beta_schedule": "linear"}, 6, eta=0.0)
    betas = [round(0.001 + 0.002 * i, 6) for i in range(50)]
    yield run("ddim trained betas", "DDIMScheduler", {**ddim, "trained_betas": betas, "num_train_timesteps": 50}, 6)
    yield run("ddpm defaults", "DDPMScheduler", {}, 7)
    yield run("ddpm fixed large", "DDPMScheduler", {**known("DDPMScheduler", BASE), "variance_type": "fixed_large"}, 6)
    yield run("heun clip", "HeunDiscreteScheduler", {**known("HeunDiscreteScheduler", BASE), "clip_sample": True}, 5)
    lcm = known("LCMScheduler", BASE)
    yield run("lcm original 20", "LCMScheduler", {**lcm, "original_inference_steps": 20, "timestep_scaling": 4.0}, 6)
    yield run("lcm scaling 0.02", "LCMScheduler", {**lcm, "timestep_scaling": 0.02}, 6)
    for steps in (14, 15):  # from 15 steps on, the last ones keep their order
        for name, cls, own, _ in SAMPLERS:
            if name in ("dpmpp_2m", "dpmpp_3m", "dpmpp_2m_sde", "deis"):
                keys = {**known(cls, {**BASE, **own}), **({"solver_order": 3} if name == "deis" else {})}
                if name != "deis":
                    keys["final_sigmas_type"] = "sigma_min"
                yield run(f"{name} lower end {steps}", cls, keys, steps)
    for name, cls in (("euler", "EulerDiscreteScheduler"), ("euler_a", "EulerAncestralDiscreteScheduler"),
                      ("dpmpp_2m", "DPMSolverMultistepScheduler"), ("unipc", "UniPCMultistepScheduler")):
        base = {**known(cls, BASE), "prediction_type": "v_prediction", "rescale_betas_zero_snr": True}
        # a state of 4096 times the noise leaves few digits of f32 for the next one
        loose = dict(tolerance=4e-5) if name.startswith("euler") else {}
        yield run(f"{name} zero snr", cls, {**base, "timestep_spacing": "trailing"}, 5, **loose)
    for name, cls, own, _ in SAMPLERS:
        if name in ("euler", "dpmpp_2m", "dpmpp_3m", "dpmpp_2m_sde", "dpmpp_2s", "unipc"):
            base = known(cls, {**BASE, **own})
            for steps in (1, 6, 16):
                yield run(f"{name} final min {steps}", cls, base, steps, final="min",
                          reference=dict(final_sigmas_type="sigma_min"))
            yield run(f"{name} final min karras", cls, {**base, "final_sigmas_type": "sigma_min",
                                                        "use_karras_sigmas": True}, 16)
    multi = known("DPMSolverMultistepScheduler", BASE)
    for extra in (dict(solver_type="heun"), dict(solver_type="heun", algorithm_type="sde-dpmsolver++"),
                  dict(solver_order=1), dict(solver_order=1, algorithm_type="sde-dpmsolver++"),
                  dict(euler_at_final=True, final_sigmas_type="sigma_min"), dict(lower_order_final=False),
                  dict(solver_order=3, lower_order_final=False)):
        for steps in (6, 16):
            yield run(f"multistep {json.dumps(extra)} {steps}", "DPMSolverMultistepScheduler", {**multi, **extra},
                      steps)
    single = known("DPMSolverSinglestepScheduler", BASE)
    for extra in (dict(solver_type="heun"), dict(lower_order_final=True, final_sigmas_type="sigma_min")):
        yield run(f"singlestep {json.dumps(extra)}", "DPMSolverSinglestepScheduler", {**single, **extra}, 6)
    for extra in (dict(solver_order=1), dict(solver_order=3), dict(solver_order=3, lower_order_final=False)):
        for steps in (6, 16):
            yield run(f"deis {json.dumps(extra)} {steps}", "DEISMultistepScheduler",
                      {**known("DEISMultistepScheduler", BASE), **extra}, steps)
    low = dict(final_sigmas_type="sigma_min")  # bh1 is not finite at sigma 0
    for extra in (dict(solver_order=1), dict(solver_order=3), dict(solver_type="bh1", **low),
                  dict(solver_order=3, solver_type="bh1", **low)):
        for steps in (6, 16):
            yield run(f"unipc {json.dumps(extra)} {steps}", "UniPCMultistepScheduler",
                      {**known("UniPCMultistepScheduler", BASE), **extra}, steps)
    # another class's file, as the sampler sees it
    sdxl = dict(BASE, timestep_spacing="leading", skip_prk_steps=True, sample_max_value=1.0)
    for name, cls, own, _ in SAMPLERS:
        extra = dict(eta=0.3) if name == "tcd" else {}
        case = run(f"{name} on SDXL's file", cls, known(cls, {**sdxl, **own}), 5, **extra)
        case["config"] = dict(_class_name="EulerDiscreteScheduler", use_karras_sigmas=False, **sdxl)
        case["sampler"] = name
        yield case


def main():
    import logging
    logging.disable(logging.WARNING)
    rows = [json.dumps(case, separators=(",", ":")) for case in cases() if case]
    print('{"about":"made by make_trajectories.py with diffusers %s","cases":[\n%s\n]}'
          % (diffusers.__version__, ",\n".join(rows)))


main()
