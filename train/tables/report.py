"""Tables 1 to 4 of figures, each row beside the paper's."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TypedDict

from train.tables import paper
from train.tables.rows import TABLE_1, TABLE_4

Values = dict[str, list[float]]  # measure → a value per seed, in per cent


class TableRow(TypedDict):
    """A row: "seeds" is empty for what is not trained here; "paper" in per cent."""

    title: str
    seeds: list[int]
    ours: Values
    paper: dict[str, float | None]


class Part(TypedDict):
    """The rows of one test set, and what of the paper they stand beside."""

    test: str
    beside: str | None
    samples: int
    rows: list[TableRow]


class Table(TypedDict):
    """A table of the paper."""

    caption: str
    parts: list[Part]


class Figure(TypedDict):
    """Of one seed, None where nothing is trained: title → measures, as `train.evaluate` has them;
    of a text-supervised system also those of "snapped"."""

    seed: int | None
    rows: Mapping[str, Mapping[str, Any]]


Found = Mapping[tuple[str, str], Sequence[Figure]]
"""(name, test set) → its figures, a seed each; names as of `train.tables.rows`."""

CAPTION_1 = "Table 1: zero-shot, weakly and fully supervised"
CAPTION_4 = "Table 4: trainings of stage 3"
PAPER_1 = {
    "GL CLIP (stage 1's candidates)": "GL-CLIP",
    "GL CLIP (FreeSOLO)": "GL-CLIP",
    "GL CLIP (SAM)": "GL-CLIP (SAM)",
    "SAM + Select": "SAM + Select",
    "best box of the class": "G-DINO + SAM",
    "G-DINO + SAM": "G-DINO + SAM",
    "S+S": "S+S",
    "TSEG": "TSEG",
    "TRIS": "TRIS",
    "Shatter & Gather": "Shatter&Gather",
    "S+S+C": "S+S+C",
    "supervised": "LAVT (supervised)",
}
PAPER_4 = {"ZSBootstrap": "ZSBootstrap", "+ N": "+40 epochs", "S+S+C": "S+S+C"}
"""Our title → the paper's."""
SAMPLE = "the first 1,000 samples of RefCOCO's training set"
STAGES = {"Table 2": "table2", "Table 3": "table3", "§4.3": "table3"}
"""How a caption of `train.evaluate.ablations` begins → the paper's table."""
TABLE_2 = {
    "Oracle": "spaCy, projection, SAM",
    "NLTK": "NLTK, projection, SAM",
    "no projection": "spaCy, no projection, SAM",
    "no projection (class names only)": "spaCy, no projection, SAM",
    "FreeSOLO": "spaCy, projection, FreeSOLO",
}
TABLE_3 = {"Random": "Random", "Oracle": "Oracle", "S+S matched": "Matching over CLIP scores"}
PROMPTS = {"red_ellipse": "Red ellipse", "reverse_blur": "Reverse blur"}
CLIPS = {"clip-vit-b-32": "ViT-B/32"}
SELECTION = "ViT-L/14@336"  # the paper's choice; a set's own CLIP stands beside it


def by_test(
    caption: str, table: str, names: Iterable[str], tests: Sequence[str], found: Found
) -> Table:
    """Table 1 or 4.

    Args:
        table: the paper's, "table1" or "table4".
        names: of its rows, in order.
    """
    counterparts = PAPER_1 if table == "table1" else PAPER_4
    parts = []
    for test in tests:
        figures = [found[name, test] for name in names if found.get((name, test))]
        rows = []
        for own in figures:
            for title in own[0]["rows"]:
                of_paper = paper.by_test(table, counterparts.get(title), test)
                rows.append(_row(title, own, of_paper))
        if figures:
            samples = int(next(iter(figures[0][0]["rows"].values()))["samples"])
            beside = paper.column(test)
            parts.append(Part(test=test, beside=beside, samples=samples, rows=rows))
    return Table(caption=caption, parts=parts)


def of_ablations(figure: Mapping[str, Any], test: str) -> list[Table]:
    """Tables 2 and 3, and what is compared beside them; `figure` as of `Figures`."""
    tables = []
    for caption, titles in figure["tables"].items():
        begin = next((begin for begin in STAGES if caption.startswith(begin)), "")
        table = STAGES.get(begin, "")
        rows = []
        for title in titles:
            beside = _counterpart(table, title)
            of_paper = paper.of_sample(table, beside) if table else dict.fromkeys(paper.MEASURES)
            measures = {title: figure["rows"][title]["all"]}
            rows.append(_row(title, [Figure(seed=None, rows=measures)], of_paper))
        samples = next(iter(figure["rows"].values()))["all"]["samples"]
        part = Part(test=test, beside=SAMPLE if table else None, samples=int(samples), rows=rows)
        tables.append(Table(caption=caption, parts=[part]))
    return tables


def all_tables(
    tests: Sequence[str], found: Found, ablations: Mapping[str, Any], sample: str
) -> list[Table]:
    """Tables 1 to 4, in order; those without a row are left out.

    Args:
        ablations: as of `of_ablations`; empty for none.
        sample: the test set that they are of.
    """
    first = by_test(CAPTION_1, "table1", TABLE_1, tests, found)
    last = by_test(CAPTION_4, "table4", TABLE_4, tests, found)
    middle = of_ablations(ablations, sample) if "rows" in ablations else []
    return [table for table in (first, *middle, last) if table["parts"]]


def _row(title: str, own: Sequence[Figure], of_paper: dict[str, float | None]) -> TableRow:
    measures = [figure["rows"][title] for figure in own]
    ours = {
        name: [100 * each[name] for each in measures if each[name] is not None]
        for name in paper.MEASURES
    }
    seeds = [figure["seed"] for figure in own if figure["seed"] is not None]
    return TableRow(title=title, seeds=seeds, ours=ours, paper=of_paper)


def _counterpart(table: str, title: str) -> str | None:
    """The paper's row of one of `train.evaluate.ablations`."""
    if table == "table2":
        return TABLE_2.get(title)
    prompt, comma, clip = title.partition(", ")
    if comma and prompt in PROMPTS:
        return f"{PROMPTS[prompt]}, {CLIPS.get(clip, SELECTION)}"
    return TABLE_3.get(title)
