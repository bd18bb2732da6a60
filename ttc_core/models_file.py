"""The models file: which models and verifiers there are beside the embedded family.

`ttc_core/models.toml` is shipped; `models.toml` in the data folder, or the file that TTC_MODELS names, comes on top of
it, key by key, so that one line sets up a shipped model:

    [models.qwen3-0-6b]
    base_url = "http://127.0.0.1:8000"

A key of a server never stands in a file: `key_env` names the environment variable that holds it.
"""

from __future__ import annotations

import difflib
import importlib.util
import os
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ttc_core.errors import UserError
from ttc_core.settings import settings

SHIPPED = Path(__file__).with_name("models.toml")
Table = dict[str, Any]
_NUMBER = (int, float)
FIELDS: Mapping[str, tuple[tuple[type, ...], str]] = {  # of [models.NAME]
    "engine": ((str,), "text"),
    "model": ((str,), "text"),
    "about": ((str,), "text"),
    "parameters": ((int,), "a whole number"),
    "template": ((str,), "text"),
    "chat_format": ((str,), "text"),
    "continues": ((str,), "text"),
    "system": ((str,), "text"),
    "lead": ((str,), "text"),
    "step": ((str,), "text"),
    "final": ((str,), "text"),
    "stop": ((list,), "a list of texts"),
    "temperature": (_NUMBER, "a number"),
    "top_p": (_NUMBER, "a number"),
    "top_k": ((int,), "a whole number"),
    "min_p": (_NUMBER, "a number"),
    "max_tokens": ((int,), "a whole number"),
    "base_url": ((str,), "text"),
    "endpoints": ((list,), "a list of texts"),
    "key_env": ((str,), "text"),
    "key_file": ((str,), "text"),
    "connections": ((int,), "a whole number"),
    "deadline": (_NUMBER, "a number"),
    "timeout": (_NUMBER, "a number"),
    "seeds": ((bool,), "true or false"),
    "logprobs": ((bool,), "true or false"),
    "memory": (_NUMBER, "a number"),
    "lora": ((str,), "text"),
    "tensor_parallel": ((int,), "a whole number"),
    "dtype": ((str,), "text"),
    "device": ((str,), "text"),
    "head": ((str,), "text"),
    "revision": ((str,), "text"),
    "tokenizer": ((str,), "text"),
    "longest": ((int,), "a whole number"),
    "runner": ((str,), "text"),
    "eager": ((bool,), "true or false"),
    "revises": ((int,), "a whole number"),
    "critiques": ((bool,), "true or false"),
}
CHOICES = {
    "template": ("chat", "completion", "few_shot"),
    "chat_format": ("", "chatml", "llama3", "llama3.1"),
    "continues": ("vllm", "prefix", "plain", "no"),
}
LIMITS: Mapping[str, tuple[float, float]] = {  # key: least and most
    "parameters": (1, 10**14),
    "temperature": (0, 10),
    "top_p": (0, 1),
    "min_p": (0, 1),
    "max_tokens": (1, 10**6),
    "connections": (1, 4096),
    "deadline": (0.1, 86_400),
    "timeout": (0.1, 86_400),
}
POLICY = "policy"
MAX_TOKENS = 2048  # of one reply, where a table says nothing
MAX_CHARACTERS = 1 << 20


class BrokenFile(UserError):
    """A models file that says something impossible."""


def tables() -> tuple[dict[str, Table], dict[str, Table]]:
    """The [models] and the [verifiers] of all files, merged key by key.

    Raises:
        BrokenFile: with file, table and key in one sentence.
    """
    models: dict[str, Table] = {}
    verifiers: dict[str, Table] = {}
    for path in files():
        document = _read(path)
        for kind, merged in (("models", models), ("verifiers", verifiers)):
            for name, table in _named(document, kind, path):
                merged[name] = {**merged.get(name, {}), **_checked(table, kind, name, path)}
    _complete(models, verifiers, files()[-1])
    return models, verifiers


def files() -> list[Path]:
    """The files that are read, the shipped one first.

    Raises:
        BrokenFile: TTC_MODELS names a file that is not there.
    """
    own = settings().models or settings().data_dir / "models.toml"
    if settings().models is not None and not own.is_file():
        raise BrokenFile(f"there is no file {str(own)!r}, which TTC_MODELS names")
    return [SHIPPED, own] if own.is_file() else [SHIPPED]


def lacks(table: Mapping[str, Any]) -> str:
    """What a model still needs before it can be used, "" for nothing."""
    engine = table.get("engine")
    if engine == "openai_http" and not (table.get("base_url") or table.get("endpoints")):
        return "no server: set base_url in your models.toml"
    if engine == "vllm_local" and importlib.util.find_spec("vllm") is None:
        return "vLLM is not installed here: make .venv-vllm/.installed makes an environment that has it"
    if engine == "transformers_local" and not all(map(importlib.util.find_spec, ("torch", "transformers"))):
        return "torch and transformers are not installed: pip install torch transformers"
    variable = table.get("key_env", "")
    if variable and not os.environ.get(variable):
        return f"the environment variable {variable} is not set"
    return ""


def _read(path: Path) -> Table:
    try:
        with path.open(encoding="utf-8") as file:
            return tomllib.loads(file.read(MAX_CHARACTERS))
    except (OSError, ValueError, RecursionError) as error:
        raise BrokenFile(f"{path.name} cannot be read: {error}") from error


def _named(document: Table, kind: str, path: Path) -> list[tuple[str, Table]]:
    for key in document:
        if key not in ("models", "verifiers"):
            raise BrokenFile(
                f"{path.name} has {key!r}, which means nothing", hint="there are [models.NAME] and [verifiers.NAME]"
            )
    found = document.get(kind, {})
    if not isinstance(found, dict) or not all(isinstance(table, dict) for table in found.values()):
        raise BrokenFile(f"{kind} in {path.name} must be tables: [{kind}.NAME]")
    return list(found.items())


def _checked(table: Table, kind: str, name: str, path: Path) -> Table:
    where = f"of [{kind}.{name}] in {path.name}"
    if kind == "verifiers":
        if not isinstance(table.get("kind", ""), str):
            raise BrokenFile(f"kind {where} must be text, not {table['kind']!r}")
        return table
    for key, value in table.items():
        if key not in FIELDS:
            close = difflib.get_close_matches(key, FIELDS, n=1)
            hint = f"did you mean {close[0]}?" if close else f"there is: {', '.join(FIELDS)}"
            raise BrokenFile(f"{key} {where} means nothing", hint=hint)
        types, word = FIELDS[key]
        if not isinstance(value, types) or (isinstance(value, bool) and bool not in types):
            raise BrokenFile(f"{key} {where} must be {word}, not {value!r}")
        if isinstance(value, list) and not all(isinstance(one, str) for one in value):
            raise BrokenFile(f"{key} {where} must be {word}, not {value!r}")
        if key in CHOICES and value not in CHOICES[key]:
            raise BrokenFile(f"{key} {where} must be one of {', '.join(filter(None, CHOICES[key]))}, not {value!r}")
        if key in LIMITS and isinstance(value, _NUMBER) and not LIMITS[key][0] <= value <= LIMITS[key][1]:
            raise BrokenFile(f"{key} {where} must be between {LIMITS[key][0]:g} and {LIMITS[key][1]:g}, not {value}")
    for url in (*table.get("endpoints", ()), *filter(None, [table.get("base_url")])):
        if not url.startswith(("http://", "https://")) or "@" in url:
            raise BrokenFile(
                f"an address {where} must begin with http:// or https:// and hold no user or key",
                hint="key_env names the environment variable with the key",
            )
    return table


def _complete(models: dict[str, Table], verifiers: dict[str, Table], path: Path) -> None:
    """Every entry has what all need, whichever file said it."""
    for name, table in models.items():
        for key in ("engine", "model", "parameters"):
            if key not in table:
                raise BrokenFile(f"[models.{name}] in {path.name} has no {key}")
    for name, table in verifiers.items():
        if not table.get("kind"):
            raise BrokenFile(f"[verifiers.{name}] in {path.name} has no kind")
        if table["kind"] == POLICY:
            raise BrokenFile(f"kind of [verifiers.{name}] in {path.name} must be a verifier's, not {POLICY!r}")
