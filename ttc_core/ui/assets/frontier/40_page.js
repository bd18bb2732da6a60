// Slider, panels and the life of the component. Moving the slider asks nobody; where it is left goes into the address.
const PAGES = new WeakMap();
const PATIENCE = 5000; // ms in which the server answers, if it does: of what is as it was it says nothing

function headline(S) {
  const lines = S.data.studies.map((study) => {
    const p = el("p", "headline"), j = placeOf(study, limitAt(S)), found = study.efficiency[j], base = S.data.methods[study.baseline].label;
    if (S.data.studies.length > 1) p.append(dashOf(study), el("b", "", study.name), document.createTextNode(": "));
    if (j < 0) p.append(document.createTextNode("was not run within this budget"));
    else if (!found) p.append(document.createTextNode(`${base} was not run at ${short(study.budgets[j])}`));
    else p.append(document.createTextNode("efficiency "), el("b", "big", `${found.bound ? `${found.bound} ` : ""}${found.mean.toFixed(2)}×`),
      document.createTextNode(`${found.low == null ? "" : ` (${found.low.toFixed(2)} to ${found.high.toFixed(2)})`} that of ${base} at ${short(study.budgets[j])} ${S.data.axis}`));
    return p;
  });
  S.box.querySelector(".headlines").replaceChildren(...lines);
}

function dashOf(study) {
  const picture = svg("svg", { width: 34, height: 10, class: "dash", "aria-hidden": "true" });
  picture.append(svg("path", { d: "M1,5H33", class: "curve", "stroke-dasharray": DASHES[study.dash] }));
  return picture;
}

// What is chosen in a bin by each study's policy.
function choice(S, study, bin) {
  const j = placeOf(study, limitAt(S)), method = study.policy[j]?.[bin], spent = study.spent[j]?.[bin];
  if (method == null) return "–";
  return `${S.data.methods[method].label}${spent === study.budgets[j] ? "" : ` at ${short(spent)}`}`;
}

function panel(S, bin) {
  const box = el("div", `bin${S.bin === bin ? " at" : ""}`, "", { "data-bin": bin }), sizes = S.data.studies.map((study) => study.sizes[bin] ?? 0);
  const button = el("button", "title", "", { type: "button", "aria-pressed": String(S.bin === bin), title: "show this bin above" });
  button.append(el("span", "", binName(bin, binsOf(S))), el("small", "", ` ${[...new Set(sizes)].join(" and ")} problems`));
  button.onclick = () => { S.bin = S.bin === bin ? null : bin; settle(S); };
  box.append(button, el("div", "chosen-there"), el("div", "small chart"));
  choose(S, box);
  return box;
}

// Say in a bin's panel what the policies choose there.
function choose(S, box) {
  box.querySelector(".chosen-there").replaceChildren(...S.data.studies.map((study) => {
    const line = el("div", "", "", { title: "what the compute-optimal policy chooses here" });
    if (S.data.studies.length > 1) line.append(dashOf(study));
    line.append(el("b", "", choice(S, study, +box.dataset.bin)));
    return line;
  }));
}

// Draw all of it; what had the keyboard has it again.
function draw(S) {
  const focused = focusedIn(S), q = (name) => S.box.querySelector(name), bins = binsOf(S);
  standing(S);
  const everywhere = el("button", "preset", "all problems", { type: "button" });
  everywhere.onclick = () => { const bin = S.bin; S.bin = null; settle(S, `.bin[data-bin="${bin}"] .title`); };
  q(".scope").replaceChildren(el("span", "", S.bin == null ? "Accuracy, all problems" : `Accuracy, ${binName(S.bin, bins)}`), ...(S.bin == null ? [] : [everywhere]));
  q(".bins").replaceChildren(...[...Array(bins).keys()].map((bin) => panel(S, bin)));
  charts(S);
  if (focused) q(focused)?.focus({ preventScroll: true });
}

// The slider was moved and nothing else: the panels' curves stay.
function moved(S) {
  standing(S);
  drawInto(S, S.box.querySelector(".whole"), SIZES.whole, S.bin);
  for (const box of S.box.querySelectorAll(".bin")) {
    choose(S, box);
    stand(S, box.querySelector(".chart"), +box.dataset.bin);
  }
}

// What stands at the slider beside the charts.
function standing(S) {
  const q = (name) => S.box.querySelector(name);
  q(".limit output").textContent = short(limitAt(S));
  const input = q(".limit input");
  Object.assign(input, { max: S.data.budgets.length - 1, value: S.at });
  input.setAttribute("aria-valuetext", `${short(limitAt(S))} ${S.data.axis}`);
  q(".limit .what").textContent = `${S.data.unit}${S.data.axis === "generations" ? "" : " (limits are what the baselines cost)"}`;
  headline(S);
  drawTable(S);
}

function charts(S) {
  drawInto(S, S.box.querySelector(".whole"), SIZES.whole, S.bin);
  for (const box of S.box.querySelectorAll(".bin")) drawInto(S, box.querySelector(".chart"), SIZES.bin, +box.dataset.bin);
}

// Draw what was changed and tell the server. focus: who has the keyboard, where what had it is gone.
function settle(S, focus = "") {
  draw(S);
  if (focus) S.box.querySelector(focus)?.focus();
  leave(S);
}

// How what has the keyboard will be found when it is drawn anew.
function focusedIn(S) {
  const on = S.box.getRootNode().activeElement, bin = on?.closest?.(".bin")?.dataset.bin;
  if (!on || !S.box.contains(on)) return "";
  if (on.dataset.key) return `${on.localName}${on.classList[0] ? `.${on.classList[0]}` : ""}[data-key="${CSS.escape(on.dataset.key)}"]`;
  return bin == null ? "" : `.bin[data-bin="${bin}"] .title`;
}

function leave(S) {
  const place = { at: limitAt(S), bin: S.bin, point: S.point, off: [...S.off].sort() };
  S.pending.push(JSON.stringify(place));
  S.leftAt = Date.now();
  S.tell(place);
}

function tip(S, marks, event) {
  const tipBox = S.box.querySelector(".tip"), many = S.data.studies.length > 1, place = S.box.getBoundingClientRect();
  tipBox.hidden = !marks.length;
  if (!marks.length) return;
  tipBox.replaceChildren(...marks.flatMap(({ one, value, budget }) => [
    el("b", "", one.style.label + (many ? `, ${one.study.name}` : "")),
    el("div", "", `${percent(value[0])}${value[1] == null ? "" : ` (${between(value, share)})`} at ${short(budget)} ${S.data.axis}`),
  ]));
  tipBox.style.top = `${event.clientY - place.top + 14}px`;
  tipBox.style.left = `${Math.min(event.clientX - place.left + 12, place.width - 230)}px`;
}

function light(S, key) {
  if (S.lit === key) return;
  S.lit = key;
  for (const box of S.box.querySelectorAll(".chart")) litIn(S, box);
}

function listen(S) {
  const input = S.box.querySelector(".limit input");
  input.oninput = () => { const begun = performance.now(); S.at = +input.value; moved(S); S.took = performance.now() - begun; };
  input.onchange = () => leave(S); // what was moved is drawn
  const marksAt = (event) => { const box = event.target.closest?.(".chart"); return [box, box ? near(box, event) : []]; };
  const open = (marks) => marks.filter((mark) => mark.one.method !== OPTIMAL);
  S.box.onpointermove = (event) => {
    const [box, marks] = marksAt(event);
    tip(S, marks, event);
    light(S, marks[0]?.one.key ?? event.target.closest?.("tr[data-key]")?.dataset.key ?? "");
    if (box) box.style.cursor = open(marks).length ? "pointer" : "";
  };
  S.box.onpointerleave = () => { tip(S, []); light(S, ""); };
  S.box.onclick = (event) => {
    const [box, marks] = marksAt(event), there = open(marks);
    if (!there.length) return;
    // Of marks that lie upon each other a second click takes the next one.
    const mark = there[(there.findIndex(({ one }) => one.key === S.point) + 1) % there.length];
    S.at = S.data.budgets.findLastIndex((budget) => within(budget, mark.budget));
    S.point = mark.one.key;
    if (box.classList.contains("small")) S.bin = +box.closest(".bin").dataset.bin;
    settle(S);
  };
  new ResizeObserver(() => { const wide = S.box.clientWidth; if (wide !== S.wide) { S.wide = wide; charts(S); } }).observe(S.box);
}

function receive(S, place) {
  const told = JSON.stringify({ at: place.at, bin: place.bin, point: place.point, off: place.off });
  const heard = S.pending.lastIndexOf(told);
  if (heard >= 0) { S.pending.splice(0, heard + 1); return; }
  if (S.pending.length && Date.now() - S.leftAt < PATIENCE) return; // older than what was changed here since
  S.pending.length = 0;
  S.at = Math.max(0, S.data.budgets.findLastIndex((budget) => within(budget, place.at)));
  [S.bin, S.point, S.off] = [place.bin, place.point, new Set(place.off)];
}

export default function ({ data, parentElement: root, setTriggerValue }) {
  let S = PAGES.get(root);
  if (!S) {
    PAGES.set(root, S = { box: root.querySelector(".frontier"), pending: [], at: 0, bin: null, point: "", off: new Set(), lit: "" });
    S.data = data;
    listen(S);
  }
  S.box.classList.toggle("dark", isDark(S.box));
  S.tell = (place) => setTriggerValue("left", place);
  S.data = data;
  receive(S, data.place);
  S.at = Math.min(S.at, data.budgets.length - 1);
  draw(S);
  window.__ttcFrontier = {
    get at() { return limitAt(S); }, get bin() { return S.bin; }, get point() { return S.point; }, get took() { return S.took; },
    get marks() { return S.box.querySelector(".whole").marks.map((m) => ({ key: m.one.key, budget: m.budget, x: m.x, y: m.y })); },
  };
  return () => PAGES.delete(root);
}
