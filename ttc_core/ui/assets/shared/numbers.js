// Numbers as text.
const three = (x) => (x >= 1e5 ? x.toExponential(1) : x >= 100 ? Math.round(x).toLocaleString("en") : String(+x.toPrecision(3)));
const share = (x) => (x == null ? "–" : (100 * x).toFixed(0));
const points = (x) => (x == null ? "–" : `${x < -0.0005 ? "−" : "+"}${Math.abs(100 * x).toFixed(1)}`);

// Three significant digits with a prefix: 950, 12.3 k, 1.24 G; as words.short of Python.
function short(x) {
  if (!x) return "0";
  const units = ["", "k", "M", "G", "T", "P", "E"], power = Math.min(units.length - 1, Math.max(0, Math.floor(Math.log10(Math.abs(x)) / 3 + 1e-9)));
  const scaled = x / 1000 ** power, digits = scaled >= 100 || (!power && Number.isInteger(scaled)) ? 0 : scaled >= 10 ? 1 : 2;
  return `${scaled.toFixed(digits)} ${units[power]}`.trim();
}
