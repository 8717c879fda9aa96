"""The authors' own Grounding DINO (groundingdino-py 0.4.0), for exact reproduction.

Their package needs transformers 4: it calls three methods of BERT, and a form of its embeddings,
that transformers 5 lacks. `LegacyBert` provides them. Its deformable attention is plain PyTorch in
0.4.0, so no compiled extension (`_C`) is needed, on a GPU either.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any
from unittest.mock import patch

import torch
from torch import Tensor, nn
from transformers import BertConfig, BertModel

from ssc.errors import ResourceError
from ssc.segment.grounding_names import read_original, to_transformers
from ssc.weights.reading import fill, unfilled


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

    def __init__(self, model: nn.Module, *, device: str | torch.device = "cpu") -> None:
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


def build_original(tokenizer: Any, *, bert: BertConfig | None = None, **options: Any) -> nn.Module:
    """The network of `GroundingDINO_SwinT_OGC.py`, with fresh weights; nothing is downloaded.

    Args:
        tokenizer: of bert-base-uncased.
        bert: another text encoder than BERT-base.
        options: instead of those of the configuration file.

    Raises:
        ResourceError: groundingdino-py is not installed.
    """
    from types import SimpleNamespace

    try:
        from groundingdino.config import GroundingDINO_SwinT_OGC as published
        from groundingdino.models.GroundingDINO import groundingdino as theirs
    except ImportError as error:
        raise ResourceError(
            f"the authors' Grounding DINO needs a package that is not installed ({error}): "
            'pip install "segment-select-correct[original]", then '
            "pip install --no-deps groundingdino-py==0.4.0"
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
        ResourceError: groundingdino-py is not installed.
        WeightsError: the file is missing, or another network's.
    """
    with unfilled():
        model = build_original(tokenizer)
    fill(model, read_original(path), path)
    return model


def load_into_transformers(path: Path) -> nn.Module:
    """`groundingdino_swint_ogc.pth` in transformers' network.

    Raises:
        WeightsError: the file is missing or another network's.
    """
    from transformers import GroundingDinoConfig, GroundingDinoForObjectDetection

    with unfilled():
        model = GroundingDinoForObjectDetection(GroundingDinoConfig())  # Swin-T, the published one
    fill(model, to_transformers(read_original(path)), path)
    return model
