// The side panel (one node, or the answers): plain DOM, textContent only.
const SVG = "http://www.w3.org/2000/svg";

function icon(state, score, S) {
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("viewBox", "-8 -8 16 16");
  svg.setAttribute("class", "icon");
  svg.setAttribute("aria-hidden", "true");
  const fill = score == null ? S.theme.unscored : S.theme.colour(score);
  const shapes = {
    kept: ["circle", { r: 5 }], open: ["circle", { r: 4.4 }], pruned: ["path", { d: "M0 -5L5 0L0 5L-5 0Z" }],
    final: ["rect", { x: -4.8, y: -4.8, width: 9.6, height: 9.6 }], failed: ["path", { d: "M-4 -4L4 4M4 -4L-4 4" }],
    root: ["circle", { r: 4 }], given: ["path", { d: "M-4 -5.5L5.5 0L-4 5.5Z" }],
  };
  const [tag, attributes] = shapes[state] || shapes.open;
  const shape = document.createElementNS(SVG, tag);
  for (const [key, value] of Object.entries(attributes)) shape.setAttribute(key, value);
  const hollow = state === "open", stroke = state === "failed" ? S.theme.failed : hollow ? (score == null ? S.theme.muted : fill) : S.theme.outline;
  shape.setAttribute("fill", hollow || state === "failed" ? "none" : state === "root" ? S.theme.text : fill);
  shape.setAttribute("stroke", stroke);
  shape.setAttribute("stroke-width", hollow || state === "failed" ? 2.2 : 1);
  svg.append(shape);
  return svg;
}

// A row that selects a node: glyph, score with its bar, text.
function nodeRow(S, node, lead = "") {
  const row = el("button", "row" + (node.id === S.selected ? " on" : ""), "", { type: "button", title: node.why || "", "data-id": node.id });
  if (lead !== "") row.append(el("span", "lead", String(lead)));
  row.append(icon(node.state, node.score, S), scoreBar(S, node.score), el("span", "text", oneLine(node.text) || "(empty)", { dir: "auto" }));
  if (S.wrong.has(node.id)) row.append(el("span", "mark wrong", "✗ first wrong"));
  if (S.chosenPath.has(node.id)) row.append(el("span", "mark chosen", "chosen"));
  row.onclick = () => select(S, node.id);
  return row;
}

function scoreBar(S, score) {
  const bar = el("span", "bar-score"), fill = el("i");
  bar.append(el("b", "", score == null ? "–" : scoreText(score)));
  fill.style.width = score == null ? "0" : `${Math.max(2, score * 100)}%`;
  if (score != null) fill.style.background = S.theme.colour(score);
  const rail = el("span", "rail");
  rail.append(fill);
  bar.append(rail);
  return bar;
}

function section(title, note = "") {
  const part = el("section"), head = el("h4", "", title);
  if (note) head.append(el("span", "note", note));
  part.append(head);
  return part;
}

function drawPanel(S) {
  const { side } = S, node = S.tree.nodes.get(S.selected);
  const tab = S.tab === "node" && !node ? "answers" : S.tab;
  const seenOf = { node: () => signature(S, node), answers: () => answerSignature(S), depths: () => S.rev }[tab]();
  const sign = JSON.stringify([tab, S.run, S.selected, S.theme.dark, S.data.outcome, S.data.truth, S.data.rights, S.wrong.size, seenOf]);
  if (sign === S.panelSign) return;
  S.panelSign = sign;
  const tabs = el("div", "tabs", "", { role: "tablist" });
  for (const [name, label] of [["answers", "Answers"], ["node", "Step"], ["depths", "Depths"]]) {
    const button = el("button", tab === name ? "on" : "", label, { type: "button", role: "tab", "aria-selected": String(tab === name) });
    if (name === "node" && !node) button.disabled = true;
    button.onclick = () => { S.tab = name; drawPanel(S); };
    tabs.append(button);
  }
  const content = el("div", "content");
  ({ node: nodePanel, answers: answersPanel, depths: depthsPanel })[tab](S, content, node);
  const scroll = side.dataset.of === `${tab} ${S.selected}` && side.querySelector(".content") ? side.querySelector(".content").scrollTop : 0;
  if (S.dim && side.dataset.of !== `${tab} ${S.selected}`) { S.dim = null; redraw(S); } // what was pointed at goes
  side.dataset.of = `${tab} ${S.selected}`;
  const able = () => [...side.querySelectorAll("button")], focused = side.getRootNode().activeElement, at = able().indexOf(focused);
  side.replaceChildren(tabs, content);
  if (scroll) content.scrollTop = scroll;
  if (at < 0) return;
  const same = able().find((one) => one.dataset.id && one.dataset.id === focused.dataset.id);
  (same ?? able()[Math.min(at, able().length - 1)]).focus({ preventScroll: true });
}

const signature = (S, node) => [
  pathTo(S.tree, node.id).map((n) => [n.id, n.score, n.state]),
  (S.tree.nodes.get(node.parent)?.kids || []).map((n) => [n.id, n.score, n.state, S.data.truth == null ? "" : becameWords(S, n)]), node.why,
  node.kids.map((n) => [n.id, n.score, n.state]),
];

function nodePanel(S, content, node) {
  const head = el("div", "node-head");
  head.append(icon(node.state, node.score, S), el("strong", "", STATE_WORDS[node.state]), el("code", "id", node.id));
  if (node.id === S.chosen) head.append(el("span", "mark chosen", "chosen answer"));
  content.append(head);
  if (node.why) content.append(el("p", "why", node.why));
  if (S.wrong.has(node.id)) content.append(el("p", "why wrong", "✗ Here the solution goes wrong for the first time."));
  content.append(el("pre", "step-text", node.text.replace(/\n+$/, "") || "(empty)", { dir: "auto" }));
  content.append(facts(node));
  if (node.depth) content.append(onwardButton(S, node));
  const path = pathTo(S.tree, node.id).slice(1);
  if (path.length) {
    const part = section("From the question to here", "score after each step");
    let attempt = 0;
    for (const n of path) {
      if (n.column === 1 && node.level) part.append(el("p", "note", textName(S, n) || `attempt ${++attempt}`));
      part.append(nodeRow(S, n, n.column));
    }
    content.append(part);
  }
  const siblings = (S.tree.nodes.get(node.parent)?.kids || []).slice();
  if (siblings.length > 1) {
    siblings.sort((a, b) => (b.score ?? -1) - (a.score ?? -1) || a.index - b.index);
    const part = section("Siblings", `${siblings.length} continuations, best first`);
    for (const n of siblings.slice(0, 64)) {
      const row = nodeRow(S, n), became = S.data.truth == null ? "" : becameWords(S, n);
      if (became) row.append(el("span", "became", became, { title: "of the solutions finished below it" }));
      part.append(row);
    }
    if (siblings.length > 64) part.append(el("p", "note", `${siblings.length - 64} more below these`));
    content.append(part);
  }
  if (node.kids.length) {
    const part = section(ended(node) ? "Revised in" : "Continuations", `${node.kids.length}`);
    node.kids.slice().sort((a, b) => (b.score ?? -1) - (a.score ?? -1)).slice(0, 64).forEach((n) => part.append(nodeRow(S, n)));
    content.append(part);
  }
}

// What came of a step: "2/3 right" of the solutions finished at or below it, "" where none was.
function becameWords(S, node) {
  let finished = 0, right = 0;
  const below = [node];
  while (below.length) {
    const at = below.pop();
    if (at.state === "final" && at.answer != null) { finished++; right += isRight(S, at.answer); }
    below.push(...at.kids);
  }
  return finished ? `${right}/${finished} right` : "";
}

const isRight = (S, answer) => (S.data.correct != null && answer === S.data.outcome?.answer ? S.data.correct : !!S.data.rights?.includes(answer));

function onwardButton(S, node) {
  const button = el("button", "onward", node.finish === "end" ? "Edit and go on…" : "Go on from here…", {
    type: "button", title: "a new search that begins with the steps up to here, as they are or edited (C)",
  });
  button.onclick = () => S.trigger("onward", [node.id, Date.now()]);
  return button;
}

// "critique" for the first step of one, "" for that of a solution.
function textName(S, first) {
  let last = first;
  while (!ended(last) && last.kids.length) last = last.kids[0];
  return last.state === "kept" && last.finish === "end" ? "critique" : "";
}

function facts(node) {
  const list = el("dl", "facts");
  const add = (name, value) => { if (value !== "" && value != null) list.append(el("dt", "", name), el("dd", "", String(value))); };
  add("P(right so far)", node.score == null ? "not scored" : node.score.toFixed(3));
  add("answer", node.answer);
  add("log-probability", node.logprob == null ? null : node.logprob.toFixed(2));
  add("tokens", node.tokens || null);
  add("stopped at", { length: "the length limit (cut off)", error: "an error", end: "the end of the solution", step: "the end of the step" }[node.finish]);
  if (node.total > 1) add("part", `step ${node.step} of ${node.total} of sample ${node.source}`);
  return node.state === "root" ? el("span") : list;
}

// Candidates in groups of equal answers; before the outcome is there, what has finished so far.
function answerGroups(S) {
  const outcome = S.data.outcome, groups = new Map();
  const found = outcome
    ? outcome.candidates.map(([id, answer, score, weight]) => ({ id, answer, score, weight }))
    : [...S.tree.nodes.values()].filter((n) => n.state === "final").map((n) => ({ id: n.id, answer: n.answer, score: n.score, weight: null }));
  for (const candidate of found) {
    const key = candidate.answer ?? "";
    if (!groups.has(key)) groups.set(key, { answer: candidate.answer, weight: candidate.weight, members: [] });
    groups.get(key).members.push(candidate);
  }
  const size = (group) => (group.answer == null ? -1 : group.weight ?? group.members.length);
  return [...groups.values()].sort((a, b) => size(b) - size(a));
}

const answerSignature = (S) => (S.data.outcome ? [S.data.outcome.candidates.length, S.data.wrong?.length, S.rev] : [S.data.live, failed(S).length, answerGroups(S).map((g) => [g.answer, g.members.length])]);

const failed = (S) => [...S.tree.nodes.values()].filter((n) => n.state === "failed");

function answersPanel(S, content) {
  const groups = answerGroups(S), outcome = S.data.outcome;
  if (!groups.length) {
    content.append(el("p", "quiet", S.data.live ? "No solution has finished yet." : "No solution was finished."));
    for (const why of new Set(failed(S).map((n) => n.why))) {
      content.append(el("p", "why wrong", why || "A sample failed."));
    }
    return;
  }
  const note = outcome ? S.data.rule : "finished so far; the choice comes at the end";
  content.append(el("p", "quiet", note));
  if (outcome) whyWrong(S, content);
  const most = Math.max(...groups.map((g) => g.weight ?? g.members.length), 1e-9);
  const sum = groups.reduce((total, g) => total + (g.weight ?? g.members.length), 0) || 1;
  groups.forEach((group) => content.append(answerBlock(S, group, most, sum)));
  if (outcome?.excluded) content.append(el("p", "why", `${outcome.excluded} left out because sampling or scoring them failed`));
}

// The last steps of a solution before its answer.
function ending(S, id) {
  const steps = solutionTo(S.tree, id).slice(0, -1).slice(-2).map((node) => oneLine(node.text));
  return steps.length ? steps.join("  ›  ") : id;
}

// The best of those that gave an answer: made when it is opened, as most never are.
function memberRows(S, group) {
  const rows = [];
  for (const member of group.members.slice().sort((a, b) => (b.score ?? -1) - (a.score ?? -1)).slice(0, 128)) {
    const node = S.tree.nodes.get(member.id);
    if (!node) continue;
    const row = nodeRow(S, node);
    row.querySelector(".text").textContent = ending(S, member.id);
    row.title = member.id;
    row.querySelector(".bar-score").replaceWith(scoreBar(S, member.score));
    rows.push(row);
  }
  return rows;
}

function answerBlock(S, group, most, sum) {
  const block = el("details", "answer"), head = el("summary"), size = group.weight ?? group.members.length;
  const chosen = S.data.outcome && group.answer != null && group.answer === S.data.outcome.answer;
  head.append(el("span", "value", group.answer ?? "no answer", { dir: "auto" }));
  const marks = el("span", "marks");
  if (chosen) marks.append(el("span", "mark chosen", "chosen"));
  if (S.data.truth != null && isRight(S, group.answer)) marks.append(el("span", "mark right", "✓ right"));
  else if (chosen && S.data.correct === false) marks.append(el("span", "mark wrong", "✗ wrong"));
  head.append(marks);
  head.append(el("span", "votes", `${group.members.length} ${group.members.length === 1 ? "vote" : "votes"}`));
  const rail = el("span", "rail wide"), fill = el("i", chosen ? "chosen" : "");
  fill.style.width = group.answer == null ? "0" : `${(100 * size) / most}%`;
  rail.append(fill);
  const weight = group.weight == null ? "" : `weight ${group.weight.toFixed(2)} · ${Math.round((100 * size) / sum)} %`;
  head.append(rail, el("span", "weight", group.answer == null ? "takes no part" : weight));
  block.append(head);
  block.open = S.openAnswers.has(group.answer) || (chosen && group.members.length <= 12 && !S.openAnswers.size);
  const show = () => { if (block.open && block.children.length === 1) block.append(...memberRows(S, group)); };
  block.ontoggle = () => {
    if (block.open) S.openAnswers.add(group.answer); else S.openAnswers.delete(group.answer);
    show();
  };
  show();
  const light = (on) => () => { S.dim = on ? new Set(group.members.flatMap((m) => solutionTo(S.tree, m.id).map((n) => n.id))) : null; redraw(S); };
  block.onpointerenter = light(true);
  block.onpointerleave = light(false);
  return block;
}
