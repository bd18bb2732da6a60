// The tree: nodes, deltas, which of them are visible, and where they stand (column, row). No drawing here.
// Depth counts steps from the question, column those within one solution: a revision begins anew, on a row below.
const ROOT = "r";
const INDENT = 16, INDENTED = 8; // px a revision stands further right than what it revises, for so many levels

function emptyTree(question) {
  const root = { id: ROOT, parent: null, kids: [], depth: 0, column: 0, level: 0, row: 0, index: 0, text: question, score: null, state: "root" };
  return { nodes: new Map([[ROOT, root]]), depth: 0, longest: 0, indent: 0, order: [], rows: 0, columns: [0], widths: [0], widest: [0], hidden: new Map() };
}

// Order number below the parent: the 3 of "r.1.3" and of "r.1.3#2".
const sampleIndex = (id) => parseInt(id.slice(id.lastIndexOf(".") + 1), 10) || 0;

// The text ended with this node; what hangs below revises or criticises it.
const ended = (node) => node.depth > 0 && node.finish !== "step";

// Insert or update rows; returns false when a parent is missing, which means that a delta was lost.
function applyRows(tree, rows) {
  for (const row of rows) {
    const [id, parent, text, score, state, why, answer, logprob, tokens, finish, source, step, total] = row;
    let node = tree.nodes.get(id);
    if (!node) {
      const above = tree.nodes.get(parent);
      if (!above) return false;
      const anew = ended(above);
      node = { id, parent, kids: [], depth: above.depth + 1, column: anew ? 1 : above.column + 1, level: above.level + anew, anew, row: 0, index: sampleIndex(id) };
      node.head = node.column === 1 ? node : above.head; // first step of its solution
      tree.nodes.set(id, node);
      above.kids.push(node);
      const before = above.kids[above.kids.length - 2];
      if (before && before.index > node.index) above.kids.sort((a, b) => a.index - b.index);
      tree.depth = Math.max(tree.depth, node.depth);
      tree.longest = Math.max(tree.longest, node.column);
    }
    Object.assign(node, { score, state, why, answer, logprob, tokens, finish, source, step, total });
    if (node.text !== text) { node.text = text; node.label = null; }
  }
  return true;
}

function pathTo(tree, id) {
  const path = [];
  for (let node = tree.nodes.get(id); node; node = tree.nodes.get(node.parent)) path.push(node);
  return path.reverse();
}

// The node's own solution: without the question, and without the attempts that it revises.
const solutionTo = (tree, id) => {
  const path = pathTo(tree, id).slice(1);
  return path.slice(Math.max(0, path.map((node) => node.anew).lastIndexOf(true)));
};

// What replay shows of a node: two frames a depth (sampled, then scored and decided); null frame: all there is.
function seen(node, frame) {
  if (frame == null || node.depth === 0) return node.state;
  const depth = Math.ceil(frame / 2);
  if (node.depth > depth) return null;
  return node.depth === depth && frame % 2 === 1 ? "open" : node.state;
}

function visibleKids(tree, options, node) {
  if (options.folded.has(node.id)) return [];
  return node.kids.filter((kid) => {
    const state = seen(kid, options.frame);
    if (state == null) return false;
    if (options.focus) return options.focus.has(kid.id) || options.focus.has(kid.parent);
    if (options.hidePruned && state === "pruned") return options.keep.has(kid.id);
    return true;
  });
}

// Tidy layout: leaves get consecutive rows, inner nodes stand amid their children. What was revised has a row of its own,
// with the revisions below it. Pruned leaves get narrow rows: narrower where the others would not have room in `rows`.
const PRUNED = 0.66, CROWDED = 0.12;

function layout(tree, options) {
  placeRows(tree, options, PRUNED);
  if (tree.rows <= options.rows || !tree.leaves) return;
  const fitting = (options.rows - tree.rows) / tree.leaves + PRUNED;
  placeRows(tree, options, Math.max(CROWDED, fitting));
}

function placeRows(tree, options, pruned) {
  Object.assign(tree, { order: [], leaves: 0, pruned });
  tree.hidden.clear();
  let next = 0, before = null;
  const placeRow = (node) => {
    const narrow = seen(node, options.frame) === "pruned", height = narrow ? pruned : 1;
    if (before && before.parent !== node.parent) next += 0.3;
    node.row = next + height / 2;
    next += height;
    before = node;
    tree.leaves += narrow;
  };
  const stack = [[tree.nodes.get(ROOT), null]];
  while (stack.length) {
    const [node, kids] = stack.pop();
    if (kids) { node.row = (kids[0].row + kids[kids.length - 1].row) / 2; continue; }
    tree.order.push(node);
    const below = visibleKids(tree, options, node);
    const missing = options.frame == null ? node.kids.length - below.length : 0;
    if (missing > 0) tree.hidden.set(node.id, missing);
    if (below.length) {
      if (!ended(node)) stack.push([node, below]);
      else placeRow(node);
      for (let i = below.length - 1; i >= 0; i--) stack.push([below[i], null]);
      continue;
    }
    placeRow(node);
  }
  tree.rows = Math.max(1, next);
}

// Width of each column from the labels in it, so that short steps stand close and long ones get room.
function columns(tree, measure) {
  const widest = [];
  tree.indent = 0;
  for (const node of tree.order) {
    if (!node.label) { node.label = node.depth === 0 ? "" : oneLine(node.text || (node.state === "failed" ? node.why : "")); node.width = measure(node.label); }
    widest[node.column] = Math.max(widest[node.column] || 0, node.width);
    tree.indent = Math.max(tree.indent, indent(node));
  }
  tree.columns = [0];
  tree.widths = [];
  tree.widest = widest;
  tree.clipped = widest.some((width) => width > 260);
  widest.forEach((width, column) => {
    tree.widths[column] = column === 0 ? 56 : Math.max(40, Math.min(260, width)) + 78;
    tree.columns[column + 1] = tree.columns[column] + tree.widths[column];
  });
}

const indent = (node) => INDENT * Math.min(node.level, INDENTED);
const across = (tree, node) => tree.columns[node.column] + indent(node); // x before zoom and pan
const breadth = (tree) => (tree.columns[tree.columns.length - 1] || 1) + tree.indent;

const oneLine = (text) => text.trim().replace(/\s+/g, " ").slice(0, 160);
