"""The registry: one file is one addition, names are unique, hyper-parameters are checked with one sentence."""

from __future__ import annotations

import importlib
import math
import sys
from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ttc_core import registry
from ttc_core.errors import BadValue, UnknownName
from ttc_core.registry import Param, param

DROPPED = {
    "strategy": (
        "from dataclasses import dataclass\n"
        "from ttc_core.registry import param, strategy\n"
        "@strategy('{name}')\n"
        "@dataclass(frozen=True)\n"
        "class Dropped:\n"
        "    '''Dropped in.'''\n"
        "    width: int = param(3, min=1, help='how wide')\n"
        "    def run(self, problem, budget, rng):\n"
        "        yield []\n"
    ),
    "verifier": "from ttc_core.registry import verifier\n@verifier('{name}')\nclass Dropped:\n    '''Dropped in.'''\n",
    "engine": "from ttc_core.registry import engine\n@engine('{name}')\nclass Dropped:\n    '''Dropped in.'''\n",
    "dataset": (
        "from ttc_core.registry import dataset\n"
        "from ttc_core.types import Problem\n"
        "@dataset('{name}')\n"
        "def dropped():\n"
        "    '''Dropped in.'''\n"
        "    return (Problem('d-1', 'How many?', '1', '{name}'),)\n"
    ),
    "figure": (
        "from ttc_core.drawing.info import Info\n"
        "from ttc_core.registry import figure\n"
        "@figure('{name}')\n"
        "def info(tables):\n"
        "    '''Dropped in.'''\n"
        "    return Info('{name}', [], '')\n"
    ),
    "table": (
        "from ttc_core.drawing.tabular import Table\n"
        "from ttc_core.registry import table\n"
        "@table('{name}')\n"
        "def info(tables):\n"
        "    '''Dropped in.'''\n"
        "    return Table('{name}', [], [], '')\n"
    ),
}


@pytest.fixture
def unscanned(monkeypatch):
    """The registry will look into each package again; what that finds is forgotten afterwards."""
    for kind in registry.PACKAGES:
        registry.names(kind)  # modules run once in a process: what is there has to be registered for good
    monkeypatch.setattr(registry, "_scanned", set())
    monkeypatch.setattr(registry, "_registered", {kind: dict(known) for kind, known in registry._registered.items()})


@pytest.fixture
def drop(tmp_path, monkeypatch, unscanned):
    """Drops a file into a kind's package, as it were, and names it."""
    added = []

    def drop(kind: str, file: str, text: str) -> None:
        package = importlib.import_module(registry.PACKAGES[kind])
        folder = tmp_path / kind
        folder.mkdir(exist_ok=True)
        (folder / f"{file}.py").write_text(text, "utf-8")
        if str(folder) not in package.__path__:
            monkeypatch.setattr(package, "__path__", [*package.__path__, str(folder)])
        added.append(f"{package.__name__}.{file}")
        importlib.invalidate_caches()

    yield drop
    for name in added:
        sys.modules.pop(name, None)


def test_every_kind_is_tested_here():
    assert DROPPED.keys() == registry.PACKAGES.keys()


@pytest.mark.parametrize("kind", sorted(DROPPED))
def test_a_file_dropped_into_a_package_is_there(kind, drop):
    before = registry.names(kind)
    registry._scanned.clear()
    drop(kind, "dropped_in", DROPPED[kind].format(name="dropped-in"))
    assert set(registry.names(kind)) == {*before, "dropped-in"}
    assert registry.get(kind, "dropped-in").__doc__ == "Dropped in."


def test_a_dropped_strategy_is_built_and_listed_by_the_facade(drop):
    from ttc_core import runs

    drop("strategy", "dropped_in", DROPPED["strategy"].format(name="dropped-in"))
    assert registry.build("strategy", "dropped-in", {"width": "5"}).width == 5
    doc, params = runs.catalogue().strategies["dropped-in"]
    assert doc.startswith("Dropped in.")
    assert [(p.name, p.default, p.min) for p in params] == [("width", 3, 1)]


def test_a_dropped_data_set_is_read_by_the_facade(drop):
    from ttc_core import runs

    drop("dataset", "dropped_in", DROPPED["dataset"].format(name="dropped-in"))
    assert "dropped-in" in runs.catalogue().datasets
    assert runs.problem("dropped-in", "d-1").answer == "1"


def test_a_file_that_begins_with_an_underscore_is_left_alone(drop):
    drop("strategy", "_helper", "raise RuntimeError('scanned')")
    assert registry.names("strategy")


@pytest.mark.parametrize("kind", sorted(DROPPED))
def test_two_files_that_claim_one_name_are_an_error(kind, drop):
    for file in ("dropped_one", "dropped_two"):
        drop(kind, file, DROPPED[kind].format(name="claimed-twice"))
    with pytest.raises(registry.DuplicateName, match="claimed-twice"):
        registry.names(kind)
    with pytest.raises(registry.DuplicateName):  # and it stays one: nothing was half scanned
        registry.names(kind)


def test_registering_one_object_again_is_no_duplicate(unscanned):
    known = registry.get("strategy", "best_of_n")
    assert registry.strategy("best_of_n")(known) is known


@pytest.mark.parametrize("kind", sorted(DROPPED))
def test_an_unknown_name_says_what_there_is(kind):
    with pytest.raises(UnknownName, match="no-such-thing") as raised:
        registry.get(kind, "no-such-thing")
    assert all(name in raised.value.hint for name in registry.names(kind))


def test_everything_registered_explains_itself():
    for kind in registry.PACKAGES:
        for name in registry.names(kind):
            assert (registry.get(kind, name).__doc__ or "").strip(), (kind, name)


def test_every_hyper_parameter_has_a_help_text_and_a_default_within_its_limits():
    for name in registry.names("strategy"):
        for p in registry.params(registry.get("strategy", name)):
            assert p.help, (name, p.name)
            assert p.parse(p.default) == p.default
            assert p.parse(str(p.default)) == p.default, "what a form or --set would send"


# --- hyper-parameters ------------------------------------------------------------------------------------------------

WIDTH = Param("width", int, 4, "how wide", min=1, max=8)
SHARE = Param("share", float, 0.5, "how much", min=0.0, max=1.0)
EAGER = Param("eager", bool, False, "whether")
SELECT = Param("select", str, "best", "which", choices=("best", "majority"))


@pytest.mark.parametrize(
    ("parameter", "value", "typed"),
    [
        (WIDTH, 1, 1),
        (WIDTH, "8", 8),
        (WIDTH, " 3 ", 3),
        (WIDTH, 2.0, 2),
        (SHARE, "0.25", 0.25),
        (SHARE, 1, 1.0),
        (SHARE, "1e-3", 0.001),
        (EAGER, True, True),
        (EAGER, "TRUE", True),
        (EAGER, "false", False),
        (SELECT, "majority", "majority"),
    ],
)
def test_a_value_is_typed(parameter, value, typed):
    found = parameter.parse(value)
    assert found == typed
    assert type(found) is type(typed)


@pytest.mark.parametrize(
    ("parameter", "value", "complaint"),
    [
        (WIDTH, 0, "width must be at least 1, not 0"),
        (WIDTH, "-1", "width must be at least 1, not -1"),
        (WIDTH, 9, "width must be at most 8, not 9"),
        (WIDTH, 2.5, "width must be a whole number, not 2.5"),
        (WIDTH, "2.5", "width must be a whole number"),
        (WIDTH, "", "width must be a whole number"),
        (WIDTH, True, "width must be a whole number"),
        (WIDTH, None, "width must be a whole number"),
        (WIDTH, math.inf, "width must be a whole number"),
        (WIDTH, math.nan, "width must be a whole number"),
        (WIDTH, [1], "width must be a whole number"),
        (WIDTH, "9" * 5000, "width must be a whole number"),
        (SHARE, "nan", "share must be at least 0"),
        (SHARE, math.inf, "share must be at most 1"),
        (SHARE, "half", "share must be a number"),
        (SHARE, True, "share must be a number"),
        (EAGER, "yes", "eager must be true or false"),
        (EAGER, 1, "eager must be true or false"),
        (SELECT, "worst", "select must be one of best, majority"),
    ],
)
def test_a_bad_value_is_one_sentence_with_the_name(parameter, value, complaint):
    with pytest.raises(BadValue) as raised:
        parameter.parse(value)
    assert str(raised.value).startswith(complaint)
    assert "\n" not in str(raised.value)


@given(st.one_of(st.text(), st.integers(), st.floats(), st.booleans(), st.none(), st.lists(st.integers())))
def test_any_value_is_within_the_limits_or_refused(value):
    for parameter in (WIDTH, SHARE, EAGER, SELECT):
        try:
            typed = parameter.parse(value)
        except BadValue:
            continue
        assert type(typed) is parameter.type
        assert parameter.min is None or parameter.min <= typed <= parameter.max
        assert not parameter.choices or typed in parameter.choices


def test_declared_and_described():
    @dataclass(frozen=True)
    class Thing:
        width: int = param(4, min=1, max=8, help="how wide")
        select: str = param("best", choices=("best", "majority"), help="which")

    assert registry.params(Thing) == [
        Param("width", int, 4, "how wide", min=1, max=8),
        Param("select", str, "best", "which", choices=("best", "majority")),
    ]


def test_an_unknown_hyper_parameter_says_which_there_are():
    with pytest.raises(UnknownName, match="'beam_search' has no parameter 'breadth'") as raised:
        registry.build("strategy", "beam_search", {"breadth": 3})
    assert "width" in raised.value.hint
