"""A study carried out by an actor of a Ray cluster in which vLLM runs."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.vllm.conftest import ENVIRONMENT
from ttc_core import runs, studies
from ttc_core.settings import REPOSITORY
from ttc_core.store.database import database

pytest.importorskip("vllm")
pytest.importorskip("ray")
pytestmark = pytest.mark.vllm
MODELS = """
[models.tiny]
engine = "vllm_local"
model = "{folder}"
parameters = 213_376
dtype = "float32"
step = "\\n"
final = "Answer: "
max_tokens = 256
"""
STUDY = """
name = "spread"
datasets = [{ name = "mini-test", problems = 4 }]
models = ["tiny"]
verifiers = [""]
seeds = [0]
block = 2
[[strategies]]
name = "best_of_n"
grid = { select = ["majority"] }
budgets = [1, 4]
"""


def test_one_actor_with_vllm_carries_a_study_out(tmp_path: Path, checkpoints: dict[str, Path]) -> None:
    url = f"sqlite:///{tmp_path / 'x.db'}"
    (tmp_path / "models.toml").write_text(MODELS.format(folder=checkpoints["mini-s"]))
    (tmp_path / "study.toml").write_text(STUDY)
    command = [sys.executable, "-m", "ttc_core", "sweep", str(tmp_path / "study.toml"), "--ray", "--db", url]
    environment = {**os.environ, **ENVIRONMENT, "TTC_MODELS": str(tmp_path / "models.toml")}
    sweep = subprocess.run(
        [*command, "--actors", "n=1,model=tiny"],
        cwd=REPOSITORY,
        env=environment,
        capture_output=True,
        text=True,
        timeout=400,
        check=False,
    )
    assert sweep.returncode == 0, sweep.stderr[-3000:]
    runs.ensure_database(db=url)
    view, found = studies.progress("spread", db=url), studies.outcomes("spread", db=url)
    database(url).close()
    assert view.status == "done" and view.tokens > 0
    assert len(found) == 8 and found["failed"].sum() == 0
