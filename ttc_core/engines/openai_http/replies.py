"""What a server's JSON says: choices of a completion or a conversation, pooled values, token ids."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ttc_core.engines.openai_http.client import Broken

UNKNOWN = "?"  # the server does not say what stopped it


@dataclass(frozen=True)
class Choice:
    """One continuation.

    reason    "stop" or "length"; stopped: the stop text, "" for the end of the text, `UNKNOWN` if the server keeps it
              for itself
    tokens    their ids, () if not given
    logprobs  of the tokens, natural, () if not given; likely: (token, log-probability) of the likeliest at each token
    """

    text: str
    reason: str
    stopped: str
    logprobs: tuple[float, ...] = ()
    likely: tuple[tuple[tuple[str, float], ...], ...] = ()
    offsets: tuple[int, ...] = ()
    tokens: tuple[int, ...] = ()


@dataclass(frozen=True)
class Spent:
    """Tokens of a request: prompt computed and found in a cache, generated."""

    computed: int = 0
    cached: int = 0
    generated: int = 0


def choices(document: dict[str, Any], n: int, chat: bool, cut: bool = False) -> tuple[list[Choice], Spent]:
    """The n choices in the order of their numbers. cut: one that was cut off while it still thought has said nothing.

    Raises:
        Broken: there are more or fewer, two have one number, or one has no text.
    """
    found = document.get("choices")
    if not isinstance(found, list) or len(found) != n:
        had = len(found) if isinstance(found, list) else "no"
        raise Broken(f"{had} choices instead of {n}")
    ordered = sorted(found, key=lambda choice: int(choice.get("index", 0)))
    if n > 1 and [choice["index"] for choice in ordered] != list(range(n)):
        raise Broken("choices without numbers of their own")
    return [_choice(choice, chat, cut) for choice in ordered], spent(document)


def _choice(found: Mapping[str, Any], chat: bool, cut: bool) -> Choice:
    text = found["message"]["content"] if chat else found["text"]
    if chat and cut and text is None and found.get("finish_reason") == "length":
        text = ""
    if not isinstance(text, str):
        raise Broken("a choice without text")
    reason = found.get("finish_reason")
    if reason not in ("stop", "length"):
        raise Broken(f"it stopped for {reason!r}")
    stopped = found.get("stop_reason", UNKNOWN)
    said = "" if stopped is None or isinstance(stopped, int) else str(stopped)
    logs = found.get("logprobs") or {}
    ids = tuple(int(token) for token in found.get("token_ids") or ())
    return Choice(text, reason, said, *(_chat_logs(logs) if chat else _logs(logs)), tokens=ids)


def _chat_logs(logs: Mapping[str, Any]) -> tuple[Any, Any, Any]:
    content = logs.get("content") or []
    likely = tuple(
        tuple((str(best["token"]), _number(best["logprob"])) for best in token.get("top_logprobs") or ())
        for token in content
    )
    return tuple(_number(token["logprob"]) for token in content), likely, ()


def _logs(logs: Mapping[str, Any]) -> tuple[Any, Any, Any]:
    given = logs.get("token_logprobs") or []
    if isinstance(logs.get("content"), list):  # llama.cpp writes the form of conversations here
        return _chat_logs(logs)
    likely = tuple(
        tuple((str(token), _number(value)) for token, value in (best or {}).items())
        for best in logs.get("top_logprobs") or ()
    )
    offsets = tuple(int(at) for at in logs.get("text_offset") or ())
    return tuple(0.0 if value is None else _number(value) for value in given), likely, offsets


def _number(value: Any) -> float:
    number = float(value)
    if math.isnan(number) or number > 1e-6:
        raise Broken(f"{value} as a log-probability")
    return number


def spent(document: Mapping[str, Any]) -> Spent:
    """What the request cost; zeros where the server does not say."""
    usage = document.get("usage") or {}
    prompt, generated = (max(0, int(usage.get(key) or 0)) for key in ("prompt_tokens", "completion_tokens"))
    cached = min(prompt, max(0, int((usage.get("prompt_tokens_details") or {}).get("cached_tokens") or 0)))
    return Spent(prompt - cached, cached, generated)


def pooled(document: dict[str, Any]) -> tuple[list[tuple[float, ...]], Spent]:
    """Rows of values of one text, one where the server gives a single vector.

    Raises:
        Broken: none, or what is no number.
    """
    found = document.get("data")
    if not isinstance(found, list) or len(found) != 1:
        raise Broken("it pooled another number of texts")
    data = found[0]["data"]
    rows = data if data and isinstance(data[0], list) else [data]
    values = [tuple(float(value) for value in row) for row in rows]
    if not values or not all(row and all(map(math.isfinite, row)) for row in values):
        raise Broken("its values are no numbers")
    return values, spent(document)


def tokens(document: dict[str, Any]) -> list[int]:
    """Token ids that the server makes of a text."""
    return [int(token) for token in document["tokens"]]


def room(document: dict[str, Any]) -> int:
    """Tokens that the model's context still has place for behind a text that vLLM has counted."""
    return int(document["max_model_len"]) - int(document["count"])
