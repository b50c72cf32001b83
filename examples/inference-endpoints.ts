// The gallery's example of InferenceEndpointsImageGeneration. In a project of yours the import is "imagemill/models". The
// key comes from HF_TOKEN or from the file of `hf auth login`.
import { InferenceEndpointsImageGeneration } from "../models.ts";

await using igm = InferenceEndpointsImageGeneration.fromEnvironment(process.env, {
  modelId: "black-forest-labs/FLUX.1-schnell",
});
await igm.load();

const output = await igm.generateOutputs(["a white siamese cat"]);
// [{ images: ["/9j/4AAQSkZJRgABAQAAAQABAAD…"], seeds: [1234] }]
console.log(JSON.stringify(output));
