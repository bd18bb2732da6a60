// The ways to look at a search: canvas, outline, and the table that Python draws below the toolbar; what the address
// says of them.
const VIEWS = ["tree", "outline", "table"];

// tell: whether the address shall say so, as after what somebody did here.
function setView(S, view, { tell = true } = {}) {
  const [from, to] = [S.view, view].map((name) => (name === "outline" ? S.outline : S.canvas)), { activeElement } = from.getRootNode();
  S.view = view;
  S.frameBox.dataset.view = view;
  drawBar(S);
  if (from !== to && activeElement === from) to.focus({ preventScroll: true });
  redraw(S);
  if (tell) tellLook(S);
}

// Have the address say the step, the view and the moment of the replay, once they stay for a while. The time makes it a
// change, always.
function tellLook(S) {
  S.toldAt = Date.now();
  clearTimeout(S.telling);
  S.telling = setTimeout(() => S.setState("look", [S.selected, S.view, S.frame, S.toldAt]), 200);
}

// Take what the address says, unless it is from before the last that was told: Python says how much it has heard, and
// for a moment it may still read an older address, which the browser had sent along with something else.
const ECHO = 1000; // ms
function followLook(S, { select: step, view, frame, heard }) {
  if ((heard || 0) < S.toldAt || Date.now() - S.toldAt < ECHO || S.playing) return;
  if (step && step !== S.selected && S.tree.nodes.has(step)) select(S, step, { tell: false });
  else if (!step && S.selected) Object.assign(S, { selected: null, selectedPath: new Set(), tab: "answers" });
  if (frame !== S.frame) setFrame(S, frame ?? Infinity, { tell: false });
  if (view !== S.view) setView(S, view, { tell: false });
}

// The outline: the same tree as nested rows, for reading, searching in the page and screen readers. Of a large tree it
// holds those rows among which the selected step is.
const OUTLINE_ROWS = 1500;
function drawOutline(S) {
  const { order } = S.tree, at = Math.max(0, order.findIndex((node) => node.id === S.selected)), first = at - (at % OUTLINE_ROWS);
  const shown = order.slice(first, first + OUTLINE_ROWS), rows = shown.map((node) => outlineRow(S, node));
  const others = (count, where) => (count > 0 ? [el("p", "quiet", `${count.toLocaleString("en")} more rows ${where}: go there by keys, or hide the pruned ones`)] : []);
  S.outline.replaceChildren(...others(first, "above"), ...rows, ...others(order.length - first - shown.length, "below"));
  const on = shown[at - first]?.id === S.selected ? rows[at - first] : null;
  if (on) S.outline.setAttribute("aria-activedescendant", on.id);
  else S.outline.removeAttribute("aria-activedescendant");
  if (on && S.outlinedAt !== S.selected) on.scrollIntoView({ block: "nearest" }); // but not again when steps arrive
  S.outlinedAt = S.selected;
}

function outlineRow(S, node) {
  const on = node.id === S.selected, state = seen(node, S.frame), row = el("div", "orow" + (on ? " on" : ""), "", {
    id: `step-${node.id}`, role: "treeitem", "aria-level": node.depth + 1, "aria-selected": String(on),
  });
  if (node.kids.length) row.setAttribute("aria-expanded", String(!S.folded.has(node.id)));
  row.style.paddingInlineStart = `${8 + (node.column + node.level) * 18}px`;
  const now = S.frame == null, score = now || state !== "open" ? node.score : null; // a replay knows nothing of what comes
  row.append(icon(state, score, S), el("span", "oscore", scoreText(score)));
  row.append(el("span", "otext" + (state === "pruned" ? " pruned" : ""), node.depth ? oneLine(node.text) : node.text, { dir: "auto" }));
  if (now && S.wrong.has(node.id)) row.append(el("span", "mark wrong", "✗ first wrong"));
  if (now && S.chosenPath.has(node.id) && node.depth) row.append(el("span", "mark chosen", "chosen"));
  if (node.why && (now || state === node.state)) row.append(el("span", "owhy", node.why));
  row.onclick = () => select(S, node.id);
  return row;
}
