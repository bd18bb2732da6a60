"""Roles, limits and read-only hold in the facade, whoever calls it, and what was refused is written down."""

from __future__ import annotations

import inspect
import json
from contextlib import nullcontext
from types import SimpleNamespace

import pytest
from streamlit.testing.v1 import AppTest

from ttc_core import access, importing, runs, saved_figures, studies
from ttc_core.__main__ import main
from ttc_core.access import Refused, read
from ttc_core.bundle import reading
from ttc_core.drawing.looks import Look
from ttc_core.errors import UserError
from ttc_core.runs_views import Catalogue
from ttc_core.settings import REPOSITORY, settings
from ttc_core.store import audit
from ttc_core.store.database import database
from ttc_core.types import RunSpec
from ttc_core.ui import gate

LOOKING = {  # what everybody who may look may call: it stores nothing
    "runs": {"steps_to", "continue_from", "neighbours", "get", "nodes", "first_wrong", "listing", "worker_state",
             "problems", "problem", "grader", "disagreements", "catalogue", "revises", "ensure_database", "export_run"},
    "studies": {"plan", "exists", "listing", "progress", "outcomes", "pool", "pool_rows", "describe"},
    "reading": {"opened"},
    "saved_figures": {"named", "listing", "get"},
    "importing": {"formats", "lines", "opened", "parsed", "graded"},
}  # fmt: skip
RULES = """\
[roles]
admin = ["ada@example.org"]
runner = ["*@example.org"]
viewer = ["anyone"]
[limits]
budget = 8
running = 2
starts = 5
"""
ASKED = RunSpec("1 + 1?", "best_of_n", 4, params={"select": "majority"}, verifier="")
LOOK = Look("frontier")
STUDY = 'name = "{}"\ndatasets = [{{ name = "mini-test", problems = 1 }}]\nmodels = ["mini-s"]\nverifiers = []\n' \
        'strategies = [{{ name = "best_of_n", set = {{ select = "majority" }} }}]\nbudgets = [{}]\n'  # fmt: skip


@pytest.fixture
def url(database_url):
    runs.ensure_database(db=database_url)
    yield database_url
    access.identify(lambda: None)
    database(database_url).close()


@pytest.fixture
def shared(url, tmp_path, monkeypatch):
    """A shared workbench; call it with a name to be that person."""
    path = tmp_path / "access.toml"
    path.write_text(RULES)
    monkeypatch.setenv("TTC_ACCESS", str(path))
    settings.cache_clear()
    return lambda name: access.identify(lambda: name)


def test_every_function_that_changes_something_is_guarded():
    for module in (runs, studies, importing, reading, saved_figures):
        name = module.__name__.rpartition(".")[2]
        public = {n for n, f in vars(module).items()
                  if inspect.isfunction(f) and f.__module__ == module.__name__ and not n.startswith("_")}  # fmt: skip
        guarded = {n for n in public if hasattr(getattr(module, n), "needs")}
        assert public - guarded <= LOOKING[name], "guard it with access.changes, or list it here if it stores nothing"


def continued(run_id):
    """Go on from a step of a search that has one."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(runs, "steps_to", lambda *_, **__: ("1 + 1 is two.\n",))
        return runs.continue_from(run_id, "r.0")


def change(verb, run_id="", study=""):
    """Each change that there is, asked for."""
    return {
        "start": lambda: runs.start(ASKED),
        "continue": lambda: continued(run_id),
        "extend": lambda: runs.extend(run_id, 8),
        "stop": lambda: runs.stop(run_id),
        "resume": lambda: runs.resume(run_id),
        "annotate": lambda: runs.annotate(run_id, "x"),
        "delete": lambda: runs.delete([run_id]),
        "execute": lambda: runs.execute([run_id]),
        "add data set": lambda: runs.add_dataset("x", None),
        "import run": lambda: runs.import_run({}),
        "import bundle": lambda: reading.add(REPOSITORY / "none.zip"),
        "import": lambda: importing.add("samples", REPOSITORY / "none.jsonl", "d", "s"),
        "start study": lambda: studies.start(STUDY.format("other", 4)),
        "extend study": lambda: studies.extend(study, STUDY.format("mine", 4)),
        "work": lambda: studies.work(study),
        "resume study": lambda: studies.resume(study),
        "change study": lambda: studies.change(study, priority=1),
        "pause": lambda: studies.pause(study),
        "cancel": lambda: studies.cancel(study),
        "delete study": lambda: studies.delete(study),
        "save figure": lambda: saved_figures.save("other", LOOK),
        "change figure": lambda: saved_figures.change("figure", LOOK),
        "delete figure": lambda: saved_figures.delete("figure"),
    }[verb]


VERBS = ("start", "continue", "extend", "stop", "resume", "annotate", "delete", "execute", "add data set", "import run",
         "import bundle", "import",
         "start study", "extend study", "work", "resume study", "change study", "pause", "cancel", "delete study",
         "save figure", "change figure", "delete figure")  # fmt: skip


@pytest.fixture
def stored(url):
    saved_figures.save("figure", LOOK)
    return {"run_id": runs.start(ASKED), "study": studies.start(STUDY.format("mine", 4))}


@pytest.mark.parametrize("verb", VERBS)
def test_read_only_refuses_every_change(stored, monkeypatch, verb):
    monkeypatch.setenv("TTC_READ_ONLY", "1")
    settings.cache_clear()
    with pytest.raises(Refused, match="read-only"):
        change(verb, **stored)()
    assert runs.get(stored["run_id"]).status == "pending" and len(studies.listing()) == 1
    assert runs.listing().total == 1 and runs.nodes(stored["run_id"]).nodes == ()
    assert runs.get(stored["run_id"]).note == ""


@pytest.mark.parametrize(
    "words",
    [["worker"], ["db", "vacuum"], ["db", "copy", "sqlite:///copy.db"], ["frontier", "--study", "s", "--fit", "p"]],
)
def test_read_only_holds_for_what_no_role_guards(url, monkeypatch, capsys, tmp_path, words):
    study = importing_of(tmp_path, url)
    waiting = runs.start(ASKED)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TTC_READ_ONLY", "1")
    settings.cache_clear()
    assert main([study if word == "s" else word for word in words]) == 2
    assert "read-only" in capsys.readouterr().err and runs.get(waiting).status == "pending"
    assert not (tmp_path / "copy.db").exists()


def importing_of(tmp_path, url):
    """A study of imported samples, enough to fit a policy on; its name."""
    given = [{"answer": str(i % 2), "score": i / 8} for i in range(8)]
    rows = [{"id": str(p), "question": "?", "answer": "1", "samples": given} for p in range(6)]
    (tmp_path / "s.jsonl").write_text("\n".join(map(json.dumps, rows)))
    return importing.add("samples", tmp_path / "s.jsonl", "d", "fitted", db=url)


@pytest.mark.parametrize("verb", VERBS)
@pytest.mark.parametrize("who", ["", "somebody@elsewhere.org"])
def test_a_viewer_changes_nothing_and_it_is_written_down(stored, shared, who, verb):
    shared(who)
    with pytest.raises(Refused, match="needs the role"):
        change(verb, **stored)()
    [line] = audit.latest(database(settings().database_url))
    assert (line["who"], line["role"], line["allowed"]) == (who, "viewer", False)
    assert runs.listing().total == 1 and runs.catalogue().__class__ is Catalogue


@pytest.mark.parametrize("verb", ["extend", "stop", "resume", "annotate", "delete", "execute", "work", "resume study",
                                  "pause", "extend study", "change study", "cancel", "delete study", "change figure",
                                  "delete figure"])  # fmt: skip
def test_a_runner_changes_only_what_is_his_own(stored, shared, verb):
    shared("bob@example.org")
    with pytest.raises(Refused, match="somebody else"):
        change(verb, **stored)()
    own = runs.start(ASKED)
    runs.stop(own)
    assert runs.get(own).status in ("stopped", "pending") and runs.delete([own]) == 1
    shared("eve@example.org")
    mine = runs.start(ASKED)
    shared("bob@example.org")
    with pytest.raises(Refused, match="somebody else"):
        runs.delete([mine])
    shared("Ada@Example.org")
    assert runs.delete([mine]) == 1


def test_a_name_of_one_kind_gives_no_right_to_another(stored, shared):
    """A figure may be saved under the name of another person's study, and the other way round."""
    shared("bob@example.org")
    assert saved_figures.save("mine", LOOK) == "mine"
    with pytest.raises(Refused, match="somebody else"):
        studies.delete("mine")
    studies.start(STUDY.format("figure", 4))
    with pytest.raises(Refused, match="somebody else"):
        saved_figures.delete("figure")
    saved_figures.change("mine", Look("exchange"))
    saved_figures.delete("mine")
    assert list(saved_figures.listing()) == ["figure"]


@pytest.mark.parametrize(("ends", "makes"), [("bob", "eve"), ("ada", "eve"), ("bob", ""), ("bob", "bob")])
def test_what_was_deleted_gives_no_right_to_what_is_called_so_afterwards(url, shared, monkeypatch, ends, makes):
    """makes: who makes it anew, "" for somebody at the machine, of whom nothing is written down."""
    path = settings().access

    def make(who):
        monkeypatch.setenv("TTC_ACCESS", str(path) if who else "")
        settings.cache_clear()
        shared(f"{who}@example.org")
        studies.start(STUDY.format("s", 4))
        saved_figures.save("s", LOOK)

    make("bob")
    shared(f"{ends}@example.org")
    studies.cancel("s")
    studies.delete("s")
    saved_figures.delete("s")
    make(makes)
    monkeypatch.setenv("TTC_ACCESS", str(path))
    settings.cache_clear()
    shared("bob@example.org")
    for kind in (studies, saved_figures):
        with pytest.raises(Refused, match="somebody else") if makes != "bob" else nullcontext():
            kind.delete("s")
    assert studies.exists("s") == (makes != "bob") == ("s" in saved_figures.listing())


def test_limits(url, shared):
    shared("bob@example.org")
    with pytest.raises(Refused, match="8 is the most at a time"):
        runs.start(RunSpec(**{**{f: getattr(ASKED, f) for f in ASKED.__slots__}, "budget": 9}))
    with pytest.raises(Refused, match="8 is the most at a time"):
        studies.start(STUDY.format("large", 16))
    first, _ = runs.start(ASKED), studies.start(STUDY.format("small", 4))
    with pytest.raises(Refused, match="2 searches and studies under way"):
        runs.start(ASKED)
    shared("eve@example.org")
    runs.start(ASKED)
    shared("bob@example.org")
    for _ in range(3):
        runs.delete([first])
        first = runs.start(ASKED)
    runs.delete([first])
    with pytest.raises(Refused, match="5 within an hour"):
        runs.start(ASKED)
    shared("ada@example.org")
    assert runs.start(ASKED)


def test_a_right_that_is_taken_away_is_gone_at_once(url, shared):
    shared("bob@example.org")
    runs.start(ASKED)
    settings().access.write_text('[roles]\nviewer = ["anyone"]\n')
    with pytest.raises(Refused):
        runs.start(ASKED)
    settings().access.unlink()
    with pytest.raises(UserError, match="cannot be read"):
        runs.start(ASKED)


@pytest.mark.parametrize(
    "text",
    ["[roles", "[rolls]", "[roles]\nroot = []", '[roles]\nadmin = "ada"', "[roles]\nadmin = [1]",
     "[login]\nunstated = 1", "[login]\nunsaid = true", "login = true",
     "[limits]\nbudget = -1", "[limits]\nbudget = true", "roles = 1", "x = " + "[" * 5000],
)  # fmt: skip
def test_a_wrong_access_file_lets_nobody_in(tmp_path, text):
    path = tmp_path / "access.toml"
    path.write_text(text)
    with pytest.raises(UserError, match="access.toml"):
        read(path)


def test_whoever_is_at_the_machine_may_do_everything(url):
    assert access.actor() == access.Actor("", "admin") and access.may_change()
    runs.delete([runs.start(ASKED)])
    assert audit.latest(database(url)) == []


def app(monkeypatch, **environment):
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    settings.cache_clear()
    return AppTest.from_file(str(REPOSITORY / "app.py"), default_timeout=60).run()


def said(at):
    return [*(t.value for t in at.text), *(c.value for c in at.caption), *(m.value for m in at.markdown)]


def test_the_app_says_that_it_is_read_only(url, monkeypatch):
    assert any(text.startswith("Read-only") for text in said(app(monkeypatch, TTC_READ_ONLY="1")))


def test_the_app_lets_in_whom_the_file_names(url, tmp_path, monkeypatch):
    """Here nobody is logged in: a stranger."""
    path = tmp_path / "access.toml"
    path.write_text(RULES)
    assert "not logged in: viewer" in said(app(monkeypatch, TTC_ACCESS=str(path)))
    path.write_text('[roles]\nadmin = ["ada@example.org"]\n')
    at = app(monkeypatch, TTC_ACCESS=str(path))
    assert "**This workbench is not open to everybody**" in said(at) and len(at.main.children) < 3
    path.write_text("[roles")
    assert "**This workbench is closed**" in said(app(monkeypatch, TTC_ACCESS=str(path)))


PAGES = sorted((REPOSITORY / "pages").glob("*.py"))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_a_page_that_is_reached_past_the_app_lets_in_nobody_else(url, tmp_path, monkeypatch, page):
    """`streamlit run app.py` runs the file of a page by itself where its address is the first that is asked for."""
    path = tmp_path / "access.toml"
    path.write_text('[roles]\nadmin = ["ada@example.org"]\n')
    monkeypatch.setenv("TTC_ACCESS", str(path))
    settings.cache_clear()
    access.identify(lambda: None)
    at = AppTest.from_file(str(page), default_timeout=60).run()
    assert "**This workbench is not open to everybody**" in said(at) and len(at.main.children) < 3
    with pytest.raises(Refused, match="no role"):
        runs.start(ASKED)


@pytest.mark.parametrize("unstated", [False, True])
@pytest.mark.parametrize("claim", [True, "true", False, "false", "False", "", 0, 1, None, "absent"])
def test_an_address_counts_where_the_issuer_says_that_it_is_verified(shared, monkeypatch, claim, unstated):
    claims = {"is_logged_in": True, "email": "ada@example.org", "email_verified": claim}
    if claim == "absent":
        del claims["email_verified"]
    settings().access.write_text(f"{RULES}[login]\nunstated = {str(unstated).lower()}\n" if unstated else RULES)
    monkeypatch.setattr(gate.st, "user", SimpleNamespace(to_dict=lambda: claims))
    access.identify(gate.asking)
    counts = claim is True or claim == "true" or (claim == "absent" and unstated)
    assert access.actor() == (access.Actor("ada@example.org", "admin") if counts else access.Actor("", "viewer"))


def gated(own, other):
    """A page of one button for each kind of change; pressing one says so."""
    from ttc_core.ui import gate

    for key, options in {"new": {}, "own": {"of": [own]}, "other": {"of": [other]}}.items():
        if gate.button(key, "runs.stop", key=key, help="what it does", **options):
            raise RuntimeError(f"{key} was pressed")


@pytest.mark.parametrize(
    ("who", "open_"),
    [("viewer", ()), ("runner", ("new", "own")), ("admin", ("new", "own", "other")), ("read-only", ())],
)
def test_buttons_of_what_one_may_not_do_are_disabled_and_say_why(stored, shared, monkeypatch, who, open_):
    shared("bob@example.org")
    own = runs.start(ASKED)
    if who == "read-only":
        monkeypatch.setenv("TTC_READ_ONLY", "1")
        settings.cache_clear()
    shared({"viewer": "", "runner": "bob@example.org"}.get(who, "ada@example.org"))
    at = AppTest.from_function(gated, args=(own, stored["run_id"]), default_timeout=60).run()
    told = {"viewer": ["role is viewer"] * 3, "runner": ["somebody else"],
            "read-only": ["workbench is read-only"] * 3, "admin": []}[who]  # fmt: skip
    assert tuple(b.key for b in at.button if not b.disabled) == open_
    assert all(says in b.help for says, b in zip(told, [b for b in at.button if b.disabled], strict=True))
    for key in open_:
        assert AppTest.from_function(gated, args=(own, stored["run_id"])).run().button(key).click().run().exception


def test_a_button_that_was_open_when_it_was_drawn_does_nothing_once_the_right_is_gone(stored, shared):
    shared("ada@example.org")
    at = AppTest.from_function(gated, args=("", stored["run_id"]), default_timeout=60).run()
    shared("")
    assert not at.button("other").click().run().exception
