import { appendFileSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { judge } from "../judge.ts";
import { filesBelow } from "../../test/helpers/run-files.ts";
import { faultsOf, type Scenario } from "../scenario.ts";
import { endedWith, manyAtATime } from "./enqueued-run.ts";
import { rows } from "./prompts.ts";

export const damagedDirectory: Scenario = {
  id: "F17",
  title: "a torn journal, half an image, an image no line knows, a line whose image is gone",
  play: async (arena) => {
    const prompts = arena.size(300, 40);
    const provider = await arena.openProvider({ latencyMs: 20 });
    const out = arena.out();
    const state = join(out, ".imagemill");
    const journal = join(state, "journal.jsonl");
    const dataset = arena.dataset(rows(prompts + 10));
    const command = ["run", dataset, "-m", manyAtATime, "-n", "2", "--out", out, "--json"];
    const faults = await endedWith(arena.start(...command, "--limit", `${prompts}`), 0);
    arena.brokenNow();
    // The last line goes: its images are known to nobody. What is left of it is torn.
    const lines = readFileSync(journal, "utf8").trimEnd().split("\n");
    const last = lines.pop()!;
    writeFileSync(journal, `${lines.join("\n")}\n`);
    appendFileSync(journal, last.slice(0, 100));
    writeFileSync(
      join(state, "tmp", "half-an-image"),
      Buffer.from("\x89PNG\r\n\x1a\n half", "latin1"),
    );
    const gone = "images/00000/00000003-1.png";
    rmSync(join(out, gone));
    const again = arena.start(...command);
    faults.push(...(await endedWith(again, 0)));
    const calls = await provider.calls();
    // The image that was deleted has to be made again.
    arena.mayBuyTwice += 1;
    return {
      verdict: judge({ out, prompts: prompts + 10, generations: 2, calls }),
      out,
      faults: [
        ...faults,
        ...faultsOf({
          [`calls for what is missing only, got ${calls.length}`]:
            calls.length === prompts + 10 + 1,
          "says that the journal was torn": /repaired: .*journal/.test(again.stderr),
          "says that an image was gone": /repaired: .*image/.test(again.stderr),
          "nothing half written is left": filesBelow(join(state, "tmp")).length === 0,
        }),
      ],
    };
  },
};
