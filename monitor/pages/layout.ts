import { html, type Html } from "../../shared/html.ts";
import { version } from "../../shared/version.ts";
import type { Page, PageRequest } from "../page.ts";

const sections = [
  ["runs", "/", "Runs"],
  ["retries", "/retries", "Retries"],
  ["lanes", "/lanes", "Lanes and workers"],
] as const;

/** A page in the frame that all share: navigation, scripts, and what keeps it live. */
export function layout(page: Page, request: PageRequest): string {
  return html`<!doctype html>
    <html lang="en">
      ${head(page.title)}
      <body data-now="${request.now}">
        <a class="skip" href="#main">Skip to the content</a>
        ${navigation(page.section)}
        <main id="main" tabindex="-1">${page.main}</main>
        <footer>
          imagemill
          ${version}${request.actionToken === undefined ? html` · read only: <a href="/sign-in">sign in</a> to act` : ""}
        </footer>
      </body>
    </html> `.text;
}

function head(title: string): Html {
  return html`<head>
    <meta charset="utf-8" />
    <meta name="viewport" content="width=device-width, initial-scale=1" />
    <meta name="color-scheme" content="light dark" />
    <meta name="referrer" content="same-origin" />
    <title>${title} · imagemill</title>
    <link rel="icon" href="/assets/icon.svg" type="image/svg+xml" />
    <link rel="stylesheet" href="/assets/uplot.css" />
    <link rel="stylesheet" href="/assets/style.css" />
    <script src="/assets/uplot.js" defer></script>
    <script src="/assets/live.js" defer></script>
    <script src="/assets/charts.js" defer></script>
  </head>`;
}

function navigation(section: Page["section"]): Html {
  const items = sections.map(
    ([name, href, text]) =>
      html`<li>
        <a href="${href}" ${name === section ? html`aria-current="page"` : ""}>${text}</a>
      </li>`,
  );
  return html`<header class="bar">
    <a class="brand" href="/"
      ><img src="/assets/icon.svg" alt="" width="22" height="22" />imagemill</a
    >
    <nav aria-label="Main">
      <ul>
        ${items}
        <li><a href="/queues">Queues</a></li>
      </ul>
    </nav>
    <p class="live" role="status" id="live-state"></p>
  </header>`;
}

/** A part of a page that changes while it is looked at. `name` is unique on the page. */
export function live(name: string, content: Html | Html[]): Html {
  return html`<div data-live="${name}">${content}</div>`;
}

/** A button that does something; nothing for a reader who may only look. */
export function action(
  { actionToken }: PageRequest,
  { path, text, fields = {}, kind = "plain" }: ActionButton,
): Html {
  if (actionToken === undefined) return html``;
  const hidden = Object.entries({ ...fields, token: actionToken }).map(
    ([name, value]) => html`<input type="hidden" name="${name}" value="${value}" />`,
  );
  return html`<form method="post" action="${path}">
    ${hidden}<button
      class="${kind}"
      id="${`do ${path} ${Object.values(fields).join(" ")}`.replaceAll(/\W+/g, "-")}"
    >
      ${text}
    </button>
  </form>`;
}

/** What an {@link action} button does. */
export interface ActionButton {
  path: string;
  text: string;
  fields?: Record<string, string>;
  kind?: "plain" | "primary" | "danger" | "small";
}

/** One figure with its name. */
export function figure(name: string, value: string | Html, mood: "" | "bad" | "good" = ""): Html {
  return html`<div class="${mood}">
    <dt>${name}</dt>
    <dd>${value}</dd>
  </div>`;
}
