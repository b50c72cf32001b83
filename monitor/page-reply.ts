import type { Context } from "hono";
import { html } from "../shared/html.ts";
import type { Access } from "./access.ts";
import { credentialsOf } from "./door.ts";
import type { Page, PageRequest } from "./page.ts";
import { layout } from "./pages/layout.ts";
import { troubleOf } from "./trouble.ts";

/** What a page's code sees of a request. */
export function requestOf(c: Context, access: Access): PageRequest {
  return {
    parameters: c.req.param(),
    query: new URL(c.req.url).searchParams,
    actionToken: access.actionToken(credentialsOf(c)),
    now: Date.now(),
  };
}

/** Answers with a page in the frame that all pages share. */
export function pageReply(
  c: Context,
  page: Page,
  request: PageRequest,
): Response | Promise<Response> {
  return c.html(layout(page, request), page.status ?? 200);
}

/** Answers with a page that says what went wrong. */
export function errorReply(
  c: Context,
  access: Access,
  error: unknown,
): Response | Promise<Response> {
  const { status, title, message } = troubleOf(error);
  const main = html`<h1>${title}</h1>
    <p class="note bad">${message}</p>
    <p><a href="/">All runs</a></p>`;
  return pageReply(c, { title, section: "none", main, status }, requestOf(c, access));
}
