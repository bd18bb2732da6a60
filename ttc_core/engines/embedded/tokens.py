"""Text to token ids and back, and where steps and solutions end."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from itertools import pairwise
from pathlib import Path

from ttc_core.errors import EngineFault
from ttc_core.jobs import Segment

DELIMITER = "\n"
ANSWER = "Answer: "


def prompt_pieces(
    encode: Callable[[str], Sequence[int]], bos: int, eos: int, question: str, attempts: Sequence[str] = ()
) -> list[tuple[int, ...]]:
    """Token ids of <bos> question, then of each attempt (the latest last) with its <eos>, then of the line end.

    The solution, or with attempts their revision, is written behind it. Models are trained on just these ids
    (ttc_core/lab/vocabulary.py), so they must never change. Pieces, because other prompts may share the first ones.
    """
    revised = [(*encode(attempt), eos) for attempt in attempts]
    return [(bos, *encode(question)), *revised, tuple(encode(DELIMITER))]


class Tokenizer:
    """A folder's `tokenizer.json`. `id` is a digest of the file: equal ids mean interchangeable token ids."""

    def __init__(self, folder: Path) -> None:
        """Read it.

        Raises:
            EngineFault: missing, broken, or without the tokens that end a step and a solution.
        """
        from tokenizers import Tokenizer as Library

        try:
            content = (folder / "tokenizer.json").read_bytes()
            self._library = Library.from_str(content.decode("utf-8"))
            config = json.loads((folder / "config.json").read_text("utf-8"))
            self.bos, self.eos = int(config["bos_token_id"]), int(config["eos_token_id"])
        except Exception as error:  # the library raises plain Exception
            raise EngineFault(f"the tokenizer in {folder.name} cannot be loaded: {error}") from error
        vocabulary: dict[str, int] = self._library.get_vocab(with_added_tokens=True)
        special = set(self._library.get_added_tokens_decoder())
        words = {index: word for word, index in vocabulary.items()}
        self._words = ["" if i in special else words.get(i, "") for i in range(max(words) + 1)]
        self.id = hashlib.sha256(content).hexdigest()[:16]
        if DELIMITER not in vocabulary or ANSWER not in vocabulary:
            raise EngineFault(f"the tokenizer in {folder.name} has no token of its own for a line end and {ANSWER!r}")
        self.delimiter, self.answer = vocabulary[DELIMITER], vocabulary[ANSWER]

    def encode(self, text: str) -> tuple[int, ...]:
        """Token ids of a text, no special tokens added; what it does not know becomes <unk>."""
        clean = text.encode("utf-8", "replace").decode("utf-8")  # lone surrogates cannot cross into the library
        return tuple(self._library.encode(clean, add_special_tokens=False).ids)

    def decode(self, tokens: tuple[int, ...]) -> str:
        """The text of token ids; special tokens give nothing."""
        return "".join(self._words[t] for t in tokens)

    def of(self, segment: Segment) -> tuple[int, ...]:
        """The segment's own ids where they are this tokenizer's, else its text encoded."""
        return segment.tokens if segment.tokenizer == self.id else self.encode(segment.text)

    def pieces(self, segment: Segment) -> tuple[tuple[int, ...], ...]:
        """The segment's ids, cut where it says that other contexts may go on differently."""
        tokens = self.of(segment)
        if not segment.cuts or tokens is not segment.tokens:
            return (tokens,)
        return tuple(tokens[a:b] for a, b in pairwise((0, *segment.cuts, len(tokens))))

    def prompt(self, question: str, attempts: Sequence[str] = ()) -> list[tuple[int, ...]]:
        """`prompt_pieces` in this tokenizer's ids."""
        return prompt_pieces(self.encode, self.bos, self.eos, question, attempts)

    def ends(self, tokens: tuple[int, ...]) -> list[int]:
        """Positions at which a step ends; the last token always counts as one."""
        found = [i for i, token in enumerate(tokens) if token == self.delimiter]
        return found if found and found[-1] == len(tokens) - 1 else [*found, len(tokens) - 1]
