import { cutText } from "../../shared/cut-text.ts";
import { html, type Html } from "../../shared/html.ts";
import type { JournalLine } from "../../shared/journal-line.ts";
import type { ImageRecord } from "../../shared/result.ts";
import { words } from "./format.ts";

/** The address of an image, or of its thumbnail. */
export function imageHref(run: string, { file }: ImageRecord, what: "file" | "thumb"): string {
  return `/runs/${run}/${what}/${file.replace(/^images\//, "")}`;
}

/** One prompt in the gallery: its images, what is missing with the reason, and the prompt. */
export function promptCard(run: string, line: JournalLine): Html {
  const { index, row, numGenerations, images, state, rejected } = line;
  const prompt = row?.prompt ?? rejected?.raw ?? "";
  // Where there is none at all, one reason says it.
  const count = images.length === 0 ? 1 : numGenerations;
  const tiles = Array.from({ length: count }, (_, generation) => {
    const image = images.find((candidate) => candidate.generation === generation);
    return image ? thumbnail(run, image, prompt) : gap(line, generation);
  });
  const columns = count === 1 ? 1 : count % 3 === 0 ? 3 : 2;
  const badge = state === "succeeded" ? "" : html`<span class="badge is-${state}">${state}</span>`;
  return html`<article class="prompt">
    <a href="/runs/${run}/prompts/${index}" class="tiles of-${columns}" aria-label="Prompt ${index}"
      >${tiles}</a
    >
    <p class="text" dir="auto" title="${cutText(prompt, 1_000)}">${cutText(prompt, 400)}</p>
    <p class="soft">
      <a href="/runs/${run}/prompts/${index}">#${index}</a
      >${row?.id === undefined ? "" : ` · ${row.id}`} ${badge}
    </p>
  </article>`;
}

function thumbnail(run: string, image: ImageRecord, prompt: string): Html {
  return html`<img
    src="${imageHref(run, image, "thumb")}"
    width="${image.width}"
    height="${image.height}"
    alt="${cutText(prompt, 200)}, image ${image.generation + 1}"
    loading="lazy"
    decoding="async"
  />`;
}

/** The place of an image that there is none of, with the reason. */
export function gap({ failures, rejected }: JournalLine, generation: number): Html {
  const failure =
    failures.find(({ generations }) => generations.includes(generation)) ?? failures[0];
  const kind = failure ? words(failure.kind) : rejected ? "rejected" : "missing";
  const message = failure?.message ?? rejected?.reason ?? "No reason is known.";
  return html`<span class="gap"><b>${kind}</b><span>${cutText(message, 200)}</span></span>`;
}
