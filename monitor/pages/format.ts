import { cutText } from "../../shared/cut-text.ts";
import { html, type Html } from "../../shared/html.ts";

/** US dollars; small sums with more digits. */
export function dollars(value: number | undefined): string {
  if (value === undefined) return "not known";
  const digits = value !== 0 && value < 0.1 ? 4 : 2;
  return `$${value.toLocaleString("en-US", { minimumFractionDigits: digits, maximumFractionDigits: digits })}`;
}

/** A rate: `3.4/s`, or `12/min` where a second is too short. */
export function rate(perSecond: number | undefined): string {
  if (perSecond === undefined) return "–";
  if (perSecond === 0) return "0/s";
  return perSecond >= 0.95 ? `${perSecond.toFixed(1)}/s` : `${(perSecond * 60).toFixed(1)}/min`;
}

/** `1 h 02 min`, `3 min 20 s` or `45 s`. */
export function seconds(value: number): string {
  const whole = Math.max(0, Math.round(value));
  const [h, m, s] = [Math.floor(whole / 3600), Math.floor((whole % 3600) / 60), whole % 60];
  if (h > 0) return `${h} h ${String(m).padStart(2, "0")} min`;
  return m > 0 ? `${m} min ${String(s).padStart(2, "0")} s` : `${s} s`;
}

/** `850 ms`, `4.2 s` or `3 min 20 s`. */
export function milliseconds(value: number | undefined): string {
  if (value === undefined) return "–";
  if (value < 1_000) return `${Math.round(value)} ms`;
  return value < 60_000 ? `${(value / 1_000).toFixed(1)} s` : seconds(value / 1_000);
}

/** A name of code as words: `rate_limited` → `rate limited`. */
export function words(name: string): string {
  return name.replaceAll("_", " ");
}

/** A time that the page counts down to by itself. */
export function countdown(dueAt: number, now: number): Html {
  const left = Math.max(0, dueAt - now);
  return html`<time data-due="${dueAt}"
    >${left === 0 ? "now" : `in ${seconds(left / 1_000)}`}</time
  >`;
}

/** A moment, shown as how long ago it was; the page keeps counting. */
export function ago(at: number, now: number): Html {
  const iso = new Date(at).toISOString();
  return html`<time datetime="${iso}" title="${iso}" data-since="${at}"
    >${passed(now - at)} ago</time
  >`;
}

function passed(ms: number): string {
  const s = Math.max(0, Math.round(ms / 1_000));
  if (s < 60) return `${s} s`;
  if (s < 3_600) return `${Math.floor(s / 60)} min`;
  return s < 86_400 ? `${Math.floor(s / 3_600)} h` : `${Math.floor(s / 86_400)} d`;
}

/** A text that may be long: cut, with the whole in its title. */
export function cut(text: string, characters: number): Html {
  if (text.length <= characters) return html`${text}`;
  return html`<span title="${cutText(text, 2_000)}">${cutText(text, characters)}…</span>`;
}
