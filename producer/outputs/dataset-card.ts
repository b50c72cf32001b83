import { basename } from "node:path";
import type { RunFile } from "../../shared/run-file.ts";
import { count, plural } from "../../shared/quantity.ts";
import { codeSpan, yamlString } from "./markdown.ts";
import { promptsSent, type RunCounts, shownCost } from "./run-counts.ts";

const meanings: Record<string, string> = {
  image: "the image as it was stored, and the file that it had",
  file_name: "file of the image",
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

/** What a card says of the files beside it. */
export interface CardForm {
  /** Globs of the files that are the dataset. */
  dataFiles: readonly string[];
  /** Types of the columns as lines of YAML, where the files do not tell them. */
  features?: readonly string[];
  /** What of the first row is shown, as Python. */
  example: string;
  /** What the files are. */
  files: string;
}

const runDirectoryForm: CardForm = {
  dataFiles: ["metadata.parquet", "images/**"],
  example: `dataset[0]["image"], dataset[0]["prompt"]`,
  files:
    "`datasets` loads `file_name` as the column `image`. Other files: `images.jsonl` (the same rows),\n" +
    "`results.jsonl` (one line for each prompt, its images grouped), `failures.jsonl`, `rejects.jsonl`, `index.html` (a contact sheet).",
};

/** The dataset card of a run directory, or of files in another form. */
export function datasetCard(
  run: RunFile,
  counts: RunCounts,
  columns: ReadonlyMap<string, string>,
  form: CardForm = runDirectoryForm,
): string {
  const source = codeSpan(basename(run.source.path));
  return `${frontMatter(run, form)}
# Images by ${codeSpan(run.model)}

${plural(counts.images, "image")} for ${plural(promptsSent(counts), "prompt")} of ${source}, made with imagemill.

${countTable(run, counts)}

## Load it

${counts.images === 0 ? nothingToLoad : loadingCode(form)}

One row is one image. ${form.files}

## Columns

${columnTable(columns)}

## Parameters of every call

\`\`\`json
${JSON.stringify(run.parameters, null, 2)}
\`\`\`
`;
}

const nothingToLoad =
  "There is nothing to load: no image was made. `load_dataset` fails on this folder, saying that it has no data.";

function loadingCode({ example }: CardForm): string {
  return `\`\`\`python
from datasets import load_dataset

dataset = load_dataset("path/to/this/folder", split="train")
${example}
\`\`\``;
}

/** Tells Hugging Face `datasets` which files are the dataset, so that others beside them are not taken for it. */
function frontMatter(run: RunFile, { dataFiles, features }: CardForm): string {
  const lines = [
    "---",
    `pretty_name: ${yamlString(`${basename(run.source.path)}, images by ${run.model}`)}`,
    "task_categories:",
    "- text-to-image",
    "tags:",
    "- synthetic",
    "- imagemill",
    "configs:",
    "- config_name: default",
    "  data_files:",
    "  - split: train",
    "    path:",
    ...dataFiles.map((glob) => `    - ${glob}`),
    ...(features ? ["dataset_info:", "  features:", ...features.map((line) => `  ${line}`)] : []),
    "---",
    "",
  ];
  return lines.join("\n");
}

function countTable(run: RunFile, counts: RunCounts): string {
  const { succeeded, partial, failed, rejected } = counts.prompts;
  return [
    "| | |",
    "|---|---|",
    `| model | ${codeSpan(run.model)} |`,
    `| run | ${codeSpan(run.id)} |`,
    `| images asked for each prompt | ${run.numGenerations} |`,
    `| prompts with all images | ${count(succeeded)} |`,
    `| prompts with some images | ${count(partial)} |`,
    `| prompts without an image | ${count(failed)} |`,
    `| rows that could not be read | ${count(rejected)} |`,
    `| cost | ${shownCost(counts.costUsd)} |`,
  ].join("\n");
}

function columnTable(columns: ReadonlyMap<string, string>): string {
  const rows = [...columns].map(([name, type]) => {
    const meaning = Object.hasOwn(meanings, name) ? meanings[name]! : "from the dataset";
    return `| ${codeSpan(name)} | ${type === "empty" ? "text" : type} | ${meaning} |`;
  });
  return ["| column | type | meaning |", "|---|---|---|", ...rows].join("\n");
}
