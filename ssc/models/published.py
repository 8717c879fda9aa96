"""The model sets of published networks: `base` for any machine, `paper` as the paper has it.

Revisions and hashes are those that public repositories which pin these very files state, at least
two each; sizes are from one or more of them. What none states is None.
"""

from __future__ import annotations

from importlib.util import find_spec
from typing import TYPE_CHECKING, NamedTuple

from ssc.cache import shared
from ssc.errors import WeightsError, unknown
from ssc.models.pocket import POCKET, POCKET_WEIGHTS
from ssc.weights.files import Weights

if TYPE_CHECKING:
    from pathlib import Path

    import torch

    from ssc.clip import Clip
    from ssc.pipeline import Pipeline
    from ssc.segment.grounding import GroundingDetector
    from ssc.segment.sam import SamSegmenter


def _dino(file: str, size: int | None, sha256: str) -> Weights:
    revision = "a2bb814dd30d776dcf7e30523b00659f4f141c71"
    return Weights(file, "IDEA-Research/grounding-dino-tiny", revision, size, sha256, "Apache-2.0")


def _sam(file: str, size: int, sha256: str) -> Weights:
    source = "https://dl.fbaipublicfiles.com/segment_anything"
    return Weights(file, source, "", size, sha256, "Apache-2.0")


def _openai(repository: str, revision: str, size: int, sha256: str) -> Weights:
    file = "open_clip_model.safetensors"
    return Weights(file, f"timm/{repository}.openai", revision, size, sha256, "MIT")


WEIGHTS: dict[str, tuple[Weights, ...]] = {
    **POCKET_WEIGHTS,
    "grounding-dino-tiny": (
        _dino(
            "model.safetensors",
            689359096,
            "1a2412ef99bd74bcd3c2a246fa1e48581f8889a1300c9051974741314fc042f3",
        ),
        _dino(
            "config.json", 1644, "eec82c5ab66e16df12a9a212e68ac011779927c2536cf9078658e35d85f0c67a"
        ),
        _dino(
            "tokenizer.json",
            711396,
            "d241a60d5e8f04cc1b2b3e9ef7a4921b27bf526d9f6050ab90f9267a1f9e5c66",
        ),
        _dino(
            "tokenizer_config.json",
            None,
            "d40ab645b68211910b9170d22433d43186a6ec8ee6fd10ba170524b25bf4fb56",
        ),
        _dino(
            "vocab.txt", 231508, "07eced375cec144d27c900241f3e339478dec958f92fddbc551f295c992038a3"
        ),
    ),
    "grounding-dino-original": (
        Weights(
            "groundingdino_swint_ogc.pth",
            "ShilongLiu/GroundingDINO",
            "a94c9b567a2a374598f05c584e96798a170c56fb",
            693997677,
            "3b3ca2563c77c69f651d7bd133e97139c186df06231157a64c507099c52bc799",
            "Apache-2.0",
        ),
    ),
    "sam-vit-b": (
        _sam(
            "sam_vit_b_01ec64.pth",
            375042383,
            "ec2df62732614e57411cdcf32a23ffdf28910380d03139ee0f4fcbe91eb8c912",
        ),
    ),
    "sam-vit-l": (
        _sam(
            "sam_vit_l_0b3195.pth",
            1249524607,
            "3adcc4315b642a4d2101128f611684e8734c41232a17c648ed1693702a49a622",
        ),
    ),
    "sam-vit-h": (
        _sam(
            "sam_vit_h_4b8939.pth",
            2564550879,
            "a7bf3b02f3ebf1267aba913ff637d9a2d5c33d3173bb679e46d9f338c26f262e",
        ),
    ),
    "clip-vit-b-32": (
        _openai(
            "vit_base_patch32_clip_224",
            "a6f597a30f7b82c51704746581f9a4e41421e878",
            605143284,
            "e6d1bd7789aa45192b3bf90570a789b478bae1b74ebcce7eddd908e83a2b7c31",
        ),
    ),
    "clip-vit-b-16": (
        _openai(
            "vit_base_patch16_clip_224",
            "977e3dd0ec55ab8da155f2fbeb6b5f54948b6e3d",
            598516980,
            "4b8699299b1e8997753c64b052ba32031449d5d853f55a039148560ee02b820f",
        ),
    ),
    "clip-vit-l-14-336": (
        _openai(
            "vit_large_patch14_clip_336",
            "81e38efc4637de5023b10e75a7f9bd1c6fa6b010",
            1711828444,
            "fbc415c3d0d7b79faed8f5ccfb740c32b7c4f5ffe7283b851f89c6231c01a8e0",
        ),
    ),
    "bert-base-uncased": (
        Weights(
            "model.safetensors",
            "google-bert/bert-base-uncased",
            "86b5e0934494bd15c9632b12f734a8a67f723594",
            440449768,
            "68d45e234eb4a928074dfd868cead0219ab85354cc53d20e772753c6bb9169d3",
            "Apache-2.0",
        ),
    ),
    "swin-base-22k": (
        Weights(
            "swin_base_patch4_window12_384_22k.pth",
            "https://github.com/SwinTransformer/storage/releases/download/v1.0.0",
            "",
            None,
            None,
            "MIT",
        ),
    ),
}
"""Name → its files, the weights first. The last two are what LAVT's training starts from."""


class Parts(NamedTuple):
    """Names in `WEIGHTS` of what a set is made of."""

    projection: str
    detector: str
    segmenter: str
    selection: str


SETS: dict[str, Parts | tuple[str, ...]] = {
    "pocket": POCKET,
    "base": Parts("clip-vit-b-32", "grounding-dino-tiny", "sam-vit-b", "clip-vit-b-16"),
    "paper": Parts("clip-vit-b-32", "grounding-dino-tiny", "sam-vit-h", "clip-vit-l-14-336"),
}
"""The paper's implementation details (§4): Grounding DINO with Swin-T, which its authors call
tiny on the Hub; nouns come from spaCy in both."""

CLIPS = {
    "clip-vit-b-32": "ViT-B-32-quickgelu",
    "clip-vit-b-16": "ViT-B-16-quickgelu",
    "clip-vit-l-14-336": "ViT-L-14-336-quickgelu",
}
SAMS = {"sam-vit-b": "vit_b", "sam-vit-l": "vit_l", "sam-vit-h": "vit_h"}


def files_of(name: str) -> list[Weights]:
    """All files of a set, or of one name of `WEIGHTS`.

    Raises:
        OptionError: no such name.
    """
    if name not in SETS and name not in WEIGHTS:
        raise unknown("weights", name, [*SETS, *WEIGHTS])
    return [file for part in SETS.get(name, (name,)) for file in WEIGHTS[part]]


def build(name: str) -> Pipeline:
    """Stages 1 and 2 of a set of published networks, on the best device.

    With SSC_COMPILE set in the environment, the image encoders of SAM and CLIP are compiled; they
    are most of the time. Grounding DINO is not: its sizes change with the picture and its words.

    Args:
        name: a key of `SETS` but pocket.

    Raises:
        WeightsError: weights are missing; the message says how to get them.
    """
    require(name)
    parts = SETS[name]
    assert isinstance(parts, Parts)
    paths = {part: WEIGHTS[part][0].path for part in parts}

    from ssc.devices import best_device, best_dtype
    from ssc.pipeline import Pipeline
    from ssc.segment import Segment
    from ssc.segment.classes import ClassProjection
    from ssc.select import Select
    from ssc.words.read import Reader
    from ssc.words.vocabulary import COCO_80

    device = best_device()
    dtype = best_dtype(device)
    projection = _clip(parts.projection, paths[parts.projection], device, dtype)
    segment = Segment(
        Reader(),
        ClassProjection(projection, COCO_80),
        _detector(paths[parts.detector].parent, device, dtype),
        _segmenter(parts.segmenter, paths[parts.segmenter], device, dtype),
    )
    return Pipeline(segment, Select(_clip(parts.selection, paths[parts.selection], device, dtype)))


def best_clip() -> Clip | None:
    """The best of the published CLIPs that are here; None where none is."""
    from ssc.devices import best_device, best_dtype

    device = best_device()
    for name in reversed(CLIPS):
        if WEIGHTS[name][0].present:
            return _clip(name, WEIGHTS[name][0].path, device, best_dtype(device))
    return None


def lacks(name: str) -> str:
    """What a set of `SETS` lacks on this machine, in a few words; empty where it can be loaded."""
    absent = [file for file in files_of(name) if not file.present]
    if absent:
        return f"{as_size(sum(file.size or 0 for file in absent))} to download"
    if name == "pocket" and find_spec("onnxruntime") is None:
        return "onnxruntime, by pip install onnxruntime"
    return ""


def require(name: str) -> None:
    """Raises WeightsError where files of a set are missing, and says what to do."""
    from huggingface_hub import constants

    files = files_of(name)
    absent = [file for file in files if not file.present]
    if absent:
        offline = " with HF_HUB_OFFLINE unset" if constants.is_offline_mode() else ""
        raise WeightsError(
            f"model set {name}: {len(absent)} of its {len(files)} files are not in "
            f"{constants.HF_HUB_CACHE}; run python -m ssc models --download {name}{offline} "
            f"({as_size(sum(file.size or 0 for file in absent))}). Without a network, run that "
            "on another machine and copy the folder; the bundled mini set needs no download"
        )


def as_size(count: int) -> str:
    """Bytes as people say them: 115 MB, 2.3 GB."""
    return f"{count / 1e6:.0f} MB" if count < 1e9 else f"{count / 1e9:.1f} GB"


@shared
def _clip(name: str, path: Path, device: torch.device, dtype: torch.dtype) -> Clip:
    from ssc.clip import load_openai_clip
    from ssc.devices import compile_if_asked

    clip = load_openai_clip(CLIPS[name], path, device=device, dtype=dtype)
    compile_if_asked(clip.model.visual)
    return clip


@shared
def _detector(folder: Path, device: torch.device, dtype: torch.dtype) -> GroundingDetector:
    from ssc.segment.grounding import (
        GroundingDetector,
        TransformersNetwork,
        load_grounding_dino,
        load_tokenizer,
    )

    tokenizer = load_tokenizer(folder)
    network = TransformersNetwork(
        load_grounding_dino(folder), tokenizer, device=device, dtype=dtype
    )
    return GroundingDetector(network, tokenizer)


@shared
def _segmenter(name: str, path: Path, device: torch.device, dtype: torch.dtype) -> SamSegmenter:
    from ssc.devices import compile_if_asked
    from ssc.segment.sam import SamSegmenter, load_sam

    segmenter = SamSegmenter(load_sam(SAMS[name], path), device=device, dtype=dtype)
    compile_if_asked(segmenter.model.image_encoder)
    return segmenter
