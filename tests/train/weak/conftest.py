"""Data that a text-supervised system learns from."""

import json

import pytest
from PIL import Image

from ssc.correct.predict import Corrector
from tests.train import toy as stage_3
from tests.train.weak import toy


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """Four pictures and their sentences, without any mask; and a stage 3 to begin with."""
    folder = tmp_path_factory.mktemp("data")
    lines = []
    for k, (image, colours) in enumerate(zip(toy.pictures()[0], toy.PICTURES)):
        Image.fromarray(image).save(folder / f"{k}.png")
        said = [[f"{colour} square", f"the {colour}"] for colour in colours]
        lines.append(json.dumps({"image": f"{k}.png", "objects": said}) + "\n")
    (folder / "data.jsonl").write_text("".join(lines))
    model, config = stage_3.model()
    Corrector.save(folder / "begin", model, stage_3.tokenizer(), config)
    return folder
