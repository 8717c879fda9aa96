"""Stages 1 and 2 on two nodes of Ray: the shards are those of one process, a lost node or not."""

import sys
from collections import Counter

import pytest

from ssc.errors import ResourceError
from tests.train.pseudo import toy_pseudo
from train.pseudo import cluster as own
from train.pseudo import store
from train.pseudo.__main__ import main


@pytest.fixture
def nodes(monkeypatch):
    """A cluster of a head that does no work and two nodes of a processor each."""
    pytest.importorskip("ray", reason="ray is not installed: nothing here tests --ray")
    import ray
    from ray.cluster_utils import Cluster

    monkeypatch.setenv("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
    memory = 100 << 20
    cluster = Cluster(True, head_node_args={"num_cpus": 0, "object_store_memory": memory})
    two = [cluster.add_node(num_cpus=1, object_store_memory=memory) for _ in range(2)]
    yield cluster, two
    ray.shutdown()
    cluster.shutdown()


@pytest.mark.process
@pytest.mark.long
@pytest.mark.filterwarnings("default")
def test_a_lost_node_costs_its_shards_in_flight_and_no_more(nodes, tmp_path, monkeypatch):
    monkeypatch.setattr(store, "SHARD", store.SHARD)
    monkeypatch.setattr(toy_pseudo.pseudo, "SHARD", toy_pseudo.pseudo.SHARD)
    alone, out, log = tmp_path / "alone", tmp_path / "out", tmp_path / "log"
    toy_pseudo.make(alone, tmp_path / "its log")
    count = len(toy_pseudo.Toys(log))
    store.begin(out, {"pictures": count})
    cluster, (lost, _) = nodes
    with own.Cluster(cluster.address) as ray:
        assert ray.actors == 2
        mapped = ray.map(
            *(toy_pseudo.prepare_toys, (out, log), toy_pseudo.work_on_toys),
            store.missing_shards(out, count),
        )
        done = [next(mapped) for _ in range(6)]
        cluster.remove_node(lost, allow_graceful=False)
        done += mapped
        assert ray.by_node().startswith("pictures a second by node: ")
    assert sum(pictures for pictures, _, _ in done) == count
    assert {name: error for _, broken, _ in done for name, error in broken.items()}.keys() == {
        "toy-13"
    }
    names = sorted(path.name for path in alone.iterdir())
    assert sorted(path.name for path in out.iterdir()) == names
    assert all((out / name).read_bytes() == (alone / name).read_bytes() for name in names)
    times = Counter(line.split()[1] for line in log.read_text().splitlines())
    assert len(times) == count
    assert sum(times.values()) - count <= own.AHEAD


def test_without_ray_the_remedy_is_told(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(ResourceError, match=r"--ray: expected Ray.*pip install 'segment-select"):
        own.Cluster("auto")
    with pytest.raises(SystemExit):
        main(["--data", "refsprites:val:1", "--out", str(tmp_path), "--gpus-each", "1"])
