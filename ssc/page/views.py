"""A result in words and bars, as HTML; everything that a user wrote is escaped."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from itertools import groupby
from operator import itemgetter
from typing import TYPE_CHECKING, Any

import numpy as np

from ssc.correct import SNAP_IOU
from ssc.draw import colour_of, ink_of
from ssc.explain import explain
from ssc.metrics import mask_iou
from ssc.result import Result
from ssc.types import ANY_CLASS, ClassMatch, softmax

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ssc.expression import Expression


def describe(results: Sequence[Result], active: int) -> str:
    """Each object in words: expressions, noun → class, what came of it, and how long it took.

    Of several, the one that is looked at is marked, index `active`; -1 for none.
    """
    several = len(results) > 1 and active >= 0
    objects = (
        _describe(result, marked=several and number == active)
        for number, result in enumerate(results)
    )
    return f'<div class="{"objects" if several else ""}">{"".join(objects)}</div>'


def overlaps(rows: Sequence[dict[str, Any]]) -> str:
    """IoU between the masks of two settings, a sentence per object; see `session.compare`."""
    said = []
    for row in rows:
        words = f"the answers of A and B overlap with an IoU of {row['iou']:.2f}"
        if row["selected_iou"] is not None:
            words += f", S+S with {row['selected_iou']:.2f}"
        if row["corrected_iou"] is not None:
            words += f", S+S+C with {row['corrected_iou']:.2f}"
        said.append(f"<p>“{escape(' | '.join(row['expressions']))}”: {words}.</p>")
    return "".join(said)


def _describe(result: Result, marked: bool) -> str:
    steps = "".join(f'<p class="steps">{_step(match)}</p>' for match in result.matches)
    steps += "".join(f'<p class="chips">{chips(said)}</p>' for said in result.words)
    lines = [escape(explain(result))]
    selected, corrected = result.selected, result.corrected
    one = result.members is None  # stage 3 answers one object
    if one and selected and corrected and not (selected.empty and corrected.empty):
        overlap = mask_iou(selected.mask, corrected.mask)
        lines.append(f"S+S and S+S+C overlap with an IoU of {overlap:.2f}.")
    if seconds := sum(result.timings.values()):
        lines.append(f"Took {seconds:.2f}\u00a0s.")
    return (
        f'<div class="object{" active" if marked else ""}">'
        f'<p class="said">“{escape(" | ".join(result.expressions))}”</p>{steps}'
        f'<p class="outcome">{" ".join(lines)}</p></div>'
    )


def _step(match: ClassMatch) -> str:
    if match.name == ANY_CLASS:
        return "no noun: every object is a candidate"
    if match.noun == match.name and not match.runners_up:
        return f"noun <b>{escape(match.noun)}</b>, not projected to a class"
    others = ", ".join(f"{escape(name)} {score:.2f}" for name, score in match.runners_up)
    after = f"; next {others}" if others else ""
    return (
        f"noun <b>{escape(match.noun)}</b> → class <b>{escape(match.name)}</b> "
        f"(similarity {match.similarity:.2f}{after})"
    )


def chips(said: Expression) -> str:
    """The words of an expression, a chip for those of one part, what was not read struck through;
    and what the parts mean, where the words do not show it."""
    words = []
    for role, pairs in groupby(said.roles, key=itemgetter(1)):
        text = " ".join(word for word, _ in pairs)
        words.append(_chip(role, text) if role else f"<span>{escape(text)}</span>")
    words += [_chip("lost", character) for character in said.dropped]
    meant = [_chip(kind, str(part)) for kind, parts in _meant(said).items() for part in parts]
    return " ".join([*words, *(["<span>→</span>", *meant] if meant else [])])


def _chip(kind: str, text: str) -> str:
    shown = f"<s>{escape(text)}</s>" if kind == "lost" else f"<b>{kind}</b> {escape(text)}"
    return f'<span class="chip">{shown}</span>'


def _meant(said: Expression) -> dict[str, Sequence[object]]:
    named = " ".join(word for word, role in said.roles if role == "noun")
    return {
        "noun": [said.noun] if said.noun not in ("", named) else [],
        "place": said.places,
        "size": said.sizes,
        "relation": said.relations,
        "how many": _how_many(said),
        "read": [f"{typed} → {new}" for typed, new in said.mended],
    }


def _how_many(said: Expression) -> list[str]:
    """What a set that is asked for is made of."""
    if not said.parts:
        return []
    parts = [f"{part.number or part.count} {part.noun}".removeprefix("one ") for part in said.parts]
    without = [f"not {part.noun or part.text}" for part in said.excepted]
    return [", ".join([" and ".join(parts), *without])]


def part_bars(result: Result) -> str:
    """How well each candidate fits each part of what the words say, in the candidates' order.

    Looks: its share of the softmax of CLIP's scores. Place, size, relation: 1 less what it is out
    of it, in shares of the worst. Colour: its share in the colour that is named.
    """
    selection = result.selection
    if selection is None or not selection.parts:
        return ""
    fits: dict[str, NDArray[np.floating]] = {}
    if not selection.by_words:
        fits["looks"] = softmax(
            selection.scores if selection.clip_scores is None else selection.clip_scores
        )
    for name, part in selection.parts.items():
        out = part / max(float(part.max()), 1e-6)
        fits[name] = part if name == "colour" else 1 - out
    rows = []
    for i in range(len(result.candidates)):
        fill = "#{:02x}{:02x}{:02x}".format(*colour_of(i))
        cells = "".join(
            f'<td class="bar" style="width:{100 / len(fits):.0f}%"><span class="track">'
            f'<span class="fill" style="width:{100 * float(fit[i]):.0f}%;background:{fill}">'
            "</span></span></td>"
            f'<td class="number">{100 * float(fit[i]):.0f} %</td>'
            for fit in fits.values()
        )
        rows.append(f'<tr><th scope="row">{_badge(i)}</th>{cells}</tr>')
    heads = "".join(f'<th scope="colgroup" colspan="2">{name}</th>' for name in fits)
    said = "How well each candidate fits each part of the words."
    if len(fits) > 1 and "place" in fits:
        said += " Place counts most."
    return (
        f'<table><caption>{said}</caption><thead><tr><th scope="col">'
        f'<span class="unseen">Candidate</span></th>{heads}</tr></thead>'
        f"<tbody>{''.join(rows)}</tbody></table>"
    )


def score_bars(result: Result) -> str:
    """Scores as bars, best first, each as long as its share of the softmax.

    CLIP's similarity and, where words count, the score with them beside it; without a CLIP the
    score of words alone.
    """
    selection = result.selection
    if selection is None or not len(selection.scores):
        return ""
    by = "Words-alone score" if selection.by_words else "CLIP score"
    shares, columns = selection.shares, {by: selection.scores}
    said = f"{by} of each candidate, and its share"
    if selection.clip_scores is not None and not selection.by_words:
        columns = {
            "CLIP score": selection.clip_scores,
            "Score with words counted": selection.scores,
        }
        said = "CLIP score of each candidate, the score with words counted, and its share"
    rows = [
        _bar(
            i,
            shares[i],
            (*(f"{scores[i]:.3f}" for scores in columns.values()), f"{100 * shares[i]:.0f} %"),
            _marks(result, i),
        )
        for i in selection.order
    ]
    caption = f"{said} (softmax over the candidates)."
    if len(rows) > 1:
        caption += f" The best leads the next by {100 * selection.margin:.0f} points."
    heads = ("Candidate", "Share as a bar", *columns, "Share")
    return _table(caption, heads, rows) + part_bars(result)


def iou_bars(result: Result) -> str:
    """How well stage 3 agrees with each candidate, in the candidates' order."""
    correction = result.correction
    if correction is None:
        return ""
    if not len(correction.ious):
        return "<p>There is no candidate to compare with.</p>"
    joint = -1 if result.joint is None else result.joint.index
    rows = [
        _bar(
            i,
            agreement,
            (f"{agreement:.2f}", f"{iou:.2f}"),
            ", ".join(["S+S+C"] * (i == correction.snapped_index) + ["both"] * (i == joint)),
            SNAP_IOU,
        )
        for i, (agreement, iou) in enumerate(zip(correction.agreement, correction.ious))
    ]
    caption = (
        "How well S+S+C agrees with each candidate: soft IoU of its probability, and IoU of its "
        f"mask. “S+S+C” marks the highest soft IoU, if it reaches the line ({SNAP_IOU}). “Both” "
        f"marks the highest sum of stage 2's score and {result.joint_weight} × soft IoU."
    )
    return _table(caption, ("Candidate", "Soft IoU as a bar", "Soft IoU", "IoU"), rows)


def _marks(result: Result, candidate: int) -> str:
    selection = result.selection
    members = result.members
    chosen = selection is not None and candidate in (
        (selection.index,) if members is None else members
    )
    marks = ["chosen"] * chosen
    if candidate in (result.override or ()):
        marks.append("yours")
    return ", ".join(marks)


def _bar(
    candidate: int, share: float, numbers: Sequence[str], mark: str, limit: float | None = None
) -> str:
    colour = colour_of(candidate)
    fill = "#{:02x}{:02x}{:02x}".format(*colour)
    cells = "".join(f'<td class="number">{number}</td>' for number in numbers)
    line = "" if limit is None else f'<span class="limit" style="left:{100 * limit:.0f}%"></span>'
    return (
        f'<tr><th scope="row">{_badge(candidate)} <span class="mark">{mark}</span></th>'
        f'<td class="bar"><span class="track"><span class="fill" style="width:{100 * share:.1f}%;'
        f'background:{fill}"></span>{line}</span></td>'
        f"{cells}</tr>"
    )


def _badge(candidate: int) -> str:
    """The candidate's number in its colour."""
    colour = colour_of(candidate)
    fill = "#{:02x}{:02x}{:02x}".format(*colour)
    style = f"background:{fill};color:{ink_of(colour)}"
    return f'<span class="badge" style="{style}">{candidate + 1}</span>'


def _table(caption: str, heads: Sequence[str], rows: Sequence[str]) -> str:
    named = "".join(f'<th scope="col">{head}</th>' for head in heads)
    return (
        f'<table><caption>{caption}</caption><thead class="unseen"><tr>{named}</tr></thead>'
        f"<tbody>{''.join(rows)}</tbody></table>"
    )
