// Pieces of charts drawn as SVG: elements, dashes and markers as ttc_core/drawing/info.py names them.
const NS = "http://www.w3.org/2000/svg";
const DASHES = { solid: "", dash: "7 4", dot: "2 3", dashdot: "7 3 2 3" };

function svg(tag, attributes, text = "") {
  const node = document.createElementNS(NS, tag);
  for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
  if (text !== "") node.textContent = text;
  return node;
}

const SHAPES = {
  circle: "M-4,0a4,4 0 1,0 8,0a4,4 0 1,0 -8,0", square: "M-3.6,-3.6h7.2v7.2h-7.2z", triangle: "M0,-4.6L4.4,3.6H-4.4z",
  diamond: "M0,-5L4.4,0L0,5L-4.4,0z", down: "M0,4.6L4.4,-3.6H-4.4z", cross: "M-4,-4L4,4M-4,4L4,-4",
};
const STAR = [...Array(10).keys()].map((i) => { const r = i % 2 ? 4.4 : 10.5, a = (Math.PI * i) / 5; return `${i ? "L" : "M"}${(r * Math.sin(a)).toFixed(2)},${(-r * Math.cos(a)).toFixed(2)}`; }).join("") + "z";
