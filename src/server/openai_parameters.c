/* openai_parameters.c - every parameter of the OpenAI Images calls and what becomes of it, for docs/api.md. */
#include "server/openai_request.h"

#define ALL "generations, edits, variations"
#define DRAW "generations, edits"

const sdw_openai_parameter sdw_openai_parameters[] = {
    { "prompt", DRAW, "done", "required, at most 32000 characters" },
    { "model", ALL, "done", "a known model's id chooses it; any other text means the loaded one" },
    { "n", ALL, "done", "1 to 10; more than 8 run as two jobs behind one answer" },
    { "size", ALL, "done", "auto or WIDTHxHEIGHT, multiples of 8 from 64 to 2048" },
    { "quality", DRAW, "done", "share of the model's default steps: low 0.5, auto, medium, standard 1, high, hd 1.5, xhigh 2, max 2.5" },
    { "output_format", DRAW, "done", "png, jpeg, webp; gif and svg are refused" },
    { "output_compression", DRAW, "done", "quality of jpeg and webp" },
    { "background", DRAW, "done", "auto, opaque; transparent is refused" },
    { "response_format", ALL, "done", "b64_json (default) or url" },
    { "stream", DRAW, "done", "server-sent events" },
    { "partial_images", DRAW, "done", "0 to 3 previews of the first picture, spread over the steps" },
    { "image, image[], images", "edits, variations", "done", "one picture; more are refused" },
    { "mask", "edits", "done", "painted where fully transparent; size of the picture" },
    { "input_fidelity", "edits", "done", "low is strength 0.8, high 0.5; strength wins" },
    { "moderation, style, user, safety_identifier, complexity", ALL, "ignored", "" },
    { "markup", "edits", "ignored", "" },
    { "svg, frame_count, frame_duration_ms", ALL, "refused", "no animations and drawings" },
    { "negative_prompt, steps, cfg_scale, seed, strength, sampler, scheduler", ALL, "done", "ours, beside the official ones" },
    { "loras", ALL, "refused", "until LoRA is supported; an empty list is accepted" },
    { NULL, NULL, NULL, NULL },
};
