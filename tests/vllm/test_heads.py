"""Published reward models through vLLM, in process and behind its server, against the engine of transformers.

That engine is compared with each model's published rule in tests/unit/test_reward_models.py, on the same checkpoints.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("vllm")

from tests.checkpoints import STEPS, llama, made, process_reward_model, qwen, with_spaces
from tests.unit.verifier_worlds import Loaded, card, score
from tests.vllm.conftest import serving
from ttc_core import registry
from ttc_core.engines.openai_http import OpenAIHTTP
from ttc_core.engines.transformers_local import TransformersLocal
from ttc_core.errors import EngineFault
from ttc_core.models import ModelCard

pytestmark = pytest.mark.vllm
AT_TAGS = {"tok_pooling_type": "STEP", "step_tag_id": 3}  # as vLLM documents it for this family; 3 is <extra_0>
Build = Callable[[Path], Any]
HEADS: dict[str, tuple[Build, dict[str, str]]] = {  # verifier kind: its checkpoint, what its table says to vLLM
    "qwen_prm": (process_reward_model, {"runner": "pooling"}),
    "token_classification": (
        lambda folder: made("Qwen2", "ForTokenClassification", folder, qwen(), num_labels=2),
        {"runner": "pooling"},
    ),
    "outcome": (
        lambda folder: made("Llama", "ForSequenceClassification", folder, llama(), num_labels=1),
        {"runner": "pooling"},
    ),
    "math_shepherd": (lambda folder: made("Mistral", "ForCausalLM", folder, with_spaces()), {}),
    "rlhflow": (lambda folder: made("Llama", "ForCausalLM", folder, llama()), {}),
}


def scores(engine: Any, kind: str) -> list[float]:
    """Of a solution as a node of one step and a node of two."""
    verifier = registry.get("verifier", kind).load(card(kind, model="tiny"))
    first, *rest = (step + "\n\n" for step in STEPS)
    world = Loaded(engine)
    return [*score(verifier, world, first).values, *score(verifier, world, "".join(rest), first).values]


def reference(kind: str, folder: Path) -> list[float]:
    """The scores by transformers; the checkpoint is made here."""
    folder.mkdir(exist_ok=True)
    HEADS[kind][0](folder)
    table = ModelCard("tiny", "policy", "transformers_local", 0, folder, {"model": str(folder)})
    return scores(TransformersLocal("tiny", table), kind)


@pytest.mark.parametrize("kind", HEADS)
def test_scores_in_process(kind: str, load: Any, tmp_path: Path) -> None:
    expected = reference(kind, tmp_path)
    engine = load(kind, tmp_path, memory=0.05, longest=512, **HEADS[kind][1])
    try:
        assert scores(engine, kind) == pytest.approx(expected, abs=1e-4)
        assert len({round(value, 3) for value in expected}) == len(expected) > 1
    finally:
        engine.close()


@pytest.mark.parametrize("kind", ["qwen_prm", "token_classification", "outcome"])
def test_scores_over_the_server(kind: str, tmp_path: Path) -> None:
    expected = reference(kind, tmp_path / "model")
    options = ["--pooler-config", json.dumps(AT_TAGS)] if kind == "qwen_prm" else []
    with serving(tmp_path / "model", tmp_path / "log", "--runner pooling --max-model-len 512", *options) as url:
        table = {"model": "mini", "base_url": url, "chat_format": "llama3" if kind == "outcome" else "chatml"}
        engine = OpenAIHTTP("tiny", ModelCard("tiny", "policy", "openai_http", 1000, Path(), table), batch=8)
        assert scores(engine, kind) == pytest.approx(expected, abs=1e-4)


def test_a_model_loaded_to_write_has_no_values(load: Any, tmp_path: Path) -> None:
    HEADS["rlhflow"][0](tmp_path)
    engine = load("writer", tmp_path, memory=0.05, longest=512)
    try:
        with pytest.raises(EngineFault, match="loaded to write"):
            scores(engine, "token_classification")
    finally:
        engine.close()
