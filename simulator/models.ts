/** What a model of the images API accepts. */
export interface ModelRules {
  /** Characters. */
  promptLimit: number;
  maxImages: number;
  /** The sizes by name; `multiples16`: any whose sides are multiples of 16; `any`. */
  sizes: readonly string[] | "multiples16" | "any";
  /** Undefined: not looked at. */
  qualities?: readonly string[] | undefined;
  /** The parameters that it knows; undefined: every parameter passes. */
  parameters?: ReadonlySet<string> | undefined;
  /** Whether images come as URLs unless the call says otherwise, or always as base64. */
  answers: "url" | "b64_json" | "b64_only";
  revisesPrompt: boolean;
}

const gptParameters = [
  "model",
  "prompt",
  "n",
  "size",
  "quality",
  "background",
  "moderation",
  "output_format",
];
const gptImage = {
  promptLimit: 32_000,
  maxImages: 10,
  sizes: ["1024x1024", "1024x1536", "1536x1024", "auto"],
  qualities: ["low", "medium", "high", "auto"],
  parameters: new Set([...gptParameters, "output_compression", "user", "stream", "partial_images"]),
  answers: "b64_only",
  revisesPrompt: false,
} as const satisfies ModelRules;

const gptImage2 = { ...gptImage, sizes: "multiples16" } as const;
const gptImage25 = { ...gptImage2, qualities: [...gptImage.qualities, "xhigh", "max"] };

const dallE2: ModelRules = {
  promptLimit: 1_000,
  maxImages: 10,
  sizes: ["256x256", "512x512", "1024x1024"],
  answers: "url",
  revisesPrompt: false,
};
const dallE3: ModelRules = {
  promptLimit: 4_000,
  maxImages: 1,
  sizes: ["1024x1024", "1024x1792", "1792x1024"],
  qualities: ["standard", "hd"],
  answers: "url",
  revisesPrompt: true,
};
const other: ModelRules = {
  promptLimit: 32_000,
  maxImages: 10,
  sizes: "any",
  answers: "b64_json",
  revisesPrompt: false,
};

/** By name or beginning of a name; the first that fits counts. */
const rules: readonly [string, ModelRules][] = [
  ["dall-e-2", dallE2],
  ["dall-e-3", dallE3],
  [
    "gpt-image-2.6",
    { ...gptImage25, parameters: new Set([...gptImage.parameters, "complexity", "frame_count"]) },
  ],
  ["gpt-image-2.5", gptImage25],
  ["gpt-image-2", gptImage2],
  ["gpt-image-1", gptImage],
  ["chatgpt-image-latest", gptImage],
  ["imagemill-sim-10", other],
  ["imagemill-sim-1", { ...other, maxImages: 1 }],
];

/** Models that `GET /v1/models` lists. */
export const listedModels: readonly string[] = [
  "dall-e-2",
  "dall-e-3",
  "gpt-image-1",
  "gpt-image-1-mini",
  "gpt-image-1.5",
  "chatgpt-image-latest",
  "gpt-image-2",
  "gpt-image-2.5-sunburst",
  "gpt-image-2.5-flare",
  "gpt-image-2.6-sunburst",
  "gpt-image-2.6-flare",
  "imagemill-sim",
  "imagemill-sim-1",
  "imagemill-sim-10",
];

/** The rules of a model. One that is not known is as free as an OpenAI-compatible server. */
export function rulesOf(model: string): ModelRules {
  return rules.find(([name]) => model.startsWith(name))?.[1] ?? other;
}
