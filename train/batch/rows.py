"""A data set's answers as rows of a table."""

from __future__ import annotations

from collections.abc import Sequence
from io import BytesIO
from typing import TYPE_CHECKING, Any

from ssc.errors import told
from ssc.explain import explain
from ssc.formats import rle
from ssc.metrics import mask_box
from ssc.pipeline import MAX_OBJECTS, Pipeline

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa
    from numpy.typing import NDArray

    from ssc.result import Result
    from train.data import Dataset

Row = dict[str, Any]


def schema() -> pa.Schema:
    """The table's columns; a row is a sentence of a picture.

    picture, object   their names in the data set
    sentence          None where the picture cannot be opened
    answer            the mask that all stages favour together, COCO RLE; empty where nothing is
                      found, None where there is an error
    by                whose mask that is, as `ssc.answer` names them
    box               float32 4, XYXY pixels of the answer; None where it is empty
    sure              "sure", "likely" or "not sure"; None of several objects, and of none
    message           the answer in words
    selected          the mask of S+S, stages 1 and 2
    corrected         the mask of S+S+C; None without stage 3
    error             why there is no answer; None where there is one
    """
    import pyarrow as pa

    mask = pa.struct([("size", pa.list_(pa.int32(), 2)), ("counts", pa.string())])
    texts = ("by", "sure", "message")
    return pa.schema(
        [(name, pa.string()) for name in ("picture", "object", "sentence")]
        + [("answer", mask), ("box", pa.list_(pa.float32(), 4))]
        + [(name, pa.string()) for name in texts]
        + [("selected", mask), ("corrected", mask), ("error", pa.string())]
    )


def rows_of(pipeline: Pipeline, dataset: Dataset, index: int) -> list[Row]:
    """The rows of picture `index`, a function of that picture alone.

    A picture that cannot be opened is one row with its error, a sentence without an answer
    likewise.
    """
    name = dataset.picture_name(index)
    try:
        picture = dataset[index]
    except Exception as error:  # of any kind: one picture's failure is that picture's
        return [{"picture": name, "error": told(error)}]
    asked = [(thing.name, text) for thing in picture.objects for text in thing.expressions]
    own = Pipeline(pipeline.segment, pipeline.select.anew(), pipeline.correct)
    rows = []
    for k in range(0, len(asked), MAX_OBJECTS):
        part = asked[k : k + MAX_OBJECTS]
        answers = _answers(own, picture.image, [text for _, text in part])
        for (thing, text), answer in zip(part, answers):
            rows.append({"picture": name, "object": thing, "sentence": text, **answer})
    return rows


def _answers(pipeline: Pipeline, image: NDArray[np.uint8], texts: Sequence[str]) -> list[Row]:
    """Of each sentence its answer, or its error."""
    try:
        return [_row(result) for result in pipeline(image, texts)]
    except Exception as error:  # of any kind, likewise
        if len(texts) == 1:
            return [{"error": told(error)}]
        return [row for text in texts for row in _answers(pipeline, image, [text])]


def _row(result: Result) -> Row:
    answer, selected, corrected = result.answer, result.selected, result.corrected
    return {
        "answer": rle(answer.mask),
        "by": answer.by,
        "box": None if answer.empty else mask_box(answer.mask).tolist(),
        "sure": result.sure,
        "message": explain(result),
        "selected": None if selected is None else rle(selected.mask),
        "corrected": None if corrected is None else rle(corrected.mask),
    }


def parquet(rows: Sequence[Row]) -> bytes:
    """A file of Parquet; equal rows give equal bytes."""
    import pyarrow as pa
    from pyarrow import parquet as files

    file = BytesIO()
    files.write_table(pa.Table.from_pylist(list(rows), schema()), file, compression="zstd")
    return file.getvalue()


def failures(content: bytes) -> dict[str, str]:
    """Picture → an error of its rows, of a file of Parquet."""
    import pyarrow as pa
    from pyarrow import parquet as files

    file = files.ParquetFile(pa.BufferReader(content))
    # One of its threads that still lets go of the file while Python ends would abort the process.
    columns = file.read(columns=["picture", "error"], use_threads=False).to_pydict()
    named = zip(columns["picture"], columns["error"])
    return {picture: error for picture, error in named if error is not None}
