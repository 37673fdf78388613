// The address holds the key that lets its holder read. At the top of a tab the cookie does as well, so the key goes.
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
let shown = "";
function open_link(url) {
  if (/^https?:\/\//i.test(url ?? "")) window.open(url, "_blank", "noopener,noreferrer");
}
function boxed(told) {
  const box = document.createElement("article");
  box.className = "card";
  try {
    const one = new AdaptiveCards.AdaptiveCard();
    one.hostConfig = host;
    one.onExecuteAction = (action) => open_link(action.url);
    one.parse(told);
    box.append(one.render());
  } catch (error) {
    box.textContent = `A card that cannot be drawn: ${error.message}`;
  }
  return box;
}
async function look() {
  const cards = await (await fetch(new URL("cards", base))).json();
  const now = JSON.stringify([cards.length, cards.at(-1)]);  // only the newest are kept: the number may stand still
  if (now === shown) return;
  shown = now;
  const many = cards.length;
  document.getElementById("told").textContent =
    many === 0 ? "Waiting for the first card…" : many === 1 ? "1 card" : `${many} cards, the newest first`;
  document.getElementById("cards").replaceChildren(...cards.reverse().map(boxed));
}
look();
setInterval(() => look().catch(() => {}), 1000);
