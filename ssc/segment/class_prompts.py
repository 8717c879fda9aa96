"""Vocabulary classes as the text that Grounding DINO is asked with: "dog . teddy bear ."."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor

TOKENS = 256  # that the network reads of a prompt


class ClassPrompt(NamedTuple):
    """Classes as the network is asked for them, and where each stands in the text.

    Attributes:
        text: the classes in lower case, " . " between them and at the end.
        names: the classes as the caller wrote them.
        tokens: bool C×`TOKENS`, which tokens of the text are the words of each.
    """

    text: str
    names: tuple[str, ...]
    tokens: Tensor


def make_class_prompts(names: Sequence[str], tokenizer: Any, form: str = "{}") -> list[ClassPrompt]:
    """As few prompts as hold all names: "a . b . c ." in lower case.

    Dots and question marks in a name would end it; they are left out. A name of which nothing is
    left, or too long for any prompt, is not asked for.

    Args:
        form: what is made of a name, with {} where it stands; of names that end in s already,
            a final s of the form is left out.
    """
    phrases = []
    for name in dict.fromkeys(names):
        clean = " ".join(name.lower().replace(".", " ").replace("?", " ").split())
        tokens = len(tokenizer.tokenize(clean))
        if tokens and tokens + 6 <= TOKENS:
            once = form[:-1] if form.endswith("s") and clean.endswith("s") else form
            phrases.append((name, once.format(clean), once.index("{}")))
    prompts: list[ClassPrompt] = []
    group: list[tuple[str, str, int]] = []
    used = 2  # [CLS] and [SEP]
    for phrase in phrases:
        length = len(tokenizer.tokenize(phrase[1])) + 1
        if used + length > TOKENS:
            prompts.append(_prompt(group, tokenizer))
            group, used = [], 2
        group.append(phrase)
        used += length
    return [*prompts, _prompt(group, tokenizer)] if group else prompts


def _prompt(phrases: list[tuple[str, str, int]], tokenizer: Any) -> ClassPrompt:
    """The prompt of (name, phrase, where the name begins in the phrase)."""
    text = ""
    spans = []
    for _, phrase, start in phrases:
        spans.append((len(text) + start, len(text) + len(phrase)))
        text += f"{phrase} . "
    text = text.strip()
    offsets = tokenizer(text, return_offsets_mapping=True)["offset_mapping"]
    tokens = torch.zeros(len(phrases), TOKENS, dtype=torch.bool)
    for row, (start, end) in zip(tokens, spans):
        for k, (a, b) in enumerate(offsets):
            row[k] = start <= a < b <= end
    return ClassPrompt(text, tuple(name for name, _, _ in phrases), tokens)
