"""What the workbench knows: a store, its doubts, its reviews, and what the page is sent."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from threading import Lock
from typing import TYPE_CHECKING, Any

import numpy as np

from ssc.cache import Cache
from ssc.draw import SCREEN
from ssc.errors import InputError
from ssc.formats import rle
from ssc.scale import scale
from train.review.agreement import agreement
from train.review.decisions import Decision, append, now
from train.review.doubt import ORDERS, Doubt, doubts_of
from train.workbench.shapes import decoded, path_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from train.review.decisions import Reviewed
    from train.review.opened import Opened
    from train.workbench.prompted import Prompted

PICTURES = 64  # drawn for the screen, that are kept
QUALITY = 88  # of their JPEG
LONGEST_NAME = 60  # letters of who reviews
LONGEST = 500  # letters of an expression


class Bench:
    """A store under review. Objects have numbers, in the store's order.

    Memory holds a doubt for each object and the last decisions; pictures and masks are read when
    they are asked for.

    Args:
        opened: store, pictures and reviews.
        prompted: makes new candidates, by the store's segmenter.
        third: stage 3's choice for the objects of a picture by name; None without stage 3.
        seed: of the random order.
    """

    def __init__(
        self,
        opened: Opened,
        prompted: Prompted,
        third: Callable[[int], dict[str, int]] | None = None,
        seed: int = 0,
    ) -> None:
        self.opened, self.prompted, self.seed = opened, prompted, seed
        self._lock = Lock()
        self._pictures: Cache[bytes] = Cache(PICTURES)
        self.doubts: list[Doubt] = []
        self._number: dict[tuple[str, str], int] = {}
        for index in range(len(opened.store)):
            pseudo = opened.store.outline(index)
            if pseudo.error is not None:
                continue
            favoured = third(index) if third else {}
            own = doubts_of(pseudo, index, opened.spatial, lambda t: favoured.get(t.name, -1))  # noqa: B023
            for referent in pseudo.objects:
                self._number[pseudo.name, referent.name] = len(self._number)
            self.doubts += own
        self._place = {(doubt.picture, doubt.number): k for k, doubt in enumerate(self.doubts)}
        self._log = [k for d in opened.reviews.decided() if (k := self._of(d)) is not None]
        self._decided = set(self._log)

    def __len__(self) -> int:
        return len(self.doubts)

    def _of(self, decision: Decision) -> int | None:
        return self._number.get((decision.picture, decision.object))

    def order(self, name: str, undecided: bool) -> list[int]:
        """The objects' numbers in an order of `ORDERS`, perhaps of the undecided alone.

        Raises:
            InputError: no such order.
        """
        if name not in ORDERS:
            raise InputError(f"order: expected one of {', '.join(ORDERS)}, got {name!r}")
        self.refresh()
        numbers = [self._place[d.picture, d.number] for d in ORDERS[name](self.doubts, self.seed)]
        return [k for k in numbers if not undecided or k not in self._decided]

    def refresh(self) -> None:
        """Reads what others have decided since, in this process or another."""
        with self._lock:
            self._refresh()

    def _refresh(self) -> None:
        for decision in self.opened.reviews.refresh():
            number = self._of(decision)
            if number is not None and decision.masks is not None:
                self._log.append(number)
                self._decided.add(number)

    def progress(self, since: int = 0) -> dict[str, Any]:
        """How far the review is; `log` are the objects decided since a length of it that was
        told before."""
        self.refresh()
        reviews = self.opened.reviews
        counts = reviews.summary()
        return {
            "objects": len(self),
            "left": len(self) - len(self._decided),
            "reviewed": len(self._decided),
            "conflicts": counts["conflicts"],
            "log": self._log[since:],
            "at": len(self._log),
            "agreement": agreement(self.doubts, self._number, reviews.decided()),
        }

    def entry(self, number: int) -> dict[str, Any]:
        """All that the page shows of an object; outlines are SVG paths in the picture's pixels."""
        doubt = self._doubt(number)
        pseudo = self.opened.store.picture(doubt.picture)
        referent = pseudo.objects[doubt.number]
        with self._lock:
            self._refresh()
            state = self.opened.reviews.of(pseudo.name, referent.name)
        return {
            "number": number,
            "picture": doubt.picture,
            "name": pseudo.name,
            "object": referent.name,
            "size": list(pseudo.size),
            "expressions": list(referent.expressions),
            "classes": list(referent.classes),
            "candidates": [
                {"label": label, "box": [round(float(v), 1) for v in box], "path": path_of(mask)}
                for label, box, mask in zip(
                    referent.candidates.labels, referent.candidates.boxes, referent.candidates.masks
                )
            ],
            "chosen": doubt.chosen,
            "third": doubt.third,
            "why": doubt.words,
            "state": self._state(state),
        }

    def state(self, number: int) -> dict[str, Any]:
        """What is decided of an object by now."""
        picture, referent = self._names(number)
        with self._lock:
            self._refresh()
            return self._state(self.opened.reviews.of(picture, referent))

    def _state(self, own: Reviewed) -> dict[str, Any]:
        choice = own.choice
        drawn: list[dict[str, Any]] = []
        if choice is not None and choice.size is not None:
            masks = choice.masks or ()
            extra = masks[len(choice.candidates) :]
            for code in extra:
                mask = decoded(code, choice.size)
                drawn.append({"path": path_of(mask), "counts": code})
        return {
            "decided": choice is not None,
            "candidates": list(choice.candidates) if choice else [],
            "drawn": drawn,
            "who": choice.who if choice else None,
            "when": choice.when if choice else None,
            "conflict": list(own.conflict),
            "expressions": list(own.expressions) if own.expressions is not None else None,
        }

    def jpeg(self, picture: int) -> bytes:
        """A picture of the store, at the size of a screen."""
        if not 0 <= picture < len(self.opened.store):
            raise InputError(f"picture: expected a number below {len(self.opened.store)}")
        return self._pictures.get(picture, lambda: self._draw(picture))

    def _draw(self, picture: int) -> bytes:
        import cv2

        image = self.opened.dataset[picture].image
        none = np.zeros((0, *image.shape[:2]), np.bool_)
        image = scale(image, none, np.zeros((0, 4), np.float32), SCREEN)[0]
        options = [cv2.IMWRITE_JPEG_QUALITY, QUALITY]
        return cv2.imencode(".jpg", image[..., ::-1], options)[1].tobytes()  # OpenCV's order

    def decide(
        self,
        number: int,
        who: str,
        candidates: Sequence[int],
        drawn: Sequence[str],
        order: str | None,
    ) -> dict[str, Any]:
        """Writes a decision; it is on the disk when this returns.

        Args:
            candidates: indices of those chosen; none of them and nothing drawn is for none.
            drawn: run-length codes of masks by `box` that are chosen too.

        Raises:
            InputError: no such object or candidate, or no such mask.
            WriteError: it cannot be written.
        """
        doubt = self._doubt(number)
        pseudo = self.opened.store.picture(doubt.picture)
        referent = pseudo.objects[doubt.number]
        chosen = sorted({*candidates})
        if chosen and not 0 <= chosen[0] <= chosen[-1] < len(referent.candidates):
            raise InputError(
                f"candidates: expected some of {len(referent.candidates)}, got {chosen}"
            )
        for code in drawn:
            if not decoded(code, pseudo.size).any():
                raise InputError("drawn: expected a mask with some pixels, got none")
        codes = [rle(referent.candidates.masks[k])["counts"] for k in chosen]
        decision = self._decision(number, who)
        self._write(
            replace(
                decision,
                size=pseudo.size,
                masks=(*codes, *drawn),
                candidates=tuple(chosen),
                order=order if order in ORDERS else None,
            )
        )
        return self.state(number)

    def say(self, number: int, who: str, expressions: Sequence[str | None]) -> dict[str, Any]:
        """Writes corrected expressions, null for those struck out.

        Raises:
            InputError: another count of them than the object has, blank or too long.
        """
        doubt = self._doubt(number)
        count = len(self.opened.store.outline(doubt.picture).objects[doubt.number].expressions)
        texts = [None if text is None else " ".join(text.split()) for text in expressions]
        if len(texts) != count:
            raise InputError(f"expressions: expected {count}, got {len(texts)}")
        if any(text is not None and not 0 < len(text) <= LONGEST for text in texts):
            raise InputError(f"expressions: expected text of up to {LONGEST} characters, or null")
        self._write(replace(self._decision(number, who), expressions=tuple(texts)))
        return self.state(number)

    def box(self, number: int, box: Sequence[float]) -> dict[str, Any]:
        """A new candidate by a box; see `Prompted.box`."""
        return _drawn(self.prompted.box(self._image(number), box))

    def points(
        self, number: int, points: Sequence[Sequence[float]], on: Sequence[bool]
    ) -> dict[str, Any]:
        """A new candidate by points; see `Prompted.points`."""
        return _drawn(self.prompted.points(self._image(number), points, on))

    def _image(self, number: int) -> NDArray[np.uint8]:
        return self.opened.dataset[self._doubt(number).picture].image

    def _write(self, decision: Decision) -> None:
        append(self.opened.reviews.path, decision)
        self.refresh()

    def _decision(self, number: int, who: str) -> Decision:
        picture, referent = self._names(number)
        name = " ".join(who.split())[:LONGEST_NAME] or "someone"
        return Decision(picture=picture, object=referent, who=name, when=now())

    def _names(self, number: int) -> tuple[str, str]:
        doubt = self._doubt(number)
        pseudo = self.opened.store.outline(doubt.picture)
        return pseudo.name, pseudo.objects[doubt.number].name

    def _doubt(self, number: int) -> Doubt:
        if not 0 <= number < len(self):
            raise InputError(f"object: expected a number below {len(self)}, got {number}")
        return self.doubts[number]


def _drawn(mask: NDArray[np.bool_]) -> dict[str, Any]:
    return {"path": path_of(mask), "counts": rle(mask)["counts"]}
