// Entry point. Streamlit calls the default export again with the same element whenever data or theme change.
const MOUNTED = new WeakMap();

function mount(root) {
  const part = (name) => root.querySelector(`.${name}`);
  const S = {
    root, stage: part("stage"), canvas: root.querySelector("canvas"), tip: part("tip"), help: part("help"), bar: part("bar"),
    side: part("side"), foot: part("foot"), live: part("live"), empty: part("empty"), outline: part("outline"), frameBox: part("frame"), box: part("ttc"),
    tree: emptyTree(""), run: null, rev: 0, data: {}, kx: 1, ky: 1, tx: 18, ty: 12, userView: false, overview: false, draws: 0, counts: "",
    selected: null, selectedPath: new Set(), chosen: null, chosenPath: new Set(), keep: new Set(), hover: null, dim: null,
    focus: null, folded: new Set(), hidePruned: false, frame: null, view: "tree", tab: "answers", wrong: new Set(), openAnswers: new Set(),
    toldAt: 0,
  };
  S.frameBox.dataset.view = S.view;
  S.ctx = S.canvas.getContext("2d");
  S.theme = readTheme(root.querySelector(".ttc"));
  buildBar(S);
  listen(S);
  let size = "";
  S.resize = new ResizeObserver(() => {
    const now = `${S.canvas.clientWidth}x${S.canvas.clientHeight}`;
    if (now === size) return;
    size = now;
    if (!S.userView) fit(S);
    redraw(S);
  });
  S.resize.observe(S.canvas);
  const host = root.getRootNode().host;
  S.scroller = host?.closest("[data-testid=stMain]");
  S.around = new ResizeObserver(() => fillWindow(S)); // what is above the tree has come, gone or been wrapped
  S.around.observe(host?.closest("[data-testid=stMainBlockContainer]") || root);
  S.fill = () => fillWindow(S);
  addEventListener("resize", S.fill);
  MOUNTED.set(root, S);
  return S;
}

// The tree takes what the window has left below its top, so that its legend is in sight.
const LOWEST = 330, BELOW = 14; // px of the tree at least, and of the page below its frame
function fillWindow(S) {
  const top = S.stage.getBoundingClientRect().top + (S.scroller?.scrollTop ?? scrollY);
  const high = `${Math.max(LOWEST, Math.floor(innerHeight - top - S.foot.offsetHeight - BELOW))}px`;
  if (S.box.style.getPropertyValue("--stage") !== high) S.box.style.setProperty("--stage", high); // else all is styled anew
}

function startRun(S, data) {
  Object.assign(S, {
    tree: emptyTree(data.question), run: data.run, rev: 0, selected: null, selectedPath: new Set(), chosen: null, chosenPath: new Set(),
    focus: null, frame: null, userView: false, overview: false, tab: "answers", toldAt: 0, panelSign: "", hover: null, dim: null,
  });
  S.tip.hidden = true;
  S.folded.clear();
  S.openAnswers.clear();
  stopAsking(S);
  play(S, false);
}

// Ask for everything until it is there: the question or its answer may be lost, and no further payload may come.
function askAgain(S) {
  S.trigger("resync", { run: S.run, have: S.rev, at: Date.now() });
  S.asking = setTimeout(askAgain, 1500, S);
}

function stopAsking(S) {
  clearTimeout(S.asking);
  S.asking = 0;
}

function receive(S, data) {
  if (data.run !== S.run) startRun(S, data);
  S.data = data;
  const wanted = data.base > S.rev || !applyRows(S.tree, data.rows);
  if (wanted) {
    if (!S.asking) askAgain(S);
    return;
  }
  stopAsking(S);
  const anchor = S.userView ? S.tree.nodes.get(S.selected) : null, before = anchor && anchor.row;
  S.rev = data.rev;
  S.chosen = data.outcome?.chosen ?? null;
  S.chosenPath = new Set(S.chosen ? solutionTo(S.tree, S.chosen).map((n) => n.id) : []);
  S.selectedPath = new Set(S.selected ? pathTo(S.tree, S.selected).map((n) => n.id) : []);
  S.wrong = new Set(data.wrong || []);
  rememberKept(S);
  const kept = S.tree.nodes.size - 1;
  S.counts = `${kept.toLocaleString("en")} ${kept === 1 ? "step" : "steps"} · depth ${S.tree.longest}`;
  relayout(S, kept > 0 && data.live);
  if (anchor) S.ty -= ((anchor.target ?? anchor.row) - before) * ROW * S.ky;
  S.empty.hidden = kept > 0;
  say(S.empty, data.message || "");
  followLook(S, data);
  drawLegend(S);
  drawPanel(S);
  drawBar(S);
}

export default function (component) {
  const { data, parentElement: root, setStateValue, setTriggerValue } = component;
  const S = MOUNTED.get(root) || mount(root);
  S.setState = setStateValue;
  S.trigger = setTriggerValue;
  S.themeDirty = true;
  const start = performance.now();
  if (data && data !== S.received) { S.received = data; receive(S, data); } // the same object when only the theme changed
  S.applyMs = performance.now() - start;
  fillWindow(S);
  redraw(S);
  hook(S);
  return () => { play(S, false); stopAsking(S); S.resize.disconnect(); S.around.disconnect(); removeEventListener("resize", S.fill); cancelAnimationFrame(S.raf); S.raf = 0; unhook(S); MOUNTED.delete(root); };
}

// For tests and measurements: what is on screen, and a way to find a node on the page.
function hook(S) {
  const api = {
    of: S,
    get run() { return S.run; }, get revision() { return S.rev; }, get nodes() { return S.tree.nodes.size - 1; },
    get selected() { return S.selected; }, get chosen() { return S.chosen; }, get draws() { return S.draws; },
    get applyMs() { return S.applyMs; }, get drawMs() { return S.drawMs; }, get frame() { return S.frame; }, get view() { return S.view; },
    get visible() { return S.tree.order.length - 1; },
    get ids() { return [...S.tree.nodes.keys()]; },
    state: (id) => S.tree.nodes.get(id)?.state,
    select: (id) => select(S, id),
    position: (id) => {
      const node = S.tree.nodes.get(id), box = S.canvas.getBoundingClientRect();
      return node && { x: box.left + screenX(S, node), y: box.top + screenY(S, node) };
    },
    get wrong() { return [...S.wrong]; },
  };
  window.__ttc = api;
  (window.__ttcs ??= {})[S.run] = api; // of each run on the page
}

// Nothing may hold a tree that is no longer on the page.
function unhook(S) {
  for (const [run, api] of Object.entries(window.__ttcs ?? {})) if (api.of === S) delete window.__ttcs[run];
  if (window.__ttc?.of === S) delete window.__ttc;
}
