import { createReadStream } from "node:fs";
import { realpath, stat } from "node:fs/promises";
import { extname, join, sep } from "node:path";
import { Readable } from "node:stream";
import type { Context, Hono } from "hono";
import { hasCode } from "../shared/caught.ts";
import { type MonitorContext, runOf } from "./context.ts";
import { NotFound } from "./trouble.ts";

const types: Record<string, string> = {
  ".png": "image/png",
  ".jpg": "image/jpeg",
  ".webp": "image/webp",
  ".gif": "image/gif",
};
/** Images never change under their name. */
const headers = {
  "cache-control": "private, max-age=86400",
  "content-security-policy": "default-src 'none'; sandbox",
};

/** Adds the images of runs and their thumbnails. Only names that a worker gives are looked for. */
export function addImageRoutes(app: Hono, context: MonitorContext): void {
  app.get("/runs/:id/file/:shard/:name", async (c) => {
    const path = await imagePath(c, context);
    const { size } = await stat(path);
    const body = Readable.toWeb(createReadStream(path));
    const type = types[extname(path)]!;
    const told = { ...headers, "content-type": type, "content-length": String(size) };
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- Node's and the DOM's types of one thing
    return new Response(body as ReadableStream<Uint8Array>, { headers: told });
  });
  app.get("/runs/:id/thumb/:shard/:name", async (c) => {
    const bytes = await context.thumbnails.get(await imagePath(c, context));
    return c.body(new Uint8Array(bytes), 200, { ...headers, "content-type": "image/webp" });
  });
}

/** Where an image is. @throws NotFound, also where a link leads out of the run directory */
async function imagePath(c: Context, context: MonitorContext): Promise<string> {
  const { directory } = await runOf(context, c.req.param("id"));
  const [shard = "", name = ""] = [c.req.param("shard"), c.req.param("name")];
  const missing = new NotFound(`There is no image ${shard}/${name} in this run`);
  if (!/^\d{5,}$/.test(shard) || !/^\d{8,}-\d+\.(png|jpg|webp|gif)$/.test(name)) throw missing;
  try {
    const path = await realpath(join(directory, "images", shard, name));
    if (!path.startsWith((await realpath(directory)) + sep)) throw missing;
    return path;
  } catch (error) {
    if (hasCode(error, "ENOENT")) throw missing;
    throw error;
  }
}
