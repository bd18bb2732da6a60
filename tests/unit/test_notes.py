"""What somebody writes beside a search: kept through what happens to it, found by the list, never markup."""

from __future__ import annotations

import json

import pytest
from sqlalchemy import update

from tests.unit.test_ui_pages import HOSTILE, component, field, finished, page, url  # noqa: F401
from ttc_core import runs, studies
from ttc_core.__main__ import main
from ttc_core.bundle import writing
from ttc_core.errors import BadValue, UnknownName, UserError
from ttc_core.runs_views import MOST_NOTE
from ttc_core.store import repository
from ttc_core.store.database import database
from ttc_core.types import RunSpec


def test_a_note_is_written_replaced_found_and_taken_away(url):  # noqa: F811
    run_id, other = finished(url), finished(url, "done2")
    before = runs.get(run_id, db=url)
    assert before.note == ""
    runs.annotate(run_id, "  goes wrong where it Subtracts 50 %\n", db=url)
    after = runs.get(run_id, db=url)
    assert after.note == "goes wrong where it Subtracts 50 %" and after.revision == before.revision
    assert [view.id for view in runs.listing(text="subtracts 50 %", db=url).rows] == [run_id]
    runs.annotate(other, "subtracts 5", db=url)
    runs.annotate(run_id, "", db=url)
    assert [view.id for view in runs.listing(text="subtracts 5", db=url).rows] == [other]


def test_what_is_refused(url):  # noqa: F811
    run_id = finished(url)
    runs.annotate(run_id, "x" * MOST_NOTE + " ", db=url)
    with pytest.raises(BadValue, match="4,001"):
        runs.annotate(run_id, "y" * (MOST_NOTE + 1), db=url)
    with pytest.raises(UnknownName):
        runs.annotate("nobody", "x", db=url)
    assert runs.get(run_id, db=url).note == "x" * MOST_NOTE


def test_it_stays_when_the_search_goes_on_and_is_not_handed_to_another(url):  # noqa: F811
    run_id = finished(url)
    runs.annotate(run_id, "look \ud800\x00", db=url)
    runs.extend(run_id, 32, db=url)
    assert runs.get(run_id, db=url).note == "look \ud800\x00"
    step = runs.nodes(run_id, db=url).nodes[0].id
    asked = RunSpec("", "best_of_n", 2, params={"select": "majority"}, verifier="")
    assert runs.get(runs.continue_from(run_id, step, asked=asked, db=url), db=url).note == ""


def test_it_is_part_of_the_document_and_older_documents_have_none(url):  # noqa: F811
    run_id = finished(url)
    runs.annotate(run_id, "look", db=url)
    document = runs.export_run(run_id, db=url)
    for changed, note in ((document, "look"), ({k: v for k, v in document.items() if k != "note"}, "")):
        runs.delete([run_id], db=url)
        runs.import_run(changed, db=url)
        assert runs.get(run_id, db=url).note == note
    runs.delete([run_id], db=url)
    with pytest.raises(BadValue, match="a note has at most"):
        runs.import_run({**document, "note": "x" * (MOST_NOTE + 1)}, db=url)
    assert not runs.listing(db=url).total


def test_from_the_command_line(url, capsys):  # noqa: F811
    run_id = finished(url)
    assert main(["note", run_id, "look here", "--json", "--db", url]) == 0
    assert json.loads(capsys.readouterr().out) == {"run_id": run_id, "note": "look here"}
    assert main(["show", run_id, "--db", url]) == 0
    assert "note       look here" in capsys.readouterr().out


def test_on_the_page_it_is_asked_for_kept_and_shown_as_text(url):  # noqa: F811
    run_id = finished(url)
    at = page("trees", run=run_id)
    at.button(key="act_note").click().run()
    field(at.text_area, "note_text").set_value(HOSTILE)
    at.button(key="note_save").click().run()
    assert not at.exception and runs.get(run_id, db=url).note == HOSTILE
    assert HOSTILE in [text.value for text in at.text] and not at.text_area
    assert not [one for one in at.markdown if "onerror" in one.value]
    at.button(key="act_note").click().run()
    assert field(at.text_area, "note_text").value == HOSTILE
    field(at.text_area, "note_text").set_value("other")
    at.button(key="note_cancel").click().run()
    assert runs.get(run_id, db=url).note == HOSTILE and not at.text_area
    [row] = component(page("trees"), "ttc_runs")["rows"]
    assert row["note"] == HOSTILE


def test_what_was_typed_stays_where_it_cannot_be_kept(url):  # noqa: F811
    run_id = finished(url)
    runs.annotate(run_id, "look \ud800", db=url)  # no browser can be sent this
    at = page("trees", run=run_id)
    at.button(key="act_note").click().run()
    assert not at.exception and field(at.text_area, "note_text").value.startswith("look ")
    runs.annotate(run_id, "of another", db=url)
    field(at.text_area, "note_text").set_value("mine")
    at.button(key="note_save").click().run()
    assert runs.get(run_id, db=url).note == "of another" and field(at.text_area, "note_text").value == "mine"
    assert "Somebody else has written a note meanwhile" in " ".join(one.value for one in at.markdown)
    runs.delete([run_id], db=url)
    at.button(key="note_save").click().run()
    assert "The note is not kept" in " ".join(one.value for one in at.markdown)
    assert field(at.text_area, "note_text").value == "mine"


def test_a_study_carries_no_notes_and_takes_none_before_it_is_done_with_a_search(url, tmp_path):  # noqa: F811
    asked = 'name = "kept"\ndatasets = [{ name = "mini-test", problems = 1 }]\nmodels = ["mini-s"]\nverifiers = []\n'
    asked += 'strategies = [{ name = "best_of_n", set = { select = "majority" } }]\nbudgets = [2]\nkeep_trees = "all"\n'
    studies.start(asked, db=url)
    studies.work("kept", db=url)
    [kept] = runs.listing(model="mini-s", db=url).rows
    bundles = []
    for note in ("ask somebody", ""):
        runs.annotate(kept.id, note, db=url)
        writing.write("kept", tmp_path / "kept.zip", writing.Drawn(), db=url)
        bundles.append((tmp_path / "kept.zip").read_bytes())
    assert bundles[0] == bundles[1]
    with database(url).write() as connection:
        connection.execute(update(repository.runs).where(repository.runs.c.id == kept.id).values(status="failed"))
    with pytest.raises(UserError, match="failed in a study"):
        runs.annotate(kept.id, "x", db=url)
