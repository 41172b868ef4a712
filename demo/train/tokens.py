"""The short CLIP vocabulary: writes the tokenizer folder, and encodes the plain ASCII captions of training."""
import json
import pathlib
import re

MERGES = 8000
LENGTH = 77
WORD = re.compile(r"<\|startoftext\|>|<\|endoftext\|>|'s|'t|'re|'ve|'m|'ll|'d|[a-z]+|[0-9]|[^\sa-z0-9]+")


def write_short(source, folder, merges=MERGES):
    """Keeps the first `merges` merges of a CLIP tokenizer folder; ids of the kept tokens do not change."""
    source, folder = pathlib.Path(source), pathlib.Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    lines = (source / "merges.txt").read_text(encoding="utf-8").splitlines()[: merges + 1]
    vocab = json.loads((source / "vocab.json").read_text(encoding="utf-8"))
    size = 512 + merges
    short = {t: i for t, i in vocab.items() if i < size}
    if sorted(short.values()) != list(range(size)):
        raise SystemExit(f"{source}: the first {size} ids are not all there")
    short["<|startoftext|>"], short["<|endoftext|>"] = size, size + 1
    (folder / "merges.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")
    (folder / "vocab.json").write_text(json.dumps(short, ensure_ascii=False, separators=(",", ":")) + "\n", encoding="utf-8")
    special = {n: {"content": c, "lstrip": False, "normalized": True, "rstrip": False, "single_word": False}
               for n, c in (("bos_token", "<|startoftext|>"), ("eos_token", "<|endoftext|>"), ("unk_token", "<|endoftext|>"))}
    (folder / "special_tokens_map.json").write_text(json.dumps({**special, "pad_token": "<|endoftext|>"}, indent=2) + "\n")
    typed = {n: {"__type": "AddedToken", **v} for n, v in special.items()}
    (folder / "tokenizer_config.json").write_text(json.dumps({
        "add_prefix_space": False, **typed, "pad_token": "<|endoftext|>", "do_lower_case": True, "errors": "replace",
        "model_max_length": LENGTH, "tokenizer_class": "CLIPTokenizer"}, indent=2) + "\n")


class Tokens:
    """Byte-pair encoding of ASCII text. One instance caches words, so many captions cost little."""

    def __init__(self, folder):
        folder = pathlib.Path(folder)
        self.vocab = json.loads((folder / "vocab.json").read_text(encoding="utf-8"))
        lines = (folder / "merges.txt").read_text(encoding="utf-8").splitlines()[1:]
        self.rank = {tuple(line.split()): i for i, line in enumerate(lines) if line}
        self.bos, self.eos = self.vocab["<|startoftext|>"], self.vocab["<|endoftext|>"]
        self.cache = {}

    def word(self, word):
        if word in self.cache:
            return self.cache[word]
        parts = list(word[:-1]) + [word[-1] + "</w>"]
        while len(parts) > 1:
            rank, at = min((self.rank.get(pair, 1 << 30), i) for i, pair in enumerate(zip(parts, parts[1:])))
            if rank == 1 << 30:
                break
            first, second = parts[at], parts[at + 1]
            merged, i = [], 0
            while i < len(parts):
                if i + 1 < len(parts) and parts[i] == first and parts[i + 1] == second:
                    merged.append(first + second)
                    i += 2
                else:
                    merged.append(parts[i])
                    i += 1
            parts = merged
        ids = [self.vocab[p] for p in parts]
        self.cache[word] = ids
        return ids

    def __call__(self, text):
        ids = [i for w in WORD.findall(text.lower()) for i in self.word(w)][: LENGTH - 2]
        return [self.bos] + ids + [self.eos] * (LENGTH - 1 - len(ids))
