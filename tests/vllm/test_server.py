"""The same over vLLM's own server: the policy by HTTP, the family's verifier in this process."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.vllm.conftest import finish
from tests.vllm.searching import search
from ttc_core import registry
from ttc_core.jobs import GenerateJob, Segment
from ttc_core.models import ModelCard
from ttc_core.types import Problem

pytest.importorskip("vllm")
pytestmark = pytest.mark.vllm
OPTIONS = [
    "--dtype",
    "float32",
    "--enforce-eager",
    "--max-model-len",
    "2048",
    "--max-num-batched-tokens",
    "8192",
    "--no-enable-chunked-prefill",
    "--block-size",
    "32",
    "--enable-prompt-tokens-details",
]


@pytest.fixture(scope="module")
def server(checkpoints: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of vLLM's server with mini-s."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    log = tmp_path_factory.mktemp("server") / "log"
    program = [sys.executable, "-m", "vllm.entrypoints.openai.api_server", "--model", str(checkpoints["mini-s"])]
    address = ["--host", "127.0.0.1", "--port", str(port), "--served-model-name", "mini-s"]
    environment = {**os.environ, "VLLM_CPU_OMP_THREADS_BIND": "nobind", "VLLM_NO_USAGE_STATS": "1"}
    with log.open("w") as out:
        process = subprocess.Popen([*program, *address, *OPTIONS], env=environment, stdout=out, stderr=out)
        try:
            end = time.monotonic() + 300
            while not _healthy(f"http://127.0.0.1:{port}/health"):
                assert process.poll() is None and time.monotonic() < end, log.read_text()[-2000:]
                time.sleep(0.5)
            yield f"http://127.0.0.1:{port}"
        finally:
            process.terminate()
            process.wait(60)


def _healthy(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=5):
            return True
    except OSError:
        return False


@pytest.fixture(scope="module")
def remote(server: str) -> Iterator[Any]:
    """mini-s behind the server; asked in the form that the family is trained on, which no other model has."""
    table = {"model": "mini-s", "base_url": server, "template": "completion", "step": "\n", "final": "Answer: "}
    card = ModelCard("mini-s", "policy", "openai_http", 213_376, Path(), table)
    engine = registry.get("engine", "openai_http")("mini-s", card, batch=64)
    engine.prompt = lambda problem, attempts=(), ask="": Segment(f"<bos>{problem.question}\n")
    yield engine
    engine.close()


def test_greedy_text_over_the_server_is_the_embedded_engines(
    remote: Any, embedded: Callable[[str], Any], problems: list[Problem]
) -> None:
    own = embedded("mini-s")
    ours, theirs = (
        finish(e, [GenerateJob(i, (e.prompt(p),), 0, "end", temperature=0.0) for i, p in enumerate(problems[:40])])
        for e in (remote, own)
    )
    assert [r.text.strip() for r in ours] == [r.text.strip() for r in theirs]


def test_a_beam_search_over_the_server(remote: Any, embedded: Callable[[str], Any], problems: list[Problem]) -> None:
    asked = problems[:8]
    engines = {"mini-s": remote, "mini-prm": embedded("mini-prm")}
    results = search(engines, asked, "beam_search", 16, seconds=240)
    assert [r.error for r in results] == [None] * len(asked)
    assert all(r.usage.generations == 16 and not r.usage.failed_samples for r in results)
    assert all(node.scores for r in results for node in r.nodes.values())
    right = sum(r.outcome.answer == p.answer for r, p in zip(results, asked, strict=True))
    assert right >= len(asked) // 2
    again = search(engines, asked[:2], "beam_search", 16, seconds=120)
    for a, b in zip(results, again, strict=False):
        assert sorted((k, n.text) for k, n in a.nodes.items()) == sorted((k, n.text) for k, n in b.nodes.items())
