"""README.md says nothing that is not so: its commands run, its files exist, its example strategy works."""

from __future__ import annotations

import contextlib
import io
import json
import os
import re
import shlex
import subprocess
import sys
import textwrap
import tomllib
from collections.abc import Iterator
from dataclasses import fields

import pytest

from tests.conformance.cases import Case
from tests.conformance.harness import run, spec
from tests.conformance.test_the_laws import LAWS
from tests.unit.test_registry import drop, unscanned
from ttc_core import __main__ as command_line
from ttc_core import importing, models, registry, runs, saved_figures
from ttc_core.drawing.looks import Look
from ttc_core.settings import REPOSITORY, Settings, settings

TEXT = (REPOSITORY / "README.md").read_text("utf-8")
PREFIX = ".venv/bin/python -m ttc_core "
PAGES = [REPOSITORY / "README.md", *sorted((REPOSITORY / "docs").rglob("*.md"))]
ELSEWHERE = {  # what does not end, takes minutes or needs Ray, the test that starts it instead, and how it does
    "serve": ("test_worker.py", '"ttc_core", "serve"'),
    "bench": ("test_bench.py", 'main(["bench"'),
    "--ray": ("test_studies_ray.py", '"sweep", *words, "--ray"'),
}
__all__ = ["drop", "unscanned"]  # fixtures


def blocks(language: str, text: str = TEXT) -> list[str]:
    found = re.findall(rf"^( *)```{language}\n(.*?)^\1```$", text, re.MULTILINE | re.DOTALL)
    return [textwrap.dedent(block) for _, block in found]  # those of a list are indented


def commands(text: str = TEXT) -> Iterator[list[str]]:
    """Every command in a sh block, as words without the comment."""
    for block in blocks("sh", text):
        yield from (words for line in block.splitlines() if (words := shlex.split(line, comments=True)))


def ours(text: str = TEXT) -> list[list[str]]:
    return [words[3:] for words in commands(text) if words[:3] == PREFIX.split()]


def everywhere() -> list[list[str]]:
    """Those of the README, then what else the documentation shows."""
    pages = [page.read_text("utf-8") for page in sorted((REPOSITORY / "docs").rglob("*.md"))]
    more = [words for page in pages for words in ours(page)]
    return [words for i, words in enumerate([*ours(), *more]) if words not in [*ours(), *more][:i]]


def test_every_command_is_make_or_ours():
    assert {words[0] for words in commands()} == {"make", PREFIX.split()[0]}
    assert {words[0] for words in ours()} == set(command_line.VERBS), "every verb is shown, and no other"


@pytest.mark.parametrize("page", sorted((REPOSITORY / "docs").rglob("*.md")), ids=lambda page: page.stem)
def test_what_the_documentation_shows_is_in_the_readme_where_it_is_run_or_is_understood(page):
    text = page.read_text("utf-8")
    for words in commands(text):
        assert words in [*commands(), ["make", "app"]] or command_line.parser().parse_args(words[3:])
    for block in blocks("toml", text):
        assert tomllib.loads(block)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_every_block_of_code_is_of_a_kind_that_a_test_runs_or_reads(page):
    """Python is the README's example; what goes into a LaTeX document stands in the one that a test compiles."""
    text = page.read_text("utf-8")
    openings = re.findall(r"^ *(?:```|~~~)(.*)$", text, re.MULTILINE)[::2]
    other = ["", "python"] if page.stem == "README" else []  # the diagram and the example
    assert sorted({*openings} - {"sh", "toml", "tex"}) == other, "nobody looks at these"
    for kind in ("sh", "toml", "tex", "python"):
        assert len(blocks(kind, text)) == openings.count(kind), kind
    paper = (REPOSITORY / "docs" / "paper" / "paper.tex").read_text("utf-8").splitlines()
    for block in blocks("tex", text):
        preamble, _, body = block.partition("...\n")
        assert {*preamble.splitlines()} <= {*paper} and {"includegraphics", "input"} == {*re.findall(r"\\(\w+)", body)}


@pytest.mark.parametrize("what", ELSEWHERE)
def test_what_is_not_run_here_is_started_by_another_test(what):
    file, how = ELSEWHERE[what]
    assert how in (REPOSITORY / "tests" / "unit" / file).read_text("utf-8")
    assert any(what in words for words in everywhere())


def test_every_make_target_exists():
    mentioned = {words[1] for words in commands() if words[0] == "make"} | set(
        re.findall(r"`(?:\w+=\w+ )?make (\w+)`", TEXT)
    )
    assert {"app", "test"} <= mentioned
    for target in mentioned:
        done = subprocess.run(["make", "-n", target], cwd=REPOSITORY, capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("words", ours(), ids=" ".join)
def test_a_command_is_understood(words):
    command_line.parser().parse_args(words)


def test_every_command_runs(database_url, tmp_path, monkeypatch):
    """In order, on a new database, as a reader would.

    RUN_ID is the first run that is not deleted, STUDY and sample one of imported samples, NAME a figure saved of it.
    """
    assert models.catalogue(), "no model is bundled"
    monkeypatch.chdir(tmp_path)
    samples = [{"answer": str(i % 3), "score": i / 8} for i in range(8)]
    problems = [{"id": f"p{i}", "question": "?", "answer": str(i % 3), "samples": samples} for i in range(5)]
    (tmp_path / "study.jsonl").write_text("\n".join(map(json.dumps, problems)))
    asked = 'models = ["mini-s"]\nbudgets = [2]\nstrategies = ["best_of_n"]\n'
    asked += 'datasets = [{ name = "mini-test", problems = 2 }]\n'
    (tmp_path / "study.toml").write_text(asked)
    runs.ensure_database(db=database_url)
    study = importing.add("samples", tmp_path / "study.jsonl", "mini-test", "s", db=database_url)
    saved_figures.save("NAME", Look("difficulty", study), db=database_url)
    solved = []
    for words in everywhere():
        if ELSEWHERE.keys() & {*words}:
            continue
        named = {"STUDY": study, "sample": study}
        asked = [named.get(word, word.replace("RUN_ID", solved[0] if solved else "")) for word in words]
        out = io.StringIO()
        with contextlib.redirect_stdout(out):
            code = command_line.main(asked if "--json" in asked else [*asked, "--json"])
        assert code == 0, asked
        shown = json.loads(out.getvalue()) if out.getvalue() else {}
        if words[0] == "solve":
            solved.append(shown["run_id"])
        elif words[0] == "delete":
            del solved[0]
    assert (tmp_path / "run.json").stat().st_size > 0
    assert list(saved_figures.listing(db=database_url)) == ["NAME-2"], "of the bundle; the other one is forgotten"
    assert (tmp_path / "figures" / "NAME.pdf").is_file()


def test_every_path_exists():
    pattern = r"`((?:ttc_core|tests|data|pages|benchmarks|\.ci)/[\w./-]*|[\w.-]+\.(?:txt|md)|pyproject\.toml|LICENSE)`"
    mentioned = set(re.findall(pattern, TEXT)) | set(re.findall(r"\]\(([^)#:]+)\)", TEXT))
    named = {re.search(r"`(ttc_core/strategies/\w+\.py)` and restart", TEXT)[1]}  # the file to be added
    assert named <= mentioned
    for path in mentioned - named:
        assert (REPOSITORY / path).exists(), path


def test_every_module_of_the_diagram_exists():
    [diagram] = [block for block in blocks("") if "registry" in block]
    names = re.findall(r"\b(?:ttc_core/)?(\w+)\.py\b", diagram)
    assert len(names) >= 5
    for name in names:
        assert (REPOSITORY / "ttc_core" / f"{name}.py").exists() or (REPOSITORY / f"{name}.py").exists(), name


def test_every_setting_is_documented_with_its_default(monkeypatch):
    table = dict(re.findall(r"^\| `(TTC_\w+)` \| .*? \| (.*?) \|$", TEXT, re.MULTILINE))
    assert set(table) == {f"TTC_{field.name.upper()}" for field in fields(Settings)}
    for name in table:
        monkeypatch.delenv(name, raising=False)
    settings.cache_clear()
    try:
        assert table["TTC_BATCH"] == str(settings().batch)
        assert float(table["TTC_PATIENCE"]) == settings().patience
        assert settings().data_dir == REPOSITORY / table["TTC_DATA_DIR"].strip("`")
        assert settings().database_url == f"sqlite:///{REPOSITORY / 'data' / 'workbench.db'}"
    finally:
        monkeypatch.undo()
        settings.cache_clear()
    assert "TTC_DATABASE_URL" in os.environ


def test_what_was_measured_is_what_the_benchmarks_wrote():
    text = " ".join(TEXT.split())
    results = REPOSITORY / "benchmarks" / "results"
    made = json.loads((results / "analysis.json").read_text("utf-8"))
    shares = made["coverage"]["held"]
    held = {name: f"{100 * sum(of) / len(of):.1f} %" for name, of in shares.items()}
    one, policy, gain, multiple = (held[name] for name in ("method 0", "optimal", "gain", "efficiency"))
    assert (
        f"hold the truth in {one} of {made['coverage']['studies']} studies, those of the policy in {policy}, "
        f"of its gain in {gain} and of the efficiency multiple in {multiple}" in text
    )
    noise = made["noise"]["with cross-validation"]
    points = sorted(zip(noise["mean gain"], noise["standard error"], strict=True))
    least, most = (" ± ".join(f"{100 * value:.2f}" for value in of) for of in (points[0], points[-1]))
    holds = int(100 * min(noise["interval holds 1"]))
    assert f"gains {least} to {most} points by budget, and the interval of the multiple holds 1 in {holds} %" in text
    speed = {what: f"{of['processor']:.2f} s" for what, of in made["speed"].items()}
    for what, said in {
        "pass and best of 5 pools at 9 budgets, difficulty, frontier in 5 bins": "take {}",
        "both votes of one pool, 64 drawn subsets a problem": "both votes of one pool {}",
        "pass, best and both votes of 5 pools, difficulty, frontier": "all of it for 5 pools {}",
        "1,000 resamples through the pipeline, 20 pairs of folds": "1,000 resamples over 20 pairs of folds {}",
    }.items():
        assert said.format(speed[what]) in text
    made = json.loads((results / "policy.json").read_text("utf-8"))
    assert f"Followed on {made['problems']} test problems" in text
    *first, last = (f"{100 * of['right']:.1f}" for of in made["budgets"])
    errors = sorted(100 * of["error"] for of in made["budgets"])
    assert f"{', '.join(first)} and {last} %, each ± {errors[0]:.1f} to {errors[-1]:.1f}" in text


def test_the_bundled_data_sets_are_named_rightly():
    for name in set(re.findall(r"--dataset (\S+)", TEXT)):
        assert name in registry.names("dataset")


def example() -> str:
    [code] = blocks("python")
    return code


def test_the_example_strategy_works(drop):
    drop("strategy", "shortest_few", example())
    [result] = run([spec("shortest_few", 8, m=3)])
    assert result.error is None and result.usage.generations == 8
    voted = [len(result.nodes[c.node].text) for c in result.outcome.candidates]
    others = [len(node.text) for node in result.nodes.values() if node.why]
    assert len(voted) == 3 and len(others) == 5
    assert voted == sorted(voted) and voted[-1] <= min(others)


@pytest.mark.parametrize("law", sorted(LAWS))
def test_the_example_strategy_keeps_the_laws(drop, law):
    drop("strategy", "shortest_few", example())
    for budget in (16, 1, 7):
        LAWS[law](Case("shortest_few", budget=budget))


def test_the_example_is_in_house_style(tmp_path):
    file = tmp_path / "shortest_few.py"
    file.write_text(example(), "utf-8")
    config = str(REPOSITORY / "pyproject.toml")
    ruff = [sys.executable, "-m", "ruff"]
    for check in (["check", "--config", config], ["format", "--check", "--config", config]):
        done = subprocess.run([*ruff, *check, str(file)], capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, done.stdout + done.stderr
