// Chains of attempts side by side. Text only through textContent.
const CHAINS = new WeakMap();
const SIGNS = { true: ["✓", "right"], false: ["✗", "wrong"] };

function attempt(S, one) {
  const card = el("article", `attempt${one.chosen ? " chosen" : ""}${one.id === S.data.select ? " at" : ""}`, "", { tabindex: "-1", "data-id": one.id });
  const head = el("header");
  head.append(el("span", "number", `Attempt ${one.number}`));
  if (one.turn) head.append(el("span", `turn ${one.turn === "wrong → right" ? "right" : one.turn === "right → wrong" ? "wrong" : ""}`, one.turn));
  if (one.chosen) head.append(el("span", "mark", "★ chosen", { title: "the answer of the run is this attempt's" }));
  const text = el("div", "text", "", { dir: "auto" });
  for (const [kind, piece] of one.text) {
    const part = el({ added: "ins", removed: "del" }[kind] || "span", "", piece);
    if (kind !== "same") part.title = kind === "added" ? "not in the attempt before" : "gone from the attempt before";
    text.append(part);
  }
  const foot = el("footer"), [sign, kind] = SIGNS[one.right] || ["", ""];
  foot.append(el("span", `sign ${kind}`, sign, { "aria-label": kind, title: kind }), el("b", "answer", one.answer ?? "no answer", { dir: "auto" }));
  if (one.score != null) {
    const bar = el("span", "bar", "", { title: "the verifier's score" }), fill = el("i");
    fill.style.width = `${100 * Math.max(0, Math.min(1, one.score))}%`;
    bar.append(fill);
    foot.append(bar, el("span", "score", `score ${one.score.toFixed(3)}`));
  }
  if (one.weight != null && one.weight > 0) foot.append(el("span", "weight", `its answer weighs ${one.weight.toFixed(2)}`, { title: "in the choice among all answers, see the table above" }));
  card.append(head, text, foot);
  if (one.note) card.append(el("p", "note", one.note));
  card.onclick = () => {
    if (String(getSelection())) return;
    S.select(one.id);
    S.box.focus({ preventScroll: true }); // the arrows go from attempt to attempt
  };
  return card;
}

function draw(S) {
  const scrolled = S.box.scrollLeft, parts = [], texts = () => [...S.box.querySelectorAll(".attempt")].map((card) => [card.dataset.id, card.querySelector(".text")]);
  const read = new Map(texts().map(([id, text]) => [id, text.scrollTop]));
  for (const chain of S.data.chains) {
    const column = el("section", `chain${chain.chosen ? " chosen" : ""}`, "", { "aria-label": chain.title });
    const title = el("h4", "", chain.title);
    if (chain.chosen) title.append(el("span", "mark", " ★ gives the answer"));
    if (chain.origin) title.append(el("small", "", ` ${chain.origin}`));
    column.append(title, ...chain.attempts.map((one) => attempt(S, one)));
    parts.push(column);
  }
  if (!parts.length) parts.push(el("p", "empty", S.data.message, { role: "status" }));
  S.box.replaceChildren(...parts);
  S.box.scrollLeft = scrolled;
  for (const [id, text] of texts()) if (read.get(id)) text.scrollTop = read.get(id);
}

// Mark the selected attempt: nothing is drawn anew for it, so that texts stay where they were scrolled to.
function mark(S) {
  for (const card of S.box.querySelectorAll(".attempt")) card.classList.toggle("at", card.dataset.id === S.data.select);
}

function press(S, event) {
  if (event.target.matches?.(".text") && ["ArrowUp", "ArrowDown"].includes(event.key)) return; // it scrolls
  const step = { ArrowDown: [0, 1], j: [0, 1], ArrowUp: [0, -1], k: [0, -1], ArrowRight: [1, 0], ArrowLeft: [-1, 0] }[event.key];
  if (!step || event.ctrlKey || event.metaKey || event.altKey || !S.data.chains.length) return;
  const chains = S.data.chains, [across, along] = chains.length > 1 ? step : [0, step[0] + step[1]]; // one alone is in rows
  let at = chains.findIndex((chain) => chain.attempts.some((one) => one.id === S.data.select));
  let row = at < 0 ? -1 : chains[at].attempts.findIndex((one) => one.id === S.data.select);
  at = Math.max(0, Math.min(chains.length - 1, Math.max(0, at) + across));
  row = Math.max(0, Math.min(chains[at].attempts.length - 1, row + along));
  event.preventDefault();
  event.stopPropagation();
  if (chains[at].attempts[row]) S.select(chains[at].attempts[row].id);
}

export default function ({ data, parentElement: root, setTriggerValue }) {
  let S = CHAINS.get(root);
  if (!S) {
    S = { box: root.querySelector(".chains"), pending: [] };
    S.box.onkeydown = (event) => press(S, event);
    CHAINS.set(root, S);
  }
  S.box.classList.toggle("dark", isDark(S.box));
  S.select = (id) => { S.pending.push(id); S.data = { ...S.data, select: id }; mark(S); S.box.querySelector(".at")?.scrollIntoView({ block: "nearest", inline: "nearest" }); setTriggerValue("selected", [id, Date.now()]); };
  // What the server tells of a selection made here may be older than the latest one.
  const told = S.pending.indexOf(data.select), select = told < 0 ? data.select : S.data.select;
  if (told >= 0) S.pending.splice(0, told + 1);
  const { select: _, ...rest } = data, sign = JSON.stringify(rest);
  S.data = { ...data, select };
  if (S.sign !== sign) { S.sign = sign; draw(S); } else mark(S);
  return () => CHAINS.delete(root);
}
