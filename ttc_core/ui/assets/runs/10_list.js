// Stored searches as a table with links. Text only through textContent.
const LISTS = new WeakMap();

function verdict(row) {
  if (row.correct === true) return ["✓", "right", "right"];
  if (row.correct === false) return ["✗", "wrong", "wrong"];
  return row.status === "finished" ? ["", "", "no known answer"] : ["", "", ""];
}

function line(S, row, index) {
  const tr = el("tr", index === S.at ? "at" : "", "", { "data-id": row.id });
  const box = el("input", "", "", { type: "checkbox", "aria-label": `mark ${row.id}` });
  box.checked = S.marked.has(row.id);
  box.onclick = (event) => { event.stopPropagation(); toggle(S, row.id); };
  const cell = (className, text, title = "") => { const td = el("td", className, text, title ? { title } : {}); tr.append(td); return td; };
  const first = el("td", "mark");
  first.append(box);
  first.onclick = (event) => { event.stopPropagation(); toggle(S, row.id); };
  tr.append(first);
  const [sign, kind, words] = verdict(row);
  const answer = el("td", "answer");
  answer.append(el("span", `sign ${kind}`, sign, { title: words, "aria-label": words }), el("span", "value", row.answer ?? "–", { dir: "auto" }));
  const question = el("td", "question"), link = el("a", "", row.question, { href: `?run=${encodeURIComponent(row.id)}`, title: row.question, dir: "auto" });
  link.onclick = (event) => { event.stopPropagation(); if (event.ctrlKey || event.metaKey || event.shiftKey) return; event.preventDefault(); S.open(row.id); };
  question.append(link);
  if (row.note) question.append(el("small", "note", row.note, { title: row.note, dir: "auto" }));
  tr.append(question, answer);
  cell("problem", row.problem);
  const made = cell("strategy", row.strategy, row.parameters ? `${row.strategy}, ${row.parameters}` : "");
  if (row.parameters) made.append(el("small", "", row.parameters));
  cell("number", row.budget);
  cell("number", row.nodes);
  cell("number", row.tokens);
  const status = el("td", "status");
  status.append(el("i", `dot ${row.state}`), el("span", "", row.status));
  tr.append(status);
  cell("when", row.when);
  tr.onclick = () => S.open(row.id);
  return tr;
}

function toggle(S, id) {
  if (!S.marked.delete(id)) S.marked.add(id);
  S.setState("marked", [...S.marked]);
  fill(S);
}

function fill(S) {
  const head = el("tr");
  for (const [className, title] of [["mark", ""], ["question", "Question"], ["answer", "Answer"], ["problem", "Problem"], ["strategy", "Strategy"],
    ["number", "Budget"], ["number", "Nodes"], ["number", "Tokens"], ["status", "Status"], ["when", ""]]) head.append(el("th", className, title));
  const body = el("tbody"), top = el("thead");
  top.append(head);
  S.data.rows.forEach((row, index) => body.append(line(S, row, index)));
  const focused = S.table.getRootNode().activeElement, of = focused?.closest?.("tr")?.dataset.id, what = focused?.localName;
  S.table.replaceChildren(top, body);
  if (of) [...body.children].find((tr) => tr.dataset.id === of)?.querySelector(what)?.focus({ preventScroll: true });
}

function press(S, event) {
  const rows = S.data.rows, step = { j: 1, ArrowDown: 1, k: -1, ArrowUp: -1 }[event.key];
  if (event.ctrlKey || event.metaKey || event.altKey || !rows.length) return;
  if (event.target !== S.table && !step) return; // a link or a box has keys of its own
  if (step) S.at = Math.max(0, Math.min(rows.length - 1, (S.at ?? -1) + step));
  else if (event.key === "Enter" && S.at != null) S.open(rows[S.at].id);
  else if (event.key === "x" && S.at != null) toggle(S, rows[S.at].id);
  else return;
  event.preventDefault();
  event.stopPropagation();
  fill(S);
  S.table.querySelector(".at")?.scrollIntoView({ block: "nearest" });
}

export default function ({ data, parentElement: root, setStateValue, setTriggerValue }) {
  let S = LISTS.get(root);
  if (!S) {
    S = { table: root.querySelector("table"), marked: new Set(), at: null };
    S.table.onkeydown = (event) => press(S, event);
    LISTS.set(root, S);
  }
  root.querySelector(".list").classList.toggle("dark", isDark(root.querySelector(".list")));
  root.querySelector(".list").classList.toggle("short", Boolean(data.short));
  S.setState = setStateValue;
  S.open = (id) => setTriggerValue("open", id);
  if (S.data !== data) {
    const kept = [...S.marked].filter((id) => data.rows.some((row) => row.id === id));
    if (kept.length !== S.marked.size) setStateValue("marked", kept);
    const here = S.at == null ? -1 : data.rows.findIndex((row) => row.id === S.data.rows[S.at].id); // the keyboard's place
    Object.assign(S, { data, marked: new Set(kept), at: here < 0 ? null : here });
    fill(S);
  }
  window.__ttcRuns = { get ids() { return S.data.rows.map((row) => row.id); }, open: (id) => S.open(id) };
  return () => LISTS.delete(root);
}
