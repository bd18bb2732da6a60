"""What a model's table in the models file says to this engine."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from ttc_core import prompts
from ttc_core.errors import BadValue
from ttc_core.models_file import MAX_TOKENS
from ttc_core.settings import settings

LONGEST_KEY = 10_000  # characters


@dataclass(frozen=True)
class Options:
    """Of one model.

    model        as the server calls it
    endpoints    addresses without /v1; requests go to the least busy healthy one
    template     "chat": /v1/chat/completions; "completion", "few_shot": /v1/completions
    chat_format  "chatml", "llama3" or "llama3.1" (also Llama 3.2's): the conversation is written here, so that
                 /v1/completions serves; "" for none
    lead         what the assistant's turn begins with, for models that else begin it by thinking; with a chat_format
    continues    how the server goes on from a partial answer: "vllm" (continue_final_message), "prefix" (a flag in the
                 message), "plain" (it simply does) or "no"
    step, final  what ends a step; what the last step of a solution begins with, "" where only the end of the text tells
    key_env      environment variable with the key; key_file: a file with it, which its owner alone can read
    connections  most requests at a time to one endpoint
    max_tokens   of one reply
    timeout      seconds for one try; deadline: for all tries and pauses, TTC_PATIENCE where not said
    seeds        whether the server takes a seed; logprobs: whether it gives log-probabilities
    """

    model: str
    endpoints: tuple[str, ...]
    template: str = "chat"
    chat_format: str = ""
    continues: str = "vllm"
    system: str = ""
    lead: str = ""
    step: str = "\n\n"
    final: str = ""
    stop: tuple[str, ...] = ()
    max_tokens: int = MAX_TOKENS
    key_env: str = ""
    key_file: str = ""
    connections: int = 64
    timeout: float = 300.0
    deadline: float = field(default_factory=lambda: settings().patience)
    seeds: bool = True
    logprobs: bool = True

    @classmethod
    def of(cls, name: str, table: Mapping[str, Any]) -> Options:
        """Read a table that the models file has checked.

        Raises:
            BadValue: no server, one key for several of them, or a lead for a conversation that the server lays out.
        """
        given = {f.name: table[f.name] for f in fields(cls) if f.name in table and f.name != "endpoints"}
        urls = [*table.get("endpoints", ()), *filter(None, [table.get("base_url", "")])]
        endpoints = tuple(url.rstrip("/").removesuffix("/v1") for url in dict.fromkeys(urls))
        if not endpoints:
            raise BadValue(f"{name} has no server", hint="set base_url in your models.toml")
        if (table.get("key_env") or table.get("key_file")) and len({urlsplit(url)[:2] for url in endpoints}) > 1:
            raise BadValue(
                f"the key of {name} would go to several servers", hint="a key belongs to one origin: name one endpoint"
            )
        if table.get("lead") and not table.get("chat_format"):
            raise BadValue(
                f"lead of {name} needs its chat_format: without one the server begins the assistant's turn",
                hint='set chat_format = "chatml", "llama3" or "llama3.1", whichever is its own',
            )
        if table.get("template") == "few_shot":
            given = {"final": prompts.FINAL, **given}
        made = cls(**{**given, "endpoints": endpoints, "stop": tuple(table.get("stop", ()))})
        made.key()
        return made

    def key(self) -> str:
        """The key, "" for none; read when it is needed and kept nowhere.

        Raises:
            BadValue: its file cannot be read, or others than its owner can read it.
        """
        if not self.key_file:
            return os.environ.get(self.key_env, "").strip() if self.key_env else ""
        try:
            with Path(self.key_file).expanduser().open(encoding="ascii") as file:
                if os.fstat(file.fileno()).st_mode & 0o077:
                    raise BadValue(
                        "others can read the file that key_file names", hint="chmod 600 makes it yours alone"
                    )
                return file.read(LONGEST_KEY).strip()
        except (OSError, ValueError) as error:
            raise BadValue(f"the file that key_file names cannot be read: {type(error).__name__}") from error
