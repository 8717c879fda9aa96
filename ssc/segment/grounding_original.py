"""Grounding DINO as its authors wrote it (groundingdino-py 0.4.0), for exact reproduction.

Their package was written for transformers 4, and calls three methods of BERT that transformers 5
no longer has, and its embeddings as they no longer are: `LegacyBert` mends that. Its deformable
attention is plain PyTorch in 0.4.0, so no compiled extension (`_C`) is needed, on a GPU either.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any
from unittest.mock import patch

import torch
from torch import Tensor, nn
from transformers import BertConfig, BertModel

from ssc.types import InputError
from ssc.weights import fill, read_pth, unfilled

LEFT_OVER = ("label_enc.weight", "bert.embeddings.position_ids")
"""In the published file, but in neither network: a part used in training, and 0, 1, 2, …"""


def _without_cache(
    module: nn.Module, args: tuple[Any, ...], options: dict[str, Any]
) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """Their call of BERT's embeddings without the length of a cache, which is 0: transformers 5.24
    calls it otherwise."""
    options.pop("past_key_values_length", None)
    return args, options


class LegacyBert(BertModel):
    """BERT with the three methods of transformers 4 that groundingdino-py calls."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.embeddings.register_forward_pre_hook(_without_cache, with_kwargs=True)

    def get_extended_attention_mask(
        self, attention_mask: Tensor, input_shape: Sequence[int], device: object = None
    ) -> Tensor:
        """0 where to look and the lowest number elsewhere, to be added to attention's logits.

        Args:
            attention_mask: B×L or B×L×L, 1 or True where to look.
            input_shape, device: of no effect; transformers 4 wanted them.

        Returns:
            float B×1×1×L or B×1×L×L.
        """
        if attention_mask.dim() == 2:
            attention_mask = attention_mask[:, None, :]  # B×L → B×1×L
        return self.invert_attention_mask(attention_mask)

    def invert_attention_mask(self, encoder_attention_mask: Tensor) -> Tensor:
        """As above, of B×L or B×K×L, to float B×1×1×L or B×1×K×L."""
        mask = encoder_attention_mask
        mask = mask[:, None, None, :] if mask.dim() == 2 else mask[:, None]
        return (1 - mask.to(self.dtype)) * torch.finfo(self.dtype).min

    def get_head_mask(self, head_mask: Tensor | None, num_hidden_layers: int) -> list[None]:
        """No head of any layer is masked.

        Raises:
            ValueError: a mask is given; transformers 5 takes none.
        """
        if head_mask is not None:
            raise ValueError("expected no head mask, got one: transformers 5 takes none")
        return [None] * num_hidden_layers


class OriginalNetwork:
    """The authors' implementation behind `ssc.segment.grounding.Network`.

    Args:
        model: of `build_original` or `load_original`.
        device: where it runs, in float32.
    """

    def __init__(self, model: nn.Module, device: str | torch.device = "cpu") -> None:
        self.model = model.eval().to(device)
        self.device = torch.device(device)

    def __call__(self, pixels: Tensor, prompts: Sequence[str]) -> tuple[Tensor, Tensor]:
        """As `Network`; one image at a time, since their text enhancer lays the attention mask
        of one prompt over the heads of another where a batch has several."""
        outputs = [
            self.model(image[None], captions=[prompt])
            for image, prompt in zip(pixels.to(self.device), prompts, strict=True)
        ]
        logits = torch.cat([output["pred_logits"] for output in outputs])
        return logits, torch.cat([output["pred_boxes"] for output in outputs])


def build_original(tokenizer: Any, bert: BertConfig | None = None, **options: Any) -> nn.Module:
    """The network of `GroundingDINO_SwinT_OGC.py`, with fresh weights; nothing is downloaded.

    Args:
        tokenizer: of bert-base-uncased.
        bert: another text encoder than BERT-base.
        options: instead of those of the configuration file.

    Raises:
        InputError: groundingdino-py is not installed.
    """
    from types import SimpleNamespace

    try:
        from groundingdino.config import GroundingDINO_SwinT_OGC as published
        from groundingdino.models.GroundingDINO import groundingdino as theirs
    except ImportError as error:
        raise InputError(
            f"the authors' Grounding DINO needs a package that is not installed ({error}): "
            "pip install groundingdino-py==0.4.0"
        ) from error
    config = {k: v for k, v in vars(published).items() if not k.startswith("_")} | options
    # Checkpointing trades time for memory in training; it only warns here.
    config |= {"use_checkpoint": False, "use_transformer_ckpt": False}
    text = LegacyBert(bert or BertConfig())
    with (
        patch.object(theirs.get_tokenlizer, "get_tokenlizer", lambda _: tokenizer),
        patch.object(theirs.get_tokenlizer, "get_pretrained_language_model", lambda _: text),
    ):
        return theirs.build_groundingdino(SimpleNamespace(**config))


def load_original(path: Path, tokenizer: Any) -> nn.Module:
    """`groundingdino_swint_ogc.pth` in the authors' network.

    Raises:
        InputError: the package or the file is missing, or the file is another network's.
    """
    with unfilled():
        model = build_original(tokenizer)
    fill(model, read_original(path), path)
    return model


def load_into_transformers(path: Path) -> nn.Module:
    """`groundingdino_swint_ogc.pth` in transformers' network.

    Raises:
        InputError: the file is missing or another network's.
    """
    from transformers import GroundingDinoConfig, GroundingDinoForObjectDetection

    with unfilled():
        model = GroundingDinoForObjectDetection(GroundingDinoConfig())  # Swin-T, the published one
    fill(model, to_transformers(read_original(path)), path)
    return model


def read_original(path: Path) -> dict[str, Tensor]:
    """The weights in a published file, by the names of the authors' network."""
    held = read_pth(path)
    weights = held.get("model")
    if not isinstance(weights, dict):
        raise InputError(
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
        InputError: a name that is not the authors'.
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
    raise InputError(f"expected the names of Grounding DINO's published weights, got {name}")
