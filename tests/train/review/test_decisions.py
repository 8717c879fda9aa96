"""Decisions on disk: the last one counts, and whatever ends a writer, no whole line is lost."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ssc.errors import InputError
from train.review.decisions import FILE, Decision, Reviews, append, now

ROOT = Path(__file__).resolve().parents[3]

texts = st.sampled_from(["the dog", "Hündin", "犬", "a\nb"])
decisions = st.builds(
    Decision,
    picture=st.sampled_from(["a", "b"]),
    object=st.sampled_from(["0", "1"]),
    who=st.sampled_from(["ann", "Zoë"]),
    when=st.just("2030-01-31T12:00:00.000Z"),
    size=st.just((4, 5)),
    masks=st.none() | st.lists(st.sampled_from(["04", "`01", "61"]), max_size=2).map(tuple),
    candidates=st.just(()),
    expressions=st.none() | st.lists(st.none() | texts, max_size=2).map(tuple),
)


@pytest.fixture
def file(tmp_path):
    return tmp_path / FILE


def decision(masks=(), who="ann", picture="a", thing="0", **more):
    return Decision(
        picture=picture, object=thing, who=who, when=now(), size=(4, 5), masks=masks, **more
    )


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(decisions, max_size=8), st.integers(0, 8))
def test_what_is_appended_is_read_and_the_last_counts(tmp_path_factory, made, early):
    file = tmp_path_factory.mktemp("reviews") / FILE
    follower = None
    for number, one in enumerate(made):
        if number == early:
            follower = Reviews(file)
        append(file, one)
    reviews = Reviews(file)
    for key in {(d.picture, d.object) for d in made}:
        own = [d for d in made if (d.picture, d.object) == key]
        masks = [d for d in own if d.masks is not None]
        said = [d.expressions for d in own if d.expressions is not None]
        state = reviews.of(*key)
        assert state.choice == (masks[-1] if masks else None)
        assert state.expressions == (said[-1] if said else None)
        last = {d.who: d.masks for d in masks}
        other = sorted(w for w, m in last.items() if m != masks[-1].masks) if masks else []
        assert list(state.conflict) == other
    if follower is not None:
        follower.refresh()
        assert follower.digest == reviews.digest
        assert follower.summary() == reviews.summary()
    assert reviews.torn == 0
    counts = reviews.summary()
    assert counts["reviewed"] == counts["one"] + counts["several"] + counts["none"]


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 400))
def test_a_torn_last_line_is_that_line_alone(tmp_path_factory, cut):
    file = tmp_path_factory.mktemp("reviews") / FILE
    append(file, decision(("04",)))
    append(file, decision(("61",), thing="1"))
    whole = file.read_bytes()
    second = whole.index(b"\n") + 1
    end = max(second + 1, len(whole) - cut)
    file.write_bytes(whole[:end])
    assert Reviews(file).of("a", "0").choice.masks == ("04",)
    append(file, decision(("`01",), thing="2"))
    reviews = Reviews(file)
    assert reviews.of("a", "0").choice.masks == ("04",)
    assert reviews.of("a", "2").choice.masks == ("`01",)
    whole_line = end >= len(whole) - 1  # only the end of the line is missing
    assert (reviews.of("a", "1").choice is not None) == whole_line
    assert reviews.torn == (not whole_line)


def test_the_digest_is_of_what_counts(file):
    append(file, decision(("04",)))
    first = Reviews(file).digest
    append(file, decision(("04",), who="bob"))
    assert Reviews(file).digest == first
    append(file, decision(()))
    assert Reviews(file).digest != first


@pytest.mark.parametrize(
    "row",
    [
        {"version": 2},
        {"version": 1, "who": "a", "when": "", "picture": "a", "object": 1},
        {"version": 1, "who": "a", "when": "", "picture": "a", "object": "0", "masks": "04"},
        {"version": 1, "who": "a", "when": "", "picture": "a", "object": "0", "masks": ["04"]},
        [],
    ],
)
def test_a_line_of_another_form_is_named(file, row):
    append(file, decision())
    with file.open("a") as out:
        out.write(json.dumps(row) + "\n")
    with pytest.raises(InputError, match=r"reviews\.jsonl:2: expected a decision of version 1"):
        Reviews(file)


WRITER = """
import sys
from pathlib import Path
from train.review.decisions import Decision, append, now
file, who = Path(sys.argv[1]), sys.argv[2]
for number in range(int(sys.argv[3])):
    append(file, Decision(picture=who, object=str(number), who=who, when=now(), size=(4, 5),
                          masks=("04" * 400,)))
    print(number, flush=True)
"""


def write(file, who, count):
    command = [sys.executable, "-c", WRITER, str(file), who, str(count)]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)


@pytest.mark.process
def test_two_processes_and_kills_lose_no_line_that_was_said_to_be_written(file):
    said = {"ann": -1, "bob": -1}
    other = write(file, "bob", 300)
    for _ in range(4):
        writer = write(file, "ann", 100_000)
        start = int(writer.stdout.readline())
        time.sleep(0.05)
        os.kill(writer.pid, signal.SIGKILL)
        lines = [start, *map(int, writer.communicate()[0].split())]
        said["ann"] = max(said["ann"], lines[-1])
    lines = other.communicate()[0].split()
    said["bob"] = int(lines[-1])
    reviews = Reviews(file)
    for who, last in said.items():
        assert all(reviews.of(who, str(k)).choice is not None for k in range(last + 1))
    assert reviews.torn <= 4
