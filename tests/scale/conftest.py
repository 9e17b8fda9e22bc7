"""A local Ray cluster of two nodes, and how to wait for what happens on it."""

import time

import pytest

TIMEOUT = 180


@pytest.fixture(scope="module")
def cluster():
    """A cluster of two nodes with a core each, to which this process is connected."""
    import ray
    from ray.cluster_utils import Cluster

    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1})
    cluster.add_node(num_cpus=1)
    ray.init(address=cluster.address, log_to_driver=False)
    yield cluster
    ray.shutdown()
    cluster.shutdown()


@pytest.fixture(scope="session")
def wait_for():
    """A function that returns when a condition holds."""

    def wait(condition):
        deadline = time.monotonic() + TIMEOUT
        while not condition():
            assert time.monotonic() < deadline, "nothing happened"
            time.sleep(0.02)

    return wait
