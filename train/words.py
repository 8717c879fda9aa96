"""The mini model's tokenizer: BERT's WordPiece, with a vocabulary learnt from the expressions."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from ssc.vocabulary import COCO_80

VOCABULARY = 2000
EVERYDAY = """
left right top bottom middle center centre front back behind under below above over beside next
near between far upper lower corner side leftmost rightmost topmost closest nearest farthest first
second third fourth 1st 2nd 3rd 4th last one two three four big small large little tall short
bigger smaller larger taller biggest smallest largest tallest tiny huge black white red green blue
yellow orange brown pink purple gray grey dark light man woman boy girl guy lady kid child person
people wearing holding sitting standing with without in on at of to the a an and that this from by
facing away edge
"""
SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")


def learn_tokenizer(expressions: Iterable[str], words: int) -> Any:
    """A `transformers.BertTokenizer` of at most `VOCABULARY` lower-case pieces.

    The words of COCO's classes and everyday words of place, size and colour are whole pieces,
    whether or not the expressions have them. Equal expressions give an equal vocabulary.

    Args:
        expressions: of the training set.
        words: tokens that the model reads at most.
    """
    from tokenizers import BertWordPieceTokenizer
    from transformers import BertTokenizer

    texts = list(expressions)
    always = dict.fromkeys([*EVERYDAY.split(), *" ".join(COCO_80).split()])
    learner = BertWordPieceTokenizer(lowercase=True)
    learner.train_from_iterator(
        texts, VOCABULARY - len(always), special_tokens=list(SPECIAL), show_progress=False
    )
    pieces = learner.get_vocab()
    vocabulary = [*sorted(pieces, key=pieces.__getitem__), *(w for w in always if w not in pieces)]
    return BertTokenizer(
        {piece: number for number, piece in enumerate(vocabulary)}, model_max_length=words
    )
