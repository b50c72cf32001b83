/**
 * The baseline: the official client in a loop with so many calls in flight, which writes the images. No queue, no journal,
 * no checks. `bare-loop.ts URL DATASET OUT CONCURRENCY`
 */
import { createReadStream } from "node:fs";
import { mkdir, writeFile } from "node:fs/promises";
import { createInterface } from "node:readline";
import OpenAI from "openai";

const [url, dataset, out, concurrency] = process.argv.slice(2);
const client = new OpenAI({ baseURL: `${url}/v1`, apiKey: "none", maxRetries: 0 });
const lines = createInterface({ input: createReadStream(dataset!) });
const rows = lines[Symbol.asyncIterator]();
let index = 0;

const folders = new Map<string, Promise<unknown>>();

async function made(folder: string): Promise<void> {
  if (!folders.has(folder)) folders.set(folder, mkdir(folder, { recursive: true }));
  await folders.get(folder);
}

async function work(): Promise<void> {
  for (let row = await rows.next(); !row.done; row = await rows.next()) {
    const name = String(index++).padStart(8, "0");
    const { prompt }: { prompt: string } = JSON.parse(row.value);
    const answer = await client.images.generate({
      model: "imagemill-sim-1",
      prompt,
      response_format: "b64_json",
    });
    const bytes = Buffer.from(answer.data![0]!.b64_json!, "base64");
    const folder = `${out}/${name.slice(0, 5)}`;
    await made(folder);
    await writeFile(`${folder}/${name}-0.png`, bytes);
  }
}

await Promise.all(Array.from({ length: Number(concurrency) }, work));
