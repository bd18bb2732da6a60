// What the browser notes of a page, installed before the page's own scripts. Times are milliseconds.
(() => {
  const P = (window.__probe = { asked: [], paints: [], begun: 0, changed: 0 });

  // A message sent from inside a frame arrives when that frame has been laid out and painted.
  const painted = (then) => { const channel = new MessageChannel(); channel.port1.onmessage = then; channel.port2.postMessage(0); };

  const send = WebSocket.prototype.send; // a tick begins where the page asks the server to run a fragment
  WebSocket.prototype.send = function (message) { P.asked.push(performance.now()); return send.call(this, message); };

  const clear = CanvasRenderingContext2D.prototype.clearRect; // every drawing of the tree begins with it
  CanvasRenderingContext2D.prototype.clearRect = function (...box) {
    const revision = window.__ttc?.revision;
    painted(() => P.paints.push([revision, performance.now(), Date.now()]));
    return clear.apply(this, box);
  };

  for (const kind of ["pointerdown", "keydown", "input"]) addEventListener(kind, (event) => { P.begun ||= event.timeStamp; }, true);

  P.find = (selector, under = document) => { // also inside components, which have trees of their own
    const found = under.querySelector(selector);
    if (found) return found;
    for (const host of under.querySelectorAll("*")) {
      const inside = host.shadowRoot && P.find(selector, host.shadowRoot);
      if (inside) return inside;
    }
    return null;
  };

  P.watch = (selector) => { // from the next input to the paint after the first change below `selector`
    P.begun = P.changed = P.last = 0;
    P.observer?.disconnect();
    P.observer = new MutationObserver(() => {
      if (P.begun) requestAnimationFrame(() => painted(() => { P.last = performance.now(); P.changed ||= P.last; }));
    });
    P.observer.observe(P.find(selector), { subtree: true, childList: true, characterData: true, attributes: true });
  };

  P.moved = (canvas, how, x, y, frames) => new Promise((done) => { // one movement a frame; the times of the paints
    P.paints.length = 0;
    const frame = (i) => {
      const at = { clientX: x + 150 * Math.sin(i / 15), clientY: y + 100 * Math.sin(i / 23), bubbles: true, cancelable: true };
      if (how === "pan") canvas.dispatchEvent(new PointerEvent("pointermove", { ...at, isPrimary: true, buttons: 1 }));
      else canvas.dispatchEvent(new WheelEvent("wheel", { ...at, deltaY: Math.floor(i / 30) % 2 ? 60 : -60 }));
      if (i < frames) requestAnimationFrame(() => frame(i + 1));
      else setTimeout(() => done(P.paints.map(([, moment]) => moment)), 300);
    };
    frame(0);
  });
})();
