"""The embedded family through real vLLM: checkpoints with heads that its CPU kernels know, engines of both kinds."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("VLLM_CPU_KVCACHE_SPACE", "1")  # GiB for each engine, on a machine without a GPU

from ttc_core import registry
from ttc_core.engines.embedded import Embedded
from ttc_core.lab.checkpoints import export_checkpoint
from ttc_core.models import ModelCard
from ttc_core.settings import DATA

MODELS = DATA / "models"
HEAD = 32
ENVIRONMENT = {"VLLM_CPU_OMP_THREADS_BIND": "nobind", "OMP_NUM_THREADS": "1", "VLLM_NO_USAGE_STATS": "1"}
START = 400.0  # seconds; a loaded machine takes long
FAMILY = {"dtype": "float32", "step": "\n", "final": "Answer: ", "max_tokens": 256}


def finish(engine: Any, jobs: list[Any]) -> list[Any]:
    """Run jobs; their replies in order, none of them an error."""
    engine.submit(jobs)
    replies: dict[int, Any] = {}
    end = engine.now() + 240
    while len(replies) < len(jobs) and engine.now() < end:
        for reply in engine.poll(0.1):
            assert reply.ticket not in replies
            assert reply.error is None, reply.error
            replies[reply.ticket] = reply
    return [replies[job.ticket] for job in jobs]


@contextmanager
def serving(model: Path, log: Path, options: str, *more: str) -> Iterator[str]:
    """vLLM's server with this model under the name mini: its address."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "vllm.entrypoints.openai.api_server", "--model", str(model)]
    command += ["--served-model-name", "mini", "--host", "127.0.0.1", "--port", str(port)]
    command += ["--dtype", "float32", "--enforce-eager", *options.split(), *more]
    with log.open("w") as out, subprocess.Popen(
        command, stdout=out, stderr=out, env={**os.environ, **ENVIRONMENT}, cwd=log.parent
    ) as server:  # fmt: skip
        try:
            _wait(f"http://127.0.0.1:{port}/health", server, log)
            yield f"http://127.0.0.1:{port}"
        finally:
            server.terminate()
            server.wait(timeout=60)


def _wait(health: str, server: subprocess.Popen[bytes], log: Path) -> None:
    end = time.monotonic() + START
    while time.monotonic() < end and server.poll() is None:
        try:
            with urllib.request.urlopen(health, timeout=5):
                return
        except OSError:
            time.sleep(1)
    pytest.fail(f"vLLM's server did not start: {log.read_text('utf-8', 'replace')[-2000:]}")


@pytest.fixture(scope="session")
def checkpoints(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Folders of mini-s and mini-prm as vLLM wants them."""
    target = tmp_path_factory.mktemp("checkpoints")
    return {name: export_checkpoint(MODELS / name, target / name, HEAD) for name in ("mini-s", "mini-prm")}


@pytest.fixture(scope="session")
def load() -> Callable[..., Any]:
    """Load a model with vLLM: load(name, folder, **fields of its table)."""
    pytest.importorskip("vllm")

    def loaded(name: str, folder: Path, *, batch: int = 64, **table: Any) -> Any:
        card = ModelCard(name, "policy", "vllm_local", 213_376, folder, {"model": str(folder), **FAMILY, **table})
        return registry.get("engine", "vllm_local")(name, card, batch=batch)

    return loaded


@pytest.fixture(scope="session")
def policy(load: Callable[..., Any], checkpoints: dict[str, Path]) -> Iterator[Any]:
    """mini-s in vLLM."""
    engine = load("mini-s", checkpoints["mini-s"])
    yield engine
    engine.close()


@pytest.fixture(scope="session")
def judge(load: Callable[..., Any], checkpoints: dict[str, Path]) -> Iterator[Any]:
    """mini-prm in vLLM."""
    engine = load("mini-prm", checkpoints["mini-prm"])
    yield engine
    engine.close()


@pytest.fixture(scope="session")
def embedded() -> Callable[[str], Any]:
    """The same members in the embedded engine."""
    return lambda name: Embedded(name, MODELS / name, batch=64)


@pytest.fixture(scope="session")
def problems() -> list[Any]:
    """100 problems."""
    return list(registry.get("dataset", "mini-validation")())[:100]
