"""What a picture is called: colours, styles, wordings and the pairs held out from training.

Everything here is a pure function of names, so training, sampling and scoring agree without sharing files.
"""
import hashlib

# sRGB, chosen so that every pair is at least 50 levels apart in one channel.
COLOURS = {
    "red": (220, 40, 45), "orange": (245, 135, 30), "yellow": (250, 220, 60), "green": (55, 165, 75),
    "teal": (25, 150, 155), "blue": (45, 95, 225), "purple": (125, 60, 185), "pink": (250, 155, 195),
    "brown": (120, 75, 45), "black": (20, 20, 22), "gray": (135, 135, 138), "white": (250, 250, 250),
}
STYLES = {
    "3d": ("3d", "3d", "3d rendered", "glossy 3d"),
    "flat": ("flat", "flat", "flat vector", "minimal flat"),
    "classic": ("classic", "classic", "noto", "classic cartoon"),
}
# What people ask for first; training shows it half as often again (encode.py): animals and food, and these.
OFTEN_GROUPS = {3, 4}
OFTEN = {
    "grinning face", "smiling face with sunglasses", "smiling face with heart-eyes", "thinking face", "robot", "ghost", "alien", "skull", "red heart",
    "astronaut", "house", "castle", "rocket", "sailboat", "automobile", "bicycle", "airplane", "locomotive", "tractor", "umbrella", "sun", "star",
    "crescent moon", "rainbow", "fire", "snowman", "mountain", "volcano", "christmas tree", "jack-o-lantern", "balloon", "wrapped gift", "teddy bear",
    "soccer ball", "trophy", "guitar", "violin", "drum", "crown", "top hat", "light bulb", "camera", "key", "gem stone", "alarm clock", "books",
    "hammer", "scissors", "telescope", "anchor",
}
# A style or a colour that is missing from the caption is left to chance.
FULL = (
    "{style} {subject} on a {colour} background", "{style} {subject} on a {colour} background",
    "{a} {style} {subject} on a {colour} background", "{subject} on a {colour} background, {style} style",
    "{subject}, {style} style, {colour} background", "{style} emoji of {the} {subject} on {colour}",
    "{a} {style} {subject}, {colour} background", "{colour} background, {style} {subject}",
)
NO_STYLE = ("{the} {subject} on a {colour} background", "{subject}, {colour} background")
NO_COLOUR = ("{a} {style} {subject}", "{subject}, {style} style")


def bucket(*names):
    """A number 0..9 that depends on the names alone."""
    return hashlib.sha256("|".join(names).encode()).digest()[0] * 10 // 256


def held_out_style(style, subject):
    return bucket("style", style, subject) == 0


def held_out_colour(subject, colour):
    return bucket("colour", subject, colour) == 0


def article(word):
    return "an" if word[0] in "aeiou8" else "a"


def canonical(style, subject, colour):
    return f"{style} {subject} on a {colour} background"


def wordings(subject):
    """Every wording of a subject, the label first; `subject` is one entry of subjects.json."""
    return [subject["label"]] + subject["also"]


def caption(rng, style, subject, colour):
    """One caption drawn with `rng` (random.Random). Three in four name all three parts in full."""
    draw = rng.random()
    form = rng.choice(FULL if draw < 0.86 else NO_STYLE if draw < 0.95 else NO_COLOUR)
    words = wordings(subject)
    what = words[0] if rng.random() < 0.75 else rng.choice(words)
    look = rng.choice(STYLES[style])
    name = "grey" if colour == "gray" and rng.random() < 0.2 else colour
    return form.format(style=look, subject=what, colour=name, a=article(look), the=article(what))
