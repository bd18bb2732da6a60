"""A LoRA adapter in real vLLM writes what the model does into whose weights it was merged."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from tests.vllm.conftest import finish
from tests.vllm.test_engine import sampling

pytest.importorskip("vllm")
pytestmark = pytest.mark.vllm
RANK, ALPHA = 4, 8
CHANGED = ("self_attn.q_proj", "self_attn.v_proj", "self_attn.o_proj", "mlp.down_proj")


def adapted(base: Path, folder: Path) -> tuple[Path, Path]:
    """A folder with a random adapter of the model, as PEFT writes one, and one of the model with it merged in."""
    adapter, merged = folder / "adapter", folder / "merged"
    adapter.mkdir()
    shutil.copytree(base, merged)
    weights, rng, parts = load_file(base / "model.safetensors"), np.random.default_rng(0), {}
    for name in [name for name in weights if name.removesuffix(".weight").endswith(CHANGED)]:
        out, into = weights[name].shape
        a = rng.normal(0, 0.15, (RANK, into)).astype(np.float32)
        b = rng.normal(0, 0.15, (out, RANK)).astype(np.float32)
        stem = f"base_model.model.{name.removesuffix('.weight')}"
        parts |= {f"{stem}.lora_A.weight": a, f"{stem}.lora_B.weight": b}
        weights[name] = weights[name] + ALPHA / RANK * b @ a
    config = {"peft_type": "LORA", "r": RANK, "lora_alpha": ALPHA, "task_type": "CAUSAL_LM", "bias": "none"}
    config |= {"base_model_name_or_path": str(base), "target_modules": [name.split(".")[1] for name in CHANGED]}
    (adapter / "adapter_config.json").write_text(json.dumps(config))
    save_file(parts, adapter / "adapter_model.safetensors", {"format": "pt"})
    save_file(weights, merged / "model.safetensors", {"format": "pt"})
    return adapter, merged


def test_an_adapter_writes_as_the_model_that_it_is_merged_into(
    load: Callable[..., Any], policy: Any, checkpoints: dict[str, Path], problems: list[Any], tmp_path: Path
) -> None:
    adapter, merged = adapted(checkpoints["mini-s"], tmp_path)
    engines = {
        "plain": policy,
        "adapter": load("adapter", checkpoints["mini-s"], memory=0.05, longest=512, lora=str(adapter)),
        "merged": load("merged", merged, memory=0.05, longest=512),
    }
    try:
        texts = {}
        for name, engine in engines.items():
            jobs = sampling(engine, problems[:30], temperature=0.0, until="step")
            texts[name] = [reply.text for reply in finish(engine, jobs)]
    finally:
        engines["adapter"].close()
        engines["merged"].close()
    same = [a == b for a, b in zip(texts["adapter"], texts["merged"], strict=True)]
    assert sum(same) >= 28, "but for near ties, as weights are added in another order"
    assert texts["adapter"] != texts["plain"]
