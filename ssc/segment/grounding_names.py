"""The authors' published Grounding DINO: its file read, its weights by transformers' names."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

import torch
from torch import Tensor

from ssc.errors import WeightsError
from ssc.weights.reading import read_pth

LEFT_OVER = ("label_enc.weight", "bert.embeddings.position_ids")
"""In the published file, but in neither network: a part used in training, and 0, 1, 2, …"""


def read_original(path: Path) -> dict[str, Tensor]:
    """The weights in a published file, by the names of the authors' network."""
    held = read_pth(path)
    weights = held.get("model")
    if not isinstance(weights, dict):
        raise WeightsError(
            f'{path}: expected weights under "model", as groundingdino_swint_ogc.pth has them, '
            f"got {', '.join(map(str, list(held)[:3])) or 'nothing'}"
        )
    weights = {name.removeprefix("module."): value for name, value in weights.items()}
    return {name: value for name, value in weights.items() if name not in LEFT_OVER}


_SWIN = "model.backbone.conv_encoder.model."
_ATTENTION = {"self_attn.in_proj_": "self_attn.*.", "self_attn.": "self_attn."}

_RENAMED: tuple[tuple[str, str, dict[str, str]], ...] = (
    # the image's side: Swin, and the projections of the four levels
    (
        r"backbone\.0\.patch_embed\.proj\.",
        _SWIN + "swin.embeddings.patch_embeddings.projection.",
        {},
    ),
    (r"backbone\.0\.patch_embed\.norm\.", _SWIN + "swin.embeddings.norm.", {}),
    (
        r"backbone\.0\.layers\.(\d+)\.blocks\.(\d+)\.",
        _SWIN + r"swin.encoder.layers.\1.blocks.\2.",
        {
            "norm1.": "layernorm_before.",
            "norm2.": "layernorm_after.",
            "mlp.": "mlp.",
            "attn.qkv.": "attention.*_proj.",
            "attn.proj.": "attention.o_proj.",
            "attn.relative_position_bias_table": (
                "attention.relative_position_bias.relative_position_bias_table"
            ),
        },
    ),
    (
        r"backbone\.0\.layers\.(\d+)\.downsample\.",
        _SWIN + r"swin.encoder.layers.\1.downsample.",
        {},
    ),
    (r"backbone\.0\.norm1\.", _SWIN + "hidden_states_norms.stage2.", {}),
    (r"backbone\.0\.norm2\.", _SWIN + "hidden_states_norms.stage3.", {}),
    (r"backbone\.0\.norm3\.", _SWIN + "hidden_states_norms.stage4.", {}),
    (r"input_proj\.", "model.input_proj_vision.", {}),
    # the text's side
    (r"bert\.", "model.text_backbone.", {}),
    (r"feat_map\.", "model.text_projection.", {}),
    # encoder
    (
        r"transformer\.encoder\.layers\.(\d+)\.",
        r"model.encoder.layers.\1.deformable_layer.",
        {
            "self_attn.": "self_attn.",
            "norm1.": "self_attn_layer_norm.",
            "norm2.": "final_layer_norm.",
            "linear": "fc",
        },
    ),
    (
        r"transformer\.encoder\.text_layers\.(\d+)\.",
        r"model.encoder.layers.\1.text_enhancer_layer.",
        {
            **_ATTENTION,
            "norm1.": "layer_norm_before.",
            "norm2.": "layer_norm_after.",
            "linear": "fc",
        },
    ),
    (
        r"transformer\.encoder\.fusion_layers\.(\d+)\.",
        r"model.encoder.layers.\1.fusion_layer.",
        {
            "gamma_v": "vision_param",
            "gamma_l": "text_param",
            "layer_norm_v.": "layer_norm_vision.",
            "layer_norm_l.": "layer_norm_text.",
            **{
                f"attn.{kind}{old}_proj.": f"attn.{kind}{new}_proj."
                for kind in ("", "values_", "out_")
                for old, new in (("v", "vision"), ("l", "text"))
            },
        },
    ),
    # decoder
    (
        r"transformer\.decoder\.layers\.(\d+)\.",
        r"model.decoder.layers.\1.",
        {
            **_ATTENTION,
            "ca_text.in_proj_": "encoder_attn_text.*.",
            "ca_text.": "encoder_attn_text.",
            "cross_attn.": "encoder_attn.",
            "norm1.": "encoder_attn_layer_norm.",
            "norm2.": "self_attn_layer_norm.",
            "catext_norm.": "encoder_attn_text_layer_norm.",
            "norm3.": "final_layer_norm.",
            "linear": "fc",
        },
    ),
    (r"transformer\.decoder\.norm\.", "model.decoder.layer_norm.", {}),
    (r"transformer\.decoder\.ref_point_head\.", "model.decoder.reference_points_head.", {}),
    (r"transformer\.decoder\.bbox_embed\.", "model.decoder.bbox_embed.", {}),
    (r"transformer\.tgt_embed\.", "model.query_position_embeddings.", {}),
    (r"transformer\.enc_out_bbox_embed\.", "model.encoder_output_bbox_embed.", {}),
    (r"transformer\.(level_embed$|enc_output\.|enc_output_norm\.)", r"model.\1", {}),
    (r"bbox_embed\.", "bbox_embed.", {}),
)
"""How an original name begins, what that is in transformers', and what comes after it (nothing to
change where that is empty). A * stands for query, key and value, one tensor in the original."""

_NOT_THERE = re.compile(r"bert\.pooler\.|.*relative_position_index$")
"""Of the original, unused or recomputed in transformers'."""


def to_transformers(weights: dict[str, Tensor]) -> dict[str, Tensor]:
    """The authors' weights by the names of transformers' `GroundingDinoForObjectDetection`.

    Raises:
        WeightsError: a name that is not the authors'.
    """
    renamed: dict[str, Tensor] = {}
    for name, value in weights.items():
        if not _NOT_THERE.match(name):
            renamed.update(_rename(name, value))
    # transformers' Swin has one more norm, which nothing reads: it stays as it begins.
    last = renamed.get(_SWIN + "hidden_states_norms.stage4.weight")
    if last is not None:
        renamed[_SWIN + "swin.layernorm.weight"] = torch.ones_like(last)
        renamed[_SWIN + "swin.layernorm.bias"] = torch.zeros_like(last)
    return renamed


def _rename(name: str, value: Tensor) -> Iterable[tuple[str, Tensor]]:
    """Name and tensor in transformers', or those of query, key and value."""
    for pattern, beginning, rest in _RENAMED:
        match = re.match(pattern, name)
        if not match:
            continue
        new, after = match.expand(beginning), name[match.end() :]
        if rest:
            old = next((old for old in rest if after.startswith(old)), None)
            if old is None:
                break
            after = rest[old] + after.removeprefix(old)
        if "*" not in after:
            return [(new + after, value)]
        parts = ("q", "k", "v") if "*_proj" in after else ("query", "key", "value")
        return [(new + after.replace("*", p), v) for p, v in zip(parts, value.chunk(3))]
    raise WeightsError(f"expected the names of Grounding DINO's published weights, got {name}")
