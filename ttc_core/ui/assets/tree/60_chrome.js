// Toolbar, legend, tooltip, help.
const KEYS = [
  ["← →", "parent / best continuation"], ["↑ ↓", "the step above / below"], ["Home End", "question / chosen answer"],
  ["F", "fit; again: everything at once"], ["+ −", "zoom (or wheel); drag to pan"], ["P", "focus on the selected path"],
  ["H", "hide pruned steps"], ["Enter", "fold or unfold a branch (or double-click)"], ["[ ]", "step through the search"],
  ["Space", "play the search"], ["O T", "outline, table"], ["D", "scores by depth"], ["C", "go on from the selected step"], ["J K", "next / previous search of the list"], ["?", "this list"],
];

function buildBar(S) {
  const tool = (label, title, action, key) => {
    const button = el("button", "tool", label, { type: "button", title: key ? `${title} (${key})` : title });
    button.onclick = action;
    return button;
  };
  const group = (...items) => { const box = el("span", "group"); box.append(...items); return box; };
  S.tools = {
    tree: tool("Tree", "canvas tree", () => setView(S, "tree"), "O"),
    outline: tool("Outline", "the same as nested rows", () => setView(S, "outline"), "O"),
    table: tool("Table", "all steps, to sort and to search in", () => setView(S, "table"), "T"),
    pruned: tool("Hide pruned", "show only what was kept", () => setHidePruned(S, !S.hidePruned), "H"),
    focus: tool("Focus path", "only the selected path and its siblings", () => setFocus(S, !S.focus), "P"),
    play: tool("▶", "replay the search", () => playOrPause(S), "Space"),
  };
  S.slider = el("input", "", "", { type: "range", min: 0, max: 1, step: 1, "aria-label": "replay: step through the search" });
  S.slider.oninput = () => { const wanted = Number(S.slider.value); play(S, false); setFrame(S, wanted); };
  S.moment = el("span", "moment");
  const middle = () => [S.canvas.clientWidth / 2, S.canvas.clientHeight / 2];
  const views = group(...VIEWS.map((view) => S.tools[view]));
  views.classList.add("views");
  for (const box of [S.bar, S.help]) box.replaceChildren(); // Streamlit may take a component down and up again in the same place
  S.bar.append(
    views, group(S.tools.pruned, S.tools.focus),
    group(tool("−", "zoom out", () => zoom(S, 1 / 1.35, ...middle()), "−"), tool("Fit", "fit; again: everything at once", () => fitOrOverview(S), "F"),
      tool("+", "zoom in", () => zoom(S, 1.35, ...middle()), "+")),
  );
  const replay = el("span", "replay");
  replay.append(S.tools.play, S.slider, S.moment);
  S.bar.append(replay, tool("?", "keyboard", () => toggleHelp(S)));
  for (const [key, what] of KEYS) S.help.append(el("kbd", "", key), el("span", "", what));
}

function drawBar(S) {
  const on = (button, state) => { button.classList.toggle("on", state); button.setAttribute("aria-pressed", String(state)); };
  for (const view of VIEWS) on(S.tools[view], S.view === view);
  on(S.tools.pruned, S.hidePruned);
  on(S.tools.focus, !!S.focus);
  S.tools.focus.disabled = !S.selected;
  say(S.tools.play, S.playing ? "❚❚" : "▶");
  const last = 2 * S.tree.depth;
  S.slider.max = Math.max(1, last);
  S.slider.disabled = S.tools.play.disabled = last === 0;
  S.slider.value = S.frame == null ? S.slider.max : S.frame;
  say(S.moment, S.frame == null ? (S.data?.live ? "live" : "end") : S.frame === 0 ? "start" : `step ${Math.ceil(S.frame / 2)} ${S.frame % 2 ? "sampled" : "decided"}`);
  if (S.view === "outline") drawOutline(S);
}

const toggleHelp = (S, on = S.help.hidden) => { S.help.hidden = !on; };

// Anew only where what it explains has changed: in a search under way that is the number of steps alone.
function drawLegend(S) {
  const { foot } = S, found = new Set([...S.tree.nodes.values()].map((n) => n.state));
  const states = ["given", "kept", "open", "pruned", "final", "failed"].filter((state) => found.has(state));
  const sign = JSON.stringify([states, S.theme.text, S.theme.dark, S.wrong.size > 0, !!S.chosen]);
  if (sign !== foot.dataset.of) foot.replaceChildren(...legend(S, states));
  foot.dataset.of = sign;
  say(foot.lastChild, S.counts);
}

function legend(S, states) {
  const ramp = el("span", "ramp"), scale = el("span", "scale", "", { title: "the verifier's probability that the solution is right so far" });
  ramp.style.background = `linear-gradient(90deg, ${S.theme.ramp.join(",")})`;
  scale.append(el("span", "", "P(right) 0"), ramp, el("span", "", "1"));
  const key = (mark, words) => { const item = el("span", "key"); item.append(mark, el("span", "", words)); return item; };
  const parts = states.map((state) => key(icon(state, state === "failed" || state === "open" ? null : 0.55, S), STATE_WORDS[state]));
  if (S.wrong.size) parts.push(key(el("b", "mark wrong", "✗"), "first wrong step"));
  if (S.chosen) parts.push(key(el("i", "stroke"), "path of the chosen answer"));
  return [scale, ...parts, el("span", "count")];
}

function drawTip(S, event) {
  const node = S.hover, tip = S.tip;
  tip.hidden = !node;
  if (!node) return;
  const head = el("div", "tip-head"), state = seen(node, S.frame) ?? node.state, score = S.frame != null && state === "open" ? null : node.score;
  head.append(icon(state, score, S), el("b", "", score == null ? "" : score.toFixed(3)), el("span", "", STATE_WORDS[state]), el("code", "", node.id));
  tip.replaceChildren(head, el("div", "tip-text", node.text.trim().slice(0, 600), { dir: "auto" }));
  if (node.why && state === node.state) tip.append(el("div", "tip-why", node.why));
  const box = S.stage.getBoundingClientRect(), x = event.clientX - box.left, y = event.clientY - box.top;
  tip.style.left = `${Math.max(4, Math.min(x + 16, box.width - tip.offsetWidth - 8))}px`;
  tip.style.top = `${y + 18 + tip.offsetHeight > box.height ? Math.max(4, y - tip.offsetHeight - 12) : y + 18}px`;
}
