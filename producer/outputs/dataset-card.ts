import { basename } from "node:path";
import type { RunFile } from "../../shared/run-file.ts";
import type { ColumnType } from "./column-type.ts";
import { codeSpan, yamlString } from "./markdown.ts";
import { promptsSent, type RunCounts, shownCost } from "./run-counts.ts";

const meanings: Record<string, string> = {
  file_name: "image file; `datasets` loads it as the column `image`",
  prompt: "the prompt as it was sent",
  index: "0-based row of the prompt in the dataset",
  generation: "which image of the prompt, from 0",
  model: "model that made the image",
  width: "pixels",
  height: "pixels",
  sha256: "of the file",
  bytes: "of the file",
  seed: "seed of the image, where the model takes one",
  revised_prompt: "the prompt as the provider changed it, where it says so",
  cost_usd: "US dollars, where the price is known",
  recovered: "true: found after a crash, details of its call are not known",
  id: "id of the prompt",
};

/**
 * The dataset card. Its front matter tells Hugging Face `datasets` which files are the dataset, so that the JSON files
 * beside them are not taken for it.
 */
export function datasetCard(
  run: RunFile,
  counts: RunCounts,
  columns: ReadonlyMap<string, ColumnType>,
): string {
  const source = basename(run.source.path);
  return `---
pretty_name: ${yamlString(`${source}, images by ${run.model}`)}
task_categories:
- text-to-image
tags:
- synthetic
- imagemill
configs:
- config_name: default
  data_files:
  - split: train
    path:
    - metadata.parquet
    - images/**
---

# Images by ${codeSpan(run.model)}

${grouped(counts.images)} images for ${grouped(promptsSent(counts))} prompts of ${codeSpan(source)}, made with imagemill.

${countTable(run, counts)}

## Load it

\`\`\`python
from datasets import load_dataset

dataset = load_dataset("path/to/this/folder", split="train")
dataset[0]["image"], dataset[0]["prompt"]
\`\`\`

One row is one image. Other files: \`images.jsonl\` (the same rows), \`results.jsonl\` (one line for each prompt, its images
grouped), \`failures.jsonl\`, \`rejects.jsonl\`, \`index.html\` (a contact sheet).

## Columns

${columnTable(columns)}

## Parameters of every call

\`\`\`json
${JSON.stringify(run.parameters, null, 2)}
\`\`\`
`;
}

function countTable(run: RunFile, counts: RunCounts): string {
  const { succeeded, partial, failed, rejected } = counts.prompts;
  return [
    "| | |",
    "|---|---|",
    `| model | ${codeSpan(run.model)} |`,
    `| run | ${codeSpan(run.id)} |`,
    `| images asked for each prompt | ${run.numGenerations} |`,
    `| prompts with all images | ${grouped(succeeded)} |`,
    `| prompts with some images | ${grouped(partial)} |`,
    `| prompts without an image | ${grouped(failed)} |`,
    `| rows that could not be read | ${grouped(rejected)} |`,
    `| cost | ${shownCost(counts.costUsd)} |`,
  ].join("\n");
}

function columnTable(columns: ReadonlyMap<string, ColumnType>): string {
  const rows = [...columns].map(([name, type]) => {
    const meaning = Object.hasOwn(meanings, name) ? meanings[name]! : "from the dataset";
    return `| ${codeSpan(name)} | ${type === "empty" ? "text" : type} | ${meaning} |`;
  });
  return ["| column | type | meaning |", "|---|---|---|", ...rows].join("\n");
}

function grouped(count: number): string {
  return count.toLocaleString("en-US");
}
