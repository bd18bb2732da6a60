"""What a model's table in the models file says to vLLM, and who holds how much of the GPU's memory."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from ttc_core.errors import BadValue, UserError

SHARE = 0.45  # of the GPU's memory where a table says nothing: a policy and a verifier fit beside each other
GIB = 2**30


@dataclass(frozen=True)
class Options:
    """Of one model.

    model            folder or hub name; only its safetensors files are read
    revision         of the hub's repository: a branch, tag or commit; "" for the newest
    tokenizer        another folder or hub name where the model brings none
    memory           share of the GPU's memory (of the machine's where there is no GPU), in (0, 1]
    tensor_parallel  GPUs that the model is spread over
    lora             folder or hub name of a LoRA adapter that every request uses, "" for none
    dtype            as vLLM names it
    longest          most tokens of prompt and reply together, 0: as the model's configuration says
    runner           "generate", or "pooling" for reward models whose head vLLM runs itself
    eager            no CUDA graphs: starts faster, decodes slower
    """

    model: str
    revision: str = ""
    tokenizer: str = ""
    memory: float = SHARE
    tensor_parallel: int = 1
    lora: str = ""
    dtype: str = "auto"
    longest: int = 0
    runner: str = "generate"
    eager: bool = False

    @classmethod
    def of(cls, name: str, table: Mapping[str, Any]) -> Options:
        """Read a table; its other fields are for others.

        Raises:
            BadValue: a field of the wrong type or out of its range.
        """
        given = {f.name: table[f.name] for f in fields(cls) if f.name in table}
        for key, value in given.items():
            wanted = type(getattr(cls, key)) if key != "model" else str
            if not isinstance(value, wanted) and not (wanted is float and isinstance(value, int)):
                raise BadValue(f"{key} of {name} must be {wanted.__name__}, not {value!r}")
        options = cls(**{"model": name, **given})
        if not 0 < options.memory <= 1:
            raise BadValue(f"memory of {name} must be a share between 0 and 1, not {options.memory:g}")
        if options.tensor_parallel < 1:
            raise BadValue(f"tensor_parallel of {name} must be at least 1, not {options.tensor_parallel}")
        if options.runner not in ("generate", "pooling"):
            raise BadValue(f"runner of {name} must be generate or pooling, not {options.runner!r}")
        return options

    def arguments(self, *, cpu: bool, places: int) -> dict[str, Any]:
        """Keyword arguments of vLLM's AsyncEngineArgs. places: how many requests it works on at a time."""
        given: dict[str, Any] = {
            "model": self.model,
            "load_format": "safetensors",
            "dtype": self.dtype,
            "runner": self.runner,
            "enforce_eager": self.eager or cpu,
            "gpu_memory_utilization": self.memory,
            "tensor_parallel_size": self.tensor_parallel,
            "max_num_seqs": places,
            "enable_prefix_caching": True,
            "disable_log_stats": True,
        }
        if self.revision:
            given["revision"] = self.revision
        if self.tokenizer:
            given.update(tokenizer=self.tokenizer, tokenizer_revision="main")  # else vLLM takes the model's revision
        if self.runner == "pooling":  # the value at every token: where it is read is for the verifier to say
            given["pooler_config"] = {"tok_pooling_type": "ALL"}
        if self.longest:
            given["max_model_len"] = self.longest
        if self.lora:
            given.update(enable_lora=True, max_loras=1, max_lora_rank=self._rank())
        if cpu:  # a seeded request whose prompt is read in parts ends vLLM there
            given.update(enable_chunked_prefill=False, max_num_batched_tokens=max(8192, self.longest), block_size=32)
        return given

    def adapter(self) -> Path:
        """The folder of the adapter, fetched from the hub if there is none of this name; of weights only safetensors.

        Raises:
            UserError: it has no such weights.
        """
        folder = Path(self.lora)
        if not folder.is_dir():
            from huggingface_hub import snapshot_download

            folder = Path(snapshot_download(self.lora, allow_patterns=["*.json", "*.safetensors"]))
        if not (folder / "adapter_model.safetensors").is_file():
            raise UserError(
                f"the LoRA adapter {self.lora} has no adapter_model.safetensors", hint="pickled weights are never read"
            )
        return folder

    def _rank(self) -> int:
        """The smallest rank that vLLM offers and the adapter fits in."""
        path = self.adapter() / "adapter_config.json"
        rank = int(json.loads(path.read_text("utf-8")).get("r", 16)) if path.is_file() else 16
        return next((offered for offered in (8, 16, 32, 64, 128, 256, 320, 512) if offered >= rank), rank)


_held: dict[str, float] = {}


def take_memory(name: str, share: float) -> None:
    """Note that a model holds this share of the GPU's memory.

    Raises:
        UserError: those that are loaded leave less.
    """
    others = sum(held for holder, held in _held.items() if holder != name)
    if others + share > 1.0:
        holders = " and ".join(f"{holder} ({held:g})" for holder, held in sorted(_held.items()) if holder != name)
        raise UserError(
            f"{name} wants {share:g} of the GPU's memory, but {holders} leave {max(0.0, 1 - others):g}",
            hint="give them smaller shares in the models file, such as memory = 0.45 each",
        )
    _held[name] = share


def give_memory_back(name: str) -> None:
    """The model was not loaded, or is no more."""
    _held.pop(name, None)


def check_free(name: str, share: float, free: int, total: int) -> None:
    """Refuse before vLLM does it less clearly. free, total: bytes of the GPU.

    Raises:
        UserError: other programs leave less than the share.
    """
    if share * total > free:
        raise UserError(
            f"{name} wants {share:g} of the GPU's memory ({share * total / GIB:.1f} GiB), "
            f"but only {free / GIB:.1f} of {total / GIB:.1f} GiB are free",
            hint="end what else uses the GPU, or set a smaller memory share in the models file",
        )
