"""Visitors' sessions between their clicks: packed, and bounded in bytes all together.

A picture of 12 megapixels with eight candidates has 200 MB of arrays while it is worked on. Between
clicks its file is kept as it came, masks as bits, prompts as JPEG, and stage 3's probability in the
size of a screen, which is finer than the network's own.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import fields
from threading import Lock
from typing import TYPE_CHECKING, Any, NamedTuple
from weakref import ref

import numpy as np

from ssc.correction import Correction
from ssc.draw import SCREEN
from ssc.formats import jpeg, png
from ssc.images import load_image
from ssc.page.session import Session
from ssc.result import Result
from ssc.types import Candidates, Selection

if TYPE_CHECKING:
    from numpy.typing import NDArray

LIMIT = 1 << 30
"""Bytes that all parked sessions may hold; the newest stays, however large."""


class Parked:
    """A session in few bytes.

    What opens is what was parked, but for prompts, which are JPEG, and for the probability of a
    picture larger than a screen, which is resampled; the mask at its threshold is exact. What came
    packed is parked as it came: nothing is lost by further clicks.
    """

    def __init__(self, session: Session) -> None:
        self._picture = session.source or png(session.image)
        self._results = [_Packed(result, session.packed) for result in session.results]
        self._rest = _without(session, "image", "results", "source", "packed", "_scaled")

    def __bool__(self) -> bool:
        """False once it is emptied."""
        return bool(self._results)

    def empty(self) -> None:
        """Lets go of what it holds; its visitor is told to ask again."""
        self._picture, self._results = b"", []

    def open(self) -> Session:
        """The session, its arrays whole."""
        image = load_image(self._picture)
        results: list[Result] = []
        packed: list[tuple[NDArray[Any], Any]] = []
        for one in self._results:
            results.append(one.open(image))
            packed += one.pairs(results[-1])
        return Session(
            image=image, results=results, source=self._picture, packed=packed, **self._rest
        )

    @property
    def nbytes(self) -> int:
        """What it holds."""
        return len(self._picture) + sum(packed.nbytes for packed in self._results)


_parked: list[ref[Parked]] = []  # the oldest first
_lock = Lock()


def park(session: Session) -> Parked:
    """Packs a session for its visitor's next click; the oldest are emptied where room is short."""
    packed = Parked(session)
    with _lock:
        _parked.append(ref(packed))
        alive = _alive()
        _parked[:] = map(ref, alive)
        held = sum(one.nbytes for one in alive)
        for one in alive[:-1]:
            if held <= LIMIT:
                break
            held -= one.nbytes
            one.empty()
    return packed


def parked_bytes() -> int:
    """What all parked sessions hold."""
    with _lock:
        return sum(one.nbytes for one in _alive())


def _alive() -> list[Parked]:
    return [held for one in _parked if (held := one()) is not None and held]


class _Bits(NamedTuple):
    """Masks, each as the bits inside its bounding box."""

    frame: tuple[int, int]
    corners: list[tuple[int, int, int, int]]
    bits: list[NDArray[np.uint8]]

    @classmethod
    def of(cls, masks: NDArray[np.bool_]) -> _Bits:
        """Of bool N×H×W."""
        packed = cls(masks.shape[1:], [], [])
        for mask in masks:
            rows, columns = (np.flatnonzero(mask.any(axis)) for axis in (1, 0))
            y0, y1 = (rows[0], rows[-1] + 1) if len(rows) else (0, 0)
            x0, x1 = (columns[0], columns[-1] + 1) if len(columns) else (0, 0)
            packed.corners.append((int(y0), int(y1), int(x0), int(x1)))
            packed.bits.append(np.packbits(mask[y0:y1, x0:x1]))
        return packed

    def open(self) -> NDArray[np.bool_]:
        masks = np.zeros((len(self.bits), *self.frame), np.bool_)
        for mask, (y0, y1, x0, x1), bits in zip(masks, self.corners, self.bits):
            inside = np.unpackbits(bits, count=(y1 - y0) * (x1 - x0)).view(np.bool_)
            mask[y0:y1, x0:x1] = inside.reshape(y1 - y0, x1 - x0)
        return masks

    @property
    def nbytes(self) -> int:
        return sum(bits.nbytes for bits in self.bits)


class _Packed:
    """A result; `packed` as in `Session`."""

    def __init__(self, result: Result, packed: Sequence[tuple[NDArray[Any], Any]]) -> None:
        self._rest = _without(result, "candidates", "selection", "correction", "image")
        self._candidates = _without(result.candidates, "masks")
        self._masks = _Bits.of(result.candidates.masks)
        self._selection: dict[str, Any] | None = None
        self._correction: dict[str, Any] | None = None
        self._prompts: list[bytes] = []
        if result.selection is not None:
            self._selection = _without(result.selection, "prompts")
            self._prompts = _pack(
                result.selection.prompts, packed, lambda prompts: [jpeg(own) for own in prompts]
            )
        if result.correction is not None:
            self._correction = _without(result.correction, "probability", "mask")
            self._probability = _pack(result.correction.probability, packed, _shrunk)
            self._mask = _Bits.of(result.correction.mask[None])

    def open(self, image: NDArray[np.uint8]) -> Result:
        """The result, of the picture RGB uint8 H×W×3 that it was found in."""
        candidates = Candidates(masks=self._masks.open(), **self._candidates)
        selection = correction = None
        if self._selection is not None:
            prompts = [load_image(prompt) for prompt in self._prompts]
            none = np.zeros((0, 1, 1, 3), np.uint8)
            selection = Selection(np.stack(prompts) if prompts else none, **self._selection)
        if self._correction is not None:
            [mask] = self._mask.open()
            probability = _enlarged(self._probability, mask.shape)
            correction = Correction(probability, mask=mask, **self._correction)
        return Result(
            candidates=candidates,
            selection=selection,
            correction=correction,
            image=image,
            **self._rest,
        )

    def pairs(self, result: Result) -> Iterator[tuple[NDArray[Any], Any]]:
        """The arrays of `result`, which it was opened as, that were changed by packing; and as
        what they were packed."""
        if result.selection is not None:
            yield result.selection.prompts, self._prompts
        if result.correction is not None:
            yield result.correction.probability, self._probability

    @property
    def nbytes(self) -> int:
        held = self._masks.nbytes + sum(map(len, self._prompts))
        if self._correction is not None:
            held += self._probability.nbytes + self._mask.nbytes
        return held


def _without(value: Any, *names: str) -> dict[str, Any]:
    """The fields of a dataclass but those that are named."""
    return {f.name: getattr(value, f.name) for f in fields(value) if f.name not in names}


def _pack(
    array: NDArray[Any],
    packed: Sequence[tuple[NDArray[Any], Any]],
    pack: Callable[[NDArray[Any]], Any],
) -> Any:
    """What an array came packed as, else what `pack` makes of it."""
    for came, own in packed:
        if np.may_share_memory(came, array):  # values hold views
            return own
    return pack(array)


def _shrunk(probability: NDArray[np.float32]) -> NDArray[np.float32]:
    """float32 h×w, `SCREEN` pixels long at most, of H×W."""
    import cv2

    longest = max(probability.shape)
    if longest <= SCREEN:
        return probability
    height, width = (max(1, round(side * SCREEN / longest)) for side in probability.shape)
    small = cv2.resize(probability, (width, height), interpolation=cv2.INTER_AREA)
    return small.astype(np.float32)


def _enlarged(probability: NDArray[np.float32], frame: Sequence[int]) -> NDArray[np.float32]:
    """float32 H×W of `frame`, of h×w."""
    import cv2

    height, width = frame
    if probability.shape == (height, width):
        return probability
    large = cv2.resize(probability, (width, height), interpolation=cv2.INTER_LINEAR)
    return large.astype(np.float32, copy=False)
