// The view on the tree: fitting, panning, what is selected, and when to draw.
const ANIMATED_NODES = 700; // above this, rows jump instead of gliding
const READ = 0.6; // share of the scale at which usual labels are whole that a view of everything has to have
const READABLE = 12; // px of a row in which a step can be read

function relayout(S, glide = false) {
  const options = { frame: S.frame, folded: S.folded, focus: S.focus, hidePruned: S.hidePruned, keep: S.keep, rows: (S.canvas.clientHeight || 480) / READABLE };
  for (const node of S.tree.order) node.sx = undefined;
  layout(S.tree, options);
  S.ctx.font = `12.5px ${S.theme.font}`;
  columns(S.tree, (text) => S.ctx.measureText(text).width);
  const glides = glide && S.tree.order.length < ANIMATED_NODES && !matchMedia("(prefers-reduced-motion: reduce)").matches;
  for (const node of S.tree.order) {
    const above = S.tree.nodes.get(node.parent);
    node.from = glides ? (node.at ?? (above && above.from) ?? node.row) : node.row;
    node.target = node.row;
    node.at = node.from;
  }
  S.glideStart = glides ? performance.now() : 0;
  if (!S.userView) fit(S, glides);
  redraw(S);
}

function glideRows(S) {
  if (!S.glideStart) return;
  const t = Math.min(1, (performance.now() - S.glideStart) / 220), eased = 1 - (1 - t) ** 3;
  for (const node of S.tree.order) node.row = node.from + (node.target - node.from) * eased;
  if (S.viewFrom) for (const key of ["kx", "ky", "tx", "ty"]) S[key] = S.viewFrom[key] + (S.viewTo[key] - S.viewFrom[key]) * eased;
  if (t < 1) return redraw(S);
  for (const node of S.tree.order) node.at = node.row;
  S.glideStart = 0;
  S.viewFrom = null;
}

function applyTheme(S) {
  const theme = readTheme(S.root.querySelector(".ttc"));
  S.themeDirty = false;
  if (theme.background === S.theme.background && theme.text === S.theme.text && theme.font === S.theme.font && S.themed) return;
  S.theme = theme;
  S.themed = true; // it has been applied once
  S.root.querySelector(".ttc").classList.toggle("dark", S.theme.dark);
  drawLegend(S);
  drawPanel(S);
}

function redraw(S) {
  if (S.raf) return;
  S.raf = requestAnimationFrame(() => {
    S.raf = 0;
    const start = performance.now();
    if (S.themeDirty) { applyTheme(S); }
    glideRows(S);
    draw(S);
    S.drawMs = performance.now() - start;
    S.painted?.();
  });
}

function fit(S, glide = false) {
  const W = S.canvas.clientWidth || 800, H = S.canvas.clientHeight || 480, tree = S.tree;
  const wide = breadth(tree), high = tree.rows * ROW;
  const whole = Math.max(0.1, Math.min(tree.clipped ? 1.9 : 1.1, (W - 26) / wide));
  const read = readableScale(S); // at this scale the far end may be left to panning and minimap
  const kx = S.overview || whole > READ * read ? whole : read;
  const ky = Math.max(0.004, Math.min(1.2, (H - 24) / high));
  const to = { kx, ky, tx: 18, ty: Math.max(12, (H - high * ky) / 2) };
  if (glide) { S.viewFrom = { kx: S.kx, ky: S.ky, tx: S.tx, ty: S.ty }; S.viewTo = to; } else { Object.assign(S, to); S.viewFrom = null; }
  S.userView = false;
}

// The smallest horizontal scale at which usual labels are not cut (those up to 110 px).
function readableScale(S) {
  const need = S.tree.widths.slice(1).map((width) => (Math.min(110, width - 78) * 0.94 + 30) / width);
  return need.length ? Math.min(0.8, Math.max(...need)) : 0.1;
}

// Fit button: first so that steps can be read; pressed again: everything, however small.
function fitOrOverview(S) {
  S.overview = !S.userView && !S.overview;
  fit(S);
  redraw(S);
}

function zoom(S, factor, x, y) {
  const kx = Math.max(0.05, Math.min(6, S.kx * factor)), ky = Math.max(0.004, Math.min(4, S.ky * factor));
  S.tx = x - ((x - S.tx) * kx) / S.kx;
  S.ty = y - ((y - S.ty) * ky) / S.ky;
  S.kx = kx;
  S.ky = ky;
  S.userView = true;
  S.viewFrom = null;
  redraw(S);
}

// Zoom until a single step can be read where the rows are too dense for it, with `node` in the middle.
function readable(S, node) {
  if (ROW * S.ky >= 15) return;
  S.ky = 18 / ROW;
  S.kx = Math.max(S.kx, 0.75);
  S.userView = true;
  S.ty = S.canvas.clientHeight / 2 - node.row * ROW * S.ky;
  S.tx = Math.min(18, S.canvas.clientWidth * 0.4 - across(S.tree, node) * S.kx);
}

function panIntoView(S, node) {
  const W = S.canvas.clientWidth, H = S.canvas.clientHeight, x = screenX(S, node), y = screenY(S, node);
  const dx = x < 24 ? 24 - x : x > W - 150 ? W - 150 - x : 0, dy = y < 28 ? 28 - y : y > H - 28 ? H - 28 - y : 0;
  if (!dx && !dy) return;
  S.tx += dx;
  S.ty += dy;
  S.userView = true;
  S.viewFrom = null;
}

function select(S, id, { tell = true, pan = true } = {}) {
  const node = S.tree.nodes.get(id);
  if (!node) return;
  S.selected = id;
  S.selectedPath = new Set(pathTo(S.tree, id).map((n) => n.id));
  if (S.focus && !S.focus.has(id)) S.focus = new Set(S.selectedPath);
  rememberKept(S);
  if (!S.tree.order.includes(node)) { S.frame = null; S.folded.clear(); S.hidePruned = S.hidePruned && node.state !== "pruned"; }
  if (S.focus || S.hidePruned || !S.tree.order.includes(node)) relayout(S);
  if (pan) panIntoView(S, node);
  S.tab = "node";
  drawPanel(S);
  drawBar(S);
  redraw(S);
  S.live.textContent = `${id}, ${STATE_WORDS[node.state]}, score ${scoreText(node.score) || "none"}: ${node.text}`;
  if (tell) tellLook(S);
}

function rememberKept(S) {
  const above = S.chosen ? pathTo(S.tree, S.chosen).map((node) => node.id) : [];
  S.keep = new Set([...above, ...S.selectedPath]);
}

function setFocus(S, on) {
  S.focus = on && S.selected ? new Set(S.selectedPath) : null;
  S.userView = false;
  relayout(S);
  drawBar(S);
}

function setHidePruned(S, on) {
  S.hidePruned = on;
  S.userView = false;
  relayout(S);
  drawBar(S);
}

// frame: 0 = the bare question ... 2 x depth = everything, which is shown as null ("now").
function setFrame(S, frame, { tell = true } = {}) {
  const last = 2 * S.tree.depth;
  S.frame = frame >= last ? null : Math.max(0, frame);
  relayout(S, true);
  drawBar(S);
  if (tell) tellLook(S);
}

function play(S, on) {
  clearInterval(S.playing);
  S.playing = 0;
  if (on) {
    const to = (frame) => setFrame(S, frame, { tell: false });
    if (S.frame == null) to(0);
    S.playing = setInterval(() => {
      if (S.frame != null) to(S.frame + 1);
      if (S.frame == null) playOrPause(S); // at the end, or somebody went there
    }, 650);
  }
  drawBar(S);
}

function playOrPause(S) {
  play(S, !S.playing);
  if (!S.playing) tellLook(S);
}

function fold(S, node) {
  if (!node.kids.length) return;
  if (!S.folded.delete(node.id)) S.folded.add(node.id);
  relayout(S, true);
  drawBar(S);
}
