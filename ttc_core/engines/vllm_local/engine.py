"""A model run by vLLM: jobs become requests by token ids, outputs become replies."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from ttc_core import models, prompts, seeds
from ttc_core.engines.desk import Desk
from ttc_core.engines.embedded.tokens import prompt_pieces
from ttc_core.engines.vllm_local.core import Core
from ttc_core.engines.vllm_local.judging import Judge, too_long
from ttc_core.engines.vllm_local.options import Options
from ttc_core.engines.vllm_local.writing import Writing
from ttc_core.errors import EngineFault, UserError
from ttc_core.jobs import Evaluated, Generated, GenerateJob, Job, Message, Segment
from ttc_core.models import ModelCard
from ttc_core.models_file import MAX_TOKENS
from ttc_core.settings import settings
from ttc_core.types import Ask, Finish, Problem

ROUNDS = 64  # requests at most for one job: one a step, and one for each empty line before it
SEEDS = 2**63  # vLLM's are signed


@dataclass
class _Written:
    """What a job has written so far, an end-of-text token left out. spent: all that was sampled, that one included."""

    tokens: list[int] = field(default_factory=list)
    logprobs: list[float] = field(default_factory=list)
    confidences: list[float] = field(default_factory=list)
    computed: int = 0
    cached: int = 0
    spent: int = 0

    def add(self, output: Any, k: int, first: bool) -> None:
        """Take over what vLLM has written. k: over how many tokens confidences are taken, 0 for none."""
        [completion] = output.outputs
        cached = output.num_cached_tokens or 0
        self.computed += len(output.prompt_token_ids) - cached
        self.cached += cached if first else 0
        self.spent += len(completion.token_ids)
        for token, likely in zip(completion.token_ids, completion.logprobs or (), strict=True):
            self.tokens.append(token)
            self.logprobs.append(float(likely[token].logprob))
            if k:
                best = [entry.logprob for entry in likely.values() if entry.rank <= k]
                self.confidences.append(-math.fsum(best) / len(best))

    def keep(self, n: int) -> None:
        """Forget all but the first n tokens."""
        del self.tokens[n:], self.logprobs[n:], self.confidences[n:]


class VllmLocal(Desk):
    """See `Engine` in ttc_core/jobs.py for the interface, `Options` and `Writing` for what a model's table says."""

    def __init__(self, name: str, card: ModelCard, *, batch: int = 256) -> None:
        """Load the model.

        Raises:
            UserError: vLLM is not installed, or the GPU's memory does not suffice; EngineFault: it cannot be loaded.
        """
        table = card.card
        self.name, self.parameters, self.capacity, self._card = name, card.parameters, batch, card
        self._template = str(table.get("template", ""))
        self.core = Core(name, Options.of(name, table), batch)
        few = self._template == "few_shot"
        final = str(table.get("final", prompts.FINAL if few else ""))
        self.writing = Writing(self.core.tokenizer, str(table.get("step", "\n\n")), final, str(table.get("lead", "")))
        self.deadline = float(table.get("deadline", settings().patience))
        self._sampling = {key: table[key] for key in ("top_p", "top_k", "min_p") if key in table}
        self._stop_strings = [*map(str, table.get("stop", ())), *([prompts.NEXT] if few else ())]
        self._most = int(table.get("max_tokens", MAX_TOKENS))
        self._judge = Judge(self.core, self.writing)
        super().__init__(self.core.loop)

    def prompt(self, problem: Problem, attempts: Sequence[str] = (), ask: Ask = "") -> Segment:
        """In the form that its table names; without one as the embedded family is trained on.

        Raises:
            UserError: its table does not say that it revises or criticises.
        """
        if ask and not self._card.able("critiques"):
            raise models.unable(self.name, "critiques")
        if attempts and not ask and not self._card.revises:
            raise models.unable(self.name, "revises")
        shown = attempts if ask else attempts[-self._card.revises :]
        if self._template == "chat":
            talk = prompts.conversation(problem, shown, ask, str(self._card.card.get("system", "")))
            return self._segment(text := self.chat(talk, True), self.writing.encode(text))
        if self._template:
            if attempts:
                raise UserError(f"{self.name} has no conversations, so it sees no attempts", hint='template = "chat"')
            text = prompts.text(problem, self._template == "few_shot", self.writing.step)
            return self._segment(text, [*self.writing.beginning, *self.writing.encode(text)])
        tokenizer = self.core.tokenizer
        pieces = prompt_pieces(
            self.writing.encode, tokenizer.bos_token_id, tokenizer.eos_token_id, problem.question, shown
        )
        text = "".join((problem.question, *shown, self.writing.step))
        return self._segment(text, [token for piece in pieces for token in piece])

    def _segment(self, text: str, tokens: Sequence[int]) -> Segment:
        return Segment(text, tuple(tokens), self.writing.id)

    def chat(self, messages: Sequence[Message], answer: bool = False) -> str:
        """A conversation as the model's own template writes it.

        Raises:
            UserError: it has none.
        """
        return self.writing.chat(messages, answer)

    def close(self) -> None:
        """End vLLM's processes and give the memory back."""
        self.core.close()

    @property
    def gone(self) -> bool:
        """Whether vLLM's process has ended."""
        return self.core.gone

    async def _answer(self, job: Job) -> Generated | Evaluated:
        return await (self._generate(job) if isinstance(job, GenerateJob) else self._judge.evaluate(job))

    # --- generation --------------------------------------------------------------------------------------------------

    async def _generate(self, job: GenerateJob) -> Generated:
        context = self.writing.of(job.context)
        most = min(self._most, self.core.longest - len(context))
        if most < 1:
            raise too_long(self.core, len(context))
        written = _Written()
        finish: Finish = "length"
        for number in range(ROUNDS):
            left = most - len(written.tokens)
            output = await self.core.generate([*context, *written.tokens], **self._params(job, number, left))
            written.add(output, job.confidence, number == 0)
            finish = self._finish(output.outputs[0], written)
            cuts = self.writing.cuts(written.tokens, job.steps if job.until == "step" else None)
            if cuts and cuts[-1].final:
                finish = "end"
            if finish != "step" or len(cuts) == job.steps or len(written.tokens) >= most:
                break
        return self._generated(job, context, written, finish, output.outputs[0].stop_reason)

    def _params(self, job: GenerateJob, number: int, left: int) -> dict[str, Any]:
        """vLLM's sampling parameters for a job's request of this number."""
        by_step = job.until == "step"
        return {
            **self._sampling,
            "temperature": job.temperature,
            "max_tokens": left,
            "seed": (job.seed if number == 0 else seeds.derive(job.seed, "", str(number))) % SEEDS,
            "logprobs": job.confidence,
            "stop": [*self._stop_strings, *(self.writing.strings if by_step else ())],
            "stop_token_ids": sorted(self.writing.enders) if by_step else [],
            "include_stop_str_in_output": True,
        }

    def _finish(self, completion: Any, written: _Written) -> Finish:
        """Why vLLM stopped; an end-of-text token is taken off."""
        reason = completion.stop_reason
        if completion.finish_reason == "length":
            return "length"
        if completion.finish_reason != "stop":
            raise EngineFault(f"{self.name} stopped without an end: {completion.finish_reason}")
        if reason == self.writing.step or reason in self.writing.enders:
            return "step"
        if not isinstance(reason, str) and written.tokens:
            written.keep(len(written.tokens) - 1)
        return "end"

    def _generated(
        self, job: GenerateJob, context: Sequence[int], written: _Written, finish: Finish, reason: Any
    ) -> Generated:
        cuts = self.writing.cuts(written.tokens, job.steps if job.until == "step" else None)
        if cuts and (cuts[-1].final or finish == "step"):
            written.keep(cuts[-1].tokens)
        tokens = tuple(written.tokens)
        text = self.writing.text(context, tokens)
        if finish == "end" and isinstance(reason, str) and reason in text:
            text = text[: text.rindex(reason)]
            while written.tokens and len(self.writing.text(context, written.tokens)) > len(text):
                written.keep(len(written.tokens) - 1)
            whole = self.writing.text(context, written.tokens) == text
            tokens = tuple(written.tokens) if whole else ()  # else one of them is partly of the stop text
        rest = len(written.tokens) - (cuts[-1].tokens if cuts else 0)
        return Generated(
            job.ticket,
            text,
            tokens,
            self.writing.id,
            len(cuts) + (finish == "end" and rest > 0),
            finish,
            math.fsum(written.logprobs),
            written.spent,
            written.computed,
            written.cached,
            confidences=tuple(written.confidences),
        )
