// Drawing with levels of detail. Screen x = column * kx + tx, y = row * ROW * ky + ty: zoom moves, text keeps its size.
const ROW = 24;
const ANSWER = "Answer: ";
const screenX = (S, node) => across(S.tree, node) * S.kx + S.tx;
const screenY = (S, node) => node.row * ROW * S.ky + S.ty;

function draw(S) {
  const { canvas, ctx, tree } = S;
  const ratio = devicePixelRatio || 1, W = canvas.clientWidth, H = canvas.clientHeight;
  if (canvas.width !== Math.round(W * ratio) || canvas.height !== Math.round(H * ratio)) {
    canvas.width = Math.round(W * ratio);
    canvas.height = Math.round(H * ratio);
  }
  ctx.setTransform(ratio, 0, 0, ratio, 0, 0);
  ctx.clearRect(0, 0, W, H);
  ctx.textBaseline = "middle";
  const rowHeight = ROW * S.ky, radius = Math.max(1.4, Math.min(6, rowHeight * 0.42));
  const inView = tree.order.filter((node) => {
    node.sx = screenX(S, node);
    node.sy = screenY(S, node);
    node.after = node.sx;
    return node.sy > -20 && node.sy < H + 20;
  });
  const labels = placeLabels(S, inView, rowHeight, radius, W);
  if (tree.nodes.size === 1) return void S.draws++; // the empty message speaks
  drawEdges(S, W, H, rowHeight);
  drawGlyphs(S, inView.filter((node) => node.sx > -20 && node.sx < W + 20), radius);
  drawLabels(S, labels);
  drawHidden(S, inView, radius);
  if (W > 460) drawMinimap(S, W, H);
  S.draws++;
}

// Decide which labels fit: the important ones first, none over another. Sets node.after = where its edges start.
function placeLabels(S, inView, rowHeight, radius, W) {
  const tight = rowHeight < 15, size = tight ? 11 : 12.5, taken = new Map(), placed = [];
  const chosenSet = S.frame == null ? S.chosenPath : new Set();
  const rank = (node) => node === S.hover || node.id === S.selected || S.selectedPath.has(node.id) || chosenSet.has(node.id)
    ? 0 : ({ final: 1, kept: 1, failed: 1, open: 2 })[seen(node, S.frame)] || 3;
  const tiers = [[], [], [], []];
  for (const node of inView) if (node.depth) tiers[rank(node)].push(node);
  const rooms = S.tree.widths.map((width) => width * S.kx - radius - 8 - 18);
  const scored = rooms.map((room, column) => room > 110 || room > S.tree.widest[column] + 26); // all of a column, or none
  tiers.forEach((tier, important) => {
    for (const node of tier) {
      const room = rooms[node.column];
      if (room < 26 || node.sx > W || node.sx + room < -40) continue;
      const height = seen(node, S.frame) === "pruned" || tight ? 11 : 14;
      const slot = Math.floor(node.sy / 4), busy = taken.get(node.column) || taken.set(node.column, new Set()).get(node.column);
      const reach = Math.ceil(height / 4);
      let free = true;
      for (let i = slot - reach; i <= slot + reach && free; i++) free = !busy.has(i);
      if (!free) continue;
      busy.add(slot);
      placed.push(labelOf(S, node, room, radius, size, important, scored[node.column]));
    }
  });
  return placed;
}

function labelOf(S, node, room, radius, size, importance, scored) {
  const state = seen(node, S.frame), undecided = S.frame != null && state === "open";
  const score = node.score == null || undecided ? "" : scoreText(node.score).replace(/^0/, "");
  const small = state === "pruned" ? Math.min(size, 11.5) : size;
  const scale = small / 12.5, withScore = score && scored;
  const left = node.sx + radius + 6, textLeft = left + (withScore ? 23 : 0), space = room - (withScore ? 23 : 0);
  let text = node.label, wide = node.width * scale;
  if (wide > space && text.startsWith(ANSWER)) { // what is answered says more than that it is
    wide *= 1 - ANSWER.length / text.length;
    text = text.slice(ANSWER.length);
  }
  if (wide > space) {
    const characters = Math.floor(space / (wide / text.length)) - 1;
    text = characters > 0 ? text.slice(0, characters).trimEnd() + "…" : "";
  }
  node.after = textLeft + Math.min(space, wide) + 6;
  return { node, left, textLeft, text, score: withScore ? score : "", size: small, importance, state };
}

function drawLabels(S, labels) {
  const { ctx, theme } = S, dense = ROW * S.ky < 7;
  for (const { node, left, textLeft, text, score, size, state } of labels) {
    const strong = S.frame == null && S.chosenPath.has(node.id), on = node.id === S.selected;
    if (dense && text) { // over a thicket of edges: on a patch of background
      ctx.fillStyle = theme.background;
      ctx.fillRect(left - 1, node.sy - 6, node.after - left, 12);
    }
    if (score) {
      ctx.font = `${size - 1.5}px ${theme.font}`;
      ctx.fillStyle = theme.muted;
      ctx.fillText(score, left, node.sy + 0.5);
    }
    ctx.font = `${strong || on ? 600 : 400} ${size}px ${theme.font}`;
    ctx.fillStyle = state === "pruned" ? theme.muted : state === "failed" ? theme.failed : theme.text;
    if (S.dim && !S.dim.has(node.id)) ctx.fillStyle = theme.ink(0.3);
    ctx.fillText(text, textLeft, node.sy + 0.5);
  }
}

function drawEdges(S, W, H, rowHeight) {
  const { ctx, theme, tree } = S, coarse = rowHeight < 4;
  const pruned = [], others = [], path = (ids) => [...ids].map((id) => tree.nodes.get(id)).filter((node) => node?.sx !== undefined); // on show
  for (const node of tree.order) (seen(node, S.frame) === "pruned" ? pruned : others).push(node);
  const strokes = [
    { of: pruned, colour: coarse ? theme.ink(0.05) : theme.faint, width: coarse ? 0.5 : 0.9, dash: coarse ? [] : [2, 3] },
    { of: others, colour: coarse ? theme.ink(0.12) : theme.edge, width: coarse ? 0.6 : 1.1, dash: [] },
    { of: path(S.selectedPath), colour: theme.text, width: 1.8, dash: [] },
    { of: S.frame == null ? path(S.chosenPath) : [], colour: theme.chosen, width: 2.4, dash: [] },
  ];
  for (const { of, colour, width, dash } of strokes) {
    ctx.strokeStyle = colour;
    ctx.lineWidth = width;
    ctx.setLineDash(dash);
    ctx.beginPath();
    let before = null; // the last edge drawn: thousands of siblings end less than a pixel apart
    for (const node of of) {
      const above = tree.nodes.get(node.parent);
      if (!above) continue;
      if (coarse && before && before.parent === node.parent && Math.abs(before.sy - node.sy) < 1) continue;
      before = node;
      if (node.anew) { // down from the beginning of what it revises
        const { sx, sy } = above.head;
        if (Math.max(sy, node.sy) < 0 || Math.min(sy, node.sy) > H || node.sx < 0 || sx > W) continue;
        ctx.moveTo(sx, sy);
        ctx.lineTo(sx, node.sy);
        ctx.lineTo(node.sx, node.sy);
        continue;
      }
      const x0 = Math.min(above.after, node.sx - 8), x1 = node.sx, y0 = above.sy, y1 = node.sy;
      if (Math.max(y0, y1) < 0 || Math.min(y0, y1) > H || x1 < 0 || x0 > W) continue;
      ctx.moveTo(x0, y0);
      if (coarse || Math.abs(y1 - y0) < 0.5) { ctx.lineTo(x1, y1); continue; }
      // The curve turns in the last stretch before the child, so it never runs through a neighbour's label.
      const turn = Math.max(x0, x1 - Math.max(18, 20 * S.kx));
      if (turn > x0) ctx.lineTo(turn, y0);
      const middle = (turn + x1) / 2;
      ctx.bezierCurveTo(middle, y0, middle, y1, x1, y1);
    }
    ctx.stroke();
  }
  ctx.setLineDash([]);
}

function drawGlyphs(S, nodes, radius) {
  const { ctx, theme } = S, space = ROW * S.ky * S.tree.pruned; // px that a pruned leaf has to itself
  const stacked = (node) => space < 5 && !node.kids.length && seen(node, S.frame) === "pruned";
  if (radius < 2) { // thousands of rows: a heat map of scores
    const height = Math.max(1.1, ROW * S.ky), width = Math.max(4, Math.min(10, 9 * S.kx));
    for (const node of nodes) {
      ctx.fillStyle = node.score == null ? theme.unscored : theme.colour(node.score);
      ctx.globalAlpha = S.dim && !S.dim.has(node.id) ? 0.15 : seen(node, S.frame) === "pruned" ? 0.55 : 1;
      ctx.fillRect(node.sx - width / 2, node.sy - height / 2, width, height);
    }
    ctx.globalAlpha = 1;
  } else for (const node of nodes) {
    ctx.globalAlpha = S.dim && !S.dim.has(node.id) ? 0.25 : 1;
    if (stacked(node)) flat(ctx, theme, node, space);
    else glyph(ctx, theme, node.sx, node.sy, radius, seen(node, S.frame), S.frame != null && seen(node, S.frame) === "open" ? null : node.score);
    ctx.globalAlpha = 1;
  }
  const marked = (node) => S.wrong.has(node.id) && ((radius >= 2 && !stacked(node)) || S.chosenPath.has(node.id) || S.selectedPath.has(node.id));
  if (S.frame == null) for (const node of nodes) if (marked(node)) wrongMark(ctx, theme, node, Math.max(radius, 4));
  const chosen = S.frame == null && S.tree.nodes.get(S.chosen);
  if (chosen && chosen.sx !== undefined) ring(ctx, chosen, Math.max(radius, 3) + 4, theme.chosen, 2.2);
  for (const node of [S.tree.nodes.get(S.selected), S.hover]) {
    if (node && node.sx !== undefined) ring(ctx, node, Math.max(radius, 3) + (node.id === S.chosen ? 7 : 4), theme.text, 1.8);
  }
}

// A small cross at the upper left of a step's glyph: here its solution goes wrong for the first time.
function wrongMark(ctx, theme, node, radius) {
  const x = node.sx - radius - 4, y = node.sy - radius, r = Math.max(2.2, radius * 0.5);
  ctx.strokeStyle = theme.failed;
  ctx.lineWidth = 1.7;
  ctx.beginPath();
  ctx.moveTo(x - r, y - r); ctx.lineTo(x + r, y + r);
  ctx.moveTo(x + r, y - r); ctx.lineTo(x - r, y + r);
  ctx.stroke();
}

function ring(ctx, node, radius, colour, width) {
  ctx.strokeStyle = colour;
  ctx.lineWidth = width;
  ctx.beginPath();
  ctx.arc(node.sx, node.sy, radius, 0, 7);
  ctx.stroke();
}

// State by shape, score by colour: disc kept, hollow undecided, small diamond pruned, square finished, cross failed.
function glyph(ctx, theme, x, y, radius, state, score) {
  const fill = score == null ? theme.unscored : theme.colour(score);
  ctx.lineWidth = 1;
  ctx.strokeStyle = theme.outline;
  ctx.fillStyle = fill;
  ctx.beginPath();
  if (state === "failed") {
    const r = radius * 0.75;
    ctx.strokeStyle = theme.failed;
    ctx.lineWidth = 2;
    ctx.moveTo(x - r, y - r); ctx.lineTo(x + r, y + r);
    ctx.moveTo(x + r, y - r); ctx.lineTo(x - r, y + r);
    ctx.stroke();
    return;
  }
  if (state === "root") {
    ctx.fillStyle = theme.text;
    ctx.arc(x, y, Math.max(3, radius * 0.8), 0, 7);
    ctx.fill();
    return;
  }
  if (state === "pruned") {
    const r = radius * 0.8;
    ctx.moveTo(x, y - r); ctx.lineTo(x + r, y); ctx.lineTo(x, y + r); ctx.lineTo(x - r, y); ctx.closePath();
  } else if (state === "final") {
    const r = radius * 0.95;
    ctx.rect(x - r, y - r, 2 * r, 2 * r);
  } else if (state === "given") {
    const r = radius * 1.1;
    ctx.moveTo(x - r * 0.7, y - r); ctx.lineTo(x + r, y); ctx.lineTo(x - r * 0.7, y + r); ctx.closePath();
  } else ctx.arc(x, y, radius, 0, 7);
  if (state === "open") { // hollow: nothing decided yet
    ctx.fillStyle = theme.background;
    ctx.fill();
    for (const [colour, wider] of [[theme.outline, 1.6], [score == null ? theme.muted : fill, 0]]) { // a pale score has an edge
      ctx.strokeStyle = colour;
      ctx.lineWidth = Math.max(1.2, radius * 0.4) + wider;
      ctx.stroke();
    }
  } else { ctx.fill(); ctx.stroke(); }
}

// A diamond of a stack: pruned siblings that have a few pixels each.
function flat(ctx, theme, { sx, sy, score }, space) {
  const high = Math.max(1.2, space * 0.6);
  ctx.fillStyle = score == null ? theme.unscored : theme.colour(score);
  ctx.beginPath();
  ctx.moveTo(sx - 5, sy);
  ctx.lineTo(sx, sy - high);
  ctx.lineTo(sx + 5, sy);
  ctx.lineTo(sx, sy + high);
  ctx.fill();
}

function drawHidden(S, inView, radius) {
  const { ctx, theme } = S;
  ctx.font = `11px ${theme.font}`;
  ctx.fillStyle = theme.muted;
  for (const node of inView) {
    const count = S.tree.hidden.get(node.id);
    if (!count || radius < 2.4 || S.focus) continue;
    const leaf = node.kids.length === count;
    ctx.fillText(`+${count}`, leaf ? node.after + 2 : node.after + 1, leaf ? node.sy : node.sy - 9);
  }
}

function drawMinimap(S, W, H) {
  const { ctx, theme, tree } = S, total = breadth(tree);
  const spanX = W / (total * S.kx), spanY = H / (tree.rows * ROW * S.ky);
  S.minimap = null;
  if (spanX > 0.98 && spanY > 0.6) return; // across, an end out of sight may be the answer
  const box = { w: 132, h: 84, x: W - 142, y: H - 94, total };
  S.minimap = box;
  ctx.globalAlpha = 0.94;
  ctx.fillStyle = theme.background;
  ctx.fillRect(box.x, box.y, box.w, box.h);
  ctx.globalAlpha = 1;
  ctx.strokeStyle = theme.faint;
  ctx.lineWidth = 1;
  ctx.strokeRect(box.x + 0.5, box.y + 0.5, box.w, box.h);
  ctx.drawImage(inSmall(S, box), box.x, box.y, box.w, box.h);
  const left = Math.max(0, -S.tx / (total * S.kx)), top = Math.max(0, -S.ty / (tree.rows * ROW * S.ky));
  ctx.strokeStyle = theme.text;
  ctx.strokeRect(box.x + left * box.w, box.y + top * box.h, Math.min(1 - left, spanX) * box.w, Math.min(1 - top, spanY) * box.h);
}

// The tree of the minimap, drawn once for a layout: moving the view leaves it as it is.
function inSmall(S, box) {
  const { tree, theme } = S;
  if (S.small?.of === tree.order && S.small.theme === theme && !S.glideStart) return S.small.image;
  const image = document.createElement("canvas"), ratio = devicePixelRatio || 1, ctx = image.getContext("2d");
  Object.assign(image, { width: box.w * ratio, height: box.h * ratio });
  ctx.scale(ratio, ratio);
  for (const node of tree.order) {
    ctx.fillStyle = node.score == null ? theme.unscored : theme.colour(node.score);
    ctx.fillRect(2 + (across(tree, node) / box.total) * (box.w - 6), 2 + (node.row / tree.rows) * (box.h - 4), 3, 1.5);
  }
  S.small = { of: tree.order, theme, image };
  return image;
}
