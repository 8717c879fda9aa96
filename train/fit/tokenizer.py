"""The mini model's tokenizer: BERT's WordPiece over the expressions' words."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from string import ascii_lowercase, digits, punctuation
from typing import Any

from ssc.words.vocabulary import COCO_80

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

    Its pieces are letters, by which it can spell any word, everyday words and those of COCO's
    classes, and then the expressions' own words, the most frequent first. Whole words, for the
    `tokenizers` library's own learner merges equals in another order each time.

    Args:
        expressions: of the training set.
        words: tokens that the model reads at most.
    """
    from tokenizers.normalizers import BertNormalizer
    from tokenizers.pre_tokenizers import BertPreTokenizer
    from transformers import BertTokenizer

    normalise, split = BertNormalizer().normalize_str, BertPreTokenizer().pre_tokenize_str
    counts = Counter(word for text in expressions for word, _ in split(normalise(text)))
    letters = sorted({*ascii_lowercase, *digits, *punctuation, *"".join(counts)})
    always = [*EVERYDAY.split(), *" ".join(COCO_80).split()]
    pieces = [*SPECIAL, *letters, *(f"##{letter}" for letter in letters), *always]
    pieces += sorted(counts, key=lambda word: (-counts[word], word))
    ordered = list(dict.fromkeys(pieces))[:VOCABULARY]
    vocabulary = {piece: number for number, piece in enumerate(ordered)}
    return BertTokenizer(vocabulary, model_max_length=words)
