// Charts as SVG: accuracy against budget for what is on show, and a small one for each bin.
const SIZES = { whole: { left: 46, right: 16, top: 10, bottom: 40, height: 372 }, bin: { left: 30, right: 8, top: 6, bottom: 22, height: 148 } };
const SMALL_STAR = "M0,-6.5L1.9,-2.1L6.6,-2L2.9,1L4.2,5.6L0,2.9L-4.2,5.6L-2.9,1L-6.6,-2L-1.9,-2.1z";
const shape = (marker) => (marker === "star" ? SMALL_STAR : SHAPES[marker]);

function placesOn(S, width, size, series) {
  const { budgets } = S.data, first = Math.log(budgets[0]), last = Math.log(budgets[budgets.length - 1]) || first + 1;
  const all = series.flatMap((one) => one.marks.flatMap((mark) => mark.value)).filter((v) => v != null);
  const step = size === SIZES.bin ? 0.5 : 0.1;
  const low = size === SIZES.bin ? 0 : Math.max(0, Math.floor((Math.min(...all, 1) - 0.01) * 10) / 10), high = size === SIZES.bin ? 1 : Math.min(1, Math.ceil((Math.max(...all, low + 0.1) + 0.01) * 10) / 10);
  const inner = width - size.left - size.right, tall = size.height - size.top - size.bottom;
  return {
    width, size, low, high, step, x: (budget) => size.left + (inner * (Math.log(budget) - first)) / Math.max(1e-9, last - first),
    y: (v) => size.top + (tall * (high + 0.015 - v)) / (high - low + 0.03), bottom: size.height - size.bottom,
  };
}

function frame(S, c) {
  const { size, width } = c, parts = [], gap = size === SIZES.bin ? 26 : 44;
  for (let v = c.low; v <= c.high + 1e-6; v += c.step) {
    parts.push(svg("line", { x1: size.left, x2: width - size.right, y1: c.y(v), y2: c.y(v), class: "rule" }));
    parts.push(svg("text", { x: size.left - 6, y: c.y(v) + 4, class: "tick end" }, size === SIZES.bin ? share(v) : `${share(v)} %`));
  }
  let free = -Infinity;
  for (const budget of S.data.budgets) {
    if (c.x(budget) < free) continue;
    free = c.x(budget) + gap;
    parts.push(svg("text", { x: c.x(budget), y: c.bottom + 16, class: "tick" }, short(budget)));
  }
  if (size === SIZES.whole) parts.push(svg("text", { x: (size.left + width - size.right) / 2, y: c.bottom + 34, class: "tick" }, S.data.unit));
  parts.push(svg("line", { y1: size.top, y2: c.bottom, class: "here" }));
  return parts;
}

function band(c, one) {
  const known = one.marks.filter((mark) => mark.value[1] != null);
  if (known.length < 2) return [];
  const line = [...known.map((m) => [m.budget, m.value[2]]), ...known.map((m) => [m.budget, m.value[1]]).reverse()];
  const d = `${line.map(([b, v], i) => `${i ? "L" : "M"}${c.x(b).toFixed(1)},${c.y(v).toFixed(1)}`).join("")}z`;
  return [svg("path", { d, style: `fill:${one.style.colour}`, class: "band" })];
}

function curveOf(c, one, small) {
  const d = one.marks.map((m, i) => `${i ? "L" : "M"}${c.x(m.budget).toFixed(1)},${c.y(m.value[0]).toFixed(1)}`).join("");
  const group = svg("g", { class: `series${one.method === OPTIMAL ? " optimal" : ""}`, "data-key": one.key, style: `fill:${one.style.colour};stroke:${one.style.colour}` });
  group.append(svg("path", { d, class: "curve", "stroke-dasharray": DASHES[one.style.dash] }));
  for (const m of one.marks) group.append(svg("path", { d: shape(one.style.marker), transform: `translate(${c.x(m.budget).toFixed(1)},${c.y(m.value[0]).toFixed(1)})${small ? "scale(.6)" : ""}`, class: "mark" }));
  return group;
}

function drawInto(S, box, size, bin) {
  const series = shownOf(S, bin), width = Math.max(150, box.clientWidth), c = placesOn(S, width, size, series);
  const small = size === SIZES.bin, body = svg("svg", { viewBox: `0 0 ${width} ${size.height}`, width, height: size.height, role: "img", "aria-label": "accuracy by budget; the table says the same" });
  body.append(...frame(S, c));
  // Bands of what is compared, and of what is looked at: all of them together would hide each other.
  if (!small) for (const one of series) if (one.method === OPTIMAL || one.method === one.study.baseline || one.key === S.lit || one.key === S.point) body.append(...band(c, one));
  for (const one of series) body.append(curveOf(c, one, small));
  box.replaceChildren(body);
  box.marks = series.flatMap((one) => one.marks.map((mark) => ({ ...mark, one, x: c.x(mark.budget), y: c.y(mark.value[0]) })));
  box.x = c.x;
  stand(S, box, bin);
  litIn(S, box);
}

// Let what is pointed at stand out in a chart that has it.
function litIn(S, box) {
  let any = false;
  for (const group of box.querySelectorAll(".series")) any = group.classList.toggle("on", group.dataset.key === S.lit) || any;
  box.classList.toggle("lit", any);
}

// Mark the slider's place in a chart that is drawn, and the chosen point at it.
function stand(S, box, bin) {
  const [body] = box.children, here = box.x(limitAt(S)), line = body.querySelector(".here");
  line.setAttribute("x1", here);
  line.setAttribute("x2", here);
  body.querySelector(".chosen")?.remove();
  const at = box.marks.find((m) => m.one.key === S.point && bin === S.bin && m.j === placeOf(m.one.study, limitAt(S)));
  if (at) body.append(svg("circle", { cx: at.x, cy: at.y, r: box.classList.contains("small") ? 6 : 10, class: "chosen" }));
}

// The marks next to a place of a chart that lie upon each other, the one drawn last first; [] where none is near.
function near(box, event, most = 16) {
  const place = box.getBoundingClientRect(), [x, y] = [event.clientX - place.left, event.clientY - place.top];
  const far = (mark) => Math.hypot(mark.x - x, mark.y - y), least = Math.min(most, ...(box.marks ?? []).map(far));
  const first = (box.marks ?? []).find((mark) => far(mark) <= least);
  return first ? box.marks.filter((mark) => Math.hypot(mark.x - first.x, mark.y - first.y) < 2).reverse() : [];
}
