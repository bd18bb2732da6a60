// Sliders, table and the life of the component. Moving a slider asks nobody; where it is left goes into the address.
const PAGES = new WeakMap();
const PATIENCE = 5000; // ms in which the server answers, if it does: of what is as it was it says nothing
const RANGE = { M: [1, 100], R: [0.01, 100] };
const toSlider = (name, value) => (1000 * Math.log(value / RANGE[name][0])) / Math.log(RANGE[name][1] / RANGE[name][0]);
const fromSlider = (name, place) => +(RANGE[name][0] * (RANGE[name][1] / RANGE[name][0]) ** (place / 1000)).toPrecision(3);

function row(S, bin, budget) {
  const { grid } = S.data, tr = el("tr", S.bin === bin.number ? "at" : "", "", { tabindex: "0", "data-bin": bin.number, role: "button", "aria-pressed": S.bin === bin.number });
  const small = ends(grid, bin.small, budget), gain = ends(grid, bin.gain, budget), large = [bin.large.mean, bin.large.low, bin.large.high];
  const first = el("td", "name"), swatch = svg("svg", { width: 34, height: 12, "aria-hidden": "true" });
  swatch.append(svg("path", { d: "M1,6H33", stroke: bin.colour, "stroke-dasharray": DASHES[bin.dash], class: "curve" }), svg("path", { d: SHAPES[bin.marker], transform: "translate(17,6)", fill: bin.colour, stroke: bin.colour }));
  first.append(swatch, el("span", "", bin.name));
  const cell = ([mean, low, high]) => { const td = el("td", "number", mean == null ? "–" : `${share(mean)} %`); if (low != null && mean != null) td.append(el("small", "", ` ${share(low)}–${share(high)}`)); return td; };
  const won = el("td", "number gain", points(gain[0]));
  if (gain[1] != null) won.append(el("small", "", ` ${points(gain[1])} to ${points(gain[2])}`));
  const word = verdict(gain);
  tr.append(first, el("td", "number", String(bin.n)), cell(small), cell(large), won, forest(gain), el("td", `word ${word.split(" ")[0]}`, word));
  const choose = () => { S.bin = S.bin === bin.number ? null : bin.number; draw(S); };
  tr.onclick = choose;
  tr.onkeydown = (event) => { if (event.key === "Enter" || event.key === " ") { event.preventDefault(); choose(); S.box.querySelector(`tr[data-bin="${bin.number}"]`)?.focus(); } };
  return tr;
}

// The gain with its interval on a line from -30 to +30 points.
function forest([mean, low, high]) {
  const td = el("td", "forest"), x = (v) => 60 + 190 * Math.max(-0.3, Math.min(0.3, v)), picture = svg("svg", { width: 120, height: 18, "aria-hidden": "true" });
  picture.append(svg("line", { x1: 60, x2: 60, y1: 0, y2: 18, class: "zero" }));
  if (mean != null) {
    if (low != null) picture.append(svg("line", { x1: x(low), x2: x(high), y1: 9, y2: 9, class: "interval" }));
    picture.append(svg("circle", { cx: x(mean), cy: 9, r: 3.6, class: "dot" }));
  }
  td.append(picture);
  return td;
}

function drawTable(S, budget) {
  const head = el("tr");
  for (const title of ["", "problems", S.data.small, S.data.large, "gain of the small model, points", "", ""]) head.append(el("th", "", title));
  const top = el("thead"), body = el("tbody");
  top.append(head);
  body.append(...S.data.bins.map((bin) => row(S, bin, budget)));
  S.box.querySelector("table").replaceChildren(top, body);
}

function draw(S) {
  const budget = multiplier(S.M, S.R), last = S.data.budgets[S.data.budgets.length - 1], q = (name) => S.box.querySelector(name);
  for (const name of ["M", "R"]) {
    q(`.${name} output`).textContent = three(S[name]);
    q(`.${name} input`).setAttribute("aria-valuetext", three(S[name]));
    if (!q(`.${name} input`).matches(":focus")) q(`.${name} input`).value = toSlider(name, S[name]);
  }
  q(".budget b").textContent = three(budget);
  const small = budget < S.data.budgets[0] ? "less than was measured" : budget > last ? `more than the ${three(last)} that were measured, from where the last accuracy is taken on` : "";
  q(".budget .how").textContent = `${three(S.M)} + 3 (${three(S.M)} − 1) / ${three(S.R)} times the inference tokens of one answer${small ? `: ${small}` : ""}.`;
  const same = S.data.times == null || Math.abs(S.M / S.data.times - 1) < 0.02;
  q(".note").textContent = same ? "" : `${S.data.large} has ${three(S.data.times)} times the parameters. Its accuracy is kept, and its price is that of a model ${three(S.M)} times larger.`;
  for (const button of S.box.querySelectorAll("button[data-value]")) button.setAttribute("aria-pressed", Math.abs(S[button.dataset.of] / button.dataset.value - 1) < 0.006);
  drawChart(S);
  drawTable(S, budget);
}

function told(S) {
  const value = [S.M, S.R];
  S.pending.push(String(value));
  S.leftAt = Date.now();
  S.tell(value);
}

function preset(S, of, value, words) {
  const button = el("button", "preset", words, { type: "button", "data-of": of, "data-value": value });
  button.onclick = () => { S[of] = value; S.box.querySelector(`.${of} input`).value = toSlider(of, value); draw(S); told(S); };
  return button;
}

function begin(S) {
  for (const name of ["M", "R"]) {
    const input = S.box.querySelector(`.${name} input`);
    input.oninput = () => { S[name] = fromSlider(name, +input.value); const start = performance.now(); draw(S); S.took = performance.now() - start; };
    input.onchange = () => told(S);
  }
  if (S.data.times != null) S.box.querySelector(".M .presets").append(preset(S, "M", +S.data.times.toPrecision(3), `${three(S.data.times)} (${S.data.large})`));
  S.box.querySelector(".R .presets").append(...S.data.ratios.map((r) => preset(S, "R", r, three(r))));
  S.resized = new ResizeObserver(() => drawChart(S));
  S.resized.observe(S.box.querySelector(".chart"));
}

export default function ({ data, parentElement: root, setTriggerValue }) {
  let S = PAGES.get(root);
  const first = !S || S.data.large !== data.large || S.data.times !== data.times;
  if (!S) PAGES.set(root, S = { box: root.querySelector(".exchange"), pending: [], bin: null });
  S.box.classList.toggle("dark", isDark(S.box));
  S.tell = (value) => setTriggerValue("left", value);
  S.data = data;
  // What the server tells of a place left here may be older than the latest one.
  const heard = S.pending.lastIndexOf(String([data.M, data.R]));
  if (heard >= 0) S.pending.splice(0, heard + 1);
  else if (!S.pending.length || Date.now() - S.leftAt > PATIENCE) { S.pending.length = 0; [S.M, S.R] = [data.M, data.R]; }
  if (first) { S.resized?.disconnect(); for (const box of S.box.querySelectorAll(".presets")) box.replaceChildren(); begin(S); }
  draw(S);
  window.__ttcExchange = { get M() { return S.M; }, get R() { return S.R; }, get took() { return S.took; }, get budget() { return multiplier(S.M, S.R); } };
  return () => { S.resized?.disconnect(); PAGES.delete(root); };
}
