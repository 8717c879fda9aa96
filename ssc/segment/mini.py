"""The mini set's network: FCOS with a small backbone and a class-agnostic mask head."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torchvision.models.detection import FCOS
from torchvision.models.detection.anchor_utils import AnchorGenerator
from torchvision.models.detection.fcos import FCOSHead
from torchvision.models.detection.mask_rcnn import MaskRCNNHeads, MaskRCNNPredictor
from torchvision.ops import FeaturePyramidNetwork, roi_align

from ssc.cache import Cache, content_key
from ssc.devices import computes_in_bfloat16
from ssc.scale import thickened

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

STRIDES = (4, 8, 16)  # of the pyramid's levels, in pixels
MASK_CELLS = 14  # a box is read in so many cells a side; its mask has twice as many
CONFIG: dict[str, Any] = {
    "widths": [32, 56, 112, 192],
    "blocks": [1, 2, 2, 3],
    "pyramid": 64,
    "convolutions": 2,
    "classes": 80,
    "short_side": 240,
    "long_side": 320,
}


def _half(module: nn.Module, x: Tensor) -> torch.autocast:
    """bfloat16 while a module is trained where `x` is, on processors that compute in it."""
    enabled = module.training and computes_in_bfloat16(x.device)
    return torch.autocast(x.device.type, torch.bfloat16, enabled=enabled)


class Block(nn.Module):
    """Two 3×3 convolutions with a residual."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(width, width, 3, padding=1, bias=False),
            nn.BatchNorm2d(width),
            nn.ReLU(inplace=True),
            nn.Conv2d(width, width, 3, padding=1, bias=False),
            nn.BatchNorm2d(width),
        )

    def forward(self, x: Tensor) -> Tensor:
        return torch.relu(x + self.body(x))


class Backbone(nn.Module):
    """Four convolutional stages of strides 2, 4, 8, 16, the last three into a feature pyramid.

    Computes in bfloat16 while training where that is faster (`_half`), in float32 else.
    """

    def __init__(self, widths: Sequence[int], blocks: Sequence[int], pyramid: int) -> None:
        super().__init__()
        self.stages = nn.ModuleList()
        before = 3
        for width, depth in zip(widths, blocks):
            self.stages.append(
                nn.Sequential(
                    nn.Conv2d(before, width, 3, stride=2, padding=1, bias=False),
                    nn.BatchNorm2d(width),
                    nn.ReLU(inplace=True),
                    *(Block(width) for _ in range(depth if before > 3 else 0)),
                )
            )
            before = width
        self.fpn = FeaturePyramidNetwork(list(widths[1:]), pyramid)
        self.out_channels = pyramid

    def forward(self, x: Tensor) -> OrderedDict[str, Tensor]:
        x = x.contiguous(memory_format=torch.channels_last)
        with _half(self, x):
            levels: OrderedDict[str, Tensor] = OrderedDict()
            for level, stage in enumerate(self.stages):
                x = stage(x)
                if level:
                    levels[str(level - 1)] = x
            levels = self.fpn(levels)
        return OrderedDict((name, level.float()) for name, level in levels.items())


class MiniFCOS(FCOS):
    """torchvision's FCOS (Tian et al. 2019) on the small backbone, and a mask for any box.

    FCOS, since each pixel of an object teaches it class and box, where a Mask R-CNN learns from a
    few boxes a picture. Class k of the vocabulary has label k + 1. Masks do not depend on the
    class: a box alone gives one.
    """

    def __init__(self, config: dict[str, Any] = CONFIG) -> None:
        pyramid, classes = config["pyramid"], config["classes"] + 1
        super().__init__(
            Backbone(config["widths"], config["blocks"], pyramid),
            classes,
            min_size=config["short_side"],
            max_size=config["long_side"],
            anchor_generator=AnchorGenerator(
                tuple((stride,) for stride in STRIDES), ((1.0,),) * len(STRIDES)
            ),
            head=FCOSHead(pyramid, 1, classes, config["convolutions"]),
            score_thresh=0.05,
            detections_per_img=60,
            size_divisible=STRIDES[-1],
        )
        norm = partial(nn.GroupNorm, 16)
        self.mask_head = MaskRCNNHeads(pyramid, [pyramid] * 3, 1, norm_layer=norm)
        self.mask_predictor = MaskRCNNPredictor(pyramid, pyramid, 1)

    def heads(self, features: OrderedDict[str, Tensor]) -> dict[str, Tensor]:
        """FCOS's outputs for all cells of all levels."""
        levels = list(features.values())
        with _half(self, levels[0]):
            outputs = self.head(levels)
        return {name: output.float() for name, output in outputs.items()}

    def mask_logits(self, features: OrderedDict[str, Tensor], boxes: list[Tensor]) -> Tensor:
        """float N×28×28 for the boxes (XYXY, network's pixels) of each image, all in a row."""
        # Not aligned: the backbone's cell i is centred on pixel 4i, not on 4i + 2.
        cells = roi_align(features["0"], boxes, MASK_CELLS, 1 / STRIDES[0], 2)
        with _half(self, cells):
            logits = self.mask_predictor(self.mask_head(cells))
        return logits[:, 0].float()

    def detect(
        self, features: OrderedDict[str, Tensor], images: Any
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Boxes N×4 in the network's pixels, scores N, labels N of the one image."""
        sizes = [level.shape[2] * level.shape[3] for level in features.values()]
        outputs = {name: list(o.split(sizes, 1)) for name, o in self.heads(features).items()}
        anchors = self.anchor_generator(images, list(features.values()))
        per_level = [list(a.split(sizes)) for a in anchors]
        detections = self.postprocess_detections(outputs, per_level, images.image_sizes)[0]
        return detections["boxes"], detections["scores"], detections["labels"]


def paste_masks(probability: Tensor, boxes: Tensor, height: int, width: int) -> Tensor:
    """Masks in their boxes' frames to the picture's: bool N×height×width, over one half.

    torchvision's own rounds boxes to whole pixels, which matters to small objects.

    Args:
        probability: float N×m×m in [0, 1].
        boxes: float N×4, XYXY pixels of the picture.
    """
    masks = torch.zeros(len(boxes), height, width, dtype=torch.bool)
    limit = torch.tensor([width, height, width, height])
    for mask, small, box in zip(masks, probability, boxes):
        x0, y0 = box[:2].floor().clamp(min=0).long().tolist()
        x1, y1 = torch.minimum(box[2:].ceil(), limit[2:]).long().tolist()
        if x0 >= x1 or y0 >= y1:
            continue
        xs = (torch.arange(x0, x1) + 0.5 - box[0]) / (box[2] - box[0]) * 2 - 1  # −1 … 1 in the box
        ys = (torch.arange(y0, y1) + 0.5 - box[1]) / (box[3] - box[1]) * 2 - 1
        grid = torch.stack(torch.meshgrid(xs, ys, indexing="xy"), dim=-1)  # h×w×2
        inside = F.grid_sample(
            small[None, None], grid[None], padding_mode="border", align_corners=False
        )
        mask[y0:y1, x0:x1] = inside[0, 0] > 0.5
    return masks


class MiniNetwork:
    """The trained network with one image's features kept: boxes and masks share them.

    Args:
        model: trained.
        classes: names of labels 1, 2, …
    """

    def __init__(self, model: MiniFCOS, classes: Sequence[str]) -> None:
        self.model = model.eval()
        self.classes = tuple(classes)
        self._images: Cache[_Encoded] = Cache(4)

    def boxes(
        self, image: NDArray[np.uint8]
    ) -> tuple[NDArray[np.float32], NDArray[np.float32], tuple[str, ...]]:
        """Every box over the network's own low threshold, as `Detector.detect` returns them."""
        encoded = self._encode(image)
        return encoded.boxes, encoded.scores, encoded.labels

    @torch.inference_mode()
    def masks(
        self, image: NDArray[np.uint8], boxes: NDArray[np.float32]
    ) -> tuple[NDArray[np.bool_], NDArray[np.float32]]:
        """A mask for each box, as `Segmenter.segment` returns them."""
        h, w = image.shape[:2]
        if not len(boxes):
            return np.zeros((0, h, w), np.bool_), np.zeros(0, np.float32)
        encoded, frame = self._encode(image), torch.tensor(boxes)
        small = self.model.mask_logits(encoded.features, [frame * encoded.scale]).sigmoid()
        inside = small > 0.5
        quality = (small * inside).flatten(1).sum(1) / inside.flatten(1).sum(1).clamp(min=1)
        return paste_masks(small, frame, h, w).numpy(), quality.numpy()

    def _encode(self, image: NDArray[np.uint8]) -> _Encoded:
        return self._images.get(content_key(image), lambda: self._compute(image))

    @torch.inference_mode()
    def _compute(self, image: NDArray[np.uint8]) -> _Encoded:
        h, w = image.shape[:2]
        image = thickened(image, self.model.transform.max_size)
        pixels = torch.from_numpy(np.ascontiguousarray(image)).permute(2, 0, 1)  # H×W×3 → 3×H×W
        images, _ = self.model.transform([pixels.float() / 255])
        features = self.model.backbone(images.tensors)
        boxes, scores, labels = self.model.detect(features, images)
        scaled_h, scaled_w = images.image_sizes[0]
        scale = torch.tensor([scaled_w / w, scaled_h / h, scaled_w / w, scaled_h / h])
        return _Encoded(
            features=features,
            scale=scale,
            boxes=(boxes / scale).numpy(),
            scores=scores.numpy(),
            labels=tuple(self.classes[k - 1] for k in labels.tolist()),
        )


@dataclass(frozen=True)
class _Encoded:
    """What one image's pass through the network leaves: features, and boxes in its own frame."""

    features: OrderedDict[str, Tensor]
    scale: Tensor
    boxes: NDArray[np.float32]
    scores: NDArray[np.float32]
    labels: tuple[str, ...]
