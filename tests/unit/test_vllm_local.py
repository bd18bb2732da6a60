"""What of vllm_local needs no vLLM: tables, shares of memory, the desk between threads, the sentence without it."""

from __future__ import annotations

import asyncio
import importlib.util
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import jinja2
import pytest

from ttc_core import registry
from ttc_core.engines.desk import Desk
from ttc_core.engines.vllm_local.options import Options, check_free, give_memory_back, take_memory
from ttc_core.engines.vllm_local.writing import Writing
from ttc_core.errors import BadValue, EngineBusy, EngineFault, UserError
from ttc_core.jobs import Generated, GenerateJob, Job
from ttc_core.models import ModelCard

GIB = 2**30


def test_a_table_becomes_vllms_arguments(tmp_path: Path) -> None:
    (tmp_path / "adapter_config.json").write_text('{"r": 12}')
    (tmp_path / "adapter_model.safetensors").touch()
    table = {
        "model": "hub/name",
        "memory": 0.6,
        "tensor_parallel": 2,
        "lora": str(tmp_path),
        "longest": 4096,
        "step": "x",
    }
    given = Options.of("mine", table).arguments(cpu=False, places=32)
    assert given["gpu_memory_utilization"] == 0.6 and given["tensor_parallel_size"] == 2
    assert given["max_model_len"] == 4096 and given["max_num_seqs"] == 32 and given["enable_prefix_caching"]
    assert given["enable_lora"] and given["max_lora_rank"] == 16
    assert "enable_chunked_prefill" not in given and "revision" not in given and "tokenizer" not in given
    assert given["load_format"] == "safetensors", "pickled weights are never read"
    named = {"model": "m", "revision": "v1", "tokenizer": "other"}
    given = Options.of("mine", named).arguments(cpu=True, places=1)
    assert given["enable_chunked_prefill"] is False and named.items() <= given.items()
    assert given["tokenizer_revision"] == "main", "the revision is the model's"


def test_an_adapter_is_read_from_safetensors_alone_here_and_from_the_hub(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []

    def snapshot_download(name: str, **what: object) -> str:
        asked.append((name, what))
        return str(tmp_path)

    monkeypatch.setitem(sys.modules, "huggingface_hub", SimpleNamespace(snapshot_download=snapshot_download))
    for lora in (str(tmp_path), "somebody/adapter"):
        options = Options.of("mine", {"model": "m", "lora": lora})
        (tmp_path / "adapter_model.safetensors").unlink(missing_ok=True)
        (tmp_path / "adapter_model.bin").touch()
        with pytest.raises(UserError, match=rf"adapter {lora} has no adapter_model\.safetensors"):
            options.arguments(cpu=False, places=1)
        (tmp_path / "adapter_model.safetensors").touch()
        (tmp_path / "adapter_config.json").write_text('{"r": 40}')
        assert options.arguments(cpu=False, places=1)["max_lora_rank"] == 64 and options.adapter() == tmp_path
    assert {(name, *what["allow_patterns"]) for name, what in asked} == {
        ("somebody/adapter", "*.json", "*.safetensors")
    }


@pytest.mark.parametrize(
    ("field", "value", "sentence"),
    [
        ("memory", 1.5, "memory of mine must be a share between 0 and 1, not 1.5"),
        ("memory", "half", "memory of mine must be float, not 'half'"),
        ("tensor_parallel", 0, "tensor_parallel of mine must be at least 1, not 0"),
        ("runner", "draft", "runner of mine must be generate or pooling, not 'draft'"),
    ],
)
def test_a_wrong_table_is_one_sentence(field: str, value: object, sentence: str) -> None:
    with pytest.raises(BadValue, match=sentence):
        Options.of("mine", {"model": "m", field: value})


def test_shares_of_memory_are_kept_count_of() -> None:
    try:
        take_memory("policy", 0.6)
        with pytest.raises(UserError, match=r"judge wants 0.5 of the GPU's memory, but policy \(0.6\) leave 0.4"):
            take_memory("judge", 0.5)
        take_memory("judge", 0.4)
        give_memory_back("policy")
        take_memory("other", 0.6)
    finally:
        for name in ("policy", "judge", "other"):
            give_memory_back(name)


def test_memory_that_others_use_is_refused_in_one_sentence() -> None:
    check_free("mine", 0.5, 41 * GIB, 80 * GIB)
    with pytest.raises(UserError, match=r"mine wants 0.5 .*\(40.0 GiB\), but only 39.0 of 80.0 GiB are free"):
        check_free("mine", 0.5, 39 * GIB, 80 * GIB)


def test_a_lead_begins_the_assistants_turn_and_what_a_template_refuses_is_the_tables_fault(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class Tokenizer:
        """Of a few words."""

        chat_template, bos_token_id = "one", None

        def __len__(self) -> int:
            return 0

        def encode(self, text: str, **_: object) -> list[int]:
            return []

        def batch_decode(self, ids: list[list[int]], **_: object) -> list[str]:
            return []

        def get_vocab(self) -> dict[str, int]:
            return {}

        def apply_chat_template(
            self, turns: list[dict[str, str]], *, tokenize: bool, add_generation_prompt: bool
        ) -> str:
            return "".join(f"{t['role']}:{t['content']}|" for t in turns) + "assistant:" * add_generation_prompt

    writing = Writing(Tokenizer(), "\n\n", lead="<think>\n\n</think>\n\n")
    assert writing.chat([("user", "What?")], True) == "user:What?|assistant:<think>\n\n</think>\n\n"
    assert writing.chat([("user", "What?"), ("assistant", "This")], False) == "user:What?|assistant:This|"

    def refusing(*_: object, **__: object) -> str:
        raise jinja2.TemplateError("System role not supported")

    monkeypatch.setattr(Tokenizer, "apply_chat_template", refusing)
    with pytest.raises(UserError, match="template refuses this conversation: System role not supported"):
        writing.chat([("system", "Be brief."), ("user", "What?")], True)


@pytest.mark.skipif(importlib.util.find_spec("vllm") is not None, reason="vLLM is installed here")
def test_without_vllm_there_is_one_sentence(tmp_path: Path) -> None:
    card = ModelCard("mine", "policy", "vllm_local", 1, tmp_path, {"model": "m"})
    with pytest.raises(UserError, match="the engine vllm_local needs vLLM"):
        registry.get("engine", "vllm_local")("mine", card, batch=4)


@pytest.fixture
def loop() -> Iterator[asyncio.AbstractEventLoop]:
    """An event loop in a thread of its own."""
    running = asyncio.new_event_loop()
    thread = threading.Thread(target=running.run_forever)
    thread.start()
    yield running
    running.call_soon_threadsafe(running.stop)
    thread.join()
    running.close()


def test_the_desk_hands_back_what_is_finished_and_forgets_what_is_cancelled(loop: asyncio.AbstractEventLoop) -> None:
    gates = {ticket: asyncio.Event() for ticket in range(4)}
    stopped: list[int] = []

    class Answering(Desk):
        async def _answer(self, job: Job) -> Generated:
            try:
                await gates[job.ticket].wait()
            except asyncio.CancelledError:
                stopped.append(job.ticket)
                raise
            if job.ticket == 2:
                raise EngineBusy("later")
            if job.ticket == 3:
                raise RuntimeError("out of the blue")
            return Generated(job.ticket, "text")

    desk = Answering(loop)
    desk.submit([GenerateJob(ticket, (), 0) for ticket in range(4)])
    assert desk.poll(0.05) == []
    loop.call_soon_threadsafe(gates[1].set)
    assert desk.poll(10) == [Generated(1, "text")]
    desk.cancel({0})
    loop.call_soon_threadsafe(gates[0].set)
    assert desk.poll(0.2) == [] and stopped == [0]
    for ticket, kind in ((2, EngineBusy), (3, EngineFault)):
        loop.call_soon_threadsafe(gates[ticket].set)
        [reply] = desk.poll(10)
        assert reply.ticket == ticket and isinstance(reply.error, kind)
