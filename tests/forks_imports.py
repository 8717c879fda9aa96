"""What the processes of `tests.forks` use, loaded before they are forked."""

import importlib

from ssc.words.nouns import Parser

for name in (
    "accelerate",
    "torch",
    "transformers.models.bert.modeling_bert",
    "transformers.models.bert.tokenization_bert",
    "uvicorn",
    "tests.train.batch.toy_batch",
    "tests.train.pseudo.toy_pseudo",
    "tests.train.toy",
    "tests.train.toy_bench",
    "train.pseudo.__main__",
    "train.workbench.server",
):
    importlib.import_module(name)
Parser()("the dog")  # loads spaCy
