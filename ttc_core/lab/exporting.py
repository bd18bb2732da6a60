"""Writing members of the family as folders that transformers, vLLM and the embedded engine load."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ttc_core.lab.model import EPSILON, LONGEST, ROPE_BASE, Llama, Shape, build
from ttc_core.lab.vocabulary import BOS, EOS, PAD, tokenizer_config, tokenizer_json

_NAMES = {
    "q": "self_attn.q_proj",
    "k": "self_attn.k_proj",
    "v": "self_attn.v_proj",
    "o": "self_attn.o_proj",
    "gate": "mlp.gate_proj",
    "up": "mlp.up_proj",
    "down": "mlp.down_proj",
    "norm1": "input_layernorm",
    "norm2": "post_attention_layernorm",
}


def write_json(path: Path, content: Any) -> None:
    """Write indented JSON; a number that JSON does not have, of a model trained too little to measure, is null."""
    path.write_text(json.dumps(_known(content), indent=2, allow_nan=False) + "\n")


def _known(content: Any) -> Any:
    if isinstance(content, dict):
        return {name: _known(value) for name, value in content.items()}
    if isinstance(content, list | tuple):
        return [_known(value) for value in content]
    return None if isinstance(content, float) and not math.isfinite(content) else content


def llama_config(shape: Shape, half: bool) -> dict[str, Any]:
    """Return the content of config.json."""
    return {
        "architectures": ["LlamaForCausalLM"],
        "model_type": "llama",
        "attention_bias": False,
        "bos_token_id": BOS,
        "eos_token_id": EOS,
        "pad_token_id": PAD,
        "head_dim": shape.width // shape.heads,
        "hidden_act": "silu",
        "hidden_size": shape.width,
        "intermediate_size": shape.inner,
        "max_position_embeddings": LONGEST,
        "mlp_bias": False,
        "num_attention_heads": shape.heads,
        "num_hidden_layers": shape.layers,
        "num_key_value_heads": shape.heads,
        "rms_norm_eps": EPSILON,
        "rope_theta": ROPE_BASE,
        "tie_word_embeddings": True,
        "torch_dtype": "float16" if half else "float32",
        "vocab_size": shape.vocabulary,
    }


def llama_name(name: str) -> str:
    """Return the transformers name of one of our weights."""
    if name == "embedding.weight":
        return "model.embed_tokens.weight"
    if name == "norm.weight":
        return "model.norm.weight"
    _, index, part, _ = name.split(".")
    return f"model.layers.{index}.{_NAMES[part]}.weight"


def export_model(model: Llama, folder: Path, half: bool) -> None:
    """Write weights, configuration and tokenizer of a model.

    Arguments:
        half: store the weights in fp16 (they are computed with in fp32).
    """
    from safetensors.torch import save_file

    folder.mkdir(parents=True, exist_ok=True)
    dtype = torch.float16 if half else torch.float32
    weights = {llama_name(k): v.to(dtype).contiguous() for k, v in model.state_dict().items()}
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    (folder / "model.safetensors").chmod(0o644)
    record_sum(folder)
    write_json(folder / "config.json", llama_config(model.shape, half))
    write_json(folder / "generation_config.json", {"bos_token_id": BOS, "eos_token_id": EOS, "pad_token_id": PAD})
    (folder / "tokenizer.json").write_text(json.dumps(tokenizer_json(), ensure_ascii=False, indent=1) + "\n")
    write_json(folder / "tokenizer_config.json", tokenizer_config())


def record_sum(folder: Path) -> None:
    """Write the weights' SHA-256 into the folder of models, where it keeps such sums (`sha256sum -c SHA256SUMS`)."""
    sums = folder.parent / "SHA256SUMS"
    if not sums.is_file():
        return
    name = f"{folder.name}/model.safetensors"
    digest = hashlib.sha256((folder / "model.safetensors").read_bytes()).hexdigest()
    lines = [line for line in sums.read_text("utf-8").splitlines() if not line.endswith(f"  {name}")]
    sums.write_text("".join(f"{line}\n" for line in sorted([*lines, f"{digest}  {name}"], key=lambda one: one[66:])))


def import_model(folder: Path) -> Llama:
    """Read a model written by export_model back, in fp32."""
    from safetensors.torch import load_file

    config = json.loads((folder / "config.json").read_text())
    shape = Shape(
        width=config["hidden_size"],
        layers=config["num_hidden_layers"],
        heads=config["num_attention_heads"],
        inner=config["intermediate_size"],
        vocabulary=config["vocab_size"],
    )
    weights: Mapping[str, Tensor] = load_file(folder / "model.safetensors")
    state = {name: weights[llama_name(name)].float() for name in build(shape).state_dict()}
    return build(shape, state)
