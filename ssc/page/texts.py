"""What the page says, as HTML."""

from __future__ import annotations

from ssc.page.figure import FIGURES

HINT = '<p class="steps">Choose a picture and write what to look for, or click an example.</p>'

DOWNLOADS = "Networks for photographs"
"""Title of the controls that download a model set."""

NO_STAGE_3 = (
    "This page has no model for stage 3 and shows S+S alone. "
    "Start it with <code>--correct FOLDER</code> to add that checkpoint."
)

SCALE = '<p class="scale">unlikely <i aria-hidden="true"></i> certain</p>'


def intro(corrects: bool) -> str:
    """Title and subtitle; they name stage 3 only where the page has a model for it."""
    third = ", and what a trained model answers" if corrects else ""
    return (
        "<h1>Segment, Select, Correct</h1>"
        "<p>Describe an object in a picture and get its mask. Every step is shown: the candidates, "
        f"{'' if corrects else 'and '}which of them fits your words best{third}.</p>"
    )


def about_select(by_words: bool) -> str:
    """What stage 2 shows; `by_words` where no CLIP looked."""
    seen = "as CLIP sees it, best match first"
    if by_words:
        seen = "on its own. Your words for place, size and colour chose; this set has no CLIP"
    return stage("2 · Select", f"Each candidate {seen}. Click one to choose it yourself.")


def about_correct(corrects: bool, ran: bool) -> str:
    """What stage 3 shows, or why it shows nothing.

    Args:
        corrects: whether the page has a model for it.
        ran: whether the model set asked has one.
    """
    text = "Where the trained model sees what your words name. It needs no candidates."
    if not ran:
        text = (
            "Did not run: it is off, or this model set has no trained model. The answer is S+S's."
        )
    return stage("3 · Correct", text if corrects else NO_STAGE_3)


def stage(title: str, text: str) -> str:
    """A stage's heading, and what it does."""
    return f"<h2>{title}</h2><p>{text}</p>"


def photo_note(offered: bool) -> str:
    """The note on a picture that the bundled models can't know.

    Args:
        offered: whether buttons beside it offer another model set.
    """
    remedy = "Let networks for photographs answer:"
    if not offered:
        remedy = (
            "For photographs, download another model set once, with "
            "<code>python -m ssc models --download pocket</code>. Then choose it under Options."
        )
    return (
        '<div class="note" role="note"><p>This looks like a photograph. The bundled models '
        "know only rendered scenes like the examples, so their answer here is not meaningful. "
        f"{remedy}</p>"
        '<button type="button" aria-label="Dismiss this note" '
        "onclick=\"this.closest('.note').remove()\">×</button></div>"
    )


STAGES = (
    (
        "1 · Segment",
        "spaCy finds the key noun of your words, and CLIP the nearest class of a vocabulary. A "
        "detector finds every object of that class, and a segmenter turns each box into a mask: "
        "these are the candidates.",
    ),
    (
        "2 · Select",
        "Each candidate is marked in the picture, for example by blurring everything else. CLIP "
        "says which marked picture is most like your words. Stages 1 and 2 need no training; their "
        "answer is called S+S.",
    ),
    (
        "3 · Correct",
        "A network that reads picture and words together (LAVT) first learns from those choices. "
        "It then goes on learning by matching: no two objects of a picture may share a candidate, "
        "so wrong choices give way to right ones. Its answer is called S+S+C and needs no "
        "candidates. No mask drawn by a person is used.",
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
Weakly-Supervised Referring Segmentation</a> (Eiras et al.); the drawings follow its figure 1.
</p>"""
)
