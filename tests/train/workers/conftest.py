"""A Ray cluster on this machine, which starts however busy the machine is."""

import time
from contextlib import suppress

import pytest

PATIENCE = 300  # seconds for a node to start, where Ray has 30
SMALL = {"object_store_memory": 100 << 20}


class Nodes:
    """A head that does no work, and nodes of one processor each."""

    def __init__(self):
        from ray.cluster_utils import Cluster

        self._cluster = Cluster(True, head_node_args={"num_cpus": 0, **SMALL})
        self.address = self._cluster.address

    def two(self):
        """Adds nodes until there are two, and returns them."""
        while len(self._cluster.worker_nodes) < 2:
            self._cluster.add_node(wait=False, num_cpus=1, **SMALL)
        return [*self._cluster.worker_nodes]

    def kill(self, node):
        self._cluster.remove_node(node, allow_graceful=False)

    def close(self):
        self._cluster.shutdown()


@pytest.fixture(scope="module")
def nodes(server):
    """They find the bucket of `server`."""
    pytest.importorskip("ray", reason="ray is not installed: nothing here tests --ray")
    import ray
    from ray import _raylet
    from ray._private import services
    from ray._private.node import Node

    get_node, start_raylet = services.get_node, Node.start_raylet
    agents = {
        _raylet.DASHBOARD_AGENT_LISTEN_PORT_NAME: 52365,
        _raylet.METRICS_AGENT_PORT_NAME: -1,
        _raylet.METRICS_EXPORT_PORT_NAME: -1,
        _raylet.RUNTIME_ENV_AGENT_PORT_NAME: 52366,
    }

    def patient(*arguments):
        until = time.monotonic() + PATIENCE
        while time.monotonic() < until:
            with suppress(RuntimeError):
                return get_node(*arguments)
            time.sleep(0.2)
        return get_node(*arguments)

    def alone(node, *arguments, **named):
        """A node ends where its agents, of which none is needed here, are not there in 15 s."""
        for name, port in agents.items():
            _raylet.persist_port(node.get_session_dir_path(), node.node_id, name, port)
        return start_raylet(node, *arguments, **named)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(services, "get_node", patient)
        patch.setattr(Node, "start_raylet", alone)
        patch.setattr(Node, "start_api_server", lambda *_, **__: None)  # the dashboard
        patch.setenv("RAY_worker_register_timeout_seconds", str(PATIENCE))
        patch.setenv("RAY_USAGE_STATS_ENABLED", "0")
        cluster = Nodes()
        yield cluster
        ray.shutdown()
        cluster.close()
