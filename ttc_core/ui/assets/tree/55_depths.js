// The panel of depths: how many steps there are at each, their scores as a histogram, how many are right so far.
const BINS = 20;

function depthsPanel(S, content) {
  const depths = [];
  for (const node of S.tree.nodes.values()) {
    if (!node.depth) continue;
    const at = (depths[node.column] ??= { nodes: [], bins: Array.from({ length: BINS }, () => []), kept: 0, wrong: 0 });
    at.nodes.push(node);
    if (node.score != null) at.bins[Math.min(BINS - 1, Math.floor(node.score * BINS))].push(node);
    at.kept += node.state !== "pruned" && node.state !== "failed";
    at.wrong += S.wrong.has(node.id);
  }
  if (!depths.length) { content.append(el("p", "quiet", "No step has been sampled yet.")); return; }
  content.append(el("p", "quiet", "Scores of the steps at each depth, from 0 to 1. Point at a bar to see its steps in the tree."));
  depths.forEach((at, depth) => at && content.append(depthRow(S, at, depth)));
}

function depthRow(S, at, depth) {
  const part = el("section", "depth"), head = el("div", "depth-head"), scored = at.nodes.filter((n) => n.score != null);
  head.append(el("strong", "", `step ${depth}`), el("span", "", `${at.nodes.length.toLocaleString("en")} sampled, ${at.kept.toLocaleString("en")} kept`));
  if (at.wrong) head.append(el("span", "mark wrong", `✗ ${at.wrong} go wrong here`));
  const most = Math.max(1, ...at.bins.map((bin) => bin.length)), mean = scored.reduce((sum, n) => sum + n.score, 0) / (scored.length || 1);
  const words = scored.length ? `${scored.length} scored, mean ${mean.toFixed(2)}` : "none is scored";
  const bars = el("div", "bars", "", { role: "img", "aria-label": `step ${depth}: ${words}` });
  at.bins.forEach((bin, i) => bars.append(depthBar(S, bin, i, most)));
  part.append(head, bars, el("p", "note", words));
  return part;
}

function depthBar(S, bin, i, most) {
  const bar = el("button", "", "", { type: "button", tabindex: "-1", title: `${bin.length} from ${(i / BINS).toFixed(2)} to ${((i + 1) / BINS).toFixed(2)}` });
  const fill = el("i");
  fill.style.height = bin.length ? `${Math.max(6, (100 * bin.length) / most)}%` : "0";
  fill.style.background = S.theme.colour((i + 0.5) / BINS);
  bar.append(fill);
  bar.disabled = !bin.length;
  bar.onpointerenter = () => { S.dim = new Set(bin.map((n) => n.id)); redraw(S); };
  bar.onpointerleave = () => { S.dim = null; redraw(S); };
  bar.onclick = () => { S.dim = null; select(S, bin[0].id); };
  return bar;
}
