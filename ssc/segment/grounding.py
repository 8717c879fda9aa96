"""Grounding DINO (Liu et al. 2023): class names → boxes, through either implementation of it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import torch
from torch import Tensor

from ssc.cache import Cache, content_key
from ssc.devices import in_chunks
from ssc.errors import WeightsError
from ssc.segment.class_prompts import ClassPrompt, make_class_prompts
from ssc.segment.detect import check_threshold
from ssc.segment.features import KEPT_IMAGES, Levels, keeping, once_a_picture
from ssc.weights.reading import load_transformers, read_config

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ssc.segment.detect import Boxes

BOX_THRESHOLD = 0.35  # a box's best token must be over it, and
TEXT_THRESHOLD = 0.25  # a token over it is part of the box's phrase: the published values of both
NMS_IOU = 0.8  # of two boxes that overlap more, the better stays
SHORT_SIDE, LONG_SIDE = 800, 1333  # pixels that the network sees, as published
PROMPTS = 4  # at once; bounds memory, not results
KEPT = 32  # answers, a few kB each

MEAN = (0.485, 0.456, 0.406)  # ImageNet's, RGB
STD = (0.229, 0.224, 0.225)


class Network(Protocol):
    """Either implementation of Grounding DINO."""

    def __call__(self, pixels: Tensor, prompts: Sequence[str]) -> tuple[Tensor, Tensor]:
        """Where each prompt's words are.

        Args:
            pixels: float32 B×3×h×w, as `preprocess` makes them.
            prompts: B texts.

        Returns:
            logits float B×Q×`TOKENS` of each query and token, −inf beyond the text; boxes float
            B×Q×4, centre and size as shares of the image.
        """
        ...


class GroundingDetector:
    """The `Detector` of the base and paper sets.

    All classes are asked for in one prompt, as far as it holds them. Where nothing at all is
    found, the classes are asked for once more as "all …s". A box belongs to the class whose
    tokens have the highest mean probability, of those classes that have a token over
    `text_threshold`; tokens are matched by position, so a phrase of half a name, or of parts of
    two, is never a class of its own. Overlapping boxes are suppressed whatever their classes.

    Args:
        network: see `Network`.
        tokenizer: of BERT, the network's own.
        threshold: least score of a box, which is its best token's probability; in [0, 1].
        text_threshold: least probability of a word of a box's phrase.

    Raises:
        OptionError: a threshold beyond [0, 1].
    """

    def __init__(
        self,
        network: Network,
        tokenizer: Any,
        *,
        threshold: float = BOX_THRESHOLD,
        text_threshold: float = TEXT_THRESHOLD,
    ) -> None:
        check_threshold("box_threshold", threshold)
        check_threshold("text_threshold", text_threshold)
        self.network = network
        self.tokenizer = tokenizer
        self.threshold = threshold
        self.text_threshold = text_threshold
        self._answers: Cache[Boxes] = Cache(KEPT)

    def detect(self, image: NDArray[np.uint8], class_names: Sequence[str]) -> Boxes:
        """As `Detector.detect`; an image's last answers are kept."""
        detections = self.detect_once(image, class_names)
        return detections if len(detections[0]) else self._answer(image, class_names, "all {}s")

    def detect_once(self, image: NDArray[np.uint8], class_names: Sequence[str]) -> Boxes:
        """As `detect`, but where nothing is found that is the answer."""
        return self._answer(image, class_names, "{}")

    def _answer(self, image: NDArray[np.uint8], class_names: Sequence[str], form: str) -> Boxes:
        key = content_key(image), tuple(class_names), form, self.threshold, self.text_threshold

        return self._answers.get(key, lambda: self._ask(image, class_names, form))

    @property
    def costly(self) -> bool:
        """As `Detector`: on a processor another question takes nearly as long as the first."""
        device = getattr(self.network, "device", None)
        return device is not None and device.type == "cpu"

    def _ask(self, image: NDArray[np.uint8], class_names: Sequence[str], form: str) -> Boxes:
        """The boxes of an image over the thresholds, of all prompts that the classes take."""
        pixels = preprocess(image)
        prompts = make_class_prompts(class_names, self.tokenizer, form)
        parts = in_chunks(lambda part: self._see(pixels, part), prompts, PROMPTS, "prompts")
        return _in_frame(_suppress([answer for part in parts for answer in part]), image)

    def _see(
        self, pixels: Tensor, prompts: Sequence[ClassPrompt]
    ) -> list[tuple[Tensor, Tensor, tuple[str, ...]]]:
        """What the network finds for each prompt, over the thresholds."""
        batch = torch.stack([pixels] * len(prompts))  # 3×h×w → B×3×h×w
        with torch.inference_mode():
            logits, boxes = self.network(batch, [prompt.text for prompt in prompts])
        probabilities = logits.float().sigmoid().cpu()
        return [
            self._read(p, b, prompt)
            for p, b, prompt in zip(probabilities, boxes.float().cpu(), prompts)
        ]

    def _read(
        self, probabilities: Tensor, boxes: Tensor, prompt: ClassPrompt
    ) -> tuple[Tensor, Tensor, tuple[str, ...]]:
        """The boxes of one prompt over the thresholds, with the class that each belongs to."""
        words = prompt.tokens.float()
        of_class = probabilities @ (words / words.sum(1, keepdim=True)).T  # Q×T, T×C → Q×C
        over = (probabilities > self.text_threshold).float() @ words.T > 0  # Q×C
        scores = probabilities.amax(1)
        keep = (scores > self.threshold) & over.any(1)
        best = of_class.masked_fill(~over, -1)[keep].argmax(1)
        return boxes[keep], scores[keep], tuple(prompt.names[k] for k in best.tolist())


def preprocess(image: NDArray[np.uint8]) -> Tensor:
    """RGB uint8 H×W×3 → normalised float32 3×h×w, in size and values the authors' own: the short
    side `SHORT_SIDE` pixels, fewer where the long one would be over `LONG_SIDE`."""
    from PIL import Image

    height, width = image.shape[:2]
    small, large = sorted((height, width))
    side = min(SHORT_SIDE, round(LONG_SIDE * small / large))
    long = int(side * large / small) if side else LONG_SIDE
    side = max(1, side)
    size = (side, long) if width < height else (long, side)  # width, height
    resized = Image.fromarray(image).resize(size, Image.Resampling.BILINEAR)
    pixels = torch.from_numpy(np.array(resized)).permute(2, 0, 1).float() / 255  # h×w×3 → 3×h×w
    mean, std = (torch.tensor(x).view(3, 1, 1) for x in (MEAN, STD))
    return (pixels - mean) / std


def _suppress(
    answers: Sequence[tuple[Tensor, Tensor, tuple[str, ...]]],
) -> tuple[Tensor, Tensor, tuple[str, ...]]:
    """One image's answers to all its prompts, best first, as corners, without near-equals."""
    from torchvision.ops import box_convert, nms

    if not answers:
        return torch.zeros(0, 4), torch.zeros(0), ()
    boxes = box_convert(torch.cat([b for b, _, _ in answers]), "cxcywh", "xyxy").clamp(0, 1)
    scores = torch.cat([s for _, s, _ in answers])
    labels = [name for _, _, names in answers for name in names]
    solid = ((boxes[:, 2:] - boxes[:, :2]) > 0).all(1).nonzero()[:, 0]
    keep = solid[nms(boxes[solid], scores[solid], NMS_IOU)]  # by falling score
    return boxes[keep], scores[keep], tuple(labels[k] for k in keep.tolist())


def _in_frame(
    detections: tuple[Tensor, Tensor, tuple[str, ...]], image: NDArray[np.uint8]
) -> Boxes:
    boxes, scores, labels = detections
    h, w = image.shape[:2]
    return (boxes * torch.tensor([w, h, w, h])).numpy(), scores.numpy(), labels


class TransformersNetwork:
    """transformers' implementation, the default: no compiled extension, batches of images.

    Args:
        model: a `GroundingDinoForObjectDetection`, for example of `load_grounding_dino`.
        tokenizer: its own.
        device: where it runs.
        dtype: that the image backbone computes in, most of the time. What follows is in float32:
            it chooses among 900 queries, which half precision would swap.
    """

    def __init__(
        self,
        model: Any,
        tokenizer: Any,
        *,
        device: str | torch.device = "cpu",
        dtype: torch.dtype = torch.float32,
    ) -> None:
        self.model = model.eval().to(device)
        self.tokenizer = tokenizer
        self.device = torch.device(device)
        self.dtype = dtype
        self._features: Cache[Levels] = Cache(KEPT_IMAGES)
        once_a_picture(self.model.model.backbone.conv_encoder)

    def __call__(self, pixels: Tensor, prompts: Sequence[str]) -> tuple[Tensor, Tensor]:
        """As `Network`."""
        tokens = self.tokenizer(list(prompts), padding=True, return_tensors="pt")
        with keeping(self._features, self.dtype):
            outputs = self.model(pixel_values=pixels.to(self.device), **tokens.to(self.device))
        return outputs.logits, outputs.pred_boxes


def load_tokenizer(folder: Path) -> Any:
    """BERT's tokenizer from the files beside the network's.

    Raises:
        WeightsError: they are missing or broken.
    """
    from transformers import AutoTokenizer

    try:
        return AutoTokenizer.from_pretrained(folder, local_files_only=True)
    except (OSError, ValueError, KeyError) as error:
        reason = str(error).partition("\n")[0]
        raise WeightsError(f"{folder}: expected BERT's tokenizer, got: {reason}") from error


def load_grounding_dino(folder: Path) -> Any:
    """transformers' network, Grounding DINO or MM-Grounding-DINO, from its own files.

    Raises:
        WeightsError: a file is missing or is not what it should be.
    """
    from transformers import GroundingDinoForObjectDetection, MMGroundingDinoForObjectDetection

    mm = read_config(folder, "Grounding DINO").get("model_type") == "mm-grounding-dino"
    network = MMGroundingDinoForObjectDetection if mm else GroundingDinoForObjectDetection
    # Swin's final norm is in no checkpoint, since nothing reads it.
    return load_transformers(network, folder, "Grounding DINO", ("swin.layernorm",))
