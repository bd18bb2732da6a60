// One <tag class> with text. Text of a model only ever enters the page here (textContent) or through fillText.
function el(tag, className = "", text = "", attributes = {}) {
  const node = document.createElement(tag);
  if (className) node.className = className;
  if (text !== "") node.textContent = text;
  for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
  return node;
}

// The text of a node, which is laid out anew only where it is another one.
function say(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

// Whether the page around a node is dark, by the colour of its background.
function isDark(node) {
  const css = getComputedStyle(node).getPropertyValue("--st-background-color").trim();
  const [r, g, b] = (css.match(/[0-9a-f]{2}/gi) || ["ff", "ff", "ff"]).map((x) => parseInt(x, 16));
  return 0.3 * r + 0.6 * g + 0.1 * b < 128;
}
