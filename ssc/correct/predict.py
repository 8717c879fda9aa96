"""Inference of stage 3 (paper §3.3): image and expressions → each object's probability map."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ssc.cache import Cache, content_key
from ssc.correct.guided import along_edges
from ssc.correct.lavt import CONFIGS as LAVT_CONFIGS
from ssc.correct.lavt import LAVT
from ssc.errors import PictureError, WeightsError
from ssc.weights.reading import load_weights, unfilled
from ssc.writing import explained

if TYPE_CHECKING:
    from numpy.typing import NDArray

MEAN = (0.485, 0.456, 0.406)  # ImageNet's, RGB
STD = (0.229, 0.224, 0.225)
CELL = 4  # of LAVT, see `ReferringModel.cell`
BATCH = 16  # expressions read at once; bounds memory, not results

CONFIGS: dict[str, dict[str, Any]] = {
    "nano": {
        "lavt": LAVT_CONFIGS["nano"],
        "bert": {
            "hidden_size": 64,
            "num_hidden_layers": 2,
            "num_attention_heads": 4,
            "intermediate_size": 256,
            "max_position_embeddings": 32,
        },
        "size": (72, 96),
        "words": 20,
    },
    "mini": {
        "lavt": LAVT_CONFIGS["mini"],
        "bert": {
            "hidden_size": 128,
            "num_hidden_layers": 3,
            "num_attention_heads": 4,
            "intermediate_size": 512,
            "max_position_embeddings": 32,
        },
        "size": (96, 128),
        "words": 20,
    },
    "swin_b": {
        "lavt": LAVT_CONFIGS["swin_b"],
        "bert": {},  # BERT-base is what transformers builds by default
        "size": (480, 480),
        "words": 20,
    },
}
"""What `config.json` of a checkpoint holds; there `bert` has the tokenizer's `vocab_size` too."""


class ReferringModel(nn.Module):
    """BERT and LAVT: pixels and token ids → logits; what is trained and what is saved.

    Args:
        lavt: keyword arguments of `LAVT`.
        bert: keyword arguments of `transformers.BertConfig`.

    Attributes:
        cell: pixels of its input that a cell of its map is wide and high.
    """

    cell = CELL

    def __init__(self, lavt: dict[str, Any], bert: dict[str, Any]) -> None:
        from transformers import BertConfig, BertModel

        super().__init__()
        self.bert = BertModel(BertConfig(**bert), add_pooling_layer=False)
        self.lavt = LAVT(**lavt)

    def words(self, input_ids: Tensor, attention_mask: Tensor) -> tuple[Tensor, Tensor]:
        """int64 N×L and N×L to LAVT's text float N×D×L and mask N×L×1."""
        hidden = self.bert(input_ids, attention_mask=attention_mask).last_hidden_state
        return hidden.transpose(1, 2), attention_mask[:, :, None]  # N×L×D → N×D×L

    def forward(
        self,
        image: Tensor,
        input_ids: Tensor,
        attention_mask: Tensor,
        image_index: Tensor | None = None,
    ) -> Tensor:
        """float N×2×h×w logits of image float B×3×h×w, see `preprocess` and `LAVT.forward`."""
        return self.lavt(image, *self.words(input_ids, attention_mask), image_index)

    def embed(self, image: Tensor) -> Tensor:
        """`LAVT.embed`."""
        return self.lavt.embed(image)

    def read(self, pixels: Tensor, text: Tensor, mask: Tensor, image_index: Tensor) -> Tensor:
        """`LAVT.read`."""
        return self.lavt.read(pixels, text, mask, image_index)


def built(config: dict[str, Any]) -> ReferringModel:
    """The network of a configuration of the form of `CONFIGS`."""
    return ReferringModel(config["lavt"], config["bert"])


def preprocess(images: Tensor, size: Sequence[int]) -> Tensor:
    """RGB uint8 B×H×W×3 to normalised float32 B×3×h×w; squashed to size (h, w), nothing is cut."""
    pixels = images.permute(0, 3, 1, 2).float() / 255  # B×H×W×3 → B×3×H×W
    if tuple(pixels.shape[2:]) != tuple(size):
        pixels = F.interpolate(pixels, tuple(size), mode="bilinear", antialias=True)
    mean, std = (pixels.new_tensor(x).view(3, 1, 1) for x in (MEAN, STD))
    return (pixels - mean) / std


class Corrector:
    """Inference with a trained model. It keeps the pixel features of the last images.

    Args:
        model: trained; put into evaluation mode.
        tokenizer: of the model's BERT.
        size: (height, width) in pixels to which images are scaled for the model.
        words: largest number of tokens of an expression; further ones are cut.
        dtype: in which it computes, under autocast; the weights are float32.
    """

    def __init__(
        self,
        model: ReferringModel,
        tokenizer: Any,
        *,
        size: Sequence[int],
        words: int,
        dtype: torch.dtype = torch.float32,
    ) -> None:
        self.model = model.eval()
        self.dtype = dtype
        self.tokenizer = tokenizer
        self.size = tuple(size)
        self.words = words
        self._embedded: Cache[Tensor] = Cache(4)

    def predict(self, image: NDArray[np.uint8], expressions: Sequence[str]) -> NDArray[np.float32]:
        """Locates the object of each expression.

        Args:
            image: RGB uint8 H×W×3.
            expressions: N texts about it.

        Returns:
            float32 N×H×W, each pixel's probability in [0, 1] of being the object's, in the
            image's own frame and along its edges; for the mask see `ssc.correct.mask`.

        Raises:
            PictureError: not such an image.
        """
        if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8 or not image.size:
            raise PictureError(
                f"image: expected RGB uint8 height×width×3, got {image.dtype} {image.shape}"
            )
        frame = image.shape[:2]
        batches = (list(expressions[i : i + BATCH]) for i in range(0, len(expressions), BATCH))
        parts = (self._read(image, batch) for batch in batches)
        return np.concatenate([np.zeros((0, *frame), np.float32), *parts])

    def unread(self, text: str) -> tuple[str, ...]:
        """The words at the end of `text` that are beyond the largest number of tokens."""
        typed = text.split()
        read, cut = 0, len(typed)  # the most words that fit
        while read < cut:
            middle = (read + cut + 1) // 2
            tokens = self.tokenizer(" ".join(typed[:middle]))["input_ids"]
            read, cut = (middle, cut) if len(tokens) <= self.words else (read, middle - 1)
        return tuple(typed[read:])

    @torch.inference_mode()
    def _read(self, image: NDArray[np.uint8], expressions: list[str]) -> NDArray[np.float32]:
        device = next(self.model.parameters()).device
        pixels = self._embedded.get(content_key(image), lambda: self._embed(image, device))
        tokens = self.tokenizer(
            expressions, padding=True, truncation=True, max_length=self.words, return_tensors="pt"
        ).to(device)
        index = torch.zeros(len(expressions), dtype=torch.long, device=device)
        with self._precision(device):
            text, mask = self.model.words(tokens["input_ids"], tokens["attention_mask"])
            logits = self.model.read(pixels, text, mask, index).float()
        object_ = logits[:, 1:] - logits[:, :1]  # N×1×h×w; softmax over two is a sigmoid of this
        # Straight to the image's frame, with LAVT's own interpolation: one blur less than two.
        object_ = F.interpolate(object_, image.shape[:2], mode="bilinear", align_corners=True)
        cell = self.model.cell * max(side / own for side, own in zip(image.shape, self.size))
        return along_edges(object_[:, 0].sigmoid().cpu().numpy(), image, cell)

    def _embed(self, image: NDArray[np.uint8], device: torch.device) -> Tensor:
        pixels = torch.from_numpy(np.array(image)).to(device)
        with self._precision(device):
            return self.model.embed(preprocess(pixels[None], self.size))

    def _precision(self, device: torch.device) -> torch.autocast:
        return torch.autocast(device.type, self.dtype, enabled=self.dtype is not torch.float32)

    @classmethod
    def load(
        cls, folder: str | Path, build: Callable[[dict[str, Any]], ReferringModel] | None = None
    ) -> Corrector:
        """A checkpoint: `config.json`, `model.safetensors` and the tokenizer's files.

        Args:
            build: makes the network of a configuration; None for `ReferringModel`.

        Raises:
            WeightsError: a file is missing or is not what it should be.
        """
        from transformers import AutoTokenizer

        folder = Path(folder)
        path = folder / "config.json"
        try:
            config = json.loads(path.read_text())
            with unfilled():
                model = (build or built)(config)
            size, words = config["size"], config["words"]
        except (OSError, ValueError, TypeError, KeyError) as error:
            raise WeightsError(
                f"{path}: expected the configuration of a correct-stage checkpoint "
                f"({', '.join(CONFIGS['mini'])}), got {type(error).__name__}: {error}"
            ) from error
        load_weights(model, folder / "model.safetensors")
        try:
            tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
        except (OSError, ValueError, KeyError) as error:
            reason = str(error).partition("\n")[0]
            raise WeightsError(
                f"{folder}: expected the tokenizer's files, got: {reason}"
            ) from error
        if len(tokenizer) > (vocabulary := model.bert.config.vocab_size):
            raise WeightsError(
                f"{folder}: expected a tokenizer of at most {vocabulary} tokens, as many as the "
                f"model knows, got {len(tokenizer)}; take the one that the model was trained with"
            )
        return cls(model, tokenizer, size=size, words=words)

    @staticmethod
    def save(
        folder: str | Path,
        model: ReferringModel,
        tokenizer: Any,
        config: dict[str, Any],
        *,
        dtype: torch.dtype = torch.float32,
    ) -> None:
        """Writes what `load` reads, each file put in its place whole.

        Args:
            folder: made where it does not exist.
            model, tokenizer: as trained.
            config: of the form of `CONFIGS`, what the model was built from.
            dtype: of the floating point weights on disk; float16 halves the file.

        Raises:
            WriteError: a file cannot be written; the checkpoint before stays.
        """
        from safetensors.torch import save

        part = Path(folder) / "checkpoint.part"
        with explained(part):
            part.mkdir(parents=True, exist_ok=True)
        weights = {
            name: value.detach().cpu().to(dtype if value.is_floating_point() else value.dtype)
            for name, value in model.state_dict().items()
        }
        size = sum(value.nbytes for value in weights.values())
        with explained(Path(folder) / "model.safetensors", size):
            # Not by save_file, whose files only their owner can read.
            data = save({name: value.contiguous() for name, value in weights.items()})
            (part / "model.safetensors").write_bytes(data)
        with explained(Path(folder)):
            tokenizer.save_pretrained(part)
            (part / "config.json").write_text(json.dumps(config, indent=2) + "\n")
            for file in sorted(part.iterdir()):
                os.replace(file, part.parent / file.name)
            part.rmdir()
