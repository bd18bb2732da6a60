// The problems behind a point as a table with links to their trees. Text only through textContent.
const hrefOf = (run) => `trees?run=${encodeURIComponent(run)}`; // a link like any other: the way back is the browser's
const whole = (x) => (x == null ? "–" : `${(100 * x).toFixed(0)} %`);

// A verdict of one search, or of how many of several.
function sign(td, right, seeds, words) {
  const said = right == null ? "ungraded" : right > 0.5 ? "right" : "wrong";
  td.append(el("span", `sign ${said}`, right == null ? "–" : right > 0.5 ? "✓" : "✗", { title: `${words} ${said}`, "aria-label": `${words} ${said}` }));
  if (seeds > 1 && right != null) td.append(el("small", "", ` ${Math.round(right * seeds)} of ${seeds}`));
  return td;
}

function problemRow(one, hoped) {
  const tr = el("tr"), cell = (className, text) => { const td = el("td", className, text); tr.append(td); return td; };
  const question = cell("question", "");
  if (one.run) {
    const link = el("a", "", one.question || one.problem, { href: hrefOf(one.run), title: one.question, dir: "auto" });
    question.append(link);
  } else question.append(el("span", "", one.question || one.problem, { title: one.question, dir: "auto" }));
  cell("problem", one.problem);
  sign(cell("verdict", ""), one.right, one.seeds, "this is").append(el("span", "value", one.answer ?? "no answer", { dir: "auto" }));
  cell("gold", one.gold ?? "–");
  sign(cell("center", ""), one.base, 1, "the baseline is");
  if (hoped) cell("number", whole(one.expected));
  cell("number", whole(one.ease));
  cell("tree", one.run ? "" : "not kept").classList.toggle("muted", !one.run);
  if (one.run) tr.lastChild.append(el("a", "", "open", { href: hrefOf(one.run), "aria-label": `tree of ${one.problem}` }));
  return tr;
}

export default function ({ data, parentElement: root }) {
  root.querySelector(".list").classList.toggle("dark", isDark(root.querySelector(".list")));
  const hoped = data.rows.some((one) => one.expected != null);
  const head = el("tr");
  for (const [title, help] of [["Question", ""], ["Problem", ""], ["Answer", ""], ["Known answer", ""], ["Baseline", "whether the baseline is right with the same budget"],
    ["Expected", "share of all equally large subsets of the stored samples from which this method chooses a right answer"],
    ["Easiness", "share of the problem's samples that are right, or their mean score, as the difficulty goes by"], ["Tree", ""]].filter(([title]) => hoped || title !== "Expected")) head.append(el("th", ["Expected", "Easiness"].includes(title) ? "number" : "", title, help ? { title: help } : {}));
  const top = el("thead"), body = el("tbody");
  top.append(head);
  body.append(...data.rows.map((one) => problemRow(one, hoped)));
  root.querySelector("table").replaceChildren(top, body);
}
