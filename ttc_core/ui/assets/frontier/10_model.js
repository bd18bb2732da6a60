// What is where: series of the studies on show, what stands at the slider, and numbers as they are said.
const OPTIMAL = "compute_optimal";
const keyOf = (study, method) => `${study.name}/${method}`;
const within = (budget, limit) => budget <= limit * (1 + 1e-9);
const percent = (x) => (x == null ? "–" : `${(100 * x).toFixed(1)} %`);
const between = ([, low, high], say) => (low == null ? "" : `${say(low)} to ${say(high)}`);
const pValue = (p) => (p < 0.001 ? "< 0.001" : p.toFixed(p < 0.1 ? 3 : 2));
const binName = (b, bins) => `bin ${b + 1}${b === 0 ? ", easiest" : b === bins - 1 ? ", hardest" : ""}`;
const binsOf = (S) => Math.max(...S.data.studies.map((study) => study.sizes.length));
const limitAt = (S) => S.data.budgets[S.at];

// The place in a study's own budgets of the largest one that is no larger than the slider's; -1 below them all.
const placeOf = (study, limit) => study.budgets.filter((budget) => within(budget, limit)).length - 1;

function styleOf(S, study, method) {
  const many = S.data.studies.length > 1, of = S.data.methods[method];
  const style = method === OPTIMAL ? { colour: "var(--st-text-color)", dash: "solid", marker: "star", label: "compute-optimal" } : of;
  return { ...style, dash: many ? study.dash : style.dash };
}

// [mean, low, high] of a method of a study at each of its budgets, for all problems or inside the bin on show.
function values(S, study, method, bin) {
  if (method === OPTIMAL) return bin == null ? study.optimal : [];
  const rows = bin == null ? study.rows.all : study.rows.bins[bin] ?? [];
  return rows.map((at) => at[method]?.accuracy ?? null);
}

function seriesOf(S, bin) {
  return S.data.studies.flatMap((study) => [...study.methods, OPTIMAL].map((method) => ({
    study, method, key: keyOf(study, method), style: styleOf(S, study, method),
    marks: values(S, study, method, bin).map((value, j) => value && { budget: study.budgets[j], j, value }).filter(Boolean),
  }))).filter((one) => one.marks.length);
}

const shownOf = (S, bin) => seriesOf(S, bin).filter((one) => !S.off.has(one.key));
