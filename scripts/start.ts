// `npm start`: the main job on a small dataset against the simulator, then what to try next.
import { join, relative } from "node:path";
import { main } from "../cli.ts";

const root = join(import.meta.dirname, "..");
const out = join(root, "runs", "demo");
const dataset = join(root, "examples", "prompts.jsonl");

const options =
  "--id-column id --provider simulator --model imagemill-sim-1 --num-generations 3".split(" ");
process.exitCode = await main(["run", dataset, ...options, "--out", out]);

if (process.exitCode === 0) {
  const page = relative(process.cwd(), join(out, "index.html"));
  process.stdout.write(`
The images above are simulated: drawn by a built-in server, no provider was asked, nothing was paid.
  Look at them:           ${page}
  See it survive faults:  npx imagemill simulate --fault error500=0.2 --fault hang=0.05
                          OPENAI_BASE_URL=http://127.0.0.1:8787/v1 npx imagemill run examples/prompts.jsonl \\
                            --model gpt-image-2 -n 2 --timeout 5s --out runs/faults
  First real images:      OPENAI_API_KEY=sk-… npx imagemill run examples/prompts.jsonl --model gpt-image-2 --limit 2
                          HF_TOKEN=hf_… npx imagemill run examples/prompts.jsonl --provider huggingface --limit 2
  Everything else:        npx imagemill --help
`);
}
