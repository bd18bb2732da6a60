// Colour of a score: viridis, 33 stops, perceptually even and safe for colour-blind readers.
const VIRIDIS = [
  "#440154", "#470d60", "#48186a", "#482374", "#472d7b", "#453781", "#424086", "#3e4989", "#3b528b", "#375b8d", "#33638d",
  "#2f6b8e", "#2c728e", "#297a8e", "#26828e", "#23898e", "#21918c", "#1f988b", "#1fa088", "#22a785", "#28ae80", "#32b67a",
  "#3fbc73", "#4ec36b", "#5ec962", "#70cf57", "#84d44b", "#98d83e", "#addc30", "#c2df23", "#d8e219", "#ece51b", "#fde725",
];
const scoreColour = (score) => VIRIDIS[Math.max(0, Math.min(32, Math.round(score * 32)))];
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
  return {
    dark, background, text, ink,
    muted: ink(0.66), faint: ink(dark ? 0.3 : 0.26), outline: ink(dark ? 0.55 : 0.4),
    unscored: dark ? "#7d858f" : "#a3abb5",
    chosen: dark ? "#ff9248" : "#c8500a", // vermillion: nowhere on viridis
    failed: dark ? "#ff7b72" : "#c62828",
    font: value("--st-font", "sans-serif"),
  };
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
