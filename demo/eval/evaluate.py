"""Draws the scored prompts with sdw and scores them: background colour and subject, for seen and held-out pairs.

    evaluate.py --data DATA --sdw build/sdw --model demo/model --out OUT

DATA is the folder that demo/train/fetch.py filled. Pictures are kept in OUT and not drawn again, so a run that was cut
short goes on where it ended; after a change of the model use another folder. Exits with 1 when a bar is missed.
"""
import argparse
import concurrent.futures
import json
import pathlib
import subprocess

import numpy as np
from PIL import Image

import score

# Shares that must be reached: (of which prompts, of what, at least).
BARS = (("seen", "colour_right", 0.95), ("seen", "subject_right", 0.70), ("held_out", "subject_right", 0.50))


def draw(args, case, path):
    """One picture by `sdw generate`; written beside its place first, so that a cut never leaves half a file."""
    if path.exists():
        return path
    part = path.with_name("part-" + path.name)
    subprocess.run([args.sdw, "generate", "--model", args.model, "--prompt", case["prompt"], "--seed", str(case["seed"]), "--steps", str(args.steps),
                    "--guidance", str(args.guidance), "--threads", str(args.threads), "--quiet", "--force", "-o", part], check=True)
    return part.rename(path)


def pixels(path):
    return np.asarray(Image.open(path).convert("RGB"))


def sheet(rows, path, columns=10, side=128):
    """The first pictures with a green or red rim: subject right or not."""
    out = Image.new("RGB", (columns * side, -(-len(rows) // columns) * side), "white")
    for n, (picture, right) in enumerate(rows):
        tile = Image.new("RGB", (side, side), (40, 170, 60) if right else (210, 40, 40))
        tile.paste(Image.open(picture).convert("RGB").resize((side - 6, side - 6), Image.LANCZOS), (3, 3))
        out.paste(tile, (n % columns * side, n // columns * side))
    out.save(path, quality=85)


def main():
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("--data", type=pathlib.Path, required=True)
    ap.add_argument("--sdw", default="build/sdw")
    ap.add_argument("--model", default="demo/model")
    ap.add_argument("--out", type=pathlib.Path, required=True)
    ap.add_argument("--count", type=int, default=200, help="prompts of each kind")
    ap.add_argument("--steps", type=int, default=20)
    ap.add_argument("--guidance", type=float, default=4.0)
    ap.add_argument("--jobs", type=int, default=2, help="pictures at a time")
    ap.add_argument("--threads", type=int, default=1, help="threads for each")
    args = ap.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    kinds = dict(zip(("seen", "held_out"), score.prompts(args.data, args.count)))
    # Both kinds take turns, so that the pictures of a run cut short are spread over both.
    cases = [(kind, n, case) for n in range(args.count) for kind, of in kinds.items() for case in of[n:n + 1]]
    with concurrent.futures.ThreadPoolExecutor(args.jobs) as pool:
        paths = list(pool.map(lambda x: draw(args, x[2], args.out / f"{x[0]}-{x[1]:03d}.png"), cases))
    refs, results, shown = score.References(args.data), {k: [] for k in kinds}, {k: [] for k in kinds}
    for (kind, _, case), path in zip(cases, paths):
        results[kind].append(score.judge(pixels(path), case, refs))
        shown[kind].append((path, results[kind][-1]["subject_right"]))
    table = {kind: score.summary(rows) for kind, rows in results.items()}
    for kind in kinds:
        sheet(shown[kind][:100], args.out / f"{kind}.jpg")
    (args.out / "results.json").write_text(json.dumps({"steps": args.steps, "guidance": args.guidance, "summary": table, "pictures": results}, indent=1) + "\n")
    missed = 0
    for kind, what, bar in BARS:
        ok = table[kind][what] >= bar
        missed += not ok
        print(f"{'ok  ' if ok else 'FAIL'} {kind:8} {what:13} {100 * table[kind][what]:5.1f} % of {table[kind]['pictures']}, bar {100 * bar:.0f} %")
    print(json.dumps(table))
    return missed > 0


if __name__ == "__main__":
    raise SystemExit(main())
