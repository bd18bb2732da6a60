"""The mini problems: correct, checkable, disjoint from training, and readable by every tokenizer of theirs."""

from __future__ import annotations

import copy
import random
from collections import Counter
from itertools import islice
from pathlib import Path

import pytest

from ttc_core.datasets.mini_steps import StepChecker, check_lines, final_answer, parse_line
from ttc_core.lab import problems as lab
from ttc_core.lab.vocabulary import UNK, decode, encode, prompt, tokenizer_json, vocabulary

PROBLEMS = Path(__file__).parents[2] / "data" / "problems"


def sample(count: int, seed: int = 5) -> list[lab.MiniProblem]:
    rng = random.Random(seed)
    return [lab.draw(rng) for _ in range(count)]


def test_reference_solutions_are_right_step_by_step() -> None:
    for problem in sample(2000):
        lines = problem.solution.split("\n")[:-1]
        assert all(check_lines(problem.__dict__, lines)), problem
        assert final_answer(problem.solution) == problem.answer
        assert 3 <= problem.steps <= lab.LONGEST


def test_a_changed_result_is_wrong_from_there_on() -> None:
    rng = random.Random(3)
    for problem in sample(300):
        lines = problem.solution.split("\n")[:-1]
        place = rng.randrange(len(lines) - 1)
        left, right = lines[place].split(" = ")
        lines[place] = f"{left} = {int(right) + rng.choice((-1, 1, 10))}"
        flags = check_lines(problem.__dict__, lines)
        assert flags == [True] * place + [False] * (len(lines) - place)


def test_checker_accepts_other_orders_and_ways() -> None:
    problem = {
        "answer": "20",
        "graph": {
            "values": [12, 5, 17, 3, 20, 8],
            "equations": [["+", 0, 1, 2], ["+", 2, 3, 4], ["+", 1, 3, 5], ["+", 0, 5, 4]],
        },
    }
    assert all(check_lines(problem, ["5 + 12 = 17", "17 + 3 = 20", "Answer: 20"]))
    assert all(check_lines(problem, ["3 + 5 = 8", "12 + 8 = 20", "Answer: 20"]))
    assert check_lines(problem, ["17 + 3 = 20", "12 + 5 = 17"]) == [False, False]
    assert check_lines(problem, ["12 + 5 = 17", "12 + 5 = 17"]) == [True, False]
    assert check_lines(problem, ["12 + 5 = 17", "nonsense"]) == [True, False]
    assert check_lines(problem, ["Answer: 20", "12 + 5 = 17"]) == [True, False]


def test_continuations_are_exactly_the_right_next_lines() -> None:
    for problem in sample(200):
        checker = StepChecker(problem.__dict__)
        for line in problem.solution.split("\n")[:-1]:
            following = checker.continuations()
            assert line in following
            for other in following:
                fork = copy.deepcopy(checker)
                assert fork.read(other)
            assert checker.read(line)
        assert checker.continuations() == []


@pytest.mark.parametrize(
    ("line", "parsed"),
    [
        ("12 * 7 = 84", ("*", 12, 7, 84)),
        ("20% of 80 = 16", ("%", 20, 80, 16)),
        ("84 mod 9 = 3", ("mod", 84, 9, 3)),
        ("12*7=84", None),
        ("Answer: 84", None),
    ],
)
def test_lines_parse(line: str, parsed: tuple[str, int, int, int] | None) -> None:
    assert parse_line(line) == parsed


def test_templates_are_all_drawn_and_some_problems_have_several_ways() -> None:
    drawn = sample(3000)
    assert len({p.template for p in drawn}) >= 10
    assert all(count > 60 for count in Counter(p.template for p in drawn).values())
    several = sum(len({e[3] for e in p.graph["equations"]}) < len(p.graph["equations"]) for p in drawn)
    assert several > 600


@pytest.mark.parametrize("name", list(lab.SEEDS))
def test_problem_files_are_what_the_generator_makes(name: str) -> None:
    records = lab.read_problem_set(PROBLEMS / f"{name}.jsonl")
    assert records == lab.problem_set(name)
    assert [r["id"] for r in records] == [f"{name}-{i:04d}" for i in range(1, 501)]


def test_no_problem_of_a_set_occurs_in_training_or_in_another_set() -> None:
    banned = lab.banned_fingerprints(PROBLEMS)
    assert len(banned) == 500 * len(lab.SEEDS)
    stream = islice(lab.training_stream(lab.TRAINING_SEED, banned), 20_000)
    assert not any(lab.fingerprint(p.question) in banned for p in stream)
    trained = {template.__name__ for template in lab.TRAINED}
    hard = lab.read_problem_set(PROBLEMS / "mini-hard.jsonl")
    assert not any(record["template"] in trained for record in hard)


def test_the_stream_drops_what_is_banned() -> None:
    first = next(lab.training_stream(9))
    again = next(lab.training_stream(9, {lab.fingerprint(first.question)}))
    assert again.question != first.question


def test_the_tokenizer_is_lossless_and_small() -> None:
    assert 150 <= len(vocabulary()) <= 250
    for problem in sample(500):
        text = problem.question + "\n" + problem.solution
        assert decode(encode(text)) == text
    for record in lab.read_problem_set(PROBLEMS / "mini-hard.jsonl"):
        assert UNK not in prompt(record["question"])
    assert UNK in encode("A zebra has 3 legs.")


@pytest.mark.lab
def test_hugging_face_tokenizer_agrees() -> None:
    tokenizers = pytest.importorskip("tokenizers")
    import json

    tokenizer = tokenizers.Tokenizer.from_str(json.dumps(tokenizer_json()))
    for problem in sample(200):
        text = problem.question + "\n"
        assert tokenizer.encode(text).ids == prompt(problem.question)
        assert tokenizer.decode(tokenizer.encode(problem.solution).ids) == problem.solution
