"""TRIS' second step: its maps as pseudo-masks, from which a segmenter learns (Liu et al. 2023).

python -m train.fit tris --data DATA --out runs/tris --init assets/mini/nano
python -m train.weak.maps runs/tris --data DATA --out runs/tris-masks
python -m train.fit bootstrap --data DATA --store runs/tris-masks --out runs/tris-segmenter

The store has one candidate for each object: of its sentences' maps the one that all of them agree
with best, where it is above half of its peak. A killed run goes on where it stopped.
"""

from __future__ import annotations

import argparse
import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch

from ssc.correct.mask import threshold_of
from ssc.correct.predict import Corrector, preprocess
from ssc.entry import command
from ssc.errors import InputError, told
from ssc.metrics import mask_box
from ssc.types import Candidates
from train.data import SOURCES, Dataset, Picture, open_dataset
from train.data.usable import HELP, LeftOut
from train.pseudo.provenance import revision
from train.pseudo.records import PseudoObject, PseudoPicture
from train.pseudo.store import SHARD, SOURCE, begin, missing_shards, write_shard
from train.weak.build import load
from train.weak.tris import TRIS

if TYPE_CHECKING:
    from numpy.typing import NDArray


@torch.inference_mode()
def keep(corrector: Corrector, image: NDArray[np.uint8], texts: Sequence[str]) -> NDArray[np.bool_]:
    """bool H×W: the mask of the kept map of one object's sentences.

    Args:
        corrector: with a `TRIS`.
        image: RGB uint8 H×W×3.
        texts: of the object, one or more.
    """
    model = corrector.model
    assert isinstance(model, TRIS)
    tokens = corrector.tokenizer(
        list(texts), padding=True, truncation=True, max_length=corrector.words, return_tensors="pt"
    )
    text, mask = model.words(tokens["input_ids"], tokens["attention_mask"])
    pixels = model.embed(preprocess(torch.from_numpy(np.array(image))[None], corrector.size))
    [probability] = corrector.predict(image, [texts[model.kept(pixels, text, mask)]])
    return probability > threshold_of(probability)


def look(corrector: Corrector, picture: Picture) -> PseudoPicture:
    """The objects of a picture, each with its kept map as its only candidate and its S2.

    One whose map is faint everywhere has none.
    """
    h, w = picture.image.shape[:2]
    objects = []
    for referent in picture.objects:
        mask = keep(corrector, picture.image, referent.expressions)
        found = Candidates.empty(h, w)
        if mask.any():
            one = np.ones(1, np.float32)
            found = Candidates(mask_box(mask)[None], one, ("",), mask[None], one)
        texts = referent.expressions
        similarity = np.zeros((len(texts), len(found)), np.float32)
        chosen = len(found) - 1  # -1 for none
        objects.append(PseudoObject(referent.name, texts, (), found, similarity, chosen))
    return PseudoPicture(picture.name, (h, w), tuple(objects))


def generate(folder: Path, data: str, out: Path, allow_missing: bool = False) -> None:
    """Completes the store `out`.

    Raises:
        InputError: no checkpoint of TRIS, no such data, or `out` is of other settings.
    """
    from tqdm import tqdm

    corrector = load(folder)
    if not isinstance(corrector.model, TRIS):
        raise InputError(f"{folder}: expected a checkpoint of `train.fit tris`, got another one")
    dataset = open_dataset(data)
    weights = hashlib.sha256((folder / "model.safetensors").read_bytes()).hexdigest()
    manifest = {"data": dataset.name, "pictures": len(dataset), "maps of TRIS": weights}
    begin(out, {**manifest, "revision": revision(), SOURCE: data})
    left_out = LeftOut(data, len(dataset), allow_missing)
    for shard in tqdm(missing_shards(out, len(dataset)), desc="maps", unit="shard", mininterval=2):
        indices = range(shard * SHARD, min((shard + 1) * SHARD, len(dataset)))
        pictures = [_picture(corrector, dataset, index) for index in indices]
        for picture in pictures:
            if picture.error:
                left_out.add(picture.name, picture.error)
        write_shard(out, shard, pictures)
    left_out.say()


def _picture(corrector: Corrector, dataset: Dataset, index: int) -> PseudoPicture:
    """`look`; for a picture that cannot be used, its error in place of objects."""
    try:
        return look(corrector, dataset[index])
    except Exception as error:  # of any kind: one picture's failure is that picture's
        return PseudoPicture(dataset.picture_name(index), (0, 0), (), told(error))


@command(goes_on=True)
def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m train.weak.maps", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("checkpoint", type=Path, help="of train.fit tris")
    parser.add_argument("--data", required=True, help=SOURCES)
    parser.add_argument("--out", type=Path, required=True, help="folder of the store to write")
    parser.add_argument("--allow-missing", action="store_true", help=HELP)
    args = parser.parse_args(argv)
    generate(args.checkpoint, args.data, args.out, args.allow_missing)


if __name__ == "__main__":
    main()
