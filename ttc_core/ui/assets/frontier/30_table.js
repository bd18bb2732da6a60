// The table of methods at the slider's budget; it is the legend too.
const COLUMNS = ["", "method", "accuracy", "gain, points", "", "won : lost", "p", "problems needed"];
const HELP = {
  "gain, points": "accuracy less the baseline's, paired on the same problems; 95 % interval by a bootstrap over them; coloured where p < 0.05",
  "won : lost": "problems that only the one or only the other solves",
  "p": "exact McNemar test, Holm's correction for all methods compared at this budget",
  "problems needed": "how many problems find a difference like this one in 80 % of studies at 5 %, as many of them uneven as here",
};

function swatch(S, one) {
  const off = S.off.has(one.key), button = el("button", "swatch", "", { type: "button", "aria-pressed": String(!off), "aria-label": `show ${one.style.label}${S.data.studies.length > 1 ? ` of ${one.study.name}` : ""}`, title: "show or hide; with Shift this one alone" });
  const picture = svg("svg", { width: 32, height: 14, style: `fill:${one.style.colour};stroke:${one.style.colour}`, "aria-hidden": "true" });
  picture.append(svg("path", { d: "M1,7H31", class: "curve", "stroke-dasharray": DASHES[one.style.dash] }), svg("path", { d: shape(one.style.marker), transform: "translate(16,7)", class: "mark" }));
  button.append(picture);
  button.onclick = (event) => {
    const others = allKeys(S).filter((key) => key !== one.key);
    if (event.shiftKey) S.off = new Set(others.every((key) => S.off.has(key)) ? [] : others);
    else if (!S.off.delete(one.key)) S.off.add(one.key);
    settle(S);
  };
  button.dataset.key = one.key;
  return button;
}

const allKeys = (S) => S.data.studies.flatMap((study) => [...study.methods, OPTIMAL].map((method) => keyOf(study, method)));

// A difference with its interval on a line that reaches as far as the widest one of the table.
function forestOf([mean, low, high], reach) {
  const x = (v) => 44 + (40 * v) / reach, picture = svg("svg", { width: 88, height: 16, "aria-hidden": "true" });
  picture.append(svg("line", { x1: 44, x2: 44, y1: 0, y2: 16, class: "zero" }));
  if (low != null) picture.append(svg("line", { x1: x(low), x2: x(high), y1: 8, y2: 8, class: "interval" }));
  picture.append(svg("circle", { cx: x(mean), cy: 8, r: 3.4, class: "dot" }));
  return picture;
}

function cell(tr, className, text, small = "") {
  const td = el("td", className, text);
  if (small) td.append(el("small", "", small));
  tr.append(td);
  return td;
}

function lineOf(S, one, row, reach) {
  const tr = el("tr", `${S.point === one.key ? "at" : ""}${S.off.has(one.key) ? " off" : ""}`, "", { "data-key": one.key }), j = placeOf(one.study, limitAt(S));
  cell(tr, "key", "").append(swatch(S, one));
  const name = cell(tr, "name", "");
  if (one.method === OPTIMAL) name.append(el("span", "", one.style.label));
  else {
    const link = el("button", "link", one.style.label, { type: "button", title: "the problems behind this", "aria-pressed": String(S.point === one.key) });
    link.dataset.key = one.key;
    link.onclick = () => { S.point = S.point === one.key ? "" : one.key; settle(S); };
    name.append(link);
    if (row.generations !== one.study.budgets[j] || !within(limitAt(S), one.study.budgets[j])) name.append(el("small", "", ` ${short(row.generations)} generations`));
  }
  cell(tr, "number", percent(row.accuracy[0]), between(row.accuracy, share));
  if (!row.difference) {
    cell(tr, "number muted", one.method === one.study.baseline ? "baseline" : "–").colSpan = 5;
    return tr;
  }
  const [mean, low, high] = row.difference, sure = row.adjusted == null ? low > 0 || high < 0 : row.adjusted < 0.05;
  cell(tr, `number${sure ? (mean > 0 ? " good" : " bad") : ""}`, `${sure ? (mean > 0 ? "▲ " : "▼ ") : ""}${points(mean)}`, between(row.difference, points));
  cell(tr, "forest", "").append(forestOf(row.difference, reach));
  if (row.adjusted == null) { cell(tr, "muted words", "its choice included").colSpan = 3; return tr; }
  cell(tr, "number", `${row.won} : ${row.lost}`);
  cell(tr, "number", pValue(row.adjusted));
  cell(tr, "number", row.needed == null ? (row.won === row.lost ? "–" : "> 20,000") : row.needed.toLocaleString("en"));
  return tr;
}

function headOf() {
  const head = el("tr");
  for (const title of COLUMNS) head.append(el("th", "", title, HELP[title] ? { title: HELP[title] } : {}));
  const top = el("thead");
  top.append(head);
  return top;
}

// Rows of one study: the policy, then its methods; what was not run within the budget is named below them.
function groupOf(S, study, reach) {
  const j = placeOf(study, limitAt(S)), rows = j < 0 ? {} : (S.bin == null ? study.rows.all[j] : study.rows.bins[S.bin]?.[j]) ?? {};
  const found = [], one = (method) => ({ study, method, key: keyOf(study, method), style: styleOf(S, study, method) });
  if (S.data.studies.length > 1) {
    const tr = el("tr", "study"), td = el("td", "", "", { colspan: COLUMNS.length });
    td.append(el("b", "", study.name), el("span", "muted", ` ${study.of}; compared with ${S.data.methods[study.baseline].label}`));
    tr.append(td);
    found.push(tr);
  }
  if (S.bin == null && j >= 0 && study.optimal[j]) found.push(lineOf(S, one(OPTIMAL), { accuracy: study.optimal[j], difference: study.gain[j] }, reach));
  for (const method of study.methods) if (rows[method]) found.push(lineOf(S, one(method), rows[method], reach));
  const missing = study.methods.filter((method) => !rows[method]).map((method) => S.data.methods[method].label);
  if (missing.length) {
    const tr = el("tr", "missing"), budget = j < 0 ? limitAt(S) : study.budgets[j];
    tr.append(el("td"), el("td", "muted words", `not run at ${short(budget)}: ${missing.join(", ")}`, { colspan: COLUMNS.length - 1 }));
    found.push(tr);
  }
  return found;
}

function drawTable(S) {
  const ends = S.data.studies.flatMap((study) => {
    const j = placeOf(study, limitAt(S)), rows = S.bin == null ? study.rows.all[j] : study.rows.bins[S.bin]?.[j];
    return Object.values(rows ?? {}).flatMap((row) => row.difference ?? []).concat(S.bin == null ? study.gain[j] ?? [] : []);
  });
  const reach = Math.max(0.05, ...ends.filter((v) => v != null).map(Math.abs)), body = el("tbody");
  body.append(...S.data.studies.flatMap((study) => groupOf(S, study, reach)));
  S.box.querySelector(".table table").replaceChildren(headOf(), body);
}
