// The gallery's example of OpenAIImageGeneration. In a project of yours the import is "imagemill/models". OpenAI itself has
// shut dall-e-3 down; servers that still have it are reached by OPENAI_BASE_URL.
import { OpenAIImageGeneration } from "../models.ts";

await using igm = OpenAIImageGeneration.fromEnvironment(process.env, { model: "dall-e-3" });
await igm.load();

const output = await igm.generateOutputs(["a white siamese cat"], {
  parameters: { size: "1024x1024", quality: "standard", style: "natural" },
});
// [{ images: ["iVBORw0KGgoAAAANSUhEUgA…"], revisedPrompts: ["…"] }]
console.log(JSON.stringify(output));
