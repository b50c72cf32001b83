import { readRecords, readResults } from "../../test/helpers/run-files.ts";
import { readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { judge } from "../judge.ts";
import { faultsOf, type Scenario } from "../scenario.ts";
import { endedWith, manyAtATime } from "./enqueued-run.ts";

const good: readonly string[] = [
  '{"prompt":"a cat","__proto__":{"isAdmin":true},"constructor":"x"}',
  '{"prompt":"the same twice"}',
  '{"prompt":"the same twice"}',
  '{"prompt":"bell \\u0007, null \\u0000, escape \\u001b[31m red"}',
  '{"prompt":"../../../../etc/passwd"}',
  '{"prompt":"C:\\\\Windows\\\\system32\\\\..\\\\..\\\\x"}',
  '{"prompt":"images/00000/00000000-0.png","file_name":"../outside.png"}',
  '{"prompt":"<script>alert(1)</script> {{7*7}} ${jndi:ldap://x}"}',
  '{"prompt":"\\ud83d\\ude00 \\u202etxt.exe"}',
];
const bad: readonly string[] = [
  JSON.stringify({ prompt: "x".repeat(1_000_001) }),
  '{"prompt":{"nested":true}}',
  '{"prompt":"   "}',
  '{"no_prompt":1}',
  "not JSON",
];

export const oddRows: Scenario = {
  id: "F16",
  title: "rows with `__proto__`, duplicates, 1 MB, control characters, paths",
  play: async (arena) => {
    const provider = await arena.openProvider();
    const out = arena.out();
    const dataset = join(arena.folder, "odd.jsonl");
    writeFileSync(dataset, [...good, ...bad].map((line) => `${line}\n`).join(""));
    const before = readdirSync(arena.folder);
    const run = arena.start("run", dataset, "-m", manyAtATime, "--out", out, "--json");
    const faults = await endedWith(run, 3);
    const appeared = readdirSync(arena.folder).filter((name) => !before.includes(name));
    const results = readResults(out).filter(({ state }) => state === "succeeded");
    const rejects = readRecords(out, "rejects.jsonl");
    const mayFail = new Set(bad.map((_, i) => good.length + i));
    const calls = await provider.calls();
    return {
      // Two rows have one prompt, so the provider's count by prompt is no measure here.
      verdict: {
        ...judge({ out, prompts: good.length, generations: 1, mayFail, calls: [] }),
        calls: calls.length,
      },
      out,
      faults: [
        ...faults,
        ...faultsOf({
          [`${good.length} rows succeed, got ${results.length}`]: results.length === good.length,
          [`${bad.length} rows are rejected, got ${rejects.length}`]: rejects.length === bad.length,
          [`one call a good row, got ${calls.length}`]: calls.length === good.length,
          [`nothing outside the run directory, got ${appeared.join(", ")}`]:
            appeared.join() === "out",
          "no prototype was changed": !("isAdmin" in {}),
        }),
      ],
    };
  },
};
