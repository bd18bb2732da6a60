"""Imports: what comes in is an ordinary study; what is wrong gives its place, and nothing is stored."""

from __future__ import annotations

import gzip
import io
import json
from datetime import date

import numpy as np
import pytest

from ttc_core import importing, runs, studies, studies_export
from ttc_core.errors import UnknownName, UserError
from ttc_core.importing import uploads
from ttc_core.store.database import database

FIRST = {
    "id": "a",
    "question": "What is 2 + 2?",
    "answer": "4",
    "level": 3,
    "samples": [
        {"text": "2 + 2 = 4\nAnswer: 4\n", "score": 0.9, "tokens": 12},
        {"answer": "5", "step_scores": [0.5, 0.25], "origin": "x"},
        {"answer": "4.0", "score": 0.1},
        {"text": "no idea"},
    ],
}
SECOND = {"id": 7, "question": "?", "samples": [{"answer": "2", "correct": True}, {"answer": "3", "correct": False}]}


@pytest.fixture
def url(tmp_path):
    url = f"sqlite:///{tmp_path / 'x.db'}"
    runs.ensure_database(db=url)
    yield url
    database(url).close()


def write(tmp_path, *lines, name="mine.jsonl"):
    path = tmp_path / name
    raw = [line if isinstance(line, bytes) else json.dumps(line).encode() for line in lines]
    path.write_bytes(b"\n".join(raw) + b"\n")
    return path


def test_samples_become_a_study_with_a_pool(url, tmp_path):
    assert importing.add("samples", write(tmp_path, FIRST, b"", SECOND), "mine", db=url) == "mine"
    pool = studies.pool("mine", db=url)
    assert pool.problems == ["a", "7"]
    assert pool.valid.tolist() == [[True] * 4, [True, True, False, False]]
    assert pool.correct.tolist() == [[True, False, True, False], [True, False, False, False]]
    assert pool.answers.tolist() == [[0, 1, 0, -1], [0, 1, -1, -1]]
    assert pool.scores[0, :3] == pytest.approx([0.9, 0.25, 0.1]) and np.isnan(pool.scores[0, 3])
    assert pool.steps[0][1] == [0.5, 0.25] and pool.tokens[0].tolist() == [12, 0, 0, 0]
    frame = studies.outcomes("mine", db=url)
    assert set(frame["budget"]) == {1, 2} and studies.progress("mine", db=url).status == "done"
    majority = frame[(frame["method"] == "best_of_n select=majority") & (frame["problem"] == "a")]
    assert majority["answer"].tolist() == ["4", "4"] and majority["correct"].all()


def test_an_answer_that_is_read_from_a_text_and_is_no_number_votes_as_a_given_one_does(url, tmp_path):
    boxed = [{"text": f"We get \\boxed{{{x}}}.", "score": s} for x, s in (("x+1", 0.9), ("x+1", 0.8), ("5", 0.1))]
    given = [{"answer": x, "score": s} for x, s in (("x+1", 0.9), ("x+1", 0.8), ("5", 0.1))]
    long = {"text": f"We get \\boxed{{{'x' * 2000}}}."}  # nobody's final answer
    lines = [
        {"id": "text", "question": "?", "answer": "5", "samples": [*boxed, long]},
        {"id": "given", "question": "?", "answer": "5", "samples": given},
        {"id": "unknown", "question": "?", "samples": [{**one, "correct": i == 2} for i, one in enumerate(boxed)]},
    ]
    importing.add("samples", write(tmp_path, *lines), "mine", db=url)
    pool = studies.pool("mine", db=url)
    assert pool.answers[:, :3].tolist() == [[0, 0, 1]] * 3 and pool.answers[0, 3] == -1
    assert pool.correct[:, :3].tolist() == [[False, False, True]] * 3
    frame = studies.outcomes("mine", db=url)
    whole = frame[(frame["method"] == "best_of_n select=majority") & (frame["budget"] == 2)]
    assert not whole["correct"].any()


def test_what_equals_a_number_in_other_words_is_right_and_votes_for_it(url, tmp_path):
    half, ninety = (
        ["\\frac12", "1/2", "0.5", "x=1/2"],
        ["90^\\circ", "90\\text{ cm}", "x=90", "{90}", "\\left(90\\right)"],
    )
    lines = [
        {"id": str(i), "question": "?", "answer": gold, "samples": [{"answer": x} for x in [*said, "7", "no number"]]}
        for i, (gold, said) in enumerate([("1/2", half), ("90", ninety)])
    ]
    importing.add("samples", write(tmp_path, *lines), "mine", db=url)
    pool = studies.pool("mine", db=url)
    for p, said in enumerate((half, ninety)):
        number = len(said)
        assert pool.correct[p, : number + 2].tolist() == [True] * number + [False] * 2
        assert pool.answers[p, : number + 2].tolist() == [0] * number + [1, 2]
    files = tmp_path / "out"
    studies_export.write("mine", files, db=url)
    first = json.loads((files / "samples.jsonl").read_text().splitlines()[0])["samples"]
    assert "graded_by" not in first[1] and first[3]["graded_by"].startswith("math-3/")


def test_an_export_comes_in_again(url, tmp_path):
    importing.add("samples", write(tmp_path, FIRST, SECOND), "mine", db=url)
    out = tmp_path / "out"
    files = studies_export.write("mine", out, db=url)
    assert files == ["outcomes.jsonl", "outcomes.parquet", "samples.jsonl", "study.json", "trees.jsonl"]
    lines = [json.loads(line) for line in (out / "samples.jsonl").read_text().splitlines()]
    assert lines[0]["level"] == 3 and lines[0]["samples"][1]["origin"] == "x"
    assert lines[0]["samples"][0]["text"] == FIRST["samples"][0]["text"]
    importing.add("samples", out / "samples.jsonl", "mine", "again", db=url)
    one, other = studies.pool("mine", db=url), studies.pool("again", db=url)
    for name in ("correct", "answers", "tokens", "valid"):
        assert (getattr(one, name) == getattr(other, name)).all()
    assert np.array_equal(one.scores, other.scores, equal_nan=True) and one.steps == other.steps
    with pytest.raises(UserError, match="not empty"):
        studies_export.write("mine", out, db=url)


@pytest.mark.parametrize(
    ("line", "says"),
    [
        (b"{", "line 2: no JSON"),
        (b"[1]", "line 2: not a JSON object"),
        (b'{"id": "\xff"}', "line 2: not UTF-8 at byte 8"),
        (b"[" * 200_000, "line 2: no JSON"),
        ({**SECOND, "id": "a"}, "line 2: problem 'a' was there before"),
        ({"question": "?", "samples": []}, "line 2: 'id' is missing"),
        ({**SECOND, "question": 5}, "line 2: 'question' has the wrong type"),
        ({**SECOND, "samples": {}}, "line 2: 'samples' has the wrong type"),
        ({**SECOND, "samples": [1]}, "line 2: sample 0: not a JSON object"),
        ({**SECOND, "samples": [{"correct": "yes"}]}, "line 2: sample 0: 'correct' has the wrong type"),
        ({**SECOND, "samples": [{}, {"score": "high"}]}, "line 2: sample 1: 'score' has the wrong type"),
        ({**SECOND, "samples": [{"score": True}]}, "line 2: sample 0: 'score' has the wrong type"),
        ({**SECOND, "samples": [{"score": float("nan")}]}, "line 2: sample 0: 'score' must be a finite number"),
        ({**SECOND, "samples": [{"step_scores": [1, "x"]}]}, "line 2: sample 0: 'step_scores' must be a list"),
        ({**SECOND, "samples": [{"tokens": -1}]}, "line 2: sample 0: 'tokens' must be"),
    ],
)
def test_a_bad_line_gives_its_number_and_nothing_is_imported(url, tmp_path, line, says):
    with pytest.raises(UserError, match=says):
        importing.add("samples", write(tmp_path, FIRST, line), "mine", db=url)
    assert studies.listing(db=url) == []


def test_a_file_may_be_packed_a_list_one_object_on_several_lines_or_begin_with_a_mark(url, tmp_path):
    plain = write(tmp_path, FIRST, SECOND).read_bytes()
    both = [FIRST, SECOND]
    for name, raw, problems in [
        ("packed", gzip.compress(plain), ["a", "7"]),
        ("list", json.dumps(both).encode(), ["a", "7"]),
        ("spread", json.dumps(both, indent=2).encode(), ["a", "7"]),
        ("one", json.dumps(FIRST, indent=4).encode(), ["a"]),
        ("marked", b"\xef\xbb\xbf" + plain, ["a", "7"]),
        ("marked-list", b"\xef\xbb\xbf \n" + json.dumps(both).encode(), ["a", "7"]),
    ]:
        (tmp_path / name).write_bytes(raw)
        importing.add("samples", tmp_path / name, "mine", name, db=url)
        pool = studies.pool(name, db=url)
        assert pool.problems == problems and pool.correct[0].tolist() == [True, False, True, False]


def test_a_packed_file_that_is_broken_or_unpacks_to_too_much_is_refused(url, tmp_path, monkeypatch):
    path = tmp_path / "packed.gz"
    packed = gzip.compress(write(tmp_path, FIRST, SECOND).read_bytes())
    for raw in (packed[:-20], packed[:30] + b"xxxx" + packed[34:], b"\x1f\x8b"):
        path.write_bytes(raw)
        with pytest.raises(UserError, match="cannot be read: |no JSON|not UTF-8"):
            importing.add("samples", path, "mine", db=url)
    path.write_bytes(gzip.compress(b" " * 100_000))
    monkeypatch.setattr(importing, "MAX_FILE", 50_000)
    with pytest.raises(UserError, match=r"packed\.gz: more than 0 MiB unpacked"):
        importing.add("samples", path, "mine", db=url)
    assert studies.listing(db=url) == []


def test_samples_with_nulls_and_numbers_for_what_is_true(url, tmp_path):
    nothing = dict.fromkeys(("text", "answer", "correct", "score", "step_scores", "tokens"))
    line = {
        "id": "a",
        "question": "?",
        "answer": 4,
        "samples": [
            nothing,
            {"answer": 4, "correct": 1, "tokens": 12.0},
            {"answer": "4", "correct": 0, "score": 1},
            {"answer": "5", "step_scores": [0.5, None]},
            {"answer": "4", "step_scores": []},
        ],
    }
    importing.add("samples", write(tmp_path, line), "mine", db=url)
    pool = studies.pool("mine", db=url)
    assert pool.correct.tolist() == [[False, True, False, False, True]] and pool.tokens[0].tolist() == [0, 12, 0, 0, 0]
    assert pool.answers.tolist() == [[-1, 0, 0, 1, 0]]
    assert np.array_equal(pool.scores, [[np.nan, np.nan, 1.0, np.nan, np.nan]], equal_nan=True)
    line["samples"][1]["tokens"] = 12.5
    with pytest.raises(UserError, match="sample 1: 'tokens' must be a whole number"):
        importing.add("samples", write(tmp_path, line), "mine", "other", db=url)


def test_what_cannot_be_imported_at_all(url, tmp_path, monkeypatch):
    with pytest.raises(UnknownName, match="no format"):
        importing.add("excel", write(tmp_path, FIRST), "mine", db=url)
    with pytest.raises(UserError, match="nothing in it"):
        importing.add("samples", write(tmp_path, b""), "mine", db=url)
    with pytest.raises(UserError, match="cannot be read"):
        importing.add("samples", tmp_path / "absent.jsonl", "mine", db=url)
    importing.add("samples", write(tmp_path, FIRST), "mine", db=url)
    with pytest.raises(UserError, match="already"):
        importing.add("samples", write(tmp_path, FIRST), "mine", db=url)
    assert importing.add("samples", write(tmp_path, FIRST, name=".mine (1) é.jsonl"), "mine", db=url) == "mine-1"
    studies.delete("mine-1", db=url)
    monkeypatch.setattr(importing, "MAX_FILE", 10)
    with pytest.raises(UserError, match="more than 0 MiB"):
        importing.add("samples", write(tmp_path, FIRST), "mine", "other", db=url)
    assert [view.id for view in studies.listing(db=url)] == ["mine"]


def test_search_and_learn(url, tmp_path):
    line = {"problem": "2 + 2?", "answer": "4", "unique_id": "u", "completions": ["It is \\boxed{4}", "\\boxed{5}"]}
    line |= {"scores": [[0.5, 0.75], [0.1]], "completion_tokens": [7, 3], "subject": "sums"}
    importing.add("search_and_learn", write(tmp_path, line), "sal", db=url)
    pool = studies.pool("mine", db=url)
    assert pool.problems == ["u"] and pool.correct.tolist() == [[True, False]]
    assert pool.scores.tolist() == [[0.75, 0.1]] and pool.tokens.tolist() == [[7, 3]]
    with pytest.raises(UserError, match="line 1: 2 completions have 1 scores"):
        importing.add("search_and_learn", write(tmp_path, {**line, "scores": [[]]}), "sal", "other", db=url)


def test_search_and_learn_without_what_other_versions_write(url, tmp_path):
    texts = ["It is \\boxed{4}", "\\boxed{5}", "\\boxed{4}"]
    lines = [
        {
            "problem": "p0",
            "answer": 4,
            "completions": texts,
            "completion_tokens": -1,
            "scores": [[0.1], [0.2, 0.9], []],
        },
        {"question": "p1", "answer": "4", "completions": texts, "completion_tokens": None, "scores": None},
        {
            "problem": "p2",
            "completions": texts,
            "completion_tokens": [1.0, None, -1],
            "scores": [0.5, None, [0.1, None]],
        },
        {"problem": "p3", "answer": "4", "completions": [], "completion_tokens": [], "scores": []},
    ]
    importing.add("search_and_learn", write(tmp_path, *lines), "sal", db=url)
    pool = studies.pool("mine", db=url)
    assert pool.problems == ["sal-0", "sal-1", "sal-2", "sal-3"] and pool.valid.sum(axis=1).tolist() == [3, 3, 3, 0]
    assert pool.correct.tolist() == [[True, False, True]] * 2 + [[False] * 3] * 2 and pool.ungraded == 3
    assert pool.tokens.tolist() == [[0] * 3, [0] * 3, [1, 0, 0], [0] * 3]
    nan = np.nan
    expected = [[0.1, 0.9, nan], [nan] * 3, [0.5, nan, nan], [nan] * 3]
    assert np.array_equal(pool.scores, expected, equal_nan=True)
    lines[0]["completion_tokens"] = -2
    with pytest.raises(UserError, match="'completion_tokens' has the wrong type"):
        importing.add("search_and_learn", write(tmp_path, *lines), "sal", "other", db=url)


def prefixes(node, before=""):
    """What openr writes of a tree without `save_data_tree`."""
    whole = f"{before}\n\n{node['text']}" if before else node["text"]
    yield {"solution_prefix": whole, "mc_value": node["mc_value"]}
    for child in node["children"]:
        yield from prefixes(child, whole)


def test_a_parquet_file_is_read_as_its_lines_would_be(url, tmp_path):
    pyarrow, parquet = (pytest.importorskip(name) for name in ("pyarrow", "pyarrow.parquet"))
    texts = ["It is \\boxed{4}", "\\boxed{5}"]
    line = {"problem": "2 + 2?", "answer": "4", "unique_id": "u", "completions": texts, "scores": [[0.5, 0.75], [0.1]]}
    rows = [line | {"at": date(2024, 1, 1)}, line | {"unique_id": "v", "scores": None, "at": None}]
    parquet.write_table(pyarrow.Table.from_pylist(rows), tmp_path / "train-0.parquet")
    importing.add("search_and_learn", tmp_path / "train-0.parquet", "sal", db=url)
    pool = studies.pool("train-0", db=url)
    assert pool.problems == ["u", "v"] and pool.correct.tolist() == [[True, False]] * 2
    assert np.array_equal(pool.scores, [[0.75, 0.1], [np.nan] * 2], equal_nan=True)
    (tmp_path / "bad.parquet").write_bytes(b"PAR1" + b"x" * 100)
    with pytest.raises(UserError, match=r"bad\.parquet: not a Parquet file"):
        importing.add("search_and_learn", tmp_path / "bad.parquet", "sal", db=url)


def test_openr_prefixes_grow_the_tree_that_they_were_cut_from(url, tmp_path):
    leaves = [{"text": f"so \\boxed{{{i}}}", "mc_value": i / 4, "children": []} for i in range(4)]
    steps = [{"text": f"step {i}", "mc_value": None, "children": leaves[i : i + 2]} for i in (0, 2)]
    root = {"text": "2 + 2?", "mc_value": 0.5, "children": steps}
    tree = {"question": "2 + 2?", "final_answer": "4", "reasoning_steps": root}
    flat = {"problem": "2 + 2?", "final_answer": 4, "reasoning_steps": list(prefixes(root))}
    (tmp_path / "flat.json").write_text(json.dumps(flat, indent=4))
    importing.add("openr_tree", write(tmp_path, tree), "openr", "tree", db=url)
    importing.add("openr_tree", tmp_path / "flat.json", "openr", "flat", db=url)
    one, other = ([*studies.outcomes(name, db=url)["run"]] for name in ("tree", "flat"))
    shown = [[(n.id, n.text, n.scores) for n in runs.nodes(run, db=url).nodes] for [run] in (one, other)]
    assert shown[0] == shown[1] and len(shown[0]) == 6
    flat["reasoning_steps"].append({"solution_prefix": "3 + 3?"})
    with pytest.raises(UserError, match="line 1: prefix 7: 'solution_prefix' continues none"):
        importing.add("openr_tree", write(tmp_path, flat), "openr", "other", db=url)


def test_openr_trees(url, tmp_path):
    leaf = {"text": "so it is \\boxed{4}", "mc_value": 1.0, "children": []}
    step = {"text": "2 + 2", "mc_value": 0.5, "children": [leaf, {"text": "it is \\boxed{5}", "mc_value": 0.0}]}
    line = {"question": "2 + 2?", "final_answer": "4", "reasoning_steps": {"text": "2 + 2?", "children": [step]}}
    importing.add("openr_tree", write(tmp_path, line), "openr", db=url)
    [row] = studies.outcomes("mine", db=url).to_dict("records")
    assert row["answer"] == "4" and row["correct"] and row["generations"] == 2
    nodes = {node.id: node for node in runs.nodes(row["run"], db=url).nodes}
    assert list(nodes) == ["r.0", "r.0.0", "r.0.1"] and nodes["r.0.0"].path_scores == (0.5, 1.0)
    assert [c.answer for c in runs.get(row["run"], db=url).outcome.candidates] == ["4", "5"]
    leaf["mc_value"] = 2
    with pytest.raises(UserError, match=r"line 1: node r.0.0: 'mc_value' must be in \[0, 1\]"):
        importing.add("openr_tree", write(tmp_path, line), "openr", "other", db=url)
    studies.delete("mine", db=url)
    with pytest.raises(UnknownName):
        runs.get(row["run"], db=url)


def test_thinkbooster(url, tmp_path):
    def candidate(uid, above, text, score, status):
        place = {"beam_uid": uid, "parent_beam_uid": above}
        return {"text": text, "status": status, "selected": status == "selected", "signals": {"prm": score}, **place}

    events = [
        {"candidates": [candidate(1, 0, "2 + 2", 0.9, "selected"), candidate(2, 0, "3 + 3", 0.2, "pruned")]},
        {"candidates": [candidate(3, 1, "\\boxed{4}", 0.8, "selected")]},
    ]
    run = {"budget": 8, "tokens_used": 50, "latency_ms": 1500, "model_id": "m", "events": events}
    run["final"] = {"selected_trajectory": "2 + 2\n\\boxed{4}"}
    scenario = {"prompt": "Think.\n\nQuestion: 2 + 2?", "shared_prompt": "Think.", "ground_truth": "4"}
    payload = {"scenario": scenario, "strategies": [{"strategy_id": "beam", "scorer_id": "prm", "run": run}]}
    path = write(tmp_path, {"examples": [{"id": "e", "payloads": {"8": payload}}]}, name="mine.json")
    importing.add("thinkbooster", path, "tb", db=url)
    [row] = studies.outcomes("mine", db=url).to_dict("records")
    assert (row["answer"], row["correct"], row["policy_tokens"], row["seconds"]) == ("4", True, 50, 1.5)
    nodes = {node.id: node for node in runs.nodes(row["run"], db=url).nodes}
    assert list(nodes) == ["r.0", "r.0.0", "r.1"] and nodes["r.0.0"].finish == "end"
    assert nodes["r.1"].state == "pruned" and runs.get(row["run"], db=url).spec.question == "2 + 2?"
    alone = [payload | {"scenario": scenario | {"id": "e"}}, {"id": "e", "payloads": {"8": payload}}]
    events[1]["candidates"][0]["signals"] = {"prm": None, "confidence": 0.8, "consensus": 0.1}
    for number, document in enumerate([*alone, [alone[1]]]):
        path = write(tmp_path, document, name="alone.json")
        importing.add("thinkbooster", path, "tb", f"alone-{number}", db=url)
        [again] = studies.outcomes(f"alone-{number}", db=url).to_dict("records")
        scores = [node.path_scores for node in runs.nodes(again["run"], db=url).nodes]
        assert again["problem"] == "e" and scores == [(0.9,), (0.9, 0.8), (0.2,)]
    events[0]["candidates"][0]["signals"]["prm"] = 3
    path = write(tmp_path, {"examples": [{"id": "e", "payloads": {"8": payload}}]}, name="bad.json")
    with pytest.raises(UserError, match="example 0, payload 8, strategy 0, event 0, candidate 0: a score"):
        importing.add("thinkbooster", path, "tb", db=url)


# --- what a browser sends --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("packed", [False, True])
def test_an_upload_is_imported_as_a_file_is(url, tmp_path, packed):
    raw = write(tmp_path, FIRST, SECOND).read_bytes()
    name = "C:\\results\\mine.jsonl" + ".gz" * packed
    made = uploads.add("samples", name, io.BytesIO(gzip.compress(raw) if packed else raw), "mine", "", db=url)
    importing.add("samples", tmp_path / "mine.jsonl", "mine", "by-hand", db=url)
    assert (
        studies.outcomes(made, db=url)
        .drop(columns="run")
        .equals(studies.outcomes("by-hand", db=url).drop(columns="run"))
    )
    assert studies.describe(made, db=url)["source"] == "mine.jsonl" + ".gz" * packed


def test_a_broken_upload_is_refused_by_the_name_that_the_sender_gave_it(url, tmp_path, monkeypatch):
    raw = write(tmp_path, FIRST, b'{"id": 1,').read_bytes()
    with pytest.raises(UserError, match="^a_b.jsonl, line 2: ") as error:
        uploads.add("samples", "../../a b.jsonl", io.BytesIO(raw), "mine", db=url)
    assert "/" not in str(error.value).removeprefix("a_b.jsonl")
    monkeypatch.setattr(importing, "MAX_FILE", 1000)
    for large in (b"x" * 1001, gzip.compress(b"[" + b" " * 2000)):
        with pytest.raises(UserError, match="^u: more than 0 MiB"):
            uploads.add("samples", "u", io.BytesIO(large), "mine", db=url)
    with pytest.raises(UserError, match="needs a name"):
        uploads.add("samples", "", io.BytesIO(raw), " ", db=url)
    assert studies.listing(db=url) == []


def test_verdicts_without_answers_are_chosen_among_by_score(url, tmp_path):
    """Nothing can be voted for, so that only the best is chosen, and it is as right as its sample."""
    rows = [
        {"id": name, "question": "?", "answer": "4", "samples": [{"correct": c, "score": s} for c, s in samples]}
        for name, samples in {"a": [(False, 0.2), (True, 0.9)], "b": [(True, 0.1), (False, 0.8)]}.items()
    ]
    importing.add("samples", write(tmp_path, *rows), "mine", db=url)
    frame = studies.outcomes("mine", db=url)
    assert set(frame["method"]) == {"best_of_n select=best"} and frame["answer"].isna().all()
    right = frame.set_index(["problem", "budget"])["correct"]
    assert [bool(right["a", 1]), bool(right["a", 2]), bool(right["b", 1]), bool(right["b", 2])] == [0, 1, 1, 0]


def test_trees_as_deep_as_nobody_searches_are_refused(url, tmp_path):
    """Whether or not their steps have values."""
    texts = ["s" * (i + 1) for i in range(1200)]
    for value in (0.5, None):
        steps = [{"solution_prefix": text, "mc_value": value} for text in texts]
        asked = {"problem": "?", "final_answer": 4, "reasoning_steps": steps}
        with pytest.raises(UserError, match="a tree of more than 500 steps"):
            importing.add("openr_tree", write(tmp_path, asked), "openr", "deep", db=url)
