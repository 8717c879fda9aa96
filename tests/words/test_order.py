"""Long expressions: the key noun first, and what is not read is said."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import ssc
from ssc.explain import explain
from ssc.export import result_record
from ssc.words.order import fitted, key_first

FILLER = "in the middle of the busy street where many people walk home every single day in summer"


def six(text: str) -> tuple[str, ...]:
    """What an encoder of six words does not read."""
    return tuple(text.split()[6:])


@pytest.mark.parametrize(
    ("text", "noun", "first"),
    [
        (f"{FILLER} there stands a tall man in red", "man", "a tall man in red in the middle"),
        ("on the shelf, behind the glass, a blue cup", "cup", "a blue cup on the shelf, behind"),
        ("man with a turban and a stick", "man", "man with a turban and a stick"),
        ("her over there", "person", "her over there"),
    ],
)
def test_what_is_said_of_the_noun_comes_first(text, noun, first):
    assert key_first(text, noun).startswith(first)


@given(
    st.lists(
        st.sampled_from(["a", "man", "the", "dog", ",", "in", "red", "with", "cup", "on"]),
        max_size=20,
    )
)
def test_no_word_is_lost(words):
    text = " ".join(words)
    read, lost = fitted(text, "dog", six)
    assert sorted(read.split()) == sorted(words)
    assert len(lost) == max(0, len(words) - 6)
    assert fitted(text, "dog", None) == (text, ())


def test_what_the_networks_did_not_read_is_said():
    pipeline = ssc.load("mini")
    image = np.full((96, 128, 3), 90, np.uint8)
    ends = ("a turban", "a white chef hat", "a helmet")
    for end in ends:
        [result] = pipeline(image, [f"man {FILLER} {FILLER} with {end}"])
        message, record = explain(result), result_record("a.png", image, result)
        assert result.correction.unread[-1] == end.split()[-1]
        assert f"S+S+C did not read: {' '.join(result.correction.unread)}." in message
        assert record["corrected"]["unread"] == list(result.correction.unread)
    [short] = pipeline(image, ["man with a turban"])
    assert "did not read" not in explain(short)
    assert short.correction.unread == short.selection.unread == ()


def test_clip_says_which_words_are_beyond_its_context():
    clip = ssc.load("mini", correct=False).select.clip
    text = f"a man {FILLER} {FILLER} with a turban"
    lost = clip.unread(text)
    assert lost
    assert text.endswith(" ".join(lost))
    kept = text[: -len(" ".join(lost))].strip()
    np.testing.assert_allclose(*clip.encode_text([text, kept]), atol=1e-6)
    assert clip.unread("a man with a turban") == ()
