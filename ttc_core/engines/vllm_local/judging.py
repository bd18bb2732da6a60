"""Evaluations by vLLM: log-probabilities of a text, logits at its step ends or marks, values of a model's own head."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ttc_core.engines.vllm_local.core import Core
from ttc_core.engines.vllm_local.writing import Writing
from ttc_core.errors import EngineFault
from ttc_core.jobs import Evaluated, EvaluateJob, Reading

Rows = tuple[tuple[float, ...], ...]


def too_long(core: Core, length: int) -> EngineFault:
    """For a text of so many tokens."""
    return EngineFault(
        f"the question and what is written so far have {length} tokens, {core.name} reads {core.longest}",
        hint="shorten the question",
    )


@dataclass(frozen=True)
class Judge:
    """Of one model; see `EvaluateJob`."""

    core: Core
    writing: Writing

    async def evaluate(self, job: EvaluateJob) -> Evaluated:
        """Answer a job.

        Raises:
            EngineFault: this model cannot.
        """
        if job.reading is not None:
            return await self._reading(job, job.reading)
        context, target = self.writing.of(job.context), self.writing.of((job.target,))
        if not target:
            raise EngineFault("there is no text to score")
        tokens = self._fitting([*context, *target])
        ends = self.writing.ends(target)
        if job.read:
            rows, computed, _ = await self._logits(tokens, [len(context) + end for end in ends], job.read)
            return Evaluated(job.ticket, (), tuple(ends), rows, computed, max(0, len(tokens) - computed))
        output = await self.core.generate(tokens, max_tokens=1, temperature=0.0, prompt_logprobs=0)
        likely = zip(output.prompt_logprobs[len(context) :], target, strict=True)
        logprobs = tuple(float(row[token].logprob) for row, token in likely)
        return Evaluated(job.ticket, logprobs, tuple(ends), computed=len(tokens))

    async def _reading(self, job: EvaluateJob, reading: Reading) -> Evaluated:
        tokens, places = self.writing.read(reading)
        self._fitting(tokens)
        if job.write:
            most = min(job.write, self.core.longest - len(tokens))
            output = await self.core.generate(tokens, max_tokens=most, temperature=0.0)
            computed = _computed(output) + len(output.outputs[0].token_ids)
            cached = output.num_cached_tokens or 0
            return Evaluated(job.ticket, computed=computed, cached=cached, text=output.outputs[0].text)
        if job.read:
            rows, computed, cached = await self._logits(tokens, places, job.read)
            return Evaluated(job.ticket, logits=rows, computed=computed, cached=cached)
        values, computed = await self._values(tokens, places)
        return Evaluated(job.ticket, values=values, computed=computed)

    async def _logits(
        self, tokens: list[int], places: Sequence[int], read: Sequence[int | str]
    ) -> tuple[Rows, int, int]:
        """Log-probabilities of `read` behind each place, tokens computed and found.

        One request a place, in order: each finds the one before in the prefix cache.
        """
        if "generate" not in self.core.tasks:
            raise EngineFault(f"{self.core.name} has a head of its own and no logits", hint='set runner = "generate"')
        ids = [token if isinstance(token, int) else self.writing.token(token) for token in read]
        rows: list[tuple[float, ...]] = []
        computed = cached = 0
        for place in places:
            asked = {"max_tokens": 1, "temperature": 0.0, "logprob_token_ids": sorted({*ids})}
            output = await self.core.generate(tokens[: place + 1], **asked)
            computed += _computed(output)
            cached = max(cached, output.num_cached_tokens or 0)
            [likely] = output.outputs[0].logprobs
            rows.append(tuple(float(likely[token].logprob) for token in ids))
        return tuple(rows), computed, cached

    async def _values(self, tokens: list[int], places: Sequence[int]) -> tuple[Rows, int]:
        """What the model's own head gives at each place, and tokens computed."""
        if "generate" in self.core.tasks:
            hint = 'set runner = "pooling" in its table'
            raise EngineFault(f"{self.core.name} is loaded to write, its own head is not", hint=hint)
        every = "token_classify" in self.core.tasks
        if not every and [*places] != [len(tokens) - 1]:
            raise EngineFault(f"{self.core.name} judges whole texts only")
        output = await self.core.pool(tokens, "token_classify" if every else "classify")
        data: Any = output.outputs.data.float()
        rows = data[[*places]] if every else data.reshape(1, -1)
        return tuple(tuple(row) for row in rows.tolist()), len(tokens)

    def _fitting(self, tokens: list[int]) -> list[int]:
        if len(tokens) >= self.core.longest:
            raise too_long(self.core, len(tokens))
        return tokens


def _computed(output: Any) -> int:
    """Prompt tokens that were not found in the cache."""
    return len(output.prompt_token_ids) - (output.num_cached_tokens or 0)
