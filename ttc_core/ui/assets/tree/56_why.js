// Why a search came to a wrong answer, where the steps of its problem can be checked.

// The furthest steps of solutions that are right so far; the last of the equally far ones that the search gave up.
function furthestRight(S) {
  const ok = new Set([ROOT]);
  let best = null;
  for (const node of S.tree.nodes.values()) { // parents come first
    if (!node.depth || S.wrong.has(node.id) || !(node.anew || ok.has(node.parent))) continue;
    ok.add(node.id);
    if (!best || node.column > best.column || (node.column === best.column && node.state === "pruned")) best = node;
  }
  return best;
}

function whyWrong(S, content) {
  const outcome = S.data.outcome;
  if (S.data.correct !== false || !S.data.wrong || !outcome) return;
  const part = el("section", "why-wrong"), rights = outcome.candidates.filter(([, answer]) => answer != null && isRight(S, answer));
  part.append(el("h4", "", "Why it is wrong"));
  const say = (text) => part.append(el("p", "said", text));
  const slip = S.chosen && solutionTo(S.tree, S.chosen).find((node) => S.wrong.has(node.id));
  if (slip) { say(`The chosen solution goes wrong at step ${slip.column}:`); part.append(nodeRow(S, slip)); }
  if (rights.length) {
    const many = rights.length === 1 ? "is right, but was" : "are right, but were";
    say(`${rights.length} of ${outcome.candidates.length} finished solutions ${many} not chosen:`);
    for (const [id] of rights.slice(0, 4)) if (S.tree.nodes.has(id)) part.append(nodeRow(S, S.tree.nodes.get(id)));
  } else {
    const last = furthestRight(S);
    say("No right solution was finished." + (last ? ` The furthest step that is right so far, step ${last.column}, ` : "") +
      (!last ? " Every first step is wrong." : last.state === "pruned" ? `was pruned${last.why ? ` (${last.why})` : ""}:` : last.kids.length ? "has only wrong continuations:" : "was not gone on from:"));
    if (last) part.append(nodeRow(S, last));
  }
  content.append(part);
}
