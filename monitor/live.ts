import type { Context } from "hono";
import { streamSSE } from "hono/streaming";
import { setTimeout as delay } from "node:timers/promises";

/** How often a page that is looked at is made anew. */
const everyMs = 1_000;
/** A connection that says nothing for long is cut by proxies. */
const quietMs = 15_000;

/** The moving parts of a page at one moment. */
export interface LiveReply {
  now: number;
  html: string;
}

/** Sends a page again whenever it has changed, until the reader goes. */
export function followPage(context: Context, render: () => Promise<LiveReply>): Response {
  return streamSSE(context, async (stream) => {
    const gone = new AbortController();
    stream.onAbort(() => gone.abort());
    let last = "";
    let sentAt = 0;
    while (!gone.signal.aborted) {
      const reply = await render();
      const same = withoutTimes(reply.html);
      if (same !== last) {
        last = same;
        sentAt = Date.now();
        await stream.writeSSE({ event: "page", data: JSON.stringify(reply) });
      } else if (Date.now() - sentAt > quietMs) {
        sentAt = Date.now();
        await stream.writeSSE({ event: "quiet", data: "" });
      }
      await delay(everyMs, undefined, { signal: gone.signal }).catch(() => undefined);
    }
  });
}

/** The page counts times by itself: they are no change. */
function withoutTimes(html: string): string {
  return html.replaceAll(/(<time [^>]*>)[^<]*/g, "$1");
}
