"""Many pictures as a job: by place or upload, stopped, killed, and taken away."""

import json
import shutil
import time
from io import BytesIO
from zipfile import ZIP_DEFLATED, ZipFile

import numpy as np
import pytest
from PIL import Image
from starlette.testclient import TestClient

from ssc.page.choices import Choices, ModelSet
from ssc.sure import LIKELY, NOT_SURE, SURE
from tests.fake_pipeline import SCENE, SCENES, fake_pipeline
from train.data import open_dataset
from train.workbench.doubts import rows_of
from train.workbench.folder_calls import FolderCalls
from train.workbench.job import DONE, RUNNING, STOPPED, WAITING
from train.workbench.server import build

PHOTO = SCENES / f"{SCENE}.jpg"
BEGUN = {"title": "my trip", "expressions": "left laptop", "models": "mini", "correct": "own"}


class Slow:
    """A pipeline that waits for its test at each picture."""

    def __init__(self, pipeline):
        self.pipeline, self.correct, self.segment = pipeline, pipeline.correct, pipeline.segment
        self.seen, self.after = 0, lambda: None

    def __call__(self, image, objects):
        results = self.pipeline(image, objects)
        self.seen += 1
        self.after()
        return results


@pytest.fixture(scope="module")
def whole():
    return fake_pipeline()


@pytest.fixture
def pipeline(whole):
    return Slow(whole)


@pytest.fixture
def open_client(tmp_path, pipeline):
    def one():
        choices = Choices([ModelSet("mini", lambda: pipeline)])
        calls = FolderCalls(tmp_path / "home", lambda: choices)
        return TestClient(build(folders=calls), base_url="http://127.0.0.1")

    return one


@pytest.fixture
def photos(tmp_path):
    folder = tmp_path / "photos"
    folder.mkdir()
    for name in "abc":
        shutil.copy(PHOTO, folder / f"{name}.jpg")
    return folder


def begin(client, source="", **changes):
    answer = client.post("/api/folders", json={**BEGUN, "source": str(source), **changes})
    assert answer.status_code == 200, answer.json()
    return answer.json()["name"]


def ended(client, name, state=DONE):
    for _ in range(600):
        job = client.get(f"/api/folders/{name}").json()
        if job["state"] not in (WAITING, RUNNING):
            assert (job["state"], job["error"]) == (state, "")
            return job
        time.sleep(0.05)
    raise TimeoutError(job)


def start(client, name):
    return client.post(f"/api/folders/{name}/start", json={})


def zipped(client, name, form):
    answer = client.get(f"/api/folders/{name}/export/{form}")
    assert answer.status_code == 200, answer.json()
    return ZipFile(BytesIO(answer.content))


def test_a_folder_from_question_to_export(open_client, photos, tmp_path):
    (photos / "broken.jpg").write_bytes(b"x")
    client = open_client()
    name = begin(client, photos, expressions="left laptop\na unicorn")
    assert name == "my-trip"
    assert start(client, name).status_code == 200
    job = ended(client, name)
    assert (job["done"], job["total"], job["of"]) == (4, 4, 7)
    first, *rows = job["rows"]
    assert first["picture"] == "broken.jpg"
    assert first["error"].startswith("expected a picture")  # without the server's path
    assert [row["expressions"][0] for row in rows[:3]] == ["a unicorn"] * 3  # nothing is found
    assert [row["lead"] for row in rows[3:]] == sorted(row["lead"] for row in rows[3:])
    row = rows[-1]
    at = f"/api/folders/{name}/picture/{row['stem']}/{row['object']}"
    small = Image.open(BytesIO(client.get(f"{at}?small=true").content))
    assert max(small.size) == 240
    assert client.get(f"/api/folders/{name}/picture/x/0").status_code == 422
    zipped(client, name, "coco").extractall(tmp_path)
    data = open_dataset(f"coco:{tmp_path / 'coco' / 'annotations.json'}")
    assert [data[k].objects[0].expressions for k in range(3)] == [("left laptop",)] * 3
    record = json.loads((tmp_path / "home/folders/my-trip/results/a/result.json").read_text())
    assert data[0].objects[0].mask.sum() > 100
    assert record["results"][1]["candidate"] is None
    assert "results/b/result.json" in zipped(client, name, "results").namelist()


def test_a_killed_server_goes_on_and_does_nothing_twice(open_client, photos, pipeline, tmp_path):
    client = open_client()
    name = begin(client, photos)
    pipeline.after = lambda: client.post(f"/api/folders/{name}/stop", json={})
    start(client, name)
    job = ended(client, name, STOPPED)
    assert (job["done"], pipeline.seen) == (1, 1)
    file = tmp_path / "home" / "folders" / name / "job.json"
    file.write_text(file.read_text().replace(f'"{STOPPED}"', f'"{RUNNING}"'))  # as a kill leaves it
    pipeline.after = lambda: None
    job = ended(open_client(), name)
    assert (job["done"], pipeline.seen) == (3, 3)


def test_what_is_uploaded(open_client, tmp_path):
    client = open_client()
    name = begin(client)
    buffer = BytesIO()
    with ZipFile(buffer, "w") as archive:
        archive.write(PHOTO, "inside/one.jpg")
        archive.write(PHOTO, "../../../outside.jpg")
        archive.writestr("__MACOSX/._one.jpg", b"x")
        archive.writestr("notes.txt", b"x")
    for path, data in (
        ("trip/two.jpg", PHOTO.read_bytes()),
        ("..\\..\\three.jpg", PHOTO.read_bytes()),
        ("run.py", b"x"),
        ("more.zip", buffer.getvalue()),
    ):
        sent = client.put(f"/api/folders/{name}/file", params={"path": path}, content=data)
        assert sent.status_code == 200
    folder = tmp_path / "home" / "folders" / name / "pictures"
    found = sorted(str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file())
    assert found == ["inside/one.jpg", "outside.jpg", "three.jpg", "trip/two.jpg"]
    assert not list(tmp_path.rglob("run.py"))
    start(client, name)
    assert ended(client, name)["done"] == 4
    packed = BytesIO()
    with ZipFile(packed, "w", ZIP_DEFLATED) as archive:
        archive.write(PHOTO, "one.jpg")
    damaged = bytearray(packed.getvalue())
    damaged[60:64] = b"\xff\xff\xff\xff"  # in the packed bytes: zlib itself refuses them
    for content in (b"no ZIP", bytes(damaged)):
        bad = client.put(f"/api/folders/{name}/file", params={"path": "a.zip"}, content=content)
        assert bad.json()["error"].startswith("ZIP: expected a whole one")


def test_a_table_has_its_own_expressions(open_client):
    client = open_client()
    name = begin(client, expressions="")
    table = {"image": "one.jpg", "objects": [["left laptop", "laptop at the left"], ["a unicorn"]]}
    for path, data in (("one.jpg", PHOTO.read_bytes()), ("t.jsonl", json.dumps(table).encode())):
        client.put(f"/api/folders/{name}/file", params={"path": path}, content=data)
    start(client, name)
    rows = ended(client, name)["rows"]
    assert [row["expressions"] for row in rows] == [
        ["a unicorn"],
        ["left laptop", "laptop at the left"],
    ]


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"source": ""}, "expected pictures, a ZIP of them or a table, got none"),
        ({"source": "/no/such"}, "/no/such: expected a folder, a picture or a table, got none"),
        ({"expressions": " "}, "Write what to look for"),
    ],
)
def test_what_cannot_be_asked_is_said(open_client, photos, changes, error):
    client = open_client()
    name = begin(client, **{"source": str(photos), **changes})
    answer = start(client, name)
    assert answer.status_code == 422
    assert error in answer.json()["error"]
    assert client.get("/api/folders/other").status_code == 422
    assert client.get(f"/api/folders/{name}/export/coco").status_code == 422


def test_two_jobs_of_one_title_have_two_names(open_client):
    client = open_client()
    assert [begin(client), begin(client)] == ["my-trip", "my-trip-2"]
    answer = client.post("/api/folders", json={**BEGUN, "models": "none"})
    assert "expected one of mini" in answer.json()["error"]


def test_doubts_come_in_their_order():
    def record(sure, *scores):
        candidates = [{"clip_score": s, "guided_score": None} for s in scores]
        base = {"image": "a", "expressions": ["b"], "message": ""}
        return {**base, "sure": sure, "candidates": candidates}

    records = [
        record(SURE, 0.3, 0.1),
        record(NOT_SURE, 0.3, 0.29),
        record(None),
        record(NOT_SURE, 0.3, 0.3),
        record(LIKELY, 0.2),
    ]
    rows = rows_of("a", records)
    ordered = sorted(rows, key=lambda row: (row["rank"], row["lead"]))
    assert [row["object"] for row in ordered] == [2, 3, 1, 4, 0]
    assert rows[4]["lead"] == 1
    assert np.isclose(rows[3]["lead"], 0)
