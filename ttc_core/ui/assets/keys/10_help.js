// What the keys of a page do: a dialog that `?` opens wherever nobody is writing.
const HELP = new WeakMap();
const WRITING = "input:not([type=range], [type=checkbox], [type=radio]), textarea, select, [contenteditable=true]";

function pressed(S, event) {
  const [target] = event.composedPath();
  // The tree has keys of its own and says so itself, by having dealt with the key.
  if (event.key !== "?" || event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey || target.matches?.(WRITING)) return;
  event.preventDefault();
  if (S.dialog.open) S.dialog.close();
  else S.dialog.showModal();
}

export default function ({ data, parentElement: root }) {
  mendHistory();
  let S = HELP.get(root);
  if (!S) {
    S = { dialog: root.querySelector("dialog"), press: (event) => pressed(S, event) };
    root.querySelector(".open").onclick = () => S.dialog.showModal();
    root.querySelector(".close").onclick = () => S.dialog.close();
    S.dialog.onclick = (event) => { if (event.target === S.dialog) S.dialog.close(); }; // beside it
    document.addEventListener("keydown", S.press);
    HELP.set(root, S);
  }
  root.querySelector("h2").textContent = `Keys on ${data.page}`;
  root.querySelector("dl").replaceChildren(...data.keys.flatMap(([key, what]) => {
    const dt = el("dt");
    dt.append(...key.split(" ").map((one) => el("kbd", "", one)));
    return [dt, el("dd", "", what)];
  }));
  return () => { document.removeEventListener("keydown", S.press); HELP.delete(root); };
}
