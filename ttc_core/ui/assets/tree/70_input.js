// Mouse, touch and keyboard on the canvas.
function hit(S, event) {
  const box = S.canvas.getBoundingClientRect(), x = event.clientX - box.left, y = event.clientY - box.top;
  let best = null, distance = Infinity;
  for (const node of S.tree.order) {
    const placed = node.sx !== undefined; // else steps have just come and the next frame has not been drawn
    const sx = placed ? node.sx : screenX(S, node), sy = placed ? node.sy : screenY(S, node), end = placed ? node.after : sx;
    const dy = Math.abs(sy - y), dx = x < sx ? sx - x : x > end ? x - end : 0; // label included
    const d = dx * dx + dy * dy * 4;
    if (dx < 12 && dy < 12 && d < distance) { distance = d; best = node; }
  }
  return best;
}

function listen(S) {
  const { canvas } = S;
  let drag = null;
  canvas.onpointerdown = (event) => {
    if (!event.isPrimary || event.button !== 0 || event.ctrlKey) return;
    drag = { x: event.clientX, y: event.clientY, tx: S.tx, ty: S.ty, moved: false, map: inMinimap(S, event) };
    canvas.setPointerCapture(event.pointerId);
    if (drag.map) jump(S, event);
  };
  const drop = () => { drag = null; canvas.classList.remove("dragging"); };
  canvas.onpointermove = (event) => {
    if (!event.isPrimary) return;
    if (drag && !event.buttons) drop(); // it was let go over a menu
    if (drag?.map) return jump(S, event);
    if (drag) {
      const dx = event.clientX - drag.x, dy = event.clientY - drag.y;
      if (Math.abs(dx) + Math.abs(dy) > 4) drag.moved = true;
      if (drag.moved) { Object.assign(S, { tx: drag.tx + dx, ty: drag.ty + dy, userView: true, viewFrom: null }); canvas.classList.add("dragging"); S.tip.hidden = true; redraw(S); }
      return;
    }
    const node = hit(S, event);
    if (node !== S.hover) { S.hover = node; canvas.style.cursor = node ? "pointer" : ""; redraw(S); drawTip(S, event); }
  };
  canvas.onpointerup = (event) => {
    if (!event.isPrimary || !drag) return;
    const still = !drag.moved && !drag.map;
    drop();
    canvas.focus({ preventScroll: true });
    if (!still) return;
    const node = hit(S, event);
    if (node) select(S, node.id, { pan: false });
  };
  canvas.onpointercancel = drop;
  canvas.onpointerleave = () => { S.hover = null; S.tip.hidden = true; redraw(S); };
  canvas.ondblclick = (event) => { const node = hit(S, event); if (node) fold(S, node); };
  canvas.onwheel = (event) => {
    const focused = canvas.getRootNode().activeElement === canvas;
    if (!focused && !event.ctrlKey && !event.metaKey) return; // the page scrolls until the tree has been clicked
    event.preventDefault();
    const box = canvas.getBoundingClientRect();
    zoom(S, Math.exp(-event.deltaY * 0.0015), event.clientX - box.left, event.clientY - box.top);
  };
  canvas.onkeydown = S.outline.onkeydown = (event) => key(S, event);
}

const inMinimap = (S, event) => {
  const box = S.canvas.getBoundingClientRect(), map = S.minimap, x = event.clientX - box.left, y = event.clientY - box.top;
  return !!map && x >= map.x && x <= map.x + map.w && y >= map.y && y <= map.y + map.h;
};

function jump(S, event) {
  const box = S.canvas.getBoundingClientRect(), map = S.minimap;
  if (!map) return;
  const right = (event.clientX - box.left - map.x) / map.w, down = (event.clientY - box.top - map.y) / map.h;
  S.tx = S.canvas.clientWidth / 2 - right * map.total * S.kx;
  S.ty = S.canvas.clientHeight / 2 - down * S.tree.rows * ROW * S.ky;
  S.userView = true;
  redraw(S);
}

// The step above or below: on the canvas in the same column, in the outline in the next row.
function neighbour(S, node, direction) {
  if (S.view === "outline") return S.tree.order[S.tree.order.indexOf(node) + direction];
  const column = S.tree.order.filter((n) => n.column === node.column).sort((a, b) => a.row - b.row);
  return column[column.indexOf(node) + direction];
}

// The continuation to go to with the right arrow: on the chosen path, else the best scored.
function onward(S, node) {
  const kids = node.kids.filter((n) => S.tree.order.includes(n));
  return kids.find((n) => S.chosenPath.has(n.id)) || kids.sort((a, b) => (b.score ?? -1) - (a.score ?? -1))[0];
}

// To another search of the list; what is not yet told is of this one.
function turn(S, places) {
  clearTimeout(S.telling);
  S.trigger("turn", [places, Date.now()]);
}

function key(S, event) {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  const node = S.tree.nodes.get(S.selected) || S.tree.nodes.get(ROOT), go = (to) => { if (to) { select(S, to.id); readable(S, to); redraw(S); } };
  const middle = [S.canvas.clientWidth / 2, S.canvas.clientHeight / 2], frame = S.frame ?? 2 * S.tree.depth;
  const actions = {
    ArrowRight: () => go(onward(S, node)), ArrowLeft: () => go(S.tree.nodes.get(node.parent)),
    ArrowUp: () => go(neighbour(S, node, -1)), ArrowDown: () => go(neighbour(S, node, 1)),
    Home: () => go(S.tree.nodes.get(ROOT)), End: () => go(S.tree.nodes.get(S.chosen)),
    f: () => fitOrOverview(S), "+": () => zoom(S, 1.25, ...middle), "=": () => zoom(S, 1.25, ...middle), "-": () => zoom(S, 0.8, ...middle),
    p: () => setFocus(S, !S.focus), h: () => setHidePruned(S, !S.hidePruned), Enter: () => fold(S, node), o: () => setView(S, S.view === "outline" ? "tree" : "outline"), t: () => setView(S, "table"),
    "[": () => setFrame(S, frame - 1), "]": () => setFrame(S, frame + 1), " ": () => playOrPause(S), "?": () => toggleHelp(S),
    d: () => { S.tab = S.tab === "depths" ? "answers" : "depths"; drawPanel(S); },
    c: () => { if (node.depth) S.trigger("onward", [node.id, Date.now()]); },
    j: () => turn(S, 1), k: () => turn(S, -1),
    Escape: () => { toggleHelp(S, false); if (S.focus) setFocus(S, false); if (S.frame != null) setFrame(S, 1e9); },
  };
  const action = actions[event.key.length === 1 ? event.key.toLowerCase() : event.key];
  if (!action) return;
  event.preventDefault();
  event.stopPropagation(); // Streamlit has shortcuts of its own on single letters
  action();
}
