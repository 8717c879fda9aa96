"""The mini set's network: a Mask R-CNN with a small backbone and a class-agnostic mask head."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor, nn
from torchvision.models.detection import MaskRCNN
from torchvision.models.detection.anchor_utils import AnchorGenerator
from torchvision.models.detection.mask_rcnn import MaskRCNNHeads, MaskRCNNPredictor
from torchvision.models.detection.roi_heads import paste_masks_in_image
from torchvision.ops import FeaturePyramidNetwork, MultiScaleRoIAlign

from ssc.cache import Cache, content_key

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

STRIDE = 16  # of the coarsest level
CONFIG: dict[str, Any] = {
    "widths": [32, 56, 112, 192],
    "blocks": [1, 2, 2, 3],
    "pyramid": 64,
    "classes": 80,
    "short_side": 240,
    "long_side": 320,
}


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

    Computes in bfloat16 while training (1.6 times as fast on CPU), in float32 else.
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
        with torch.autocast(x.device.type, torch.bfloat16, enabled=self.training):
            levels: OrderedDict[str, Tensor] = OrderedDict()
            for level, stage in enumerate(self.stages):
                x = stage(x)
                if level:
                    levels[str(level - 1)] = x
            levels = self.fpn(levels)
        return OrderedDict((name, level.float()) for name, level in levels.items())


class _BoxHead(nn.Module):
    """One 3×3 convolution beside the pyramid's own features, which know the class already.

    Fully connected layers on 7×7 cells need far more boxes to learn a class.
    """

    def __init__(self, pyramid: int, width: int) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(pyramid, width, 3, padding=1, bias=False),
            nn.BatchNorm2d(width),
            nn.ReLU(inplace=True),
        )

    def forward(self, x: Tensor) -> Tensor:
        x = x.contiguous(memory_format=torch.channels_last)
        with torch.autocast(x.device.type, torch.bfloat16, enabled=self.training):
            return torch.cat([x, self.body(x).float()], dim=1)  # N×(pyramid + width)×7×7


class _MaskHead(MaskRCNNHeads):
    """In bfloat16 while training, as the backbone."""

    def forward(self, x: Tensor) -> Tensor:
        x = x.contiguous(memory_format=torch.channels_last)
        with torch.autocast(x.device.type, torch.bfloat16, enabled=self.training):
            return super().forward(x).float()


class AgnosticMaskPredictor(MaskRCNNPredictor):
    """One mask whatever the class: a box alone then gives a mask."""

    def __init__(self, width: int, classes: int) -> None:
        super().__init__(width, width, 1)
        self.classes = classes

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x).expand(-1, self.classes, -1, -1)  # N×1×28×28 → N×classes×28×28


def build_rcnn(config: dict[str, Any] = CONFIG) -> MaskRCNN:
    """The network with random weights; class k of the vocabulary has label k + 1."""
    pyramid, classes = config["pyramid"], config["classes"] + 1
    levels = ["0", "1", "2"]
    # Canonical scales fit objects of 25 to 130 px; masks are read one level finer than classes.
    align = partial(MultiScaleRoIAlign, featmap_names=levels, sampling_ratio=1)
    return MaskRCNN(
        Backbone(config["widths"], config["blocks"], pyramid),
        num_classes=None,
        min_size=config["short_side"],
        max_size=config["long_side"],
        size_divisible=STRIDE,
        rpn_anchor_generator=AnchorGenerator(
            ((16, 26), (40, 60), (90, 130)), ((0.5, 1.0, 2.0),) * len(levels)
        ),
        rpn_pre_nms_top_n_train=300,
        rpn_post_nms_top_n_train=150,
        rpn_pre_nms_top_n_test=300,
        rpn_post_nms_top_n_test=100,
        rpn_batch_size_per_image=128,
        box_roi_pool=align(output_size=7, canonical_scale=100),
        box_head=_BoxHead(pyramid, 96),
        box_predictor=_BoxPredictor(pyramid + 96, classes),
        box_batch_size_per_image=48,
        box_detections_per_img=40,
        box_score_thresh=0.05,
        mask_roi_pool=align(output_size=14, canonical_scale=200),
        mask_head=_MaskHead(pyramid, [pyramid] * 3, 1, norm_layer=nn.BatchNorm2d),
        mask_predictor=AgnosticMaskPredictor(pyramid, classes),
    )


class _BoxPredictor(nn.Module):
    """Class scores, and one box refinement shared by all classes, as masks are."""

    def __init__(self, width: int, classes: int) -> None:
        super().__init__()
        self.cls_score = nn.Linear(width, classes)
        self.cells = nn.Sequential(nn.Conv2d(width, 16, 1), nn.ReLU(inplace=True), nn.Flatten())
        self.bbox_pred = nn.Linear(16 * 49, 4)
        self.classes = classes

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        deltas = self.bbox_pred(self.cells(x))  # N×4
        return self.cls_score(x.mean((2, 3))), deltas.repeat(1, self.classes)


class MiniNetwork:
    """The trained network with one image's features kept: boxes and masks share them.

    Args:
        model: from `build_rcnn`, trained.
        classes: names of labels 1, 2, …
    """

    def __init__(self, model: MaskRCNN, classes: Sequence[str]) -> None:
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
        encoded, heads = self._encode(image), self.model.roi_heads
        prompts = torch.from_numpy(boxes) * encoded.scale
        pooled = heads.mask_roi_pool(encoded.features, [prompts], [encoded.size])
        logits = heads.mask_predictor(heads.mask_head(pooled))[:, :1]  # N×1×28×28
        small = logits.sigmoid()
        masks = paste_masks_in_image(small, torch.from_numpy(boxes), (h, w))[:, 0] > 0.5
        inside = small > 0.5
        quality = (small * inside).flatten(1).sum(1) / inside.flatten(1).sum(1).clamp(min=1)
        return masks.numpy(), quality.numpy()

    def _encode(self, image: NDArray[np.uint8]) -> _Encoded:
        return self._images.get(content_key(image), lambda: self._compute(image))

    @torch.inference_mode()
    def _compute(self, image: NDArray[np.uint8]) -> _Encoded:
        h, w = image.shape[:2]
        pixels = torch.from_numpy(np.ascontiguousarray(image)).permute(2, 0, 1)  # H×W×3 → 3×H×W
        images, _ = self.model.transform([pixels.float() / 255])
        features = self.model.backbone(images.tensors)
        proposals, _ = self.model.rpn(images, features)
        boxes, scores, labels = self._detect(features, proposals, images.image_sizes)
        scaled_h, scaled_w = images.image_sizes[0]
        scale = torch.tensor([scaled_w / w, scaled_h / h, scaled_w / w, scaled_h / h])
        return _Encoded(
            features=features,
            size=(scaled_h, scaled_w),
            scale=scale,
            boxes=(boxes / scale).numpy(),
            scores=scores.numpy(),
            labels=tuple(self.classes[k - 1] for k in labels.tolist()),
        )

    def _detect(self, features: Any, proposals: Any, sizes: Any) -> tuple[Tensor, ...]:
        """The box branch alone: masks are made when they are asked for."""
        heads = self.model.roi_heads
        pooled = heads.box_head(heads.box_roi_pool(features, proposals, sizes))
        logits, deltas = heads.box_predictor(pooled)
        found = heads.postprocess_detections(logits, deltas, proposals, sizes)
        return tuple(per_image[0] for per_image in found)


@dataclass(frozen=True)
class _Encoded:
    """What one image's pass through the network leaves: features, and boxes in its own frame."""

    features: OrderedDict[str, Tensor]
    size: tuple[int, int]
    scale: Tensor
    boxes: NDArray[np.float32]
    scores: NDArray[np.float32]
    labels: tuple[str, ...]
