"""Evaluations by a server: log-probabilities of a text, of tokens at its marks, values of a model's own head."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ttc_core.engines.openai_http import replies
from ttc_core.engines.openai_http.client import Client
from ttc_core.engines.openai_http.options import Options
from ttc_core.engines.openai_http.replies import Choice, Spent
from ttc_core.errors import EngineFault
from ttc_core.jobs import Evaluated, EvaluateJob, Reading

LIKELIEST = 20  # as many as servers give
NO_TEXT = 'set chat_format = "chatml", "llama3" or "llama3.1", whichever is its own'


@dataclass(frozen=True)
class Judge:
    """Of one model; see `EvaluateJob`."""

    name: str
    options: Options
    client: Client

    async def evaluate(self, job: EvaluateJob) -> Evaluated:
        """Answer a job.

        Raises:
            EngineError: this server cannot, or did not.
        """
        if job.reading is None:
            return await self._text(job)
        if job.write:
            choice, spent = await self._write(job.reading, max_tokens=job.write)
            return self._reply(job, [spent], text=choice.text)
        if job.read:
            rows, spent = await self._tokens(job.reading, job.read)
            return self._reply(job, [spent], logits=rows)
        values, costs = await self._values(job.reading)
        return self._reply(job, costs, values=values)

    def _reply(self, job: EvaluateJob, costs: list[Spent], **said: Any) -> Evaluated:
        computed = sum(cost.computed + cost.generated for cost in costs)
        return Evaluated(job.ticket, computed=computed, cached=sum(cost.cached for cost in costs), **said)

    # --- the model's own text ----------------------------------------------------------------------------------------

    async def _text(self, job: EvaluateJob) -> Evaluated:
        if job.read:
            raise EngineFault(f"{self.name} runs behind a server, which reads no embedded verifier")
        before, target = "".join(segment.text for segment in job.context), job.target.text
        if before.startswith("\x00"):
            raise EngineFault(f"{self.name}'s server scores text only, not conversations", hint=NO_TEXT)
        asked = self._asked(before + target, bool(self.options.chat_format), echo=True, logprobs=1, max_tokens=1)
        [choice], spent = await self._completions(asked, 1)
        inside = [i for i, at in enumerate(choice.offsets) if len(before) <= at < len(before + target)]
        if not inside or len(choice.logprobs) < len(choice.offsets):
            raise EngineFault(f"{self.name}'s server gives no log-probabilities of a prompt (echo)")
        starts = [choice.offsets[i] - len(before) for i in inside]
        ends = [i for i, stop in enumerate([*starts[1:], len(target)]) if target[:stop].endswith(self.options.step)]
        last = len(inside) - 1
        logprobs = tuple(choice.logprobs[i] for i in inside)
        step_ends = tuple(ends if ends and ends[-1] == last else [*ends, last])
        return self._reply(job, [spent], logprobs=logprobs, step_ends=step_ends)

    # --- readings ----------------------------------------------------------------------------------------------------

    def _asked(self, prompt: Any, whole: bool, **more: Any) -> dict[str, Any]:
        """A request to /v1/completions. whole: the text has its own beginning."""
        special = {"add_special_tokens": False} if whole and not isinstance(prompt, list) else {}
        return {"model": self.options.model, "prompt": prompt, "temperature": 0.0, **special, **more}

    async def _completions(self, asked: dict[str, Any], n: int) -> tuple[list[Choice], Spent]:
        read = lambda document: replies.choices(document, n, False)  # noqa: E731
        found: tuple[list[Choice], Spent] = await self.client.post("/v1/completions", asked, read)
        return found

    def _spoken(self, reading: Reading) -> bool:
        """Whether it is sent as a conversation: it is one, and its form as a text is not known here."""
        return bool(reading.messages) and not self.options.chat_format

    async def _write(self, reading: Reading, **more: Any) -> tuple[Choice, Spent]:
        """What the model writes behind a reading."""
        if not self._spoken(reading):
            [choice], spent = await self._completions(self._asked(reading.text, not reading.begin, **more), 1)
            return choice, spent
        turns = [{"role": role, "content": content} for role, content in reading.messages]
        asked = {"model": self.options.model, "messages": turns, "temperature": 0.0, **more}
        if turns[-1]["role"] == "assistant":
            asked |= {"continue_final_message": True, "add_generation_prompt": False}
        if "logprobs" in asked:
            asked |= {"logprobs": True, "top_logprobs": more["logprobs"]}
        read = lambda document: replies.choices(document, 1, True)  # noqa: E731
        [choice], spent = await self.client.post("/v1/chat/completions", asked, read)
        return choice, spent

    async def _tokens(self, reading: Reading, read: Sequence[int | str]) -> tuple[tuple[tuple[float, ...], ...], Spent]:
        """Log-probabilities of `read` behind each mark; minus infinity beyond the likeliest."""
        if not all(isinstance(token, str) for token in read):
            raise EngineFault(f"{self.name}'s server is asked by text, not by token numbers")
        if self._spoken(reading):
            if len(reading.marks) > 1 or reading.marks[0] != len(reading.text):
                raise EngineFault(f"{self.name}'s server takes conversations only, read at their end", hint=NO_TEXT)
            choice, spent = await self._write(reading, max_tokens=1, logprobs=LIKELIEST)
            return (self._row(choice, read),), spent
        texts = [reading.text[:mark] for mark in reading.marks]
        asked = self._asked(texts, not reading.begin, max_tokens=1, logprobs=LIKELIEST)
        if not reading.begin:
            asked["add_special_tokens"] = False
        found, spent = await self._completions(asked, len(texts))
        return tuple(self._row(choice, read) for choice in found), spent

    def _row(self, choice: Choice, read: Sequence[int | str]) -> tuple[float, ...]:
        if not choice.likely:
            raise EngineFault(f"{self.name}'s server gives no log-probabilities, which this verifier reads")
        best: dict[str, float] = {}
        for token, value in choice.likely[0]:
            word = token.strip() or token
            best[word] = max(value, best.get(word, -math.inf))
        row = tuple(best.get(str(token).strip(), -math.inf) for token in read)
        if max(row) == -math.inf:
            raise EngineFault(f"{self.name} answers with none of {', '.join(map(str, read))}: is it this verifier's?")
        return row

    async def _values(self, reading: Reading) -> tuple[tuple[tuple[float, ...], ...], list[Spent]]:
        """What the head gives at each mark. The server tokenizes, so that every piece is encoded by itself."""
        if self._spoken(reading):
            raise EngineFault(f"{self.name}'s own head is read in a text", hint=NO_TEXT)
        ids, places = await self._encoded(reading)
        asked = {"model": self.options.model, "input": ids, "use_activation": False}
        rows, spent = await self.client.post("/pooling", asked, replies.pooled)
        if len(rows) == len(ids):
            return tuple(rows[place] for place in places), [spent]
        if len(places) > len(rows):
            raise EngineFault(f"{self.name}'s server pooled {len(rows)} steps where {len(places)} are scored")
        return tuple(rows[len(rows) - len(places) :]), [spent]

    async def _encoded(self, reading: Reading) -> tuple[list[int], list[int]]:
        """Token ids, and for each mark the place of the token that ends there."""
        ids: list[int] = []
        places: list[int] = []
        start = 0
        for number, piece in enumerate(reading.pieces):
            begin = reading.begin and number == 0
            inside = [mark - start for mark in reading.marks if start < mark <= start + len(piece)]
            whole = await self._tokenize(piece, begin)
            for mark in inside:
                head = whole if mark == len(piece) else await self._tokenize(piece[:mark], begin)
                if whole[: len(head)] != head:
                    raise EngineFault(f"{self.name}'s tokenizer does not keep the step tag {reading.tag!r} apart")
                places.append(len(ids) + len(head) - 1)
            ids += whole
            start += len(piece)
        return ids, places

    async def _tokenize(self, text: str, begin: bool) -> list[int]:
        asked = {"model": self.options.model, "prompt": text, "add_special_tokens": begin}
        found: list[int] = await self.client.post("/tokenize", asked, replies.tokens)
        return found
