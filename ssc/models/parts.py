"""The published files that model sets are made of.

Revisions and hashes are those that public repositories which pin these very files state, at least
two each; sizes are from one or more of them. What none states is None; where no revision is stated
it is the newest.
"""

from __future__ import annotations

from ssc.models.pocket import POCKET_WEIGHTS
from ssc.weights.files import Weights

NEWEST = "main"
BERT = "86b5e0934494bd15c9632b12f734a8a67f723594"


def _dino(file: str, size: int | None, sha256: str) -> Weights:
    revision = "a2bb814dd30d776dcf7e30523b00659f4f141c71"
    return Weights(file, "IDEA-Research/grounding-dino-tiny", revision, size, sha256, "Apache-2.0")


def _sam(file: str, size: int, sha256: str) -> Weights:
    source = "https://dl.fbaipublicfiles.com/segment_anything"
    return Weights(file, source, "", size, sha256, "Apache-2.0")


def _openai(repository: str, revision: str, size: int, sha256: str) -> Weights:
    file = "open_clip_model.safetensors"
    return Weights(file, f"timm/{repository}.openai", revision, size, sha256, "MIT")


def _newest(source: str, *files: str) -> tuple[Weights, ...]:
    """Files of which no one states the fingerprints: the repository's newest."""
    return tuple(Weights(file, source, NEWEST, None, None, "Apache-2.0") for file in files)


def _granted(source: str, licence: str, *files: str) -> tuple[Weights, ...]:
    """As `_newest`, for whom the authors granted access."""
    return tuple(Weights(file, source, NEWEST, None, None, licence, gated=True) for file in files)


NETWORK = "model.safetensors", "config.json"  # of a network of transformers

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
    "clip-rn50": (
        Weights(
            "open_clip_model.safetensors", "timm/resnet50_clip.openai", NEWEST, None, None, "MIT"
        ),
    ),
    "omdet-turbo-tiny": _newest("omlab/omdet-turbo-swin-tiny-hf", *NETWORK),
    "mm-grounding-dino-tiny": _newest(
        "openmmlab-community/mm_grounding_dino_tiny_o365v1_goldg_v3det",
        *NETWORK,
        "tokenizer.json",
        "tokenizer_config.json",
        "vocab.txt",
    ),
    "sam2.1-tiny": _newest("facebook/sam2.1-hiera-tiny", *NETWORK),
    "sam3": _granted("facebook/sam3", "SAM License", *NETWORK),
    "freesolo": (
        Weights(
            "FreeSOLO_R101_30k_pl.pth", "xinlongwang/FreeSOLO", NEWEST, None, None, "research only"
        ),
    ),
    "edgetam": _newest("yonigozlan/EdgeTAM-hf", *NETWORK),
    "pe-core-s": _newest("timm/PE-Core-S-16-384", "open_clip_model.safetensors"),
    "bert-words": (
        Weights(
            "vocab.txt",
            "google-bert/bert-base-uncased",
            BERT,
            231508,
            "07eced375cec144d27c900241f3e339478dec958f92fddbc551f295c992038a3",
            "Apache-2.0",
        ),
    ),
    "bert-base-uncased": (
        Weights(
            "model.safetensors",
            "google-bert/bert-base-uncased",
            BERT,
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
