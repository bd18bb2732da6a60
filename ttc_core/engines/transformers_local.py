"""Reads reward models and judges in this process with torch and transformers: for small ones, and to check others by.

One job at a time, so that a score depends on nothing but its own text. Nothing is kept between jobs: a long solution
is read anew for each of its nodes. Weights come from safetensors files alone and no code that ships with a model is
ever run: the heads that do ship as code (Qwen2.5-Math-PRM, Skywork-o1-Open-PRM) are made here.
"""

from __future__ import annotations

import json
import time
from bisect import bisect_left
from collections import deque
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ttc_core.errors import BadValue, EngineError, EngineFault, UserError
from ttc_core.jobs import Evaluated, EvaluateJob, Generated, Job, Message, Reading, Segment
from ttc_core.models import ModelCard
from ttc_core.registry import engine
from ttc_core.settings import settings
from ttc_core.types import Ask, Problem

HEADS = {  # what the model's own architecture ends in, and what we call it
    "ForCausalLM": "tokens of the vocabulary",
    "ForProcessRewardModel": "two layers at each token",
    "ForPrmModel": "a value at each token",
    "ForTokenClassification": "labels of each token",
    "ForSequenceClassification": "labels of the whole text",
}
FILES = ("*.json", "*.safetensors", "*.model", "*.txt", "*.jinja")  # of a hub's repository


@engine("transformers_local")
class TransformersLocal:
    """See `Engine` in ttc_core/jobs.py for the interface.

    A model's table has `model`, a folder (from the models file on) or a hub's name, and perhaps `revision`, `tokenizer`
    (another folder or name), `device` ("cpu", "cuda"), `dtype` ("float32", "bfloat16") and `head`, one of `HEADS` where
    config.json names none.
    """

    def __init__(self, name: str, card: ModelCard, *, batch: int = 256) -> None:
        """Load the model.

        Raises:
            UserError: torch or transformers is missing; EngineFault: the model cannot be loaded.
        """
        torch, transformers = _libraries()
        table = card.card
        self.name, self.capacity, self._lead = name, min(batch, 64), str(table.get("lead", ""))
        self._torch = torch
        self._device = str(table.get("device", "cuda" if torch.cuda.is_available() else "cpu"))
        dtype = getattr(torch, str(table.get("dtype", "float32" if self._device == "cpu" else "bfloat16")), None)
        if not isinstance(dtype, torch.dtype):
            raise BadValue(f"model {name!r} has an unknown dtype {table['dtype']!r}", hint="float32 or bfloat16")
        try:
            folder = _folder(card)
            self._tokenizer: Any = _tokenizer(transformers, table.get("tokenizer") or folder)
            self.head = str(table.get("head") or _head(folder))
            self._load(transformers, folder, dtype)
        except (OSError, ValueError, KeyError, RuntimeError, TypeError) as error:
            raise EngineFault(f"the model {name!r} cannot be loaded: {_first_line(error)}") from error
        if not self._tokenizer.is_fast:
            raise EngineFault(f"the tokenizer of {name!r} has no tokenizer.json, so that nobody knows where steps end")
        heads = [part for part in (self._model, self._top) if part is not None]
        self.parameters = card.parameters or sum(p.numel() for part in heads for p in part.parameters())
        self.deadline = float(table.get("deadline", settings().patience))
        self._queue: deque[Job] = deque()

    def _load(self, transformers: Any, folder: Path, dtype: Any) -> None:
        """The model, and on top of it the head where transformers has none of that kind."""
        if self.head not in HEADS:
            raise ValueError(f"its head {self.head!r} is none of {', '.join(HEADS)}")
        own = self.head in ("ForProcessRewardModel", "ForPrmModel")
        auto = getattr(transformers, "AutoModel" if own else f"AutoModel{self.head}")
        model = auto.from_pretrained(folder, use_safetensors=True, trust_remote_code=False, dtype=dtype)
        self._model: Any = model.to(self._device).eval()
        self._top: Any = None
        if own:
            top = _two_layers if self.head == "ForProcessRewardModel" else _value
            self._top = (
                top(self._torch, _weights(folder, "score.", "v_head.")).to(self._device, self._torch.float32).eval()
            )

    def prompt(self, problem: Problem, attempts: Sequence[str] = (), ask: Ask = "") -> Segment:
        """There is none: it reads what verifiers lay out.

        Raises:
            UserError: always.
        """
        raise UserError(
            f"{self.name} runs on transformers_local, which reads for verifiers and solves nothing",
            hint="for a policy choose vllm_local or openai_http",
        )

    def chat(self, messages: Sequence[Message], answer: bool = False) -> str:
        """By the tokenizer's own template.

        Raises:
            UserError: it has none.
        """
        if not self._tokenizer.chat_template:
            raise UserError(f"{self.name} has no chat template", hint="ask a model that was trained to converse")
        said = [{"role": role, "content": content} for role, content in messages]
        text = str(self._tokenizer.apply_chat_template(said, tokenize=False, add_generation_prompt=answer))
        return text + (self._lead if answer else "")

    def submit(self, jobs: list[Job]) -> None:
        """Queue jobs."""
        self._queue += jobs

    def poll(self, timeout: float = 0.0) -> list[Generated | Evaluated]:
        """Work on one job."""
        if not self._queue:
            return []
        job = self._queue.popleft()
        if not isinstance(job, EvaluateJob) or job.reading is None:
            fault = EngineFault(f"{self.name} runs on transformers_local, which only reads what a verifier lays out")
            return [(Evaluated if isinstance(job, EvaluateJob) else Generated)(job.ticket, error=fault)]
        try:
            with self._torch.inference_mode():
                return [self._write(job, job.reading) if job.write else self._read(job, job.reading)]
        except EngineError as error:
            return [Evaluated(job.ticket, error=error)]
        except RuntimeError as error:  # out of memory, above all
            return [Evaluated(job.ticket, error=EngineFault(f"{self.name} failed: {_first_line(error)}"))]

    def cancel(self, tickets: set[int]) -> None:
        """Forget these jobs."""
        self._queue = deque(job for job in self._queue if job.ticket not in tickets)

    def now(self) -> float:
        """Seconds of the machine's monotonic clock."""
        return time.monotonic()

    # --- reading -----------------------------------------------------------------------------------------------------

    def _read(self, job: EvaluateJob, reading: Reading) -> Evaluated:
        tokens, places = self.tokens(reading)
        if job.read:
            if self.head != "ForCausalLM":
                raise EngineFault(f"{self.name} says no words, it gives {HEADS[self.head]}")
            states = self._forward(tokens)[0, places]  # (S, vocabulary)
            rows = states[:, [self._id(token) for token in job.read]]
        else:
            rows = self._own(tokens, places)
        found = tuple(tuple(row) for row in rows.double().cpu().tolist())
        if not all(abs(value) < float("inf") for row in found for value in row):
            raise EngineFault(f"{self.name} computed scores that are no numbers")
        if job.read:
            return Evaluated(job.ticket, logits=found, computed=len(tokens))
        return Evaluated(job.ticket, values=found, computed=len(tokens))

    def _own(self, tokens: list[int], places: list[int]) -> Any:
        """What the model's own head gives at these places: (S, labels)."""
        if self.head == "ForCausalLM":
            raise EngineFault(f"{self.name} is a language model without a head of its own")
        if self.head == "ForSequenceClassification":
            if places != [len(tokens) - 1]:
                raise EngineFault(f"{self.name} gives one value for a whole text, none for a step")
            return self._forward(tokens)
        if self._top is None:
            return self._forward(tokens)[0, places]
        return self._top(self._forward(tokens, "last_hidden_state")[0, places].to(self._torch.float32))

    def _forward(self, tokens: list[int], what: str = "logits") -> Any:
        longest = getattr(self._model.config, "max_position_embeddings", None)
        if longest and len(tokens) > longest:
            raise EngineFault(f"question and solution have {len(tokens)} tokens, {self.name} reads {longest}")
        return getattr(self._model(self._torch.tensor([tokens], device=self._device)), what)

    def _write(self, job: EvaluateJob, reading: Reading) -> Evaluated:
        if self.head != "ForCausalLM":
            raise EngineFault(f"{self.name} writes nothing, it gives {HEADS[self.head]}")
        tokens, _ = self.tokens(reading)
        given = self._torch.tensor([tokens], device=self._device)
        written = self._model.generate(
            given,
            attention_mask=self._torch.ones_like(given),
            max_new_tokens=job.write,
            do_sample=False,
            num_beams=1,
            temperature=None,
            top_p=None,
            top_k=None,
            repetition_penalty=1.0,  # what the checkpoint's own settings say of it would change what is likeliest
            no_repeat_ngram_size=0,
            pad_token_id=self._tokenizer.eos_token_id,
        )[0, len(tokens) :].tolist()
        text = self._tokenizer.decode(written, skip_special_tokens=True)
        return Evaluated(job.ticket, text=text, computed=len(tokens) + len(written))

    def tokens(self, reading: Reading) -> tuple[list[int], list[int]]:
        """The token ids of a reading, and the positions of those that its marks name.

        Raises:
            EngineFault: the tokenizer does not make one token of the tag there.
        """
        begin = self._tokenizer.bos_token_id if reading.begin else None
        ids: list[int] = [] if begin is None else [begin]
        starts: list[int] = [-1] * len(ids)  # of each token in the text; -1 before it
        for number, piece in enumerate(reading.pieces):
            before = sum(map(len, reading.pieces[:number]))
            encoded = self._tokenizer(piece, add_special_tokens=False, return_offsets_mapping=True)
            ids += encoded["input_ids"]
            starts += [before + start for start, _ in encoded["offset_mapping"]]
        places = [bisect_left(starts, mark) - 1 for mark in reading.marks]  # the last token that begins before it
        if not ids or min(places) < 0:
            raise EngineFault("there is no text to read")
        tag = self._id(reading.tag) if reading.tag else None
        if tag is not None and any(
            ids[place] != tag or starts[place] > mark - len(reading.tag)
            for place, mark in zip(places, reading.marks, strict=True)
        ):
            raise EngineFault(
                f"the tokenizer of {self.name} does not make one token of the step tag {reading.tag!r}",
                hint="is this the verifier that the model was trained for?",
            )
        return ids, places

    def _id(self, token: int | str) -> int:
        return token if isinstance(token, int) else int(self._tokenizer.encode(token, add_special_tokens=False)[-1])


# --- loading ---------------------------------------------------------------------------------------------------------


def _libraries() -> tuple[Any, Any]:
    try:
        import torch
        import transformers
    except ImportError as error:
        raise UserError(
            f"the engine transformers_local needs torch and transformers: {error}",
            hint="pip install torch transformers",
        ) from error
    return torch, transformers


def _folder(card: ModelCard) -> Path:
    """Where the model's files are, fetched from the hub if they are not in a folder beside the models file."""
    if not card.card.get("model"):
        raise ValueError("its table names no model")
    if card.folder.is_dir():
        return card.folder
    from huggingface_hub import snapshot_download

    named = {"repo_id": card.card["model"], "revision": card.card.get("revision")}
    return Path(snapshot_download(**named, allow_patterns=list(FILES)))


def _tokenizer(transformers: Any, own: str | Path) -> Any:
    """By tokenizer.json as it is: for some models AutoTokenizer puts a tokenizer of its own in its place."""
    made = "PreTrainedTokenizerFast" if (Path(own) / "tokenizer.json").is_file() else "AutoTokenizer"
    return getattr(transformers, made).from_pretrained(own, trust_remote_code=False)


def _head(folder: Path) -> str:
    """The kind of head, by the architecture in config.json; a value head is often added to what stays a CausalLM."""
    named = json.loads((folder / "config.json").read_text("utf-8")).get("architectures") or [""]
    known = [head for head in HEADS if str(named[0]).endswith(head)]
    if not known:
        raise ValueError(f"its architecture {named[0]!r} is none that can be read here")
    return "ForPrmModel" if known == ["ForCausalLM"] and _weights(folder, "v_head.") else known[0]


def _weights(folder: Path, *begin: str) -> dict[str, Any]:
    """Tensors whose names begin so, which transformers leaves out of a base model."""
    from safetensors import safe_open

    found = {}
    for path in sorted(folder.glob("*.safetensors")):
        with safe_open(path, framework="pt") as tensors:
            found.update({k: tensors.get_tensor(k) for k in tensors.keys() if k.startswith(begin)})  # noqa: SIM118
    return found


def _two_layers(torch: Any, weights: dict[str, Any]) -> Any:
    """Qwen2ForProcessRewardModel's: linear, ReLU, linear."""
    first, second = (_linear(torch, weights, f"score.{layer}") for layer in (0, 2))
    return torch.nn.Sequential(first, torch.nn.ReLU(), second)


def _value(torch: Any, weights: dict[str, Any]) -> Any:
    """Skywork's, and TRL's AutoModelForCausalLMWithValueHead's: one linear layer."""
    return _linear(torch, weights, "v_head.summary")


def _linear(torch: Any, weights: dict[str, Any], name: str) -> Any:
    weight, bias = weights[f"{name}.weight"], weights.get(f"{name}.bias")
    layer = torch.nn.Linear(weight.shape[1], weight.shape[0], bias=bias is not None)
    layer.load_state_dict({"weight": weight, **({} if bias is None else {"bias": bias})})
    return layer


def _first_line(error: BaseException) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
