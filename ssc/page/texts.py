"""What the page says, as HTML."""

from __future__ import annotations

from ssc.page.figure import FIGURES
from ssc.weights.downloads import downloads_are_off

HINT = '<p class="steps">Choose a picture and say what to look for, or click an example.</p>'

DOWNLOADS = "Networks for photographs"
"""Title of the controls that download a model set."""

SCALE = '<p class="scale">unlikely <i aria-hidden="true"></i> certain</p>'


def intro(corrects: bool) -> str:
    """Title and subtitle; of the corrected model only where the page has one."""
    third = ", and where the corrected model thinks otherwise" if corrects else ""
    return (
        "<h1>Segment, Select, Correct</h1>"
        "<p>Say what you mean in a picture and see how it is found: every candidate, how each was "
        f"shown to CLIP, {'' if corrects else 'and '}which one matched your words best{third}.</p>"
    )


def photo_note(real: str | None) -> str:
    """The note on a picture that the bundled models can't know.

    Args:
        real: a model set for photographs that is present; None where there is none.
    """
    if real:
        remedy = f"For photographs choose the {real} model set under Options."
    else:
        here = "" if downloads_are_off() else f"under {DOWNLOADS}, or "
        remedy = (
            f"For photographs get the real networks once, {here}with "
            "<code>python -m ssc models --download base</code>, and choose that model set under "
            "Options."
        )
    return (
        '<div class="note" role="note"><p>This looks like a photograph, or something else that the '
        "bundled models do not know: they were trained on rendered scenes like those of the "
        f"examples, and here their answer means little. {remedy}</p>"
        '<button type="button" aria-label="Dismiss this note" '
        "onclick=\"this.closest('.note').remove()\">×</button></div>"
    )


STAGES = (
    (
        "1 · Segment",
        "The key noun of your words (spaCy) is taken to the nearest class of a vocabulary (CLIP); "
        "a detector finds every instance of that class, and a segmenter gives each box a mask.",
    ),
    (
        "2 · Select",
        "Each candidate is marked on the picture, here by blurring all else, and CLIP says which "
        "marked picture is most like your words. Stages 1 and 2 need no training: this is S+S.",
    ),
    (
        "3 · Correct",
        "A network that reads picture and words at once (LAVT) is trained on those choices, then "
        "trained on with matching: in one picture no two objects may share a candidate, so wrong "
        "choices give way to right ones. Its answer, S+S+C, needs no candidates. Neither training "
        "nor answer uses a mask drawn by a person.",
    ),
)

HOW = (
    "<ol>"
    + "".join(
        f"<li><h2>{title}</h2>{figure}<p>{text}</p></li>"
        for (title, text), figure in zip(STAGES, FIGURES)
    )
    + """</ol>
<p>From <a href="https://arxiv.org/abs/2310.13479">Segment, Select, Correct: A Framework for
Weakly-Supervised Referring Segmentation</a> (Eiras and others), whose figure 1 this is, drawn anew.
</p>"""
)
