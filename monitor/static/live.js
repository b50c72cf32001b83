// Keeps a page current: the server sends the page's main part again when it has changed, and the parts of it that are
// marked `data-live` are exchanged where they differ. Where server-sent events do not come through, it asks instead.
"use strict";

const pollMs = 2000;
const address = `/live${location.pathname}${location.search}`;
const state = document.getElementById("live-state");
/** What the server last sent of each part: the page itself changes times in it. */
const shown = new Map();
/** How much the server's clock is ahead of ours. */
let aheadMs = Number(document.body.dataset.now) - Date.now();

function tell(name, text) {
  // A reader of screens says what is set, also where it is the same.
  if (state.textContent === text) return;
  state.dataset.state = name;
  state.textContent = text;
}

function parts(root) {
  return Array.from(root.querySelectorAll("[data-live]"), (part) => [part.dataset.live, part]);
}

for (const [name, part] of parts(document)) shown.set(name, withoutTimes(part.innerHTML));

function withoutTimes(text) {
  return text.replaceAll(/(<time [^>]*>)[^<]*/g, "$1");
}

function apply({ now, html }) {
  aheadMs = now - Date.now();
  const fresh = new DOMParser().parseFromString(`<main>${html}</main>`, "text/html");
  const next = new Map(parts(fresh));
  for (const [name, part] of parts(document)) {
    const replacement = next.get(name);
    if (!replacement) continue;
    const text = withoutTimes(replacement.innerHTML);
    if (shown.get(name) === text || isBusy(part)) continue;
    shown.set(name, text);
    const focused = part.contains(document.activeElement) ? document.activeElement.id : "";
    const opened = Array.from(part.querySelectorAll("details[open][id]"), ({ id }) => id);
    part.replaceChildren(...replacement.childNodes);
    for (const id of opened) document.getElementById(id)?.setAttribute("open", "");
    if (focused) document.getElementById(focused)?.focus();
  }
  tick();
  document.dispatchEvent(new Event("page-changed"));
}

/** Nothing is exchanged under a selection, or while somebody types in it. */
function isBusy(part) {
  const selection = getSelection();
  const isSelected = selection && !selection.isCollapsed && part.contains(selection.anchorNode);
  return isSelected || part.contains(document.activeElement?.closest("input") ?? null);
}

function two(value) {
  return String(value).padStart(2, "0");
}

function spoken(ms) {
  const whole = Math.max(0, Math.round(ms / 1000));
  const [h, m, s] = [Math.floor(whole / 3600), Math.floor((whole % 3600) / 60), whole % 60];
  if (h > 0) return `${h} h ${two(m)} min`;
  return m > 0 ? `${m} min ${two(s)} s` : `${s} s`;
}

function passed(ms) {
  const s = Math.max(0, Math.round(ms / 1000));
  if (s < 60) return `${s} s`;
  if (s < 3600) return `${Math.floor(s / 60)} min`;
  return s < 86_400 ? `${Math.floor(s / 3600)} h` : `${Math.floor(s / 86_400)} d`;
}

function tick() {
  const now = Date.now() + aheadMs;
  for (const time of document.querySelectorAll("time[data-due]")) {
    const left = Number(time.dataset.due) - now;
    time.textContent = left <= 0 ? "now" : `in ${spoken(Math.ceil(left / 1000) * 1000)}`;
  }
  for (const time of document.querySelectorAll("time[data-since]"))
    time.textContent = `${passed(now - Number(time.dataset.since))} ago`;
}
setInterval(tick, 500);
tick();

let failures = 0;
function listen() {
  const events = new EventSource(address);
  events.addEventListener("open", () => {
    failures = 0;
    tell("live", "live");
  });
  events.addEventListener("page", (event) => {
    tell("live", "live");
    apply(JSON.parse(event.data));
  });
  events.addEventListener("error", () => {
    failures += 1;
    tell("away", "reconnecting");
    // After an answer that is no stream of events the browser does not try again by itself.
    if (failures < 3 && events.readyState !== EventSource.CLOSED) return;
    events.close();
    setInterval(poll, pollMs);
  });
  addEventListener("pagehide", () => events.close());
}

async function poll() {
  if (document.hidden) return;
  try {
    const reply = await fetch(address, { headers: { accept: "application/json" } });
    if (reply.status === 404) {
      tell("away", "no longer there");
      return;
    }
    if (!reply.ok) throw new Error(`status ${reply.status}`);
    tell("live", "live");
    apply(await reply.json());
  } catch {
    tell("away", "monitor is away");
  }
}

if (document.querySelector("[data-live]")) listen();

document.addEventListener("click", (event) => {
  const button = event.target.closest("[data-copy]");
  if (button) void copy(button);
});

async function copy(button) {
  await navigator.clipboard.writeText(document.getElementById(button.dataset.copy).textContent);
  button.textContent = "Copied";
}
