import type { Context } from "hono";
import { type SSEStreamingApi, streamSSE } from "hono/streaming";
import { setTimeout as delay } from "node:timers/promises";
import type { Log } from "../shared/log.ts";
import { troubleOf } from "./trouble.ts";

/** How often a page that is looked at is made anew. */
const everyMs = 1_000;
/** A connection that says nothing for long is cut by proxies. */
const quietMs = 15_000;

/** The moving parts of a page at one moment. */
export interface LiveReply {
  now: number;
  html: string;
}

/**
 * Sends a page, and again whenever it has changed, until the reader goes or the page can no longer be made.
 * @throws what `render` throws the first time: a reader who asks again is told by the status that the page is gone
 */
export async function followPage(
  context: Context,
  log: Log,
  render: () => Promise<LiveReply>,
): Promise<Response> {
  let reply = await render();
  const follow = async (stream: SSEStreamingApi) => {
    const gone = new AbortController();
    stream.onAbort(() => gone.abort());
    let last = "";
    let sentAt = 0;
    while (!gone.signal.aborted) {
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
      if (!gone.signal.aborted) reply = await renderAgain(render, reply);
    }
  };
  return streamSSE(context, follow, async (error) => {
    if (troubleOf(error).status === 500)
      log.error({ error, path: context.req.path }, "a page could not be sent again");
  });
}

/** While Redis goes away in the middle of a page, what was shown last stays; the next time the page says so itself. */
async function renderAgain(render: () => Promise<LiveReply>, shown: LiveReply): Promise<LiveReply> {
  try {
    return await render();
  } catch (error) {
    if (troubleOf(error).status === 503) return shown;
    throw error;
  }
}

/** The page counts times by itself: they are no change. */
function withoutTimes(html: string): string {
  return html.replaceAll(/(<time [^>]*>)[^<]*/g, "$1");
}
