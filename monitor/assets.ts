import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";

/** A file of the monitor's own pages. */
export interface Asset {
  type: string;
  bytes: Uint8Array<ArrayBuffer>;
  etag: string;
}

const require = createRequire(import.meta.url);
const own = (name: string) => new URL(`static/${name}`, import.meta.url);
const files: Record<string, { type: string; place: () => string | URL }> = {
  "style.css": { type: "text/css; charset=utf-8", place: () => own("style.css") },
  "live.js": { type: "text/javascript; charset=utf-8", place: () => own("live.js") },
  "charts.js": { type: "text/javascript; charset=utf-8", place: () => own("charts.js") },
  "icon.svg": { type: "image/svg+xml", place: () => own("icon.svg") },
  "uplot.css": {
    type: "text/css; charset=utf-8",
    place: () => require.resolve("uplot/dist/uPlot.min.css"),
  },
  "uplot.js": {
    type: "text/javascript; charset=utf-8",
    place: () => require.resolve("uplot/dist/uPlot.iife.min.js"),
  },
};
const loaded = new Map<string, Promise<Asset>>();

/** A file of the pages by its name; undefined where there is none. Read once. */
export function findAsset(name: string): Promise<Asset> | undefined {
  const file = Object.hasOwn(files, name) ? files[name] : undefined;
  if (!file) return undefined;
  let asset = loaded.get(name);
  if (!asset) {
    asset = load(file.type, file.place());
    loaded.set(name, asset);
  }
  return asset;
}

async function load(type: string, place: string | URL): Promise<Asset> {
  const bytes = new Uint8Array(await readFile(place));
  const etag = `"${createHash("sha256").update(bytes).digest("hex").slice(0, 16)}"`;
  return { type, bytes, etag };
}
