"""The engine for clusters: a real two-node Ray cluster on loopback, one node killed in the middle of a build."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from zoo.errors import ZooError

ray = pytest.importorskip("ray")

IDS = ["tiny-bert/tiny", "tiny-electra/tiny", "tiny-roberta/tiny"]
SETTINGS = ["--set", "finetune.epochs=40", "--set", "finetune.precision=float32"]


@pytest.fixture
def cluster() -> Iterator[Any]:
    from ray.cluster_utils import Cluster

    node = {"num_cpus": 1, "object_store_memory": 80 * 1024 * 1024, "include_dashboard": False}
    cluster = Cluster(initialize_head=True, head_node_args=node)
    second = cluster.add_node(**{**node, "resources": {"second": 1}})
    try:
        yield cluster, second
    finally:
        cluster.shutdown()


def _environment(registry: Path, **more: str) -> dict[str, str]:
    clean = {k: v for k, v in os.environ.items() if not k.startswith("ZOO_")}
    return clean | {"ZOO_REGISTRY": str(registry), "HF_HUB_OFFLINE": "1", "PYTHONUNBUFFERED": "1", **more}


def test_a_build_survives_the_loss_of_a_node(cluster: Any, tiny_registry: Path, tmp_path: Path) -> None:
    running, second = cluster
    command = [sys.executable, "-m", "zoo", "build", *IDS, *SETTINGS, "--out", str(tmp_path / "out")]
    command += ["--engine", "ray", "--address", running.address]
    build = subprocess.Popen(
        command, env=_environment(tiny_registry), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    assert build.stdout is not None
    lines = []
    killed = False
    for line in build.stdout:
        lines.append(line)
        if not killed and line.startswith("base "):  # the next stages run on both nodes now
            running.remove_node(second, allow_graceful=False)
            killed = True
    assert build.wait(timeout=200) == 0, "".join(lines)
    assert killed
    for checkpoint in IDS:
        result = json.loads((tmp_path / "out" / "checkpoints" / checkpoint / "result.json").read_text())
        assert result["scores"]["test"]["micro_f1"] > 0
    assert len(list((tmp_path / "out" / "artefacts" / "train").iterdir())) == len(IDS)


def test_nodes_without_a_shared_disk_share_a_store(cluster: Any, tiny_registry: Path, tmp_path: Path) -> None:
    running, _ = cluster
    environment = _environment(tiny_registry, ZOO_STORE=f"file://{tmp_path / 'shared'}")
    command = [sys.executable, "-m", "zoo", "build", IDS[0], *SETTINGS, "--engine", "ray", "--address", running.address]
    first = [*command, "--out", str(tmp_path / "one")]
    subprocess.run(first, env=environment, check=True, capture_output=True, timeout=200)
    shutil.rmtree(tmp_path / "one")
    again = [*command, "--out", str(tmp_path / "two"), "--json"]
    done = subprocess.run(again, env=environment, check=True, capture_output=True, text=True, timeout=200)
    assert len(json.loads(done.stdout)["results"]) == 1
    assert "train " not in done.stderr, "what the store holds was trained again"
    assert (tmp_path / "two" / "checkpoints" / IDS[0] / "adapter" / "adapter_model.safetensors").is_file()


def test_a_wrong_address_is_one_clear_message(tmp_path: Path) -> None:
    from zoo.pipeline.context import Context
    from zoo.pipeline.progress import Reporter
    from zoo.pipeline.ray import RayEngine
    from zoo.pipeline.schedule import Schedule
    from zoo.registry.loader import load_registry
    from zoo.settings import Settings

    context = Context(load_registry(), Settings(out=tmp_path))
    with pytest.raises(ZooError, match=r"no Ray cluster at 127\.0\.0\.1:1"):
        RayEngine("127.0.0.1:1").run(Schedule([]), context, Reporter())
