"""How each part with published weights is made, of its first file, a device and a precision."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from ssc.cache import shared

if TYPE_CHECKING:
    from pathlib import Path

    import torch

    from ssc.segment.detect import Detector
    from ssc.segment.masks import Segmenter
    from ssc.segment.sam3 import Sam3

CLIPS = {
    "clip-vit-b-32": "ViT-B-32-quickgelu",
    "clip-vit-b-16": "ViT-B-16-quickgelu",
    "clip-vit-l-14-336": "ViT-L-14-336-quickgelu",
    "pe-core-s": "PE-Core-S-16-384",
}
SAMS = {"sam-vit-b": "vit_b", "sam-vit-l": "vit_l", "sam-vit-h": "vit_h"}
"""Part → architecture."""


def _grounding_dino(path: Path, device: torch.device, dtype: torch.dtype) -> Detector:
    from ssc.segment.grounding import (
        GroundingDetector,
        TransformersNetwork,
        load_grounding_dino,
        load_tokenizer,
    )

    tokenizer = load_tokenizer(path.parent)
    model = load_grounding_dino(path.parent)
    return GroundingDetector(
        TransformersNetwork(model, tokenizer, device=device, dtype=dtype), tokenizer
    )


def _omdet(path: Path, device: torch.device, dtype: torch.dtype) -> Detector:
    from open_clip import get_tokenizer

    from ssc.segment.omdet import OmDetDetector, load_omdet

    # CLIP's own words, which open_clip brings.
    return OmDetDetector(load_omdet(path.parent), get_tokenizer("ViT-B-32"), device=device)


def _sam(name: str, path: Path, device: torch.device, dtype: torch.dtype) -> Segmenter:
    from ssc.devices import autocast_dtype, compile_if_asked
    from ssc.segment.sam import SamSegmenter, load_sam

    model = load_sam(SAMS[name], path)
    # On a processor that computes in bfloat16 SAM's encoder is twice as fast in it; CLIP is slower.
    dtype = autocast_dtype(model.image_encoder, device)
    segmenter = SamSegmenter(model, device=device, dtype=dtype)
    compile_if_asked(segmenter.model.image_encoder)
    return segmenter


def _sam2(name: str, path: Path, device: torch.device, dtype: torch.dtype) -> Segmenter:
    from ssc.devices import autocast_dtype, compile_if_asked
    from ssc.segment.sam2 import Sam2Segmenter, load_sam2

    model = load_sam2(path.parent)
    compile_if_asked(model.vision_encoder)
    return Sam2Segmenter(model, device=device, dtype=autocast_dtype(model.vision_encoder, device))


def _freesolo(name: str, path: Path, device: torch.device, dtype: torch.dtype) -> Segmenter:
    from ssc.segment.freesolo import FreeSolo
    from ssc.segment.solo_weights import load_solo

    return FreeSolo(load_solo(path), device=device)


@shared
def _sam3(path: Path, device: torch.device, dtype: torch.dtype) -> Sam3:
    """One object, whether it finds boxes or masks."""
    from open_clip import get_tokenizer

    from ssc.segment.sam3 import TOKENS, Sam3, load_sam3

    tokenizer = get_tokenizer("ViT-B-32", context_length=TOKENS)
    return Sam3(load_sam3(path.parent), tokenizer, device=device, dtype=dtype)


def _sam3_masks(name: str, path: Path, device: torch.device, dtype: torch.dtype) -> Segmenter:
    return _sam3(path, device, dtype)


DETECTORS: dict[str, Callable[[Path, torch.device, torch.dtype], Detector]] = {
    "grounding-dino-tiny": _grounding_dino,
    "mm-grounding-dino-tiny": _grounding_dino,
    "omdet-turbo-tiny": _omdet,
    "sam3": _sam3,
}
SEGMENTERS: dict[str, Callable[[str, Path, torch.device, torch.dtype], Segmenter]] = {
    **dict.fromkeys(SAMS, _sam),
    "sam2.1-tiny": _sam2,
    "edgetam": _sam2,
    "freesolo": _freesolo,
    "sam3": _sam3_masks,
}
"""Part → what makes it."""
