// The chart as SVG: a curve a bin, and the larger model as a star of the bin's colour at the budget of equal FLOPs.
const PAD = { left: 46, right: 14, top: 12, bottom: 40 };
const HEIGHT = 400;

// Places: the axis goes to eight times what was measured, and a star that lies further stands at the end.
function scales(S, width) {
  const [first, last] = [S.data.budgets[0], S.data.budgets[S.data.budgets.length - 1]], most = Math.max(8 * last, first * 2);
  const inner = width - PAD.left - PAD.right, tall = HEIGHT - PAD.top - PAD.bottom;
  const x = (budget) => PAD.left + (inner * Math.log(Math.min(budget, most) / first)) / Math.log(most / first);
  return { first, last, most, x, y: (v) => PAD.top + tall * (1.02 - v) / 1.04, budget: (px) => first * Math.exp(((px - PAD.left) / inner) * Math.log(most / first)) };
}

function axes(S, width, c) {
  const parts = [], bottom = c.y(-0.02);
  for (let v = 0; v <= 1.001; v += 0.2) {
    parts.push(svg("line", { x1: PAD.left, x2: width - PAD.right, y1: c.y(v), y2: c.y(v), class: "rule" }));
    parts.push(svg("text", { x: PAD.left - 7, y: c.y(v) + 4, class: "tick end" }, `${Math.round(100 * v)} %`));
  }
  for (let b = c.first; b <= c.most * 1.001; b *= 2) parts.push(svg("text", { x: c.x(b), y: bottom + 17, class: "tick" }, three(b)));
  parts.push(svg("rect", { x: c.x(c.last), y: PAD.top, width: Math.max(0, width - PAD.right - c.x(c.last)), height: bottom - PAD.top, class: "beyond" }));
  parts.push(svg("text", { x: (c.x(c.last) + width - PAD.right) / 2, y: bottom - 8, class: "tick" }, "beyond what was measured"));
  parts.push(svg("text", { x: PAD.left + (width - PAD.left - PAD.right) / 2, y: bottom + 34, class: "tick" }, "generations of the small model"));
  return parts;
}

function curve(S, bin, c) {
  const { grid } = S.data, known = grid.map((b, i) => [b, bin.small.mean[i]]).filter((p) => p[1] != null), parts = [];
  const line = (ps) => ps.map(([b, v], i) => `${i ? "L" : "M"}${c.x(b).toFixed(1)},${c.y(v).toFixed(1)}`).join("");
  if (S.bin === bin.number && bin.small.low[0] != null) {
    const band = [...grid.map((b, i) => [b, bin.small.high[i]]), ...grid.map((b, i) => [b, bin.small.low[i]]).reverse()].filter((p) => p[1] != null);
    parts.push(svg("path", { d: `${line(band)}z`, fill: bin.colour, opacity: 0.15 }));
  }
  const faded = S.bin != null && S.bin !== bin.number ? 0.3 : 1, [, end] = known[known.length - 1] || [0, 0];
  parts.push(svg("path", { d: line(known), stroke: bin.colour, "stroke-dasharray": DASHES[bin.dash], class: "curve", opacity: faded }));
  parts.push(svg("path", { d: line([[c.last, end], [c.most, end]]), stroke: bin.colour, class: "further", opacity: faded * 0.6 }));
  for (const b of S.data.budgets) {
    const v = at(grid, bin.small.mean, b);
    if (v != null) parts.push(svg("path", { d: SHAPES[bin.marker], transform: `translate(${c.x(b)},${c.y(v)})`, fill: bin.colour, stroke: bin.colour, opacity: faded }));
  }
  return parts;
}

function star(S, bin, c, budget) {
  const { mean, low, high } = bin.large, x = c.x(budget), faded = S.bin != null && S.bin !== bin.number ? 0.25 : 1;
  if (mean == null) return [];
  const name = `${bin.name}: ${S.data.large} ${share(mean)} % at the FLOPs of ${three(budget)} generations`;
  const mark = svg("path", { d: STAR, transform: `translate(${x},${c.y(mean)})`, fill: bin.colour, class: "star", opacity: faded, "data-bin": bin.number });
  mark.append(svg("title", {}, name));
  const error = low == null ? [] : [svg("line", { x1: x, x2: x, y1: c.y(low), y2: c.y(high), stroke: bin.colour, class: "error", opacity: faded })];
  return [...error, mark];
}

function drawChart(S) {
  const width = Math.max(320, S.box.querySelector(".chart").clientWidth), c = scales(S, width), budget = multiplier(S.M, S.R);
  S.scale = c;
  const body = svg("svg", { viewBox: `0 0 ${width} ${HEIGHT}`, width, height: HEIGHT, role: "img", "aria-label": "accuracy of both models by budget; the table says the same" });
  body.append(...axes(S, width, c));
  if (budget >= c.first) body.append(svg("line", { x1: c.x(budget), x2: c.x(budget), y1: PAD.top, y2: c.y(-0.02), class: "here" }));
  for (const bin of S.data.bins) body.append(...curve(S, bin, c));
  for (const bin of S.data.bins) body.append(...star(S, bin, c, budget));
  if (budget > c.most) body.append(svg("text", { x: width - PAD.right - 4, y: c.y(-0.02) - 8, class: "tick end" }, `${three(budget)} →`));
  S.box.querySelector(".chart").replaceChildren(body);
}
