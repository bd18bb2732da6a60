"""How a model's text is cut into steps and solutions, seen in its token ids."""

from __future__ import annotations

import copy
import hashlib
import threading
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ttc_core.errors import EngineFault, UserError
from ttc_core.jobs import Message, Reading, Segment

TAG_HINT = "the verifier's format is made for another tokenizer"


@dataclass(frozen=True)
class Cut:
    """A beginning of what was sampled: so many tokens, holding so many steps, with which the solution is complete."""

    tokens: int
    steps: int
    final: bool


class Writing:
    """Of one tokenizer.

    step     the text that ends a step
    final    what the last step of a solution begins with, "" where only the end of the text tells
    lead     what the assistant's turn begins with, for models that else begin it by thinking
    id       equal for tokenizers whose ids are interchangeable
    beginning  ids that the tokenizer puts before every text
    pieces   the text of each token id, special tokens giving none
    enders   the ids of tokens that hold a whole `step`, () unless every step's end can be told by them alone
    """

    def __init__(self, tokenizer: Any, step: str, final: str = "", lead: str = "") -> None:
        self.step, self.final, self.lead, self._tokenizer = step, final, lead, copy.deepcopy(tokenizer)
        self._lock = threading.Lock()  # prompts are made in another thread than requests
        self.beginning: list[int] = tokenizer.encode("")  # what every text begins with
        size = len(tokenizer)
        self.pieces: list[str] = tokenizer.batch_decode([[i] for i in range(size)], skip_special_tokens=True)
        backend = getattr(tokenizer, "backend_tokenizer", None)
        known = backend.to_str() if backend is not None else repr(sorted(tokenizer.get_vocab().items()))
        self.id = hashlib.sha256(known.encode("utf-8", "replace")).hexdigest()[:16]
        self.enders = frozenset(i for i, piece in enumerate(self.pieces) if step in piece)

    @property
    def strings(self) -> list[str]:
        """Stop strings beside the ids: a step's end of several characters may lie across tokens."""
        return [self.step] if len(self.step) > 1 or not self.enders else []

    def encode(self, text: str) -> list[int]:
        """Token ids of a text, no special tokens added."""
        with self._lock:
            ids: list[int] = self._tokenizer.encode(text, add_special_tokens=False)
        return ids

    def token(self, text: str) -> int:
        """The last token that the tokenizer makes of a text.

        Raises:
            EngineFault: it makes none.
        """
        ids = self.encode(text)
        if not ids:
            raise EngineFault(f"the tokenizer has no token for {text!r}")
        return ids[-1]

    def read(self, reading: Reading) -> tuple[list[int], list[int]]:
        """Token ids of a reading, and for each mark the index of the token that holds the character before it.

        Raises:
            EngineFault: that token is not the reading's tag.
        """
        bos = self._tokenizer.bos_token_id
        ids: list[int] = [bos] if reading.begin and bos is not None else []
        ends = [0] * len(ids)  # of each token, in characters
        start = 0
        for piece in reading.pieces:
            with self._lock:
                encoded = self._tokenizer(piece, add_special_tokens=False, return_offsets_mapping=True)
            ids += encoded["input_ids"]
            ends += [start + end for _, end in encoded["offset_mapping"]]
            start += len(piece)
        places = [bisect_left(ends, mark) for mark in reading.marks]
        tag = self.token(reading.tag) if reading.tag else None
        for place in places:
            if place >= len(ids) or (tag is not None and ids[place] != tag):
                raise EngineFault(f"the tokenizer does not keep the step tag {reading.tag!r} apart", hint=TAG_HINT)
        return ids, places

    def chat(self, messages: Sequence[Message], answer: bool) -> str:
        """A conversation in the tokenizer's template; answer: up to where the assistant's answer begins.

        Raises:
            UserError: there is no template, or it refuses these turns.
        """
        if not getattr(self._tokenizer, "chat_template", None):
            raise UserError("this model has no chat template", hint='set template = "completion" or ask another one')
        import jinja2  # which tokenizers write templates with

        turns = [{"role": role, "content": content} for role, content in messages]
        with self._lock:
            try:
                text: str = self._tokenizer.apply_chat_template(turns, tokenize=False, add_generation_prompt=answer)
            except jinja2.TemplateError as error:
                raise UserError(
                    f"the model's chat template refuses this conversation: {error}",
                    hint="it may know no system turn: leave system out of its table",
                ) from error
        return text + (self.lead if answer else "")

    def of(self, context: Sequence[Segment]) -> list[int]:
        """Token ids of a context: a segment's own where they are this tokenizer's, else its text encoded."""
        ids: list[int] = []
        for segment in context:
            ids += segment.tokens if segment.tokenizer == self.id and segment.tokens else self.encode(segment.text)
        return ids

    def text(self, before: Sequence[int], tokens: Sequence[int]) -> str:
        """The text that `tokens` add behind `before`: a tokenizer may write a space differently at the beginning."""
        tail = [*before[-8:]]
        with self._lock:
            return self._text(tail, tokens)

    def _text(self, tail: Sequence[int], tokens: Sequence[int]) -> str:
        whole: str = self._tokenizer.decode([*tail, *tokens], skip_special_tokens=True)
        head: str = self._tokenizer.decode(tail, skip_special_tokens=True)
        return (
            whole[len(head) :]
            if whole.startswith(head)
            else self._tokenizer.decode([*tokens], skip_special_tokens=True)
        )

    def ends(self, tokens: Sequence[int]) -> list[int]:
        """Positions at which a step ends; the last token always counts as one."""
        found = [cut.tokens - 1 for cut in self.cuts(tokens)]
        return found if found and found[-1] == len(tokens) - 1 else [*found, len(tokens) - 1]

    def cuts(self, tokens: Sequence[int], most: int | None = None) -> list[Cut]:
        """What is complete at each step's end, up to `most` steps or the solution's end; empty steps do not count."""
        found: list[Cut] = []
        line = ""
        for i, token in enumerate(tokens):
            line += self.pieces[token] if token < len(self.pieces) else ""
            written, delimiter, rest = line.rpartition(self.step)
            if not delimiter:
                continue
            line = rest
            if not written.strip():
                continue
            final = bool(self.final) and written.lstrip().startswith(self.final)
            found.append(Cut(i + 1, len(found) + 1, final))
            if final or len(found) == most:
                break
        return found
