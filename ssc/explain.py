"""A result in words."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from ssc.answer import NONE, SEVERAL, YOURS
from ssc.types import NO_CLASS

if TYPE_CHECKING:
    from ssc.result import Result


def explain(result: Result) -> str:
    """The answer, what was looked for and what came of it, in plain sentences."""
    words = f"{_of_answer(result)}{_of_selection(result)}{_of_correction(result)}."
    if result.taken:
        words += f" No {' or '.join(result.classes)} found; taken: {', '.join(result.taken)}."
    if result.nearest:
        found = "Nearest classes" if NO_CLASS in result.classes else "Found instead"
        words += f" {found}: {', '.join(name for name, _ in result.nearest)}."
    return words + _of_refusal(result) + _of_words(result) + _of_length(result)


def _of_refusal(result: Result) -> str:
    """Why nothing is answered, though there is something of the class."""
    if result.members != () or not result.found:
        return ""
    said = [ask.said for ask in result.asks] or result.words
    named = [r.noun for one in said for r in one.relations if not r.negated]
    absent = [noun for noun in dict.fromkeys(named) if noun in result.absent]
    if absent:
        return f" No {' or '.join(absent)} was found."
    if any(place.rank > 1 for one in said for place in one.places):
        return " There are not so many."
    if any(ask.excepted for ask in result.asks):
        return " Without what is excepted nothing is left."
    if any(one.attributes for one in said):
        return " None has the colour that is named."
    return " Nothing fits well enough."


def _of_answer(result: Result) -> str:
    answer, n = result.answer, len(result.candidates)
    if result.found and result.joint_index == -1 and answer.by != YOURS:
        return "No candidate is left for the answer: matching gave each to another object. "
    if answer.by == NONE:
        return "The answer is that nothing there is what is asked for. "
    if answer.by == YOURS and not answer.indices:
        return "The answer is none of the candidates, your choice. "
    if len(answer.indices) > 1:
        yours = ", your choice" if answer.by == YOURS else ""
        return f"The answer is candidates {_listed(answer.numbers)} of {n}{yours}. "
    if result.selection is None or answer.empty:
        return ""
    if answer.by == SEVERAL:
        return f"The answer is candidate {answer.number} of {n}, the only one that is meant. "
    if answer.number is None:
        return "The answer (not sure) is a region that S+S+C marked. "
    if answer.by == YOURS:
        return f"The answer is candidate {answer.number} of {n}, your choice. "
    favoured = ", which S+S and S+S+C favour together" if result.disagrees else ""
    return f"The answer ({result.sure}) is candidate {answer.number} of {n}{favoured}. "


def _listed(numbers: Sequence[int]) -> str:
    """ "1, 3 and 4"."""
    *before, last = map(str, numbers)
    return f"{', '.join(before)} and {last}" if before else last


def _of_selection(result: Result) -> str:
    looked_for = " or ".join(result.taken or result.classes)
    n, selection = len(result.candidates), result.selection
    if not n and NO_CLASS in result.classes:
        return f'"{result.matches[0].noun}" is none of the classes that are looked for'
    if not n:
        return f'No {looked_for} found for "{result.expressions[0]}"'
    if selection is None:
        return f"Found {n} candidate{'s' * (n > 1)} of class {looked_for}"
    if result.members is not None:
        return f"S+S looked at {n} candidate{'s' * (n > 1)} of class {looked_for}"
    chosen, order, scores = selection.index, selection.order, selection.scores
    if chosen < 0:
        return "S+S chose no candidate: matching gave each of them to another object"
    if n == 1:
        return f"S+S chose the only {looked_for} found"
    alone = "words-alone " * selection.by_words
    counted = " with words counted" * (selection.spatial and not selection.by_words)
    score = f"{alone}score {scores[chosen]:.3f}{counted}"
    if chosen == order[0]:
        return f"S+S chose candidate {chosen + 1} ({score}, next {scores[order[1]]:.3f})"
    return (
        f"S+S chose candidate {chosen + 1} ({score}) by matching, "
        f"as candidate {order[0] + 1} ({scores[order[0]]:.3f}) went to another object"
    )


def _of_words(result: Result) -> str:
    """What of the expressions was read otherwise than typed, or not at all."""
    notes = []
    for reading in result.words:
        if not reading.english:
            notes.append("Only English is read.")
            continue
        notes += [f"“{typed}” was read as “{new}”." for typed, new in reading.mended]
        if reading.unread:
            notes.append(f"Not understood: {', '.join(reading.unread)}.")
        if reading.parts and result.members is None:
            notes.append("One object is answered, though several are asked for.")
        notes += [f"“{phrase}” is read as what is not so." for phrase in reading.without]
        if result.members != ():  # else it is the reason already
            absent = [p for p in reading.places if p.rank > max(len(result.candidates), 1)]
            notes += [f"There is no {place}." for place in absent if result.found]
    return "".join(f" {note}" for note in dict.fromkeys(notes))


def _of_length(result: Result) -> str:
    """Which words of long expressions a network did not read."""
    stages = {"S+S": result.selection, "S+S+C": result.correction}
    return "".join(
        f" {name} did not read: {' '.join(stage.unread)}."
        for name, stage in stages.items()
        if stage is not None and stage.unread
    )


def _of_correction(result: Result) -> str:
    correction = result.correction
    if result.selection is None or correction is None:
        return ""
    if correction.snapped_index >= 0:
        if result.members is not None:
            return (
                f"; S+S+C, which answers one object, chose candidate {correction.snapped_index + 1}"
            )
        if not result.disagrees:
            return "; S+S+C agrees"
        return f"; S+S+C chose candidate {correction.snapped_index + 1} instead"
    if not correction.mask.any():
        return f"; S+S+C found nothing{'' if result.found else ' either'}"
    if not result.found:
        return "; S+S+C, which needs no candidates, marked a region"
    return "; S+S+C marked a region that is none of the candidates"
