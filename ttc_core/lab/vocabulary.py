"""The word-level tokenizer of the embedded family: lossless on its own texts, digits are single tokens.

Ids 0-31 hold the special tokens, the digits and the signs; the words follow in alphabetical order. The vocabulary is
kept in `vocabulary.json` beside this file so that it never changes under trained weights.
"""

from __future__ import annotations

import json
import random
import re
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

from ttc_core.engines.embedded.tokens import prompt_pieces
from ttc_core.lab.problems import HELD_OUT, TRAINED, draw

SPECIAL = ("<pad>", "<bos>", "<eos>", "<unk>", "<good>", "<bad>", "<rev>", "<spare>")
SIGNS = ("\n", " + ", " - ", " * ", " / ", " = ", "% of ", " mod ", "Answer: ", " ", ".", "?", "%", ",")
PATTERN = r" [-+*/=] |% of | mod |Answer: |\d| ?[A-Za-z]+|[\s\S]"
PAD, BOS, EOS, UNK, GOOD, BAD, REV = range(7)
VOCABULARY_FILE = Path(__file__).with_name("vocabulary.json")
_PATTERN = re.compile(PATTERN)
_SAMPLES = 60_000


def build_vocabulary() -> list[str]:
    """Collect the tokens of many problems; words of held-out templates must all occur in trained ones.

    Raises:
        ValueError: if a held-out template uses a word that training never shows.
    """
    rng = random.Random(0)
    words: set[str] = set()
    for _ in range(_SAMPLES):
        problem = draw(rng, TRAINED)
        words.update(_PATTERN.findall(problem.question + "\n" + problem.solution))
    for _ in range(_SAMPLES // 20):
        unknown = set(_PATTERN.findall(draw(rng, HELD_OUT).question)) - words
        if unknown:
            raise ValueError(f"held-out templates use untrained tokens: {sorted(unknown)}")
    fixed = [*SPECIAL, *"0123456789", *SIGNS]
    return fixed + sorted(words - set(fixed))


@cache
def vocabulary() -> tuple[str, ...]:
    """Return all tokens in the order of their ids."""
    return tuple(json.loads(VOCABULARY_FILE.read_text()))


@cache
def _ids() -> dict[str, int]:
    return {token: index for index, token in enumerate(vocabulary())}


def encode(text: str) -> list[int]:
    """Return the token ids of a text without special tokens."""
    ids = _ids()
    return [ids.get(token, UNK) for token in _PATTERN.findall(text)]


def decode(tokens: list[int]) -> str:
    """Return the text of token ids; special tokens give nothing."""
    return "".join(vocabulary()[token] for token in tokens if token >= len(SPECIAL))


def prompt(question: str, attempts: Sequence[str] = ()) -> list[int]:
    """Return the tokens a solution is sampled from: <bos>, the question, a newline.

    With `attempts` (texts of whole solutions, the latest last) it is a revision that is sampled: each attempt and an
    <eos> stand between the question and the newline.
    """
    return [token for piece in prompt_pieces(encode, BOS, EOS, question, attempts) for token in piece]


def tokenizer_json() -> dict[str, Any]:
    """Return the same tokenizer in the format of Hugging Face `tokenizer.json`."""
    special = [
        {
            "id": i,
            "content": t,
            "single_word": False,
            "lstrip": False,
            "rstrip": False,
            "normalized": False,
            "special": True,
        }
        for i, t in enumerate(SPECIAL)
    ]
    return {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": special,
        "normalizer": None,
        "pre_tokenizer": {"type": "Split", "pattern": {"Regex": PATTERN}, "behavior": "Isolated", "invert": False},
        "post_processor": {
            "type": "TemplateProcessing",
            "single": [{"SpecialToken": {"id": "<bos>", "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}}],
            "pair": [
                {"SpecialToken": {"id": "<bos>", "type_id": 0}},
                {"Sequence": {"id": "A", "type_id": 0}},
                {"Sequence": {"id": "B", "type_id": 0}},
            ],
            "special_tokens": {"<bos>": {"id": "<bos>", "ids": [BOS], "tokens": ["<bos>"]}},
        },
        "decoder": {"type": "Fuse"},
        "model": {"type": "WordLevel", "vocab": dict(_ids()), "unk_token": "<unk>"},
    }


def tokenizer_config() -> dict[str, Any]:
    """Return the content of `tokenizer_config.json`."""
    return {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "bos_token": "<bos>",
        "eos_token": "<eos>",
        "unk_token": "<unk>",
        "pad_token": "<pad>",
        "add_bos_token": True,
        "clean_up_tokenization_spaces": False,
        "model_max_length": 2048,
    }


if __name__ == "__main__":
    VOCABULARY_FILE.write_text(json.dumps(build_vocabulary(), indent=0) + "\n")
