"""Visual prompts: a candidate marked on the picture, for CLIP to look at (paper §3.2, §4.3)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache, partial
from typing import TYPE_CHECKING

import numpy as np

from ssc.scale import scale

if TYPE_CHECKING:
    import torch
    from numpy.typing import NDArray
    from torch import Tensor

    Image = NDArray[np.uint8]
    Prompts = NDArray[np.uint8] | Tensor
    Masks = NDArray[np.bool_] | Tensor
    Boxes = NDArray[np.float32]
    Blurred = Callable[[], NDArray[np.uint8] | Tensor]

FRAME = 640
"""Longest side that prompts are made at, in pixels: COCO's own size; CLIP sees at most 336."""

SIGMA = 50.0
"""The paper's blur, in pixels of an image as large as COCO's."""

RED = (255, 0, 0)  # RGB
LINE = 0.01  # line width, of the shorter side: as thin as the red circles of Shtedritski et al.
CLIP_MEAN = (123, 117, 104)  # RGB; zero to CLIP after normalisation


def blur(
    image: NDArray[np.uint8], sigma: float, device: str | torch.device | None = None
) -> NDArray[np.uint8] | Tensor:
    """Gaussian blur of RGB uint8 h×w×3, `sigma` in its own pixels.

    By OpenCV on the processor. A wide blur is done there at half the resolution: within 3 of 255
    of the exact one, in a seventh of the time (0.02 s, not 0.15 s, for 640×480 at σ = 50).

    Args:
        device: where else to compute it, exactly then: OpenCV's float32 result, rounded. (On
            bytes OpenCV rounds its kernel too, and is up to 2 of 255 off that.)

    Returns:
        uint8 h×w×3: an array, or with `device` a tensor on it.
    """
    if device is not None:
        return _blur_on(device, image, sigma)
    import cv2

    height, width = image.shape[:2]
    if sigma < 8 or min(height, width) < 4 * sigma:  # half of a strip has other borders
        return cv2.GaussianBlur(image, (0, 0), sigma)
    half = cv2.resize(image, (width // 2, height // 2), interpolation=cv2.INTER_AREA)
    half = cv2.GaussianBlur(half, (0, 0), sigma / 2)
    return cv2.resize(half, (width, height), interpolation=cv2.INTER_LINEAR)


def _blur_on(device: str | torch.device, image: Image, sigma: float) -> Tensor:
    """A separable blur as two matrix products: what a GPU is fastest at, at any width of σ."""
    import torch

    height, width = image.shape[:2]
    pixels = torch.from_numpy(image.copy()).to(device).float()
    rows, columns = (_blur_matrix(length, sigma, str(device)) for length in (height, width))
    blurred = rows @ pixels.view(height, width * 3)  # h×h, h×3w → h×3w
    blurred = columns @ blurred.view(height, width, 3)  # w×w, h×w×3 → h×w×3
    return blurred.round().clamp(0, 255).to(torch.uint8)


@lru_cache(16)
def _blur_matrix(length: int, sigma: float, device: str) -> Tensor:
    """float32 length×length: what each pixel of a line gives to each pixel of the blurred line.

    Kernel and borders as OpenCV has them for uint8, reflected about the outermost pixel, as often
    as a kernel that is longer than the line asks for.
    """
    import cv2
    import torch

    radius = (round(6 * sigma + 1) | 1) // 2
    kernel = cv2.getGaussianKernel(2 * radius + 1, sigma)[:, 0]
    line = np.arange(length)[:, None]
    reached = (line + np.arange(-radius, radius + 1)) % max(1, 2 * (length - 1))
    matrix = np.zeros((length, length))
    np.add.at(matrix, (line, length - 1 - np.abs(reached - (length - 1))), kernel)
    return torch.from_numpy(matrix.astype(np.float32)).to(device)


def make_prompts(
    name: str,
    image: NDArray[np.uint8],
    masks: NDArray[np.bool_] | Sequence[NDArray[np.bool_]],
    boxes: NDArray[np.float32],
    sigma: float = SIGMA,
    blur_with: Callable[[NDArray[np.uint8], float], NDArray[np.uint8] | Tensor] | None = None,
    device: str | torch.device | None = None,
) -> NDArray[np.uint8] | Tensor:
    """The picture once per candidate, with that candidate marked.

    Args:
        name: a key of `VISUAL_PROMPTS`.
        image: RGB uint8 H×W×3.
        masks: bool N×H×W, or N of H×W.
        boxes: float32 N×4, XYXY pixels.
        sigma: standard deviation of the blur in pixels of the original frame, above 0; smaller
            in proportion where the image's longest side is below `FRAME`.
        blur_with: what blurs, for example `blur` behind a cache; by default `blur` on `device`.
        device: where the prompts of all candidates are composed at once; None for NumPy.

    Returns:
        uint8 N×h×w×3 RGB, an array, or with `device` a tensor on it; h×w is H×W, scaled down
        where the longest side is over `FRAME`.
    """
    longest = max(image.shape[:2])
    image, scaled, boxes = scale(image, masks, boxes, min(longest, FRAME))
    if not len(scaled):
        return np.zeros((0, *image.shape), np.uint8)
    # Shrinks in proportion both ways: with a small picture and with a large one scaled down.
    in_frame = sigma * min(longest, FRAME) / max(longest, FRAME)
    blurred = partial(blur_with or partial(blur, device=device), image, in_frame)
    if device is None:
        return VISUAL_PROMPTS[name](image, scaled, boxes, blurred)
    import torch

    image = image.copy()  # torch takes no view of a flipped one
    marked = VISUAL_PROMPTS[name](image, torch.tensor(scaled, device=device), boxes, blurred)
    return torch.as_tensor(marked, device=device)


def _reverse_blur(image: Image, masks: Masks, boxes: Boxes, blurred: Blurred) -> Prompts:
    return _compose(masks, image, blurred())


def _compose(masks: Masks, inside: Image, outside: Image | Tensor) -> Prompts:
    """uint8 N×h×w×3 where the masks are: `inside` where each is set, `outside` elsewhere."""
    if isinstance(masks, np.ndarray):
        import cv2

        prompts = np.repeat(outside[None], len(masks), axis=0)
        for prompt, mask in zip(prompts, masks):  # many times as fast as np.where
            cv2.copyTo(inside, mask.view(np.uint8), prompt)
        return prompts
    import torch

    there, elsewhere = (torch.as_tensor(own, device=masks.device) for own in (inside, outside))
    return torch.where(masks[..., None], there, elsewhere)


def _red_ellipse(image: Image, masks: Masks, boxes: Boxes, blurred: Blurred) -> Prompts:
    import cv2

    prompts = np.repeat(image[None], len(masks), axis=0)
    for prompt, (x0, y0, x1, y1) in zip(prompts, _inside(boxes, image)):
        centre, axes = ((x0 + x1) / 2, (y0 + y1) / 2), ((x1 - x0) / 2, (y1 - y0) / 2)
        cv2.ellipse(
            prompt, _fixed(centre), _fixed(axes), 0, 0, 360, RED, _line(image), cv2.LINE_AA, 4
        )
    return prompts


def _rectangle(image: Image, masks: Masks, boxes: Boxes, blurred: Blurred) -> Prompts:
    import cv2

    prompts = np.repeat(image[None], len(masks), axis=0)
    for prompt, (x0, y0, x1, y1) in zip(prompts, _inside(boxes, image)):
        cv2.rectangle(prompt, _fixed((x0, y0)), _fixed((x1, y1)), RED, _line(image), cv2.LINE_AA, 4)
    return prompts


def _red_overlay(image: Image, masks: Masks, boxes: Boxes, blurred: Blurred) -> Prompts:
    half_red = ((image.astype(np.uint16) + RED) // 2).astype(np.uint8)
    return _compose(masks, half_red, image)


def _crop(image: Image, masks: Masks, boxes: Boxes, blurred: Blurred) -> Prompts:
    import cv2

    h, w = image.shape[:2]
    prompts = np.empty((len(masks), h, w, 3), np.uint8)
    prompts[:] = CLIP_MEAN
    for prompt, box in zip(prompts, boxes):
        # Whole pixels, at least one, inside the picture.
        x0, y0 = np.clip(np.floor(box[:2]), 0, (w - 1, h - 1)).astype(int)
        x1, y1 = np.clip(np.ceil(box[2:]), (x0 + 1, y0 + 1), (w, h)).astype(int)
        factor = min(w / (x1 - x0), h / (y1 - y0))
        cut_w, cut_h = max(1, round((x1 - x0) * factor)), max(1, round((y1 - y0) * factor))
        left, top = (w - cut_w) // 2, (h - cut_h) // 2
        prompt[top : top + cut_h, left : left + cut_w] = cv2.resize(
            image[y0:y1, x0:x1], (cut_w, cut_h), interpolation=cv2.INTER_LINEAR
        )
    return prompts


VISUAL_PROMPTS = {
    "reverse_blur": _reverse_blur,
    "red_ellipse": _red_ellipse,
    "rectangle": _rectangle,
    "red_overlay": _red_overlay,
    "crop": _crop,
}
"""Name → function of an image uint8 h×w×3, N ≥ 1 masks bool N×h×w, boxes float32 N×4 XYXY, and
`blurred() -> uint8 h×w×3`; all in one frame, which the returned uint8 N×h×w×3 is in too. Masks as
a tensor on a device: what is composed of them is composed there; what is drawn, OpenCV draws.

- reverse_blur: the candidate sharp, all else blurred (Yang et al., Fine-Grained Visual Prompting;
  the paper's choice).
- red_ellipse: a red ellipse inscribed in the candidate's box (Shtedritski et al., What does CLIP
  know about a red circle?; the other prompt of the paper's Table 3).
- rectangle: the box outlined in red.
- red_overlay: the mask half red.
- crop: no mark; the box cut out, fitted into the frame with its proportions kept, and surrounded
  with CLIP's mean colour.
"""
BLURS = ("reverse_blur",)
"""Those that call `blurred`: the others have no use for a σ."""


def _inside(boxes: NDArray[np.float32], image: NDArray[np.uint8]) -> list[list[float]]:
    """Boxes clipped so that their outlines are in the picture and no side is negative."""
    h, w = image.shape[:2]
    boxes = np.clip(boxes, 0, (w - 1, h - 1, w - 1, h - 1))
    boxes[:, 2:] = np.maximum(boxes[:, :2], boxes[:, 2:])
    return boxes.tolist()


def _fixed(point: tuple[float, float]) -> tuple[int, int]:
    """OpenCV's fixed-point coordinates with 4 fractional bits."""
    return round(point[0] * 16), round(point[1] * 16)


def _line(image: NDArray[np.uint8]) -> int:
    return max(2, round(LINE * min(image.shape[:2])))
