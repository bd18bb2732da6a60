"""A model behind an OpenAI-compatible server: jobs become requests, replies become steps."""

from __future__ import annotations

import asyncio
import json
import math
import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from ttc_core import models, prompts, seeds
from ttc_core.engines.desk import Desk
from ttc_core.engines.openai_http import replies
from ttc_core.engines.openai_http.client import Client
from ttc_core.engines.openai_http.judging import Judge
from ttc_core.engines.openai_http.options import Options
from ttc_core.engines.openai_http.replies import Choice, Spent
from ttc_core.errors import EngineFault, UserError
from ttc_core.jobs import Evaluated, Generated, GenerateJob, Job, Message, Segment
from ttc_core.models import ModelCard
from ttc_core.types import Ask, Finish, Problem

GRACE = 60.0  # seconds in which a job that is at its deadline says so itself
ROUNDS = 64  # requests at most for one job: one a step, and one for each empty line before it
SEEDS = 2**31  # the least that servers agree on
COUNTED = ("model", "prompt", "add_special_tokens", "messages", "add_generation_prompt", "continue_final_message")
TALK = "\x00"  # a prompt segment that begins so holds a conversation


@dataclass
class _Written:
    """What a job has written so far."""

    text: str = ""
    steps: int = 0
    spent: Spent = field(default_factory=Spent)
    logprobs: list[float] = field(default_factory=list)
    tokens: list[int] = field(default_factory=list)
    known: bool = True  # log-probabilities came with every reply
    confidences: list[float] = field(default_factory=list)

    def add(self, choice: Choice, spent: Spent, k: int, first: bool) -> None:
        """Take over what a reply brought. What a round of the same job finds in the cache it has put there itself."""
        self.spent = Spent(
            self.spent.computed + spent.computed,
            self.spent.cached + (spent.cached if first else 0),
            self.spent.generated + spent.generated,
        )
        self.known = self.known and (bool(choice.logprobs) or not choice.text)
        self.logprobs += choice.logprobs
        self.tokens += choice.tokens
        for best in choice.likely if k else ():
            top = sorted((value for _, value in best), reverse=True)[:k]
            self.confidences.append(-math.fsum(top) / len(top) if top else 0.0)


class OpenAIHTTP(Desk):
    """See `Engine` in ttc_core/jobs.py for the interface, `Options` for what a model's table says."""

    def __init__(self, name: str, card: ModelCard, *, batch: int = 256) -> None:
        """Start the event loop; nothing is sent yet.

        Raises:
            UserError: the table names no server, or httpx is not installed.
        """
        self.name, self.parameters, self._revises, self._critiques = (
            name, card.parameters, card.revises, card.able("critiques"),
        )  # fmt: skip
        self.options = Options.of(name, card.card)
        self.capacity = min(batch, self.options.connections * len(self.options.endpoints))
        self.deadline = self.options.deadline + GRACE
        self._sampling = {key: card.card[key] for key in ("top_p", "top_k", "min_p") if key in card.card}
        super().__init__(asyncio.new_event_loop())
        threading.Thread(target=self._loop.run_forever, name=f"http {name}", daemon=True).start()
        self.client = asyncio.run_coroutine_threadsafe(self._connect(), self._loop).result()
        self._judge = Judge(name, self.options, self.client)

    @property
    def heard(self) -> int:
        """Replies of the server so far: a job of many requests answers late, but is no silence."""
        return self.client.heard

    async def _connect(self) -> Client:
        try:
            return Client(self.name, self.options)
        except ImportError as error:
            raise UserError("the engine openai_http needs httpx", hint="pip install -r requirements.txt") from error

    def prompt(self, problem: Problem, attempts: Sequence[str] = (), ask: Ask = "") -> Segment:
        """The conversation, or the text, that the solution continues.

        Raises:
            UserError: its table does not say that it revises or criticises.
        """
        if ask and not self._critiques:
            raise models.unable(self.name, "critiques")
        if attempts and not ask and not self._revises:
            raise models.unable(self.name, "revises")
        if self.options.template != "chat":
            if attempts:
                raise UserError(f"{self.name} has no conversations, so it sees no attempts", hint='template = "chat"')
            return Segment(prompts.text(problem, self.options.template == "few_shot", self.options.step))
        shown = attempts if ask else attempts[-self._revises :]
        talk = prompts.conversation(problem, shown, ask, self.options.system)
        if self.options.chat_format:
            return Segment(self.chat(talk, True))
        return Segment(TALK + json.dumps(talk))

    def chat(self, messages: Sequence[Message], answer: bool = False) -> str:
        """A conversation in the form that the table names; without one, a neutral form that is never sent as text."""
        return prompts.rendered(messages, self.options.chat_format, answer) + (self.options.lead if answer else "")

    def close(self) -> None:
        """End the connections and the thread."""
        if self._loop.is_running():
            asyncio.run_coroutine_threadsafe(self.client.close(), self._loop).result(timeout=10)
            self._loop.call_soon_threadsafe(self._loop.stop)

    async def _answer(self, job: Job) -> Generated | Evaluated:
        return await (self._generate(job) if isinstance(job, GenerateJob) else self._judge.evaluate(job))

    # --- generation --------------------------------------------------------------------------------------------------

    async def _generate(self, job: GenerateJob) -> Generated:
        written = _Written()
        most = self.options.max_tokens
        finish: Finish = "length"
        for number in range(ROUNDS):
            left = most - written.spent.generated
            if left < 1:
                break
            trimmed = number > 0 and not written.text.strip() and job.context[0].text.startswith(TALK)
            choice, spent = await self._ask(job, "" if trimmed else written.text, number, left, stop=not trimmed)
            if trimmed:
                choice = self._cut(choice)
                written.text, written.known, written.confidences = "", False, []
            written.add(choice, spent, job.confidence, number == 0)
            finish = self._take(job, choice, written)
            if finish != "step" or written.steps >= job.steps:
                break
        else:
            raise EngineFault(f"{self.name} wrote {ROUNDS} empty steps")
        text, logs = written.text, written.logprobs
        if finish == "step" and written.steps < job.steps:
            finish = "length"
        logprob = math.fsum(logs) if logs and written.known else None
        used = written.spent
        return Generated(
            job.ticket, text, tuple(written.tokens), "", written.steps, finish, logprob,
            used.generated, used.computed, used.cached, confidences=tuple(written.confidences),
        )  # fmt: skip

    def _take(self, job: GenerateJob, choice: Choice, written: _Written) -> Finish:
        """Add a reply's text; why it ended."""
        step = self.options.step
        by_step = job.until == "step" and choice.reason == "stop"
        new = choice.text
        if self.options.final and (cut := self._after_final(written.text, new)) is not None:
            written.text += new[:cut]
            written.steps += _count(new[:cut], step)
            return "length" if cut == len(new) and choice.reason == "length" else "end"
        ended = choice.reason == "stop" and choice.stopped != step
        if choice.stopped == replies.UNKNOWN and by_step and new.strip() and "\\boxed{" not in new:
            ended = False  # it may have ended all the same: then it has nothing to add next time
        if by_step and not ended:
            written.text += new + step
            written.steps += bool(new.strip())
            return "step"
        written.text += new
        written.steps += _count(new, step)
        return "length" if choice.reason == "length" else "end"

    def _cut(self, choice: Choice) -> Choice:
        """The first step of a reply without a stop text: a chat template had cut off the step end before it.

        The model then wrote that end first, and stopping there would bring nothing for ever.
        """
        text = choice.text.lstrip()
        step, found, _ = text.partition(self.options.step)
        if not found:
            return Choice(text, choice.reason, choice.stopped)
        return Choice(step, "stop", self.options.step)

    def _after_final(self, before: str, new: str) -> int | None:
        """How much of the new text belongs to the solution whose last step it holds; None if it does not hold it."""
        at = new.find(self.options.final)
        if at < 0 or (at and not new[:at].endswith(("\n", self.options.step))):
            return None
        end = new.find(self.options.step, at)
        return len(new) if end < 0 else end

    async def _ask(self, job: GenerateJob, written: str, number: int, left: int, stop: bool) -> tuple[Choice, Spent]:
        prompt, said = job.context[0].text, "".join(segment.text for segment in job.context[1:]) + written
        chat = prompt.startswith(TALK)
        payload = {**self._sampling, "model": self.options.model, "temperature": job.temperature, "max_tokens": left}
        if self.options.seeds:
            payload["seed"] = (job.seed if number == 0 else seeds.derive(job.seed, "", str(number))) % SEEDS
        stops = [*self.options.stop, *([self.options.step] if job.until == "step" and stop else [])]
        if self.options.template == "few_shot":
            stops.append(prompts.NEXT)
        payload |= {"stop": stops} if stops else {}
        if self.options.continues == "vllm":
            payload["return_token_ids"] = True  # how many tokens there are, even where no log-probabilities come
        if chat:
            payload |= self._turns(json.loads(prompt[len(TALK) :]), said)
            if self.options.logprobs:
                payload |= {"logprobs": True} | ({"top_logprobs": job.confidence} if job.confidence else {})
        else:
            payload |= {"prompt": prompt + said} | ({"logprobs": job.confidence or 1} if self.options.logprobs else {})
            if self.options.chat_format:
                payload["add_special_tokens"] = False  # the conversation has its own
        choice, spent = await self._complete(payload, chat, bool(said))
        if job.confidence and choice.text and not choice.likely:
            raise EngineFault(f"{self.name}'s server gives no log-probabilities, on which this method stands")
        return choice, spent

    async def _complete(self, payload: dict[str, Any], chat: bool, begun: bool) -> tuple[Choice, Spent]:
        """One continuation; near the end of the model's context a shorter one, where vLLM can say how much still fits.

        begun: there is something that is continued, so that a context that is full has cut it off.
        """

        async def ask(asked: dict[str, Any]) -> tuple[Choice, Spent]:
            path = "/v1/chat/completions" if chat else "/v1/completions"
            found = await self.client.post(path, asked, lambda document: replies.choices(document, 1, chat, cut=True))
            [choice], spent = found
            return choice, spent

        try:
            return await ask(payload)
        except EngineFault as fault:
            if self.options.continues != "vllm" or "context length" not in str(fault):
                raise
            counted = {name: payload[name] for name in COUNTED if name in payload}
            left: int = await self.client.post("/tokenize", counted, replies.room)
            if left >= payload["max_tokens"] or (left < 1 and not begun):
                raise
            return await ask({**payload, "max_tokens": left}) if left > 0 else (Choice("", "length", ""), Spent())

    def _turns(self, talk: list[list[str]], said: str) -> dict[str, Any]:
        """The conversation, its last turn left open behind what the assistant has said."""
        turns: list[dict[str, Any]] = [{"role": role, "content": content} for role, content in talk]
        if not said:
            return {"messages": turns}
        last: dict[str, Any] = {"role": "assistant", "content": said}
        how = self.options.continues
        if how == "no":
            raise EngineFault(
                f"{self.name}'s server cannot go on from a partial answer, which a search by steps needs",
                hint="use best_of_n, or name a chat_format so that the text is continued",
            )
        if how == "prefix":
            last["prefix"] = True
        turns.append(last)
        flags = {"continue_final_message": True, "add_generation_prompt": False} if how == "vllm" else {}
        return {"messages": turns, **flags}


def _count(text: str, step: str) -> int:
    return sum(bool(part.strip()) for part in text.split(step)) if step else 1
