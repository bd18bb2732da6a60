"""A member of the family as other programs want it: heads wide enough for their kernels, weights in fp32.

vLLM's attention on a CPU has kernels for heads of 32, 64, 80 ... numbers, those of the family have 16. Heads padded
with zeros compute the same: rotary pairs (i, i + d/2) keep their frequencies when the base is raised to the power of
the widening, and queries take the square root of it, because scores are divided by the root of the wider head.
"""

from __future__ import annotations

import json
import math
import shutil
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

TOKENIZER_FILES = ("tokenizer.json", "tokenizer_config.json", "generation_config.json")
Weights = NDArray[np.float32]


def export_checkpoint(folder: Path, target: Path, head: int) -> Path:
    """Write the model in `folder` to `target` with heads of `head` numbers; both compute the same.

    Arguments:
        head: numbers a head has, a multiple of what it has now.

    Raises:
        ValueError: `head` is no such multiple.
    """
    from safetensors.numpy import load_file, save_file

    config = json.loads((folder / "config.json").read_text("utf-8"))
    now = int(config["head_dim"])
    if head % now:
        raise ValueError(f"heads of {now} numbers cannot be widened to {head}")
    target.mkdir(parents=True, exist_ok=True)
    heads = int(config["num_attention_heads"])
    weights = load_file(folder / "model.safetensors")
    save_file(
        {k: _widened(k, v, heads, head) for k, v in weights.items()}, target / "model.safetensors", {"format": "pt"}
    )
    (target / "config.json").write_text(json.dumps(_config(config, head // now), indent=2) + "\n", "utf-8")
    for name in TOKENIZER_FILES:
        shutil.copyfile(folder / name, target / name)
    return target


def _config(config: dict[str, Any], factor: int) -> dict[str, Any]:
    return {
        **config,
        "head_dim": config["head_dim"] * factor,
        "rope_theta": config["rope_theta"] ** factor,
        "torch_dtype": "float32",
    }


def _widened(name: str, weight: NDArray[Any], heads: int, head: int) -> Weights:
    """One weight with wider heads: (heads head, width) of q, k and v; (width, heads head) of o; others as they are."""
    full = weight.astype(np.float32)
    part = name.rsplit(".", 2)[-2]
    if part == "o_proj":
        return np.ascontiguousarray(_spread(full.T, heads, head, halves=False).T)
    if part not in ("q_proj", "k_proj", "v_proj"):
        return full
    wide = _spread(full, heads, head, halves=part != "v_proj")
    return wide * np.float32(math.sqrt(wide.shape[0] / full.shape[0])) if part == "q_proj" else wide


def _spread(weight: Weights, heads: int, head: int, halves: bool) -> Weights:
    """Zeros between the rows (heads d, width) so that each head has `head`; in both halves when they are rotated."""
    width = weight.shape[1]
    groups = heads * (2 if halves else 1)
    rows = weight.reshape(groups, -1, width)
    wide = np.zeros((groups, heads * head // groups, width), np.float32)
    wide[:, : rows.shape[1]] = rows
    return wide.reshape(heads * head, width)
