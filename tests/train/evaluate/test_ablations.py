"""The rows of the paper's Tables 2 and 3."""

from types import SimpleNamespace

import pytest
from huggingface_hub import constants

from ssc.errors import InputError
from ssc.pipeline import Pipeline
from tests.models.tiny_freesolo import bring_freesolo
from tests.train.squares import (
    ASKED,
    ColourClip,
    Reading,
    Squares,
    chosen,
    picture,
    pipeline,
)
from train.evaluate.ablations import ablations, clips, lacking, with_part, without_projection
from train.evaluate.methods import ROWS, ask


def test_ablations_have_the_papers_rows():
    parts = pipeline()
    parts.segment.classes = SimpleNamespace(clip=parts.select.clip)
    tables = ablations(parts, "mini")
    asked = ask(parts, picture(*ASKED))
    titles = [[row.title for row in rows] for rows in tables.values()]
    table_2 = [title for title in titles[0] if title != "NLTK"]  # which may not be here
    assert table_2 == ["Oracle", "no projection (class names only)", "GrabCut"]
    assert titles[1][:2] == ["Random", "Oracle"]
    assert {"red_ellipse, mini CLIP", "reverse_blur, mini CLIP"} <= set(titles[1])
    for rows in tables.values():
        for row in rows:
            assert len(chosen(row, asked)) == 4
    crops = next(row for row in tables[list(tables)[1]] if row.title == "crop, mini CLIP")
    assert chosen(crops, asked) == chosen(ROWS["s+s"](parts), asked)


def test_freesolo_is_a_row_where_its_weights_are(tmp_path, monkeypatch):
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    assert "weights are not here" in lacking()["FreeSOLO"]
    bring_freesolo(monkeypatch)
    assert "FreeSOLO" not in lacking()
    parts = pipeline()
    parts.segment.classes = SimpleNamespace(clip=parts.select.clip)
    [row] = [
        row for row in next(iter(ablations(parts, "mini").values())) if row.title == "FreeSOLO"
    ]
    assert len(chosen(row, ask(parts, picture(*ASKED)))) == 4


def test_without_projection_unknown_nouns_find_nothing_or_are_read():
    class Refusing(Squares):
        def __call__(self, image, expressions):
            if "green" in expressions[0]:
                raise InputError("this model set knows COCO's 80 classes only")
            return super().__call__(image, expressions)

    parts = pipeline()
    asked = ask(parts, picture(*ASKED))
    knowing = Pipeline(Refusing(), parts.select)
    assert chosen(without_projection(knowing), asked) == [0, 0, None, None]
    reading = Pipeline(Refusing(Reading()), parts.select)
    row = without_projection(reading)
    assert row.title == "no projection"
    with pytest.raises(InputError):
        row.masks(asked)


def test_a_row_with_another_part_leaves_the_pipeline_as_it_is():
    class Finding(Squares):
        def __call__(self, image, expressions):
            result = super().__call__(image, [self.nouns(text) for text in expressions])
            return result

    parts = pipeline()
    asked = ask(parts, picture(*ASKED))
    segment = Finding()
    segment.nouns = own = str
    row = with_part(Pipeline(segment, parts.select), "none", nouns=lambda text: "unicorn")
    assert chosen(row, asked) == [None] * 4
    assert segment.nouns is own


def test_the_clips_of_a_set():
    both = pipeline()
    both.segment.classes = SimpleNamespace(clip=ColourClip())
    assert list(clips(both, "paper")) == ["clip-vit-b-32", "clip-vit-l-14-336"]
    assert clips(both, "paper")["clip-vit-l-14-336"] is both.select.clip
    assert list(clips(both, "mini")) == ["mini CLIP"]
