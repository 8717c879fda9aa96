"""OmDet-Turbo (Zhao et al. 2024) through transformers: class names → boxes, fast."""

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
from ssc.weights.reading import load_transformers, read_config

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ssc.segment.detect import Boxes

BOX_THRESHOLD = 0.3  # transformers' own of this network
NMS_IOU = 0.5  # of two boxes of one class that overlap more, the better stays: likewise
KEPT_IMAGES = 4  # features, 9 MB each

MEAN = (0.485, 0.456, 0.406)  # ImageNet's, RGB
STD = (0.229, 0.224, 0.225)


class OmDetDetector:
    """The `Detector` of the lite set.

    Classes are scored one by one against each box, so that a box of several is of the best. Image
    features, and the embeddings of class names, are computed once. All is in float32.

    Args:
        model: an `OmDetTurboForObjectDetection`, for example of `load_omdet`.
        tokenizer: of CLIP; texts → int tensor N×77.
        device: where it runs.
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
        threshold: float = BOX_THRESHOLD,
    ) -> None:
        check_threshold("box_threshold", threshold)
        self.model = model.eval().to(device)
        self.tokenizer = tokenizer
        self.device = torch.device(device)
        self.threshold = threshold
        size = model.config.image_size
        self.side = size if isinstance(size, int) else size[0]
        self._features: Cache[list[Tensor]] = Cache(KEPT_IMAGES)
        self._names: Cache[Tensor] = Cache(1024)

    @torch.inference_mode()
    def detect(self, image: NDArray[np.uint8], class_names: Sequence[str]) -> Boxes:
        """As `Detector.detect`.

        Raises:
            ResourceError: out of memory.
        """
        names = tuple(dict.fromkeys(class_names))
        if not names:
            return np.zeros((0, 4), np.float32), np.zeros(0, np.float32), ()
        features = self._features.get(content_key(image), lambda: self._embed(image))
        classes = torch.stack([self._names.get(n, partial(self._name, n)) for n in names])
        task, mask = self._task(f"Detect {', '.join(names)}.")
        output = self.model.decoder(
            features, classes[:, None], task, mask, return_dict=True
        )  # classes C×1×D, task L×1×D
        scores = output.decoder_classes[-1][0].sigmoid()  # Q×C
        return self._read(
            scores.float().cpu(), output.decoder_coords[-1][0].float().cpu(), names, image
        )

    def _read(
        self, scores: Tensor, boxes: Tensor, names: tuple[str, ...], image: NDArray[np.uint8]
    ) -> Boxes:
        """Boxes Q×4, centre and size as shares of the image, and their scores Q×C, read."""
        from torchvision.ops import batched_nms, box_convert

        best, of_class = scores.max(1)
        h, w = image.shape[:2]
        corners = box_convert(boxes, "cxcywh", "xyxy").clamp(0, 1) * torch.tensor([w, h, w, h])
        solid = ((corners[:, 2:] - corners[:, :2]) > 0).all(1) & (best > self.threshold)
        corners, best, of_class = corners[solid], best[solid], of_class[solid]
        keep = batched_nms(corners, best, of_class, NMS_IOU)  # by falling score
        labels = tuple(names[k] for k in of_class[keep].tolist())
        return corners[keep].numpy(), best[keep].numpy(), labels

    def _embed(self, image: NDArray[np.uint8]) -> list[Tensor]:
        """The encoder's feature maps, float 1×C×s×s of three strides; the image is squashed."""
        from PIL import Image

        size = (self.side, self.side)
        resized = Image.fromarray(image).resize(size, Image.Resampling.BILINEAR)
        pixels = torch.from_numpy(np.array(resized)).permute(2, 0, 1).float() / 255  # → 3×s×s
        mean, std = (torch.tensor(x).view(3, 1, 1) for x in (MEAN, STD))
        batch = ((pixels - mean) / std)[None].to(self.device)

        def encode(batch: Tensor) -> list[Tensor]:
            maps = self.model.encoder(self.model.vision_backbone(batch), return_dict=True)
            return list(maps.extracted_states)

        return in_chunks(encode, batch, 1, "images")[0]

    def _name(self, name: str) -> Tensor:
        """A class name's embedding, float D."""
        embedded: Tensor = self.model.language_backbone(self._tokens(name), encode_type="class")[0]
        return embedded

    def _task(self, text: str) -> tuple[Tensor, Tensor]:
        """float L×1×D and int 1×L of the text's L tokens; what CLIP does not read is cut."""
        tokens = self._tokens(text)
        embedded: tuple[Tensor, Tensor] = self.model.language_backbone(
            tokens, torch.ones_like(tokens), "task"
        )
        return embedded

    def _tokens(self, text: str) -> Tensor:
        """int 1×L, to the text's end: no token of CLIP's sees those after it, so the padding is
        left out, which is most of the time."""
        tokens: Tensor = self.tokenizer([text])
        end = int(tokens[0].argmax())  # the end's number is the highest
        return tokens[:, : end + 1].to(self.device)


def load_omdet(folder: Path) -> Any:
    """transformers' network from its own `config.json` and `model.safetensors`.

    Raises:
        WeightsError: a file is missing or is not what it should be.
    """
    from transformers import OmDetTurboConfig, OmDetTurboForObjectDetection

    what = "OmDet-Turbo"
    config = read_config(folder, what)
    # The published file names timm's network, about which transformers would ask the Hub.
    name, options = config.pop("backbone", None), config.pop("backbone_kwargs", None) or {}
    if name and not config.get("backbone_config"):
        config["backbone_config"] = {"model_type": "timm_backbone", "backbone": name, **options}
    try:
        built = OmDetTurboConfig.from_dict(config)
    except (ValueError, TypeError, KeyError) as error:
        reason = str(error).partition("\n")[0]
        raise WeightsError(f"{folder}: expected {what}'s configuration, got: {reason}") from error
    return load_transformers(OmDetTurboForObjectDetection, folder, what, config=built)
