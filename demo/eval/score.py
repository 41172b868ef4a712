"""Scores pictures: the colour of the border against the named one, and which subject they show.

A subject is recognised by its nearest training pictures: every sprite is laid over the drawn picture's own
border colour, both are reduced to 32 x 32, and the mean squared difference ranks the subjects. The
background is thus the same on both sides and does not count.
"""
import json
import pathlib
import random
import sys

import numpy as np

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "train"))
import captions  # noqa: E402

BORDER = 10  # pixels at the edge of 256 that no sprite reaches
TOP = 5


class References:
    """The small premultiplied sprites of DATA/refs.npz, with the subject and style of each."""

    def __init__(self, data):
        data = pathlib.Path(data)
        file = np.load(data / "refs.npz")
        self.labels = [s["label"] for s in json.loads((data / "subjects.json").read_text())["subjects"]]
        self.subject, self.style = file["subject"], file["style"]
        refs = file["refs"].astype(np.float32)
        self.count, self.side = len(refs), refs.shape[1]
        colour, clear = refs[..., :3].reshape(self.count, -1, 3), (255.0 - refs[..., 3].reshape(self.count, -1)) / 255.0
        self.colour, self.clear = np.ascontiguousarray(colour.transpose(2, 0, 1)), clear
        # Sums over the pixels of one channel, for the square of (colour + clear * b - s) taken apart.
        self.cc = np.square(self.colour, dtype=np.float64).sum(2)
        self.ck = np.einsum("crp,rp->cr", self.colour, clear, dtype=np.float64)
        self.kk = np.square(clear, dtype=np.float64).sum(1)
        self.trained = np.array([not captions.held_out_style(s, self.labels[i]) for i, s in zip(self.subject, self.style)])

    def distances(self, picture):
        """Mean squared difference from every reference laid over the border colour of `picture`, uint8 [S, S, 3]."""
        step = picture.shape[0] // self.side
        small = picture.reshape(self.side, step, self.side, step, 3).astype(np.float32).mean((1, 3)).reshape(-1, 3)
        total = np.zeros(self.count)
        for c, b in enumerate(border(picture)):
            s = np.ascontiguousarray(small[:, c])
            total += self.cc[c] + b * b * self.kk + np.square(s, dtype=np.float64).sum()
            total += 2.0 * b * self.ck[c] - 2.0 * (self.colour[c] @ s) - 2.0 * b * (self.clear @ s)
        return total / (3 * self.side ** 2)

    def rank(self, far, trained_only):
        """Subject numbers, nearest first, from `distances`."""
        if trained_only:
            far = np.where(self.trained, far, np.inf)
        best = {}
        for n in np.argsort(far, kind="stable"):
            best.setdefault(int(self.subject[n]), far[n])
        return list(best)


def border(picture):
    """Mean colour of the frame of BORDER pixels, float [3]."""
    mask = np.ones(picture.shape[:2], bool)
    mask[BORDER:-BORDER, BORDER:-BORDER] = False
    return picture[mask].astype(np.float32).mean(0)


def nearest_colour(rgb):
    return min(captions.COLOURS, key=lambda name: float(np.square(np.asarray(captions.COLOURS[name]) - rgb).sum()))


def prompts(data, count, seed=2024):
    """`count` cases of seen style x subject pairs and `count` of held-out ones, the same for the same data."""
    meta = json.loads((pathlib.Path(data) / "subjects.json").read_text())
    labels = [s["label"] for s in meta["subjects"]]
    rng = random.Random(seed)
    pairs = sorted((labels[i], style) for i, style in meta["sprites"])
    lists = []
    for held in (False, True):
        pool = [p for p in pairs if captions.held_out_style(p[1], p[0]) == held]
        cases = []
        for label, style in rng.sample(pool, min(count, len(pool))):
            allowed = [c for c in captions.COLOURS if held or not captions.held_out_colour(label, c)]
            colour = rng.choice(allowed)
            cases.append({"prompt": captions.canonical(style, label, colour), "subject": label, "style": style,
                          "colour": colour, "seed": 1000 + len(cases)})
        lists.append(cases)
    return lists


def judge(picture, case, refs):
    """What one picture shows, against what its caption asked for."""
    rgb = border(picture)
    far = refs.distances(picture)
    ranked = [refs.labels[i] for i in refs.rank(far, False)[:TOP]]
    strict = [refs.labels[i] for i in refs.rank(far, True)[:TOP]]
    return {"prompt": case["prompt"], "border": [round(float(v), 1) for v in rgb], "colour": nearest_colour(rgb),
            "colour_right": nearest_colour(rgb) == case["colour"], "first": ranked, "subject_right": case["subject"] in ranked,
            "subject_first": case["subject"] == ranked[0], "subject_right_trained_only": case["subject"] in strict}


def summary(rows):
    """Shares of right answers, 0..1."""
    keys = ("colour_right", "subject_right", "subject_first", "subject_right_trained_only")
    return {"pictures": len(rows), **{k: round(sum(r[k] for r in rows) / len(rows), 4) for k in keys}}
