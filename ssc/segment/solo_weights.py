"""FreeSOLO's published weights: detectron2's names, and AdelaiDet's of SOLOv2, → ours.

Its authors publish FreeSOLO_R101_30k_pl.pth: {"model": name → tensor, …}, as detectron2 writes it.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ssc.errors import WeightsError
from ssc.weights.reading import fill, read_pth, unfilled

if TYPE_CHECKING:
    from torch import Tensor

    from ssc.segment.solo import Solo, SoloConfig

UNUSED = re.compile(r"ins_head\.emb_pred\..*|.*\.num_batches_tracked")
"""FreeSOLO's semantic embedding, which only its training reads; and counts of batches."""

NAMES: tuple[tuple[str, Any], ...] = (
    (r"^backbone\.bottom_up\.stem\.conv1\.norm", "backbone.body.bn1"),
    (r"^backbone\.bottom_up\.stem", "backbone.body"),
    (r"^backbone\.bottom_up\.res(\d)", lambda m: f"backbone.body.layer{int(m[1]) - 1}"),
    (r"\.shortcut\.norm", ".downsample.1"),
    (r"\.shortcut", ".downsample.0"),
    (r"\.conv(\d)\.norm", r".bn\1"),
    (r"^backbone\.fpn_lateral(\d)", lambda m: f"backbone.fpn.inner_blocks.{int(m[1]) - 2}.0"),
    (r"^backbone\.fpn_output(\d)", lambda m: f"backbone.fpn.layer_blocks.{int(m[1]) - 2}.0"),
    # Convolution, normalization and ReLU are numbered through.
    (r"^ins_head\.cate_tower\.(\d+)", lambda m: f"cells.category_tower.{_pair(m[1])}"),
    (r"^ins_head\.kernel_tower\.(\d+)", lambda m: f"cells.kernel_tower.{_pair(m[1])}"),
    (r"^ins_head\.cate_pred", "cells.category"),
    (r"^ins_head\.kernel_pred", "cells.kernel"),
    (r"^mask_head\.convs_all_levels\.(\d)\.conv(\d)", r"masks.levels.\1.\2"),
    (r"^mask_head\.conv_pred", "masks.merge"),
)
"""Published → ours; each in turn."""

CONVERTING = (
    "import pickle, torch; held = pickle.load(open('IN', 'rb')); torch.save({'model': "
    "{k: torch.as_tensor(v) for k, v in held['model'].items()}}, 'OUT.pth')"
)


def own_name(published: str) -> str:
    """Our name of a published parameter; itself where it is none."""
    for pattern, ours in NAMES:
        published = re.sub(pattern, ours, published)
    return published


def load_solo(path: Path, config: SoloConfig | None = None) -> Solo:
    """FreeSOLO's network, of a published `.pth`.

    Raises:
        WeightsError: the file is missing, damaged, pickled, or another network's.
    """
    from ssc.segment.solo import Solo

    weights: dict[str, Tensor] = {
        own_name(name): value for name, value in _held(path).items() if not UNUSED.fullmatch(name)
    }
    with unfilled():
        model = Solo(config)
    fill(model, weights, path)
    return model.eval()


def _held(path: Path) -> dict[str, Any]:
    """Published name → tensor."""
    try:
        held = read_pth(path)
    except WeightsError as error:
        if not path.is_file():
            raise
        raise WeightsError(
            f"{error}; where it is detectron2's pickle and you trust it, convert it: {CONVERTING}"
        ) from error
    model = held.get("model", held)
    if not isinstance(model, dict):
        raise WeightsError(
            f'{path}: expected names and tensors under "model", got a {type(model).__name__}'
        )
    return model


def _pair(number: str) -> str:
    step, part = divmod(int(number), 3)
    return f"{step}.{part}"
