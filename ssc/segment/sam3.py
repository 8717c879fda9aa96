"""SAM 3 (Carion et al. 2025) through transformers: class names → boxes and masks at once.

It finds all instances of what words name; which one is meant, stage 2 chooses.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from ssc.cache import Cache, content_key
from ssc.devices import in_chunks
from ssc.errors import WeightsError
from ssc.segment.detect import check_threshold
from ssc.segment.sam import threshold_enlarged
from ssc.weights.reading import load_transformers, read_config

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ssc.segment.detect import Boxes

BOX_THRESHOLD = 0.3  # transformers' own of this network
TOKENS = 32  # of a text
PROMPTS = 8  # texts or boxes asked at once; bounds memory, not results
KEPT_IMAGES = 2  # features, 230 MB each
KEPT_MASKS = 400  # logits of a box, 0.3 MB each
KEPT = 8  # answers, with their mask logits
BY_BOX = "visual"  # the text where a box alone is the prompt, as the network was trained

MEAN = STD = 0.5  # of each colour


class Sam3:
    """A `Detector` and a `Segmenter` in one: both parts of a set, or either of them.

    Each class is asked for by itself; an image's features are computed once. A box that was found
    here has its mask already; for another box the network is asked with it as an example, and what
    it finds there is taken.

    Args:
        model: a `Sam3Model`, for example of `load_sam3`.
        tokenizer: of CLIP; texts → int tensor N×`TOKENS`, 0 after the end.
        device: where it runs.
        dtype: of the image encoder's matrix products; weights stay in float32.
        threshold: least score of a box; in [0, 1].

    Raises:
        OptionError: a threshold beyond [0, 1].
    """

    def __init__(
        self,
        model: Any,
        tokenizer: Any,
        *,
        device: str | torch.device = "cpu",
        dtype: torch.dtype = torch.float32,
        threshold: float = BOX_THRESHOLD,
    ) -> None:
        check_threshold("box_threshold", threshold)
        self.model = model.eval().to(device)
        self.tokenizer = tokenizer
        self.device = torch.device(device)
        self.dtype = dtype
        self.threshold = threshold
        size = model.config.image_size
        self.side: int = size if isinstance(size, int) else size[0]
        self._features: Cache[Any] = Cache(KEPT_IMAGES)
        self._detections: Cache[tuple[Boxes, NDArray[np.float32]]] = Cache(KEPT)
        self._masks: Cache[NDArray[np.float32]] = Cache(KEPT_MASKS)

    @property
    def costly(self) -> bool:
        """As `Detector`: on a processor a class takes seconds."""
        return self.device.type == "cpu"

    def detect(self, image: NDArray[np.uint8], class_names: Sequence[str]) -> Boxes:
        """As `Detector.detect`; an image's last answers are kept."""
        key = content_key(image)
        (boxes, scores, labels), logits = self._detections.get(
            (key, tuple(class_names), self.threshold), lambda: self._find(image, class_names)
        )
        for box, mask in zip(boxes, logits):
            self._masks.put((key, box.tobytes()), mask)
        return boxes, scores, labels

    def segment(
        self, image: NDArray[np.uint8], boxes: NDArray[np.float32]
    ) -> tuple[NDArray[np.bool_], NDArray[np.float32]]:
        """As `Segmenter.segment`; the quality is the mean probability inside of the mask."""
        image_key = content_key(image)
        keys = [(image_key, box.tobytes()) for box in np.asarray(boxes, np.float32)]
        maps = [self._masks.peek(key) for key in keys]
        new = [k for k, own in enumerate(maps) if own is None]
        for k, own in zip(new, self._by_box(image, boxes[new]) if new else ()):
            maps[k] = own
            self._masks.put(keys[k], own)
        masks = np.zeros((len(keys), *image.shape[:2]), np.bool_)
        qualities = np.zeros(len(keys), np.float32)
        for k, logits in enumerate(maps):
            assert logits is not None
            threshold_enlarged(logits, masks[k])
            inside = logits[logits > 0]
            qualities[k] = (1 / (1 + np.exp(-inside))).mean() if inside.size else 0.0
        return masks, qualities

    def _find(
        self, image: NDArray[np.uint8], class_names: Sequence[str]
    ) -> tuple[Boxes, NDArray[np.float32]]:
        """All boxes over the threshold, best first, and their mask logits float32 N×s×s."""
        names = list(dict.fromkeys(class_names))
        scores, boxes, masks = [torch.zeros(0)], [torch.zeros(0, 4)], [np.zeros((0, 1, 1))]
        labels: list[str] = []
        h, w = image.shape[:2]
        for part in in_chunks(lambda texts: self._ask(image, texts), names, PROMPTS, "texts"):
            for score, box, mask in zip(*part):
                box = box.clamp(0, 1)
                keep = (score > self.threshold) & ((box[:, 2:] - box[:, :2]) > 0).all(1)
                scores.append(score[keep])
                boxes.append(box[keep] * torch.tensor([w, h, w, h]))
                masks.append(mask[keep].numpy())
                labels += [names[len(scores) - 2]] * int(keep.sum())
        score, order = torch.cat(scores).sort(descending=True, stable=True)
        maps = [mask for own in masks[1:] for mask in own]
        logits = np.array([maps[k] for k in order], np.float32)
        in_order = torch.cat(boxes)[order].numpy()
        return (in_order, score.numpy(), tuple(labels[k] for k in order.tolist())), logits

    def _by_box(
        self, image: NDArray[np.uint8], boxes: NDArray[np.float32]
    ) -> list[NDArray[np.float32]]:
        """Mask logits float32 s×s of what is found nearest to each box, prompted with it."""
        from torchvision.ops import box_iou

        h, w = image.shape[:2]
        shares = torch.from_numpy(
            np.asarray(boxes, np.float32) / np.array([w, h, w, h], np.float32)
        )
        logits = []

        def ask(part: Tensor) -> tuple[Tensor, Tensor, Tensor]:
            return self._ask(image, [BY_BOX] * len(part), part)

        parts = in_chunks(ask, shares, PROMPTS, "boxes")
        answers = zip(*(torch.cat(kind) for kind in zip(*parts)))
        for prompt, (_, box, mask) in zip(shares, answers):
            logits.append(mask[box_iou(prompt[None], box)[0].argmax()].numpy())
        return logits

    @torch.inference_mode()
    def _ask(
        self, image: NDArray[np.uint8], texts: Sequence[str], boxes: Tensor | None = None
    ) -> tuple[Tensor, Tensor, Tensor]:
        """What each of N prompts finds, by Q queries, on the processor.

        Args:
            image: RGB uint8 H×W×3.
            texts: N, the words of each prompt.
            boxes: float32 N×4, an example's XYXY as shares of the image, for each prompt.

        Returns:
            scores float32 N×Q; boxes float32 N×Q×4, XYXY as shares; mask logits float32 N×Q×s×s.
        """
        from torchvision.ops import box_convert
        from transformers.models.sam3.modeling_sam3 import Sam3VisionEncoderOutput

        maps, places = self._features.get(content_key(image), partial(self._embed, image))
        n = len(texts)
        features = Sam3VisionEncoderOutput(
            fpn_hidden_states=tuple(level.expand(n, -1, -1, -1) for level in maps),
            fpn_position_encoding=tuple(level.expand(n, -1, -1, -1) for level in places),
        )
        tokens = self.tokenizer(list(texts)).to(self.device)
        places_of = torch.arange(tokens.shape[1], device=self.device)
        read = places_of <= tokens.argmax(1, keepdim=True)  # the end's number is the highest
        example = {}
        if boxes is not None:
            prompts = box_convert(boxes, "xyxy", "cxcywh")[:, None].to(self.device)  # N×1×4
            labels = torch.ones(n, 1, dtype=torch.long, device=self.device)
            example = {"input_boxes": prompts, "input_boxes_labels": labels}
        output = self.model(
            vision_embeds=features, input_ids=tokens, attention_mask=read.long(), **example
        )
        scores = output.pred_logits.sigmoid() * output.presence_logits.sigmoid()
        return (
            scores.float().cpu(),
            output.pred_boxes.float().cpu(),
            output.pred_masks.float().cpu(),
        )

    def _embed(self, image: NDArray[np.uint8]) -> tuple[list[Tensor], list[Tensor]]:
        """Feature maps float 1×C×s×s of four strides, and their places; the image is squashed."""
        from PIL import Image

        size = (self.side, self.side)
        resized = Image.fromarray(image).resize(size, Image.Resampling.BILINEAR)
        pixels = torch.from_numpy(np.array(resized)).permute(2, 0, 1).float() / 255  # → 3×s×s
        batch = ((pixels - MEAN) / STD)[None].to(self.device)
        half = self.dtype != torch.float32

        def encode(batch: Tensor) -> tuple[list[Tensor], list[Tensor]]:
            with torch.autocast(self.device.type, self.dtype if half else None, enabled=half):
                features = self.model.get_vision_features(batch)
            maps, places = features.fpn_hidden_states, features.fpn_position_encoding
            return [level.float() for level in maps], [level.float() for level in places]

        return in_chunks(encode, batch, 1, "images")[0]


def load_sam3(folder: Path) -> Any:
    """transformers' network from its own `config.json` and `model.safetensors`.

    The published file is of the network for video, which holds the one for images.

    Raises:
        WeightsError: a file is missing or is not what it should be.
    """
    from transformers import Sam3Model

    kind = str(read_config(folder, "SAM 3").get("model_type"))
    if not kind.startswith("sam3"):
        raise WeightsError(f"{folder}: expected SAM 3, got a network of type {kind}")
    return load_transformers(Sam3Model, folder, "SAM 3")
