import { basename } from "node:path";
import { cutText } from "../../shared/cut-text.ts";
import type { JournalLine } from "../../shared/journal-line.ts";
import type { ImageRecord, PromptFailure } from "../../shared/result.ts";
import type { RunFile } from "../../shared/run-file.ts";
import { contactSheetStyle } from "./contact-sheet-style.ts";
import { type Html, html } from "../../shared/html.ts";
import { count } from "../../shared/quantity.ts";
import { promptsSent, type RunCounts, shownCost } from "./run-counts.ts";

/** How many prompts the contact sheet shows. */
export const sheetEntries = 200;
const promptCharacters = 600;
const messageCharacters = 300;

/** One prompt on the contact sheet. */
export interface SheetEntry {
  index: number;
  id: string | undefined;
  prompt: string;
  numGenerations: number;
  images: ImageRecord[];
  failures: PromptFailure[];
}

/** What the sheet shows of a prompt: long texts are cut. */
export function sheetEntry(line: JournalLine): SheetEntry {
  return {
    index: line.index,
    id: line.row?.id,
    prompt: cut(line.row?.prompt ?? "", promptCharacters),
    numGenerations: line.numGenerations,
    images: line.images,
    failures: line.failures.map((failure) => ({
      ...failure,
      message: cut(failure.message, messageCharacters),
    })),
  };
}

function cut(text: string, characters: number): string {
  return text.length > characters ? `${cutText(text, characters)}…` : text;
}

/** A page with the first prompts and their images. It needs no network and no script, only the folder it lies in. */
export function contactSheet(
  run: RunFile,
  counts: RunCounts,
  entries: readonly SheetEntry[],
): string {
  const sent = promptsSent(counts);
  const shown =
    entries.length < sent
      ? `The first ${entries.length} of ${count(sent)} prompts.`
      : "All prompts.";
  const page = html`<!doctype html>
    <html lang="en">
      <head>
        <meta charset="utf-8" />
        <meta name="viewport" content="width=device-width, initial-scale=1" />
        <meta name="color-scheme" content="light dark" />
        <title>${run.model} · ${basename(run.source.path)}</title>
        ${contactSheetStyle}
      </head>
      <body>
        <header>
          <p class="run">imagemill run ${run.id}</p>
          <h1>${run.model}</h1>
          <p class="source">
            ${basename(run.source.path)} · ${run.numGenerations} per prompt · ${shown}
          </p>
          <dl>${figures(counts)}</dl>
        </header>
        <main>
          ${entries.length > 0 ? entries.map(article) : html`<p class="empty">No prompt is settled yet.</p>`}
        </main>
      </body>
    </html> `;
  return `${page.text}\n`;
}

function figures(counts: RunCounts): Html[] {
  const { partial, failed, rejected } = counts.prompts;
  const all: [string, string, boolean][] = [
    ["Prompts", count(promptsSent(counts)), false],
    ["Images", count(counts.images), false],
    ["Partial", count(partial), partial > 0],
    ["Failed", count(failed), failed > 0],
    ["Rejected rows", count(rejected), rejected > 0],
    ["Cost", shownCost(counts.costUsd), false],
  ];
  return all.map(
    ([name, figure, bad]) =>
      html`<div class="${bad ? "bad" : ""}">
        <dt>${name}</dt>
        <dd>${figure}</dd>
      </div>`,
  );
}

function article(entry: SheetEntry): Html {
  const tiles = Array.from({ length: entry.numGenerations }, (_, generation) => {
    const image = entry.images.find((candidate) => candidate.generation === generation);
    return image ? picture(image, entry) : gap(entry, generation);
  });
  const columns = entry.numGenerations === 1 ? 1 : entry.numGenerations % 3 === 0 ? 3 : 2;
  return html`<article>
    <div class="tiles of-${columns}">${tiles}</div>
    <p class="prompt" dir="auto">${entry.prompt}</p>
    <p class="number">#${entry.index}${entry.id === undefined ? "" : ` · ${entry.id}`}</p>
  </article>`;
}

function picture(image: ImageRecord, entry: SheetEntry): Html {
  const path = image.file.split("/").map(encodeURIComponent).join("/");
  return html`<a href="${path}"
    ><img
      src="${path}"
      width="${image.width}"
      height="${image.height}"
      alt="${entry.prompt}, image ${image.generation + 1}"
      loading="lazy"
      decoding="async"
  /></a>`;
}

function gap(entry: SheetEntry, generation: number): Html {
  const failure =
    entry.failures.find(({ generations }) => generations.includes(generation)) ?? entry.failures[0];
  const message = failure?.message ?? "No reason is known.";
  return html`<div class="gap" title="${message}">
    <strong>${failure?.kind.replaceAll("_", " ") ?? "missing"}</strong>
    <span>${message}</span>
  </div>`;
}
