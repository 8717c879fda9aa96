"""NLTK's tagger as the noun extractor, with a small tagger of the test's own in NLTK's form."""

import sys

import pytest

from ssc.errors import DownloadError, ResourceError
from ssc.words.nltk_nouns import DATA, NltkNouns

TAGGED = [
    "the/DT man/NN in/IN a/DT red/JJ shirt/NN",
    "left/JJ coffee/NN cup/NN on/IN the/DT table/NN",
    "blue/JJ ./.",
    "dogs/NNS near/IN the/DT man/NN",
]


@pytest.fixture
def nltk(monkeypatch, tmp_path):
    """NLTK without any data, and without a network."""
    nltk = pytest.importorskip("nltk")
    monkeypatch.setattr(nltk.data, "path", [str(tmp_path)])
    monkeypatch.setattr(nltk, "download", lambda *names, **options: False)
    return nltk


@pytest.fixture
def trained(nltk, tmp_path):
    tagger = nltk.PerceptronTagger(load=False, lang="eng")
    sentences = [[tuple(pair.rsplit("/", 1)) for pair in row.split()] for row in TAGGED]
    tagger.train(sentences * 5, nr_iter=5)
    folder = tmp_path / "taggers" / DATA
    folder.mkdir(parents=True)
    tagger.save_to_json(lang="eng", loc=str(folder))


@pytest.mark.parametrize(
    ("expression", "noun"),
    [
        ("The man in a red shirt", "man"),
        ("left coffee cup on the table", "coffee cup"),
        ("dogs near the man", "dogs"),
        ("blue.", ""),
        ("", ""),
    ],
)
def test_the_first_run_of_nouns_is_the_key_noun(trained, expression, noun):
    nouns = NltkNouns()
    assert NltkNouns.ready()
    assert nouns(expression) == noun
    assert nouns.knowing(["unicorn"])(expression) == noun


def test_without_its_data_one_error_says_what_to_do(nltk):
    assert not NltkNouns.ready()
    with pytest.raises(DownloadError, match=f"python -m nltk.downloader {DATA}"):
        NltkNouns()("the dog")


def test_without_nltk_one_error_says_what_to_do(monkeypatch):
    monkeypatch.setitem(sys.modules, "nltk", None)
    with pytest.raises(ResourceError, match="pip install nltk"):
        NltkNouns()("the dog")
