"""Damaged pictures and generated expressions: nothing but InputError may come of them.

python tests/fuzz.py                                       # a minute
python tests/fuzz.py --images 4000 --expressions 2000      # thoroughly

Pictures of all formats are cut, filled and changed at random, then read as pictures and as masks.
Expressions are made of words, signs and scripts, and asked of the mini set about pictures of random
sizes. Memory may grow by what the caches keep, `CACHES`, and no more.
"""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
import traceback
from collections import Counter
from io import BytesIO
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parents[1]
if str(ROOT) not in sys.path:
    sys.path.insert(0, str(ROOT))

FORMATS = {
    "PNG": {},
    "JPEG": {"quality": 80},
    "WEBP": {},
    "GIF": {},
    "BMP": {},
    "TIFF": {"compression": "tiff_lzw"},
    "PPM": {},
    "JPEG2000": {},
    "AVIF": {},
}
MODES = ("RGB", "L", "1", "P", "RGBA", "LA", "I;16", "CMYK")
WORDS = (
    *("man", "woman", "dog", "left", "right", "second", "third", "from", "the", "of", "not", "all"),
    *("without", "two", "every", "behind", "in", "front", "biggest", "red", "blue", "next", "to"),
    *("|", ";", ",", ".", "!", "?", "(", ")", "5th", "zwei", "左边", "собака", "ｄｏｇ", "é", "a"),
    *("\u202e", "\x00", "\ud800", "🐶"),
)
CACHES = 400  # MB: 4 pictures' features in each network, 64 prompts, 4096 texts, and torch's pools
WARM_UP = 200  # of each, before memory is looked at


def made(rng: random.Random) -> bytes:
    """A picture's file of a random mode, size and format."""
    from PIL import Image

    size = rng.choice([(1, 1), (3, 200), (64, 48), (33, 65)])
    pixels = np.frombuffer(rng.randbytes(size[0] * size[1] * 3), np.uint8).reshape(*size, 3)
    image, buffer = Image.fromarray(pixels), BytesIO()
    mode, (name, options) = rng.choice(MODES), rng.choice(list(FORMATS.items()))
    try:
        image.convert("L" if mode == "I;16" else mode).convert(mode).save(buffer, name, **options)
    except (OSError, ValueError, KeyError):  # a format that has no such mode
        buffer = BytesIO()
        image.save(buffer, "PNG")
    return buffer.getvalue()


def mutated(rng: random.Random, data: bytes) -> bytes:
    """The file with a few bytes changed, cut out, doubled, or its end missing."""
    held = bytearray(data)
    for _ in range(rng.randint(0, 4)):
        at = rng.randrange(len(held)) if held else 0
        kind = rng.randrange(5)
        if kind == 0 and held:
            held[at] = rng.randrange(256)
        elif kind == 1:
            del held[at : at + rng.randint(1, 64)]
        elif kind == 2:
            held[at:at] = held[at : at + rng.randint(1, 64)]
        elif kind == 3 and rng.random() < 0.3:
            del held[at:]
        else:
            held[at : at + 4] = rng.choice([b"\xff" * 4, b"\0" * 4, b"\x7f\xff\xff\xff"])
    return bytes(held)


def expression(rng: random.Random) -> object:
    """What someone may ask, and what no one should."""
    if rng.random() < 0.02:
        return rng.choice([None, 3, "", " ", "x" * 600, [], ["a", ""], {"a": 1}, b"dog"])
    return " ".join(rng.choices(WORDS, k=rng.randint(1, 12)))


def memory() -> float:
    """MB that the process holds now."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmRSS"):
            return int(line.split()[1]) / 1e3
    return 0.0


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--images", type=int, default=400)
    parser.add_argument("--expressions", type=int, default=100)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    from ssc.processors import share_processors

    share_processors()
    import ssc
    from ssc.errors import InputError
    from ssc.images import load_image
    from train.data.masks import read_mask

    counts: Counter[str] = Counter()
    grown = []

    def tried(what: str, work: object, *given: object) -> None:
        try:
            work(*given)
            counts[f"{what}, done"] += 1
        except InputError:
            counts[f"{what}, refused"] += 1
        except Exception:
            counts[f"{what}, unhandled"] += 1
            print(f"unhandled, of {given!r:.200}", file=sys.stderr)
            traceback.print_exc()

    with tempfile.TemporaryDirectory() as folder:
        path, before = Path(folder) / "picture", 0.0
        for number in range(args.images):
            rng = random.Random(args.seed * 1_000_003 + number)
            data = mutated(rng, made(rng))
            path.write_bytes(data)
            tried("pictures from bytes", load_image, data)
            tried("pictures from files", load_image, path)
            tried("masks", read_mask, path, *rng.choice([(3, 200), (48, 64)]))
            if number == WARM_UP:
                before = memory()
        grown.append(memory() - before if before else 0.0)

    pipeline, before = ssc.load("mini"), 0.0
    for number in range(args.expressions):
        rng = random.Random(args.seed * 1_000_003 + number)
        size = (rng.choice([1, 2, 60, 240]), rng.choice([1, 3, 80, 320]), 3)
        image = np.frombuffer(rng.randbytes(size[0] * size[1] * 3), np.uint8).reshape(size)
        tried("expressions", pipeline, image, [expression(rng)])
        if number == WARM_UP:
            before = memory()
    grown.append(memory() - before if before else 0.0)

    for name, count in sorted(counts.items()):
        print(f"{name}: {count}")
    print(
        f"memory grown after {WARM_UP}: pictures {grown[0]:.0f} MB, expressions {grown[1]:.0f} MB"
    )
    unhandled = sum(count for name, count in counts.items() if name.endswith("unhandled"))
    return 1 if unhandled or max(grown) > CACHES else 0


if __name__ == "__main__":
    sys.exit(main())
