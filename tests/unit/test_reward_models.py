"""Each reward model's format through the in-process engine, on random weights of its architecture, against its rule.

The expected scores are computed here in plain torch, as the model's authors publish it: their way of putting the input
together, their heads, their positions. Nothing of it uses the program.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.checkpoints import SIZES, STEPS, llama, made, process_reward_model, qwen, with_spaces
from tests.unit.verifier_worlds import QUESTION, Loaded, card, score
from ttc_core import __main__, registry
from ttc_core.engines.transformers_local import TransformersLocal
from ttc_core.errors import EngineFault, UserError
from ttc_core.jobs import EvaluateJob, GenerateJob, Reading, Segment
from ttc_core.models import ModelCard
from ttc_core.settings import settings

pytestmark = pytest.mark.lab
torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")
torch.set_num_threads(1)  # faster for models of this size, above all where other tests run beside


def loaded(folder, **table):
    return TransformersLocal(
        "tiny", ModelCard("tiny", "policy", "transformers_local", 0, folder, {"model": str(folder), **table})
    )


def scores(folder, kind, **fields):
    """Step scores as the program gives them, the solution cut into a node of one step and a node of two."""
    verifier = registry.get("verifier", kind).load(card(kind, model="tiny", **fields))
    world = Loaded(loaded(folder))
    first, *rest = (step + "\n\n" for step in STEPS)
    return (*score(verifier, world, first).values, *score(verifier, world, "".join(rest), first).values)


def agree(found, expected):
    assert len(found) == len(expected) == len(STEPS)
    assert found == pytest.approx(expected, abs=1e-6)
    assert len({round(value, 3) for value in found}) == len(STEPS), "weights that tell steps apart"


@torch.no_grad()
def test_math_shepherd(tmp_path):
    tokenizer = with_spaces()
    model = made("Mistral", "ForCausalLM", tmp_path, tokenizer)
    output = "\n".join(f"{step} ки" for step in STEPS)
    plus, minus = tokenizer.encode("+ -")[1:]
    tag = tokenizer.encode("ки")[-1]
    ids = torch.tensor([tokenizer.encode(f"{QUESTION} {output}")])
    expected = model(ids).logits[:, :, [plus, minus]].softmax(dim=-1)[:, :, 0][ids == tag]
    agree(scores(tmp_path, "math_shepherd"), expected.tolist())


@torch.no_grad()
def test_rlhflow(tmp_path):
    tokenizer = llama()
    model = made("Llama", "ForCausalLM", tmp_path, tokenizer)
    plus, minus = tokenizer.encode("+")[-1], tokenizer.encode("-")[-1]
    conversation, expected = [], []
    for number, step in enumerate(STEPS):
        conversation.append({"role": "user", "content": step if number else f"{QUESTION} {step}"})
        conversation.append({"role": "assistant", "content": "+"})
        text = tokenizer.apply_chat_template(conversation, tokenize=False)
        ids = torch.tensor([tokenizer.encode(text, add_special_tokens=False)])
        assert tokenizer.convert_ids_to_tokens(ids[0, -2:].tolist()) == ["+", "<|eot_id|>"]
        expected.append(float(model(ids).logits[0, -3, [plus, minus]].softmax(dim=-1)[0]))
    agree(scores(tmp_path, "rlhflow"), expected)


@torch.no_grad()
def test_qwen_prm(tmp_path):
    tokenizer, model, head = process_reward_model(tmp_path)
    messages = [
        {"role": "system", "content": "Please reason step by step, and put your final answer within \\boxed{}."},
        {"role": "user", "content": QUESTION},
        {"role": "assistant", "content": "<extra_0>".join(STEPS) + "<extra_0>"},
    ]
    ids = torch.tensor([tokenizer.encode(tokenizer.apply_chat_template(messages, tokenize=False))])
    probabilities = head(model(ids).last_hidden_state).softmax(dim=-1)
    tags = ids == tokenizer.encode("<extra_0>")[0]
    agree(scores(tmp_path, "qwen_prm"), probabilities[tags][:, 1].tolist())
    assert not (tmp_path / "it ran").exists(), "code that ships with a model was run"


@torch.no_grad()
@pytest.mark.parametrize("architecture", ["Qwen2ForPrmModel", "Qwen2ForCausalLM"])
def test_skywork_prm(tmp_path, architecture):
    from safetensors.torch import load_file, save_file

    tokenizer = qwen()
    tokenizer.bos_token = "<|endoftext|>"
    model = made("Qwen2", "ForCausalLM", tmp_path, tokenizer)
    head = torch.nn.Linear(SIZES["hidden_size"], 1)
    weights = load_file(tmp_path / "model.safetensors")
    weights.update((f"v_head.summary.{name}", tensor) for name, tensor in head.state_dict().items())
    save_file(weights, tmp_path / "model.safetensors", metadata={"format": "pt"})
    config = json.loads((tmp_path / "config.json").read_text())
    (tmp_path / "config.json").write_text(json.dumps({**config, "architectures": [architecture]}))

    def prepare_input(problem, response, step_token="\n"):
        ids = tokenizer.encode(tokenizer.bos_token + problem + "\n")
        flags = [0] * len(ids)
        end = tokenizer.encode(step_token)[-1]
        for step in response.split(step_token):
            if step:
                more = [*tokenizer.encode(step), end]
                ids += more
                flags += [0] * (len(more) - 1) + [1]
        return ids, flags

    ids, flags = prepare_input(QUESTION, "\n".join(STEPS))
    states = model(torch.tensor([ids]), output_hidden_states=True).hidden_states[-1]
    rewards = head(states)[0, :, 0].sigmoid()[torch.tensor(flags) == 1].tolist()
    assert len(rewards) == 4  # the second step has two lines: its score is the second's
    agree(scores(tmp_path, "skywork_prm"), [rewards[0], rewards[2], rewards[3]])


@torch.no_grad()
@pytest.mark.parametrize(("family", "tokens"), [("Qwen2", qwen), ("Llama", llama)])
def test_token_classification(tmp_path, family, tokens):
    tokenizer = tokens()
    model = made(family, "ForTokenClassification", tmp_path, tokenizer, num_labels=2)
    separator = tokenizer.encode("\n", add_special_tokens=False)  # from here on as TRL's PRMTrainer.tokenize_row
    prompt = tokenizer(QUESTION, add_special_tokens=False)["input_ids"]
    completions = [tokenizer(step, add_special_tokens=False)["input_ids"] + separator for step in STEPS]
    if tokenizer.bos_token_id is not None:
        prompt = [tokenizer.bos_token_id, *prompt]
    ends, ids = [], [*prompt]
    for completion in completions:
        ids += completion
        ends.append(len(ids) - 1)
    expected = model(torch.tensor([ids])).logits[0, ends].softmax(dim=-1)[:, 1]
    agree(scores(tmp_path, "token_classification"), expected.tolist())


@torch.no_grad()
def test_outcome(tmp_path):
    tokenizer = llama()
    model = made("Llama", "ForSequenceClassification", tmp_path, tokenizer, num_labels=1)
    expected = []
    for n in (1, 3):
        said = [
            {"role": "user", "content": QUESTION},
            {"role": "assistant", "content": "\n\n".join(STEPS[:n])},
        ]
        ids = tokenizer.encode(tokenizer.apply_chat_template(said, tokenize=False), add_special_tokens=False)
        expected.append(float(model(torch.tensor([ids])).logits[0, 0].sigmoid()))
    assert scores(tmp_path, "outcome") == pytest.approx(expected, abs=1e-6)
    assert abs(expected[0] - expected[1]) > 1e-3


@torch.no_grad()
def test_judge_and_critique(tmp_path):
    tokenizer = qwen()
    model = made("Qwen2", "ForCausalLM", tmp_path, tokenizer)
    yes, no = (tokenizer.encode(word)[-1] for word in ("Yes", "No"))
    solution = "\n\n".join(STEPS)

    def given(*messages):
        said = [{"role": role, "content": content} for role, content in messages]
        return tokenizer.encode(tokenizer.apply_chat_template(said, tokenize=False, add_generation_prompt=True))

    def verdict(*messages):
        return float(model(torch.tensor([given(*messages)])).logits[0, -1, [yes, no]].softmax(dim=-1)[0])

    judge = registry.get("verifier", "judge").load(card("judge", model="tiny", prompt="{question}|{solution}?"))
    world = Loaded(loaded(tmp_path))
    found = score(judge, world, solution).values
    assert found == pytest.approx((verdict(("user", f"{QUESTION}|{solution}?")),), abs=1e-6)

    fields = {"model": "tiny", "prompt": "{solution} of {question}", "verdict": "So?", "tokens": 7}
    critique = registry.get("verifier", "critique").load(card("critique", **fields))
    asked = ("user", f"{solution} of {QUESTION}")
    ids = given(asked)
    for _ in range(7):  # the likeliest token, one after another, without any cache
        ids.append(int(model(torch.tensor([ids])).logits[0, -1].argmax()))
        if ids[-1] == tokenizer.eos_token_id:
            break
    written = tokenizer.decode(ids[len(given(asked)) :], skip_special_tokens=True)
    expected = verdict(asked, ("assistant", written.strip()), ("user", "So?"))
    assert score(critique, world, solution).values == pytest.approx((expected,), abs=1e-6)


def test_a_search_with_a_reward_model_of_the_models_file(tmp_path, monkeypatch, capsys):
    process_reward_model(tmp_path / "tiny")
    (tmp_path / "mine.toml").write_text(
        '[models.tiny]\nengine = "transformers_local"\nmodel = "tiny"\nparameters = 1000\n'
        '[verifiers.tiny-prm]\nkind = "qwen_prm"\nmodel = "tiny"\nstep = "\\n"\n'
    )
    monkeypatch.setenv("TTC_MODELS", str(tmp_path / "mine.toml"))
    settings.cache_clear()
    try:
        asked = ["--dataset", "mini-test", "--problem", "mini-test-0003", "--strategy", "best_of_n", "--budget", "8"]
        db = f"sqlite:///{tmp_path / 'runs.db'}"
        assert __main__.main(["solve", *asked, "--verifier", "tiny-prm", "--json", "--db", db]) == 0
    finally:
        settings.cache_clear()
    found = json.loads(capsys.readouterr().out)
    assert found["usage"]["failed_scores"] == 0 and found["usage"]["verifier_tokens"] > 0
    assert found["usage"]["verifier_flops"] == 2 * 1000 * found["usage"]["verifier_tokens"]
    assert len({candidate["score"] for candidate in found["candidates"]}) > 1


# --- the engine ------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def language_model(tmp_path_factory):
    folder = tmp_path_factory.mktemp("model")
    made("Qwen2", "ForCausalLM", folder, qwen())
    return folder


def test_costs_and_size_are_counted(language_model):
    engine = loaded(language_model)
    assert engine.parameters == sum(p.numel() for p in engine._model.parameters())
    reading = Reading(("a b",), (3,))
    engine.submit([EvaluateJob(7, (), Segment("b"), ("+",), reading)])
    [reply] = engine.poll()
    assert (reply.ticket, reply.computed, reply.cached) == (7, len(engine.tokens(reading)[0]), 0)
    assert engine.poll() == []


def test_a_cancelled_job_has_no_reply(language_model):
    engine = loaded(language_model)
    engine.submit([EvaluateJob(i, (), Segment("b"), ("+",), Reading(("a",), (1,))) for i in range(3)])
    engine.cancel({0, 1})
    assert [reply.ticket for reply in [*engine.poll(), *engine.poll()]] == [2]


@pytest.mark.parametrize(
    ("job", "reason"),
    [
        (EvaluateJob(0, (), Segment("b"), (3,)), "only reads what a verifier lays out"),
        (GenerateJob(0, (Segment("b"),), 1), "only reads what a verifier lays out"),
        (EvaluateJob(0, (), Segment("b"), (), Reading(("a b",), (3,))), "without a head of its own"),
        (EvaluateJob(0, (), Segment("b"), ("+",), Reading(("",), (0,))), "no text to read"),
        (EvaluateJob(0, (), Segment("b"), ("+",), Reading(("a и",), (3,), tag="ки")), "one token of the step tag"),
        (EvaluateJob(0, (), Segment("b"), ("+",), Reading(("a" * 9000,), (3,))), "reads 512"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_it_cannot_do_is_an_error_and_no_score(language_model, job, reason):
    engine = loaded(language_model)
    engine.submit([job])
    [reply] = engine.poll()
    assert reason in str(reply.error)


def test_weights_that_are_no_numbers_give_no_score(tmp_path):
    made("Qwen2", "ForCausalLM", tmp_path, qwen())
    engine = loaded(tmp_path)
    engine._model.lm_head.weight.data.fill_(float("nan"))
    engine.submit([EvaluateJob(0, (), Segment("b"), ("+", "-"), Reading(("a b",), (3,)))])
    [reply] = engine.poll()
    assert isinstance(reply.error, EngineFault) and "no numbers" in str(reply.error)


def test_pickled_weights_are_refused(tmp_path):
    model = made("Qwen2", "ForCausalLM", tmp_path, qwen())
    (tmp_path / "model.safetensors").unlink()
    torch.save(model.state_dict(), tmp_path / "pytorch_model.bin")
    with pytest.raises(EngineFault, match="cannot be loaded"):
        loaded(tmp_path)


def test_a_model_of_another_kind_is_refused(tmp_path):
    made("Qwen2", "ForCausalLM", tmp_path, qwen())
    config = json.loads((tmp_path / "config.json").read_text())
    (tmp_path / "config.json").write_text(json.dumps({**config, "architectures": ["Qwen2ForQuestionAnswering"]}))
    with pytest.raises(EngineFault, match="none that can be read here"):
        loaded(tmp_path)
    (tmp_path / "config.json").write_text(json.dumps({**config, "architectures": ["Qwen2ForProcessRewardModel"]}))
    with pytest.raises(EngineFault, match=r"score\.0"):
        loaded(tmp_path)


def test_a_lead_begins_the_assistants_turn(language_model):
    talk = [("user", "Right?")]
    plain, led = (loaded(language_model, **table).chat(talk, True) for table in ({}, {"lead": "Well: "}))
    assert (
        led == f"{plain}Well: "
        and loaded(language_model, lead="Well: ").chat(talk) + "<|im_start|>assistant\n" == plain
    )


def test_a_model_without_a_chat_template_cannot_converse(tmp_path):
    made("Mistral", "ForCausalLM", tmp_path, with_spaces())
    with pytest.raises(UserError, match="no chat template"):
        loaded(tmp_path).chat([("user", "?")])
    with pytest.raises(EngineFault, match="names no model"):
        TransformersLocal("tiny", ModelCard("tiny", "policy", "transformers_local", 0, Path(), {}))
