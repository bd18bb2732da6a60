"""The tree's own script in a browser, fed by hand: what it does when messages are lost."""

from __future__ import annotations

import base64

import pytest

from ttc_core.ui.component import HTML, script

pytestmark = pytest.mark.e2e
MOUNT = """async ([html, code]) => {
  const {default: draw} = await import('data:text/javascript;base64,' + code);
  const root = document.createElement('div');
  root.innerHTML = html;
  document.body.replaceChildren(root);
  window.resyncs = [];
  window.send = (base, rev, rows) => { window.leave = draw({
    data: {run: 'a', base, rev, rows, question: '', live: false, outcome: null, view: 'tree', frame: null},
    parentElement: root,
    setStateValue() {}, setTriggerValue(name, value) { if (name === 'resync') window.resyncs.push(value.have); },
  }); };
}"""
ROW = ["r.0", "r", "step", 0.5, "kept", "", None, None, 1, "step", "r.0", 1, 1]


def test_it_asks_for_what_it_missed_until_it_has_it(served, open_page):
    """The search has ended: nothing but its own asking again would bring the rest if an answer was lost."""
    page = open_page(f"{served}/_stcore/health")
    page.evaluate(MOUNT, [HTML, base64.b64encode(script("tree").encode()).decode()])
    page.evaluate("send(5, 9, [])")
    assert page.evaluate("resyncs") == [0]
    page.wait_for_function("resyncs.length === 3")  # two answers were lost
    assert page.evaluate("__ttc.nodes") == 0
    page.evaluate("row => send(0, 9, [row])", ROW)
    assert page.evaluate("[__ttc.nodes, __ttc.revision]") == [1, 9]
    page.wait_for_timeout(1_700)
    assert page.evaluate("resyncs.length") == 3


def test_a_click_counts_between_new_steps_and_the_next_frame(served, open_page):
    page = open_page(f"{served}/_stcore/health")
    page.evaluate(MOUNT, [HTML, base64.b64encode(script("tree").encode()).decode()])
    page.evaluate("row => send(0, 1, [row])", ROW)
    page.wait_for_function("__ttc.draws > 0")
    clicked = """row => {
      send(1, 2, [row]);  // no frame is drawn before this function returns
      const canvas = document.querySelector("canvas"), at = __ttc.position("r.0");
      canvas.setPointerCapture = () => {};
      for (const kind of ["pointerdown", "pointerup"])
        canvas.dispatchEvent(new PointerEvent(kind, {clientX: at.x, clientY: at.y, isPrimary: true}));
      return __ttc.selected;
    }"""
    assert page.evaluate(clicked, ["r.1", *ROW[1:10], "r.1", 1, 1]) == "r.0"


def test_keys_lead_through_an_outline_that_is_too_long_to_be_drawn_at_once(served, open_page):
    page = open_page(f"{served}/_stcore/health")
    page.evaluate(MOUNT, [HTML, base64.b64encode(script("tree").encode()).decode()])
    many = [[f"r.{i}", *ROW[1:10], f"r.{i}", 1, 1] for i in range(3000)]
    page.evaluate("rows => send(0, 1, rows)", many)
    page.evaluate("__ttc.select('r.1498')")  # the question is the first row, this the last one of those drawn
    page.locator("canvas").press("o")
    on = page.locator(".orow.on")
    assert page.locator(".orow").count() == 1500 and on.get_attribute("id") == "step-r.1498"
    page.locator(".outline").press("ArrowDown")
    assert page.locator(".orow").count() == 1500 and on.get_attribute("id") == "step-r.1499"
    page.locator(".outline").press("ArrowUp")
    assert on.get_attribute("id") == "step-r.1498"


def test_it_is_taken_down_and_put_up_again_in_the_same_place(served, open_page):
    """As Streamlit does where something comes or goes above it: it is no second one in the first."""
    page = open_page(f"{served}/_stcore/health")
    page.evaluate(MOUNT, [HTML, base64.b64encode(script("tree").encode()).decode()])
    page.evaluate("row => send(0, 1, [row])", ROW)
    buttons, keys = page.locator(".bar button").count(), page.locator(".help kbd").count()
    assert buttons and keys
    page.evaluate("row => { leave(); send(0, 1, [row]); }", ROW)
    assert page.locator(".bar button").count() == buttons and page.locator(".help kbd").count() == keys
    page.wait_for_function("__ttc.draws > 0 && __ttc.nodes === 1")
    before = page.evaluate("__ttc.of.ky")
    page.locator("canvas").dispatch_event("wheel", {"deltaY": -100, "ctrlKey": True})
    assert page.evaluate("__ttc.of.ky") == pytest.approx(before * 2.718281828**0.15)
