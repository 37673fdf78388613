// The address contains the key for reading. In a tab of its own the page also has the cookie, so it removes the key.
const base = new URL(".", location.href);
if (window === window.top) history.replaceState(null, "", "/");
const dark = matchMedia("(prefers-color-scheme: dark)").matches;
const colour = (light, night) => ({ default: dark ? night : light, subtle: dark ? night : light });
const host = new AdaptiveCards.HostConfig({
  fontFamily: "Segoe UI, system-ui, sans-serif",
  containerStyles: { default: { backgroundColor: dark ? "#292929" : "#ffffff", foregroundColors: {
    default: colour("#242424", "#f0f0f0"), accent: colour("#4f52b2", "#a6a7dc"),
    attention: colour("#b10e1c", "#f1707b"), good: colour("#0e700e", "#6fcf6f"), warning: colour("#835b00", "#f5c64a") } } },
  actions: { actionAlignment: "left" },
});
let shown = "";  // what the page currently shows
function openLink(url) {
  if (/^https?:\/\//i.test(url ?? "")) window.open(url, "_blank", "noopener,noreferrer");
}
function article(content) {
  const box = document.createElement("article");
  box.className = "card";
  try {
    const card = new AdaptiveCards.AdaptiveCard();
    card.hostConfig = host;
    card.onExecuteAction = (action) => openLink(action.url);
    card.parse(content);
    box.append(card.render());
  } catch (error) {
    box.textContent = `This card cannot be drawn: ${error.message}`;
  }
  return box;
}
async function refresh() {
  const cards = await (await fetch(new URL("cards", base))).json();
  const current = JSON.stringify([cards.length, cards.at(-1)]);  // the receiver keeps a bounded number of cards
  if (current === shown) return;
  shown = current;
  const count = cards.length;
  document.getElementById("summary").textContent =
    count === 0 ? "Waiting for the first card…" : count === 1 ? "1 card" : `${count} cards, the newest first`;
  document.getElementById("cards").replaceChildren(...cards.reverse().map(article));
}
refresh();
setInterval(() => refresh().catch(() => {}), 1000);
