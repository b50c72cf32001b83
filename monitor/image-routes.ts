import { extname } from "node:path";
import { Readable } from "node:stream";
import type { Context, Hono } from "hono";
import { type MonitorContext, runOf } from "./context.ts";
import type { FoundImage } from "./run-source.ts";
import { NotFound } from "./trouble.ts";

const types: Record<string, string> = {
  ".png": "image/png",
  ".jpg": "image/jpeg",
  ".webp": "image/webp",
  ".gif": "image/gif",
};
/** Four times what a worker stores unless it is told otherwise: what is larger is no image of a run. */
const mostBytes = 256 * 1024 * 1024;
/** Images never change under their name. */
const headers = {
  "cache-control": "private, max-age=86400",
  "content-security-policy": "default-src 'none'; sandbox",
};

/** Adds the images of runs and their thumbnails. Only names that a worker gives are looked for. */
export function addImageRoutes(app: Hono, context: MonitorContext): void {
  app.get("/runs/:id/file/:shard/:name", async (c) => {
    const image = await findImage(c, context);
    const type = types[extname(c.req.param("name"))]!;
    const told = { ...headers, "content-type": type, "content-length": String(image.bytes) };
    // What nobody reads would stay open.
    if (c.req.method === "HEAD") return c.body(null, 200, told);
    const body = Readable.toWeb(Readable.from(await image.read()));
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- Node's and the DOM's types of one thing
    return c.body(body as ReadableStream<Uint8Array>, 200, told);
  });
  app.get("/runs/:id/thumb/:shard/:name", async (c) => {
    const bytes = await context.thumbnails.get(await findImage(c, context));
    return c.body(new Uint8Array(bytes), 200, { ...headers, "content-type": "image/webp" });
  });
}

/** @throws NotFound, also where it is too large */
async function findImage(c: Context, context: MonitorContext): Promise<FoundImage> {
  const { source } = await runOf(context, c.req.param("id"));
  const [shard = "", name = ""] = [c.req.param("shard"), c.req.param("name")];
  const missing = new NotFound(`There is no image ${shard}/${name} in this run`);
  if (!/^\d{5,}$/.test(shard) || !/^\d{8,}-\d+\.(png|jpg|webp|gif)$/.test(name)) throw missing;
  const image = await source.findImage(`images/${shard}/${name}`);
  if (!image || image.bytes > mostBytes) throw missing;
  return image;
}
