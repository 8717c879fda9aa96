"""Work on two nodes of Ray: the shards are those of one process, a lost node or driver or not."""

import json
import socket
import sys
import time
from collections import Counter

import pytest

from ssc.errors import InputError, ResourceError
from tests.forks import ended, fork
from tests.train.pseudo import toy_pseudo
from train.batch.__main__ import main as batch
from train.batch.make import ANSWERS
from train.data.places import names_in, place_of, read
from train.data.slice import SLICE, read_slice
from train.pseudo import store
from train.pseudo.__main__ import main
from train.workers import Job, cluster

pytestmark = [
    pytest.mark.process,
    pytest.mark.long,
    pytest.mark.filterwarnings("default"),  # Ray's own
]
COUNT = 22  # toys, each a shard


@pytest.fixture(scope="module")
def alone(tmp_path_factory):
    """The toys' store, made by one process."""
    folder = tmp_path_factory.mktemp("alone")
    assert ended(fork(toy_pseudo.make, folder, folder.parent / "log")) == 0
    return content(folder)


@pytest.fixture(autouse=True)
def _a_shard_is_a_picture(monkeypatch):
    monkeypatch.setattr(store, "SHARD", 1)


def content(folder):
    """All but what a killed process was writing, which the next command on the store deletes."""
    names = (name for name in names_in(folder) if not name.startswith("."))
    return {name: read(folder / name) for name in names}


def begun(out, log):
    """The toys' job, and the shards to do."""
    store.SHARD = 1
    store.begin(out, {"pictures": COUNT})
    job = Job(toy_pseudo.prepare_toys, (out, log), toy_pseudo.work_on_toys)
    return job, store.missing_shards(out, COUNT)


def looked_at(log):
    """How often each picture was."""
    return Counter(line.split()[1] for line in log.read_text().splitlines())


def test_a_lost_node_costs_its_shards_in_flight_and_no_more(nodes, tmp_path, alone):
    lost, _ = nodes.two()
    out, log = tmp_path / "out", tmp_path / "log"
    with cluster.Cluster(nodes.address) as ray:
        assert ray.actors == 2
        mapped = ray.map(*begun(out, log))
        done = [next(mapped) for _ in range(6)]
        nodes.kill(lost)
        done += mapped
        assert ray.by_node().startswith("pictures a second by node: ")
    assert sum(shard.pictures for shard in done) == COUNT
    assert [name for shard in done for name in shard.failed] == ["toy-13"]
    assert content(out) == alone
    times = looked_at(log)
    assert len(times) == COUNT
    assert sum(times.values()) - COUNT <= cluster.AHEAD


def drive(address, out, log):
    """A driver of its own."""
    with cluster.Cluster(address) as ray:
        for _ in ray.map(*begun(out, log)):
            pass


def test_a_lost_driver_costs_its_shards_in_flight_and_no_more(nodes, bucket, tmp_path, alone):
    """In a bucket that drops requests."""
    nodes.two()
    out, log = place_of(f"{bucket.url}/out"), tmp_path / "log"
    driver = fork(drive, nodes.address, out, log)
    while driver.is_alive() and len(bucket.files) < 6:
        time.sleep(0.02)
    driver.kill()
    ended(driver)
    assert 0 < len(store.missing_shards(out, COUNT)) < COUNT
    drive(nodes.address, out, log)
    assert content(out) == alone
    assert sum(looked_at(log).values()) - COUNT <= 2  # the shards that two actors were at
    assert bucket.dropped
    assert bucket.cut


def test_answers_from_a_cluster_to_a_bucket_are_those_of_a_process(nodes, bucket, tmp_path):
    pytest.importorskip("pyarrow", reason="pyarrow is not installed: no test of batch")
    nodes.two()
    scene = read_slice()[0]
    said = [[e["text"] for e in o["expressions"]] for o in scene.objects if o["expressions"]]
    rows = [{"image": str(SLICE / f"{scene.name}.jpg"), "objects": said}, {"image": "missing.jpg"}]
    table, alone, out = tmp_path / "a.jsonl", tmp_path / "alone", f"{bucket.url}/answers"
    table.write_text("".join(json.dumps({"objects": [["dog"]], **row}) + "\n" for row in rows))
    command = [str(table), "--each", "2", "--correct", "off", "--out"]
    assert batch([*command, str(alone)]) == 1  # one has an error
    assert batch([*command, out, "--ray", nodes.address]) == 1
    assert content(place_of(out) / ANSWERS) == content(alone / ANSWERS)
    assert len(content(alone / ANSWERS)) == 1


def fail():
    raise InputError("toys: expected some, got none")


def test_an_actors_error_is_the_drivers(nodes):
    nodes.two()
    with (
        cluster.Cluster(nodes.address) as ray,
        pytest.raises(InputError, match="toys: expected some, got none"),
    ):
        list(ray.map(Job(fail, (), toy_pseudo.work_on_toys), range(3)))


def test_without_ray_or_a_cluster_the_remedy_is_told(tmp_path, monkeypatch):
    with pytest.raises(InputError, match=r"--gpus-each: expected a share of a GPU, got -1"):
        cluster.Cluster("auto", -1)
    with pytest.raises(SystemExit):
        main(["--data", "refsprites:val:1", "--out", str(tmp_path), "--gpus-each", "1"])
    start = time.monotonic()
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    for address in (f"127.0.0.1:{port}", f"ray://127.0.0.1:{port}", "127.0.0.1:99999999"):
        with pytest.raises(
            ResourceError, match=rf"--ray {address}: expected a cluster.*found none"
        ):
            cluster.Cluster(address)
    assert time.monotonic() - start < 30
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(ResourceError, match=r"--ray: expected Ray.*pip install 'segment-select"):
        cluster.Cluster("auto")
