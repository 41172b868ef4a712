"""Scores the pictures that `bench_precision ... --keep DIR` left: background and subject per precision, as evaluate.py does.

    precision.py --data DATA --pictures DIR [--points 2]

Exits with 1 when a share is more than POINTS percentage points below that of f32.
"""
import argparse
import pathlib

import numpy as np
from PIL import Image

import score


def case_of(prompt, labels):
    """Style, subject and colour of "STYLE SUBJECT on a COLOUR background"."""
    style, rest = prompt.split(" ", 1)
    subject, rest = rest.split(" on a ", 1)
    if subject not in labels:
        raise SystemExit(f"subject {subject!r} of {prompt!r} is not in the data")
    return {"prompt": prompt, "subject": subject, "style": style, "colour": rest.removesuffix(" background")}


def main():
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("--data", type=pathlib.Path, required=True)
    ap.add_argument("--pictures", type=pathlib.Path, required=True)
    ap.add_argument("--points", type=float, default=2.0)
    args = ap.parse_args()
    refs = score.References(args.data)
    cases = [case_of(p, set(refs.labels)) for p in (args.pictures / "prompts").read_text().splitlines()]
    table = {}
    for precision in sorted({p.stem.split("-")[1] for p in args.pictures.glob("*-*.png")}):
        files = [args.pictures / f"{n}-{precision}.png" for n in range(len(cases))]
        if not all(f.exists() for f in files):
            print(f"{precision}: not all {len(cases)} pictures are there, left out")
            continue
        rows = [score.judge(np.asarray(Image.open(f).convert("RGB")), case, refs) for f, case in zip(files, cases)]
        table[precision] = score.summary(rows)
    if "f32" not in table:
        raise SystemExit("no pictures of f32 to compare with")
    worse = 0
    for precision, row in table.items():
        print(f"{precision:5} background {100 * row['colour_right']:5.1f} %, subject {100 * row['subject_right']:5.1f} %, first {100 * row['subject_first']:5.1f} %")
        for what in ("colour_right", "subject_right"):
            worse += 100 * (table["f32"][what] - row[what]) > args.points
    return worse > 0


if __name__ == "__main__":
    raise SystemExit(main())
