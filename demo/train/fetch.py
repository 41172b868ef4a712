"""Fetches the emoji packages and renders every sprite: DATA/sprites.tar, DATA/subjects.json, DATA/refs.npz.

Needs npm, rsvg-convert (Debian: librsvg2-bin), Pillow with WebP, numpy. Packages are named with exact
versions, so the same sprites come out each time.
"""
import argparse
import collections
import concurrent.futures
import io
import json
import pathlib
import re
import subprocess
import tarfile

import numpy as np
from PIL import Image

PACKAGES = {  # name: (version, licence of the pictures or words in it)
    "@lobehub/fluent-emoji-3d": ("1.1.0", "MIT"),
    "@iconify-json/fluent-emoji-flat": ("1.2.6", "MIT"),
    "@iconify-json/noto": ("1.2.9", "Apache-2.0"),
    "emojibase-data": ("17.0.0", "MIT"),
    "emojilib": ("4.0.3", "MIT"),
}
SIDE, FIT = 256, 212  # canvas, and the box every sprite is fitted into
REF = 32  # side of the small pictures that scoring compares
# Flags of countries and regions, lettering, signs, and people who differ by a gesture or a hairstyle alone.
SKIP_SUBGROUPS = {"country-flag", "subdivision-flag", "keycap", "alphanum", "av-symbol", "skin-tone", "hair-style", "family",
                  "person-gesture", "person-activity", "person-resting", "transport-sign", "punctuation", "math", "gender",
                  "arrow", "zodiac", "religion", "other-symbol", "warning", "currency", "person-symbol"}
# Subjects whose pictures hardly differ from another's, or that nobody knows by their name.
TWINS = re.compile(
    r"head shaking|dotted line face|(right|left)wards (pushing )?hand|palm (up|down) hand|middle finger|backhand index|(left|right)-facing fist|"
    r"(red|curly|white) hair|: bald|pregnant (man|person)|breast-feeding|mx claus|(guide|service) dog|front-facing baby chick|two-hump camel|"
    r"globe showing (americas|asia)|globe with meridians|map of japan|behind (small|large) cloud|gibbous|(waxing|waning) crescent|quarter moon$|"
    r"(phone|envelope) with arrow|incoming envelope|outbox|locked with|mailbox with lowered|open mailbox|speaker low|muted speaker|bell with slash|"
    r"hourglass not done|tilted right|(yen|euro|pound) banknote|increasing with yen|mahjong|cigarette|level slider|control knobs|notebook with|"
    r"page with curl|spiral notepad|tear-off calendar|card index|eye in speech|(left|right anger) |motorized wheelchair|mountain cableway|"
    r"suspension railway|trolleybus|light rail|tram car|softball|japanese post office|love hotel|large square")
GENDERED = {"person-role", "person-fantasy", "person-sport", "person"}


def fetch(name, folder):
    """Unpacks one npm package below `folder` and returns its path."""
    version, _ = PACKAGES[name]
    to = folder / name.replace("/", "-").lstrip("@")
    if not (to / "package.json").exists():
        to.mkdir(parents=True, exist_ok=True)
        out = subprocess.run(["npm", "pack", "--silent", f"{name}@{version}"], cwd=folder, check=True, capture_output=True, text=True)
        with tarfile.open(folder / out.stdout.split()[-1]) as tar:
            for member in tar.getmembers():
                member.name = member.name.split("/", 1)[-1]
                tar.extract(member, to, filter="data")
    meta = json.loads((to / "package.json").read_text())
    if meta["license"] != PACKAGES[name][1]:
        raise SystemExit(f"{name}: licence {meta['license']!r}, {PACKAGES[name][1]!r} wanted")
    return to


def plain(label):
    """'man: beard' -> 'man with beard'; typographic quotes and accents that the short vocabulary lacks go."""
    text = label.lower().replace(": ", " with ").replace("’", "'").replace("ñ", "n").replace("“", "").replace("”", "")
    return re.sub(r"[^a-z0-9' &-]", "", text).replace("&", "and").strip()


def wanted(entry, subgroup):
    label, code = entry["label"], entry["hexcode"]
    if subgroup in SKIP_SUBGROUPS or entry.get("group") is None:
        return False
    if re.search(r"o’clock|-thirty|facing right|small square|small triangle|medium|large .* (square|diamond)", label) or TWINS.search(label):
        return False
    if subgroup in GENDERED and re.search(r"-200D-264[02]|^1F46[89]-200D-(?!1F9B)", code):
        return False
    return True


def choose_subjects(base, lib):
    groups = json.loads((base / "meta/groups.json").read_text())["subgroups"]
    entries = json.loads((base / "en/data.json").read_text())
    keywords = json.loads((lib / "dist/emoji-en-US.json").read_text())
    keywords = {k.replace("\ufe0f", ""): v for k, v in keywords.items()}
    chosen = [e for e in entries if wanted(e, groups.get(str(e.get("subgroup"))))]
    said = {}
    for e in chosen:
        words = e.get("tags", []) + keywords.get(e["emoji"].replace("\ufe0f", ""), [])[1:]
        said[e["hexcode"]] = [w.lower() for w in words if re.fullmatch(r"[a-z][a-z -]{2,18}", w.lower())]
    count = collections.Counter(w for words in said.values() for w in set(words))
    labels = collections.Counter(plain(e["label"]) for e in chosen)
    subjects = []
    for e in chosen:
        label = plain(e["label"])
        if not label or labels[label] > 1:
            continue
        # A keyword is unambiguous when this subject alone has it and no label says it.
        also = [w for w in dict.fromkeys(said[e["hexcode"]]) if count[w] == 1 and w not in labels]
        subjects.append({"id": e["hexcode"].lower(), "label": label, "also": also[:3],
                         "group": e["group"], "styles": []})
    return subjects


class Icons:
    """One Iconify collection: code point sequence -> SVG text."""

    def __init__(self, folder):
        self.data = json.loads((folder / "icons.json").read_text())
        self.names = {key_of(k): v for k, v in json.loads((folder / "chars.json").read_text()).items()}

    def svg(self, code):
        name = self.names.get(key_of(code))
        if name is None:
            return None
        alias = self.data.get("aliases", {}).get(name)
        icon = self.data["icons"].get(alias["parent"] if alias else name)
        if icon is None or (alias and set(alias) - {"parent", "hFlip"}):
            return None
        side_x = icon.get("width", self.data["width"])
        side_y = icon.get("height", self.data["height"])
        body = icon["body"]
        if alias and alias.get("hFlip"):
            body = f'<g transform="translate({side_x} 0) scale(-1 1)">{body}</g>'
        return (f'<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" '
                f'viewBox="0 0 {side_x} {side_y}" width="{side_x}" height="{side_y}">{body}</svg>')


def key_of(code):
    return "-".join(p for p in re.split("[-_]", code.lower()) if p != "fe0f").lstrip("0")


def premultiplied(image):
    a = np.asarray(image.convert("RGBA"), np.float32)
    a[..., :3] *= a[..., 3:] / 255.0
    return a


def fit(image):
    """Crops to what is visible, scales it into the box, centres it; returns premultiplied uint8 [256, 256, 4]."""
    a = premultiplied(image)
    rows, cols = np.where(a[..., 3].max(1) > 12)[0], np.where(a[..., 3].max(0) > 12)[0]
    if len(rows) == 0:
        return None
    a = a[rows[0]:rows[-1] + 1, cols[0]:cols[-1] + 1]
    scale = FIT / max(a.shape[:2])
    size = (max(1, round(a.shape[1] * scale)), max(1, round(a.shape[0] * scale)))
    planes = [np.asarray(Image.fromarray(a[..., c]).resize(size, Image.LANCZOS)) for c in range(4)]
    out = np.zeros((SIDE, SIDE, 4), np.float32)
    y, x = (SIDE - size[1]) // 2, (SIDE - size[0]) // 2
    out[y:y + size[1], x:x + size[0]] = np.stack(planes, -1)
    out = np.clip(np.rint(out), 0, 255)
    out[..., :3] = np.minimum(out[..., :3], out[..., 3:])
    return out.astype(np.uint8)


def render(job):
    kind, source = job
    if kind == "svg":
        png = subprocess.run(["rsvg-convert", "-w", "480", "--keep-aspect-ratio"], input=source.encode(), capture_output=True)
        if png.returncode != 0:
            return None
        return fit(Image.open(io.BytesIO(png.stdout)))
    return fit(Image.open(source))


def small(sprite):
    step = SIDE // REF
    return sprite.reshape(REF, step, REF, step, 4).astype(np.float32).mean((1, 3)).round().astype(np.uint8)


def sources(subjects, folders):
    """Yields (subject index, style, job) for every sprite that exists."""
    flat, classic = Icons(folders["@iconify-json/fluent-emoji-flat"]), Icons(folders["@iconify-json/noto"])
    solid = {key_of(p.stem): p for p in sorted((folders["@lobehub/fluent-emoji-3d"] / "assets").glob("*.webp"))}
    for i, s in enumerate(subjects):
        if key_of(s["id"]) in solid:
            yield i, "3d", ("webp", solid[key_of(s["id"])])
        for style, icons in (("flat", flat), ("classic", classic)):
            svg = icons.svg(s["id"])
            if svg:
                yield i, style, ("svg", svg)


def main():
    ap = argparse.ArgumentParser(description=__doc__)
    ap.add_argument("--data", type=pathlib.Path, required=True, help="folder to fill")
    ap.add_argument("--jobs", type=int, default=2)
    args = ap.parse_args()
    args.data.mkdir(parents=True, exist_ok=True)
    (args.data / "npm").mkdir(exist_ok=True)
    folders = {name: fetch(name, args.data / "npm") for name in PACKAGES}
    subjects = choose_subjects(folders["emojibase-data"], folders["emojilib"])
    every = list(sources(subjects, folders))
    have = collections.Counter(i for i, _, _ in every)
    keep = {old: new for new, old in enumerate(i for i in range(len(subjects)) if have[i] >= 2)}
    every = [(keep[i], style, job) for i, style, job in every if i in keep]
    subjects = [subjects[i] for i in keep]
    index, refs = [], []
    with tarfile.open(args.data / "sprites.tar", "w") as tar, concurrent.futures.ThreadPoolExecutor(args.jobs) as pool:
        for (i, style, _), sprite in zip(every, pool.map(render, [job for _, _, job in every])):
            if sprite is None:
                continue
            subjects[i]["styles"].append(style)
            data = io.BytesIO()
            # Colour of see-through pixels is kept: the sprite is premultiplied.
            Image.fromarray(sprite, "RGBA").save(data, "WEBP", quality=95 if style != "flat" else 97, alpha_quality=100, method=4, exact=True)
            info = tarfile.TarInfo(f"{len(index):05d}.webp")
            info.size = data.tell()
            data.seek(0)
            tar.addfile(info, data)
            index.append((i, style))
            refs.append(small(sprite))
    (args.data / "subjects.json").write_text(json.dumps({
        "packages": {n: {"version": v, "license": l} for n, (v, l) in PACKAGES.items()},
        "subjects": subjects, "sprites": index}, indent=0))
    np.savez_compressed(args.data / "refs.npz", refs=np.stack(refs), subject=np.array([i for i, _ in index]), style=np.array([s for _, s in index]))
    print(f"{len(subjects)} subjects, {len(index)} sprites:", dict(collections.Counter(s for _, s in index)))


if __name__ == "__main__":
    main()
