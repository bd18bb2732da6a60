// On the way to another page Streamlit 1.67 first takes what the old page's widgets had put into the address out of it,
// as an entry of its own in the browser's history: Back then came to the old page without what it had shown.
const AT_ONCE = 5000; // ms between that entry and the new page's

function mendHistory() {
  if (window.__ttcHistory) return;
  window.__ttcHistory = true;
  const push = history.pushState.bind(history);
  let emptied = -Infinity; // when an entry was pushed that only lost values
  history.pushState = (state, unused, address) => {
    const to = new URL(address, location.href), now = performance.now(), away = to.pathname !== location.pathname;
    const loses = !away && to.searchParams.size < new URLSearchParams(location.search).size;
    if (away && now - emptied < AT_ONCE) history.replaceState(state, unused, address);
    else push(state, unused, address);
    emptied = loses ? now : -Infinity;
  };
}
