// Colour of a score: viridis, 33 stops, perceptually even and safe for colour-blind readers.
const VIRIDIS = [
  "#440154", "#470d60", "#48186a", "#482374", "#472d7b", "#453781", "#424086", "#3e4989", "#3b528b", "#375b8d", "#33638d",
  "#2f6b8e", "#2c728e", "#297a8e", "#26828e", "#23898e", "#21918c", "#1f988b", "#1fa088", "#22a785", "#28ae80", "#32b67a",
  "#3fbc73", "#4ec36b", "#5ec962", "#70cf57", "#84d44b", "#98d83e", "#addc30", "#c2df23", "#d8e219", "#ece51b", "#fde725",
];
// On dark pages, with its dark end lifted, as ttc_core/ui/exchange.py has it.
const NIGHT = ["#9B7FD4", "#6C8EDB", "#35B5AB", "#7AD151", "#E4DA3C"];
// Shares of the text's colour that are mixed with the background's, and colours of their own. A test reads this (JSON)
// and computes the contrast: 4.5 for what is text, 3 for what has to be seen.
const INK = {
  "light": {"muted": 0.68, "outline": 0.5, "edge": 0.48, "faint": 0.26, "unscored": "#a3abb5", "chosen": "#c8500a", "failed": "#c62828"},
  "dark": {"muted": 0.66, "outline": 0.55, "edge": 0.38, "faint": 0.3, "unscored": "#7d858f", "chosen": "#ff9248", "failed": "#ff7b72"}
};

const scoreText = (score) => (score == null ? "" : score.toFixed(2));

// The theme as canvas colours; read again whenever the theme may have changed.
function readTheme(root) {
  const css = getComputedStyle(root);
  const value = (name, fallback) => {
    const found = css.getPropertyValue(name).trim();
    return found && found !== "unset" ? found : fallback;
  };
  const background = value("--st-background-color", "#ffffff");
  const channels = rgb(background);
  const dark = 0.299 * channels[0] + 0.587 * channels[1] + 0.114 * channels[2] < 128;
  const text = value("--st-text-color", dark ? "#e8eaed" : "#1d232b");
  const ink = (alpha) => `rgba(${rgb(text).join(",")},${alpha})`;
  const { muted, outline, edge, faint, ...own } = INK[dark ? "dark" : "light"], last = VIRIDIS.length - 1;
  const ramp = dark ? VIRIDIS.map((_, i) => between(NIGHT, i / last)) : VIRIDIS;
  return {
    dark, background, text, ink, ...own, ramp, font: value("--st-font", "sans-serif"),
    muted: ink(muted), outline: ink(outline), edge: ink(edge), faint: ink(faint),
    colour: (score) => ramp[Math.max(0, Math.min(last, Math.round(score * last)))],
  };
}

// The colour at a share x of the way along evenly spaced ones.
function between(stops, x) {
  const at = x * (stops.length - 1), i = Math.min(Math.floor(at), stops.length - 2), [from, to] = [stops[i], stops[i + 1]].map(rgb);
  return `rgb(${from.map((channel, k) => Math.round(channel + (to[k] - channel) * (at - i))).join(",")})`;
}

function rgb(colour) {
  if (colour[0] === "#") {
    const hex = colour.length === 4 ? colour.slice(1).replace(/./g, "$&$&") : colour.slice(1, 7);
    return [0, 2, 4].map((i) => parseInt(hex.slice(i, i + 2), 16));
  }
  return (colour.match(/[\d.]+/g) || [255, 255, 255]).slice(0, 3).map(Number);
}

const STATE_WORDS = {
  open: "undecided", given: "given", kept: "kept", pruned: "pruned", final: "finished", failed: "failed", root: "question",
};
