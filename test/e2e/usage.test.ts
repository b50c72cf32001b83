import { existsSync, mkdirSync, readdirSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { inOrder } from "../../shared/in-order.ts";
import { openStage, promptRows } from "../helpers/stage.ts";

const model = ["-m", "gpt-image-2"] as const;

/** Commands that cannot be, and what is said of each. `DATASET` and `OUT` stand for paths. */
const wrong: readonly { args: string[]; words: RegExp }[] = [
  {
    args: ["run", "DATASET", ...model, "--promt-column", "text"],
    words: /unknown option.*Did you mean --prompt-column/s,
  },
  { args: ["rum", "DATASET"], words: /unknown command.*Did you mean run/s },
  { args: ["run"], words: /missing required argument 'dataset'/ },
  {
    args: ["run", "DATASET", ...model, "-n", "0"],
    words: /Expected a whole number from 1 up, got `0`/,
  },
  { args: ["run", "DATASET"], words: /expected --model or --provider/ },
  {
    args: ["run", "DATASET", "--provider", "opanai"],
    words: /unknown provider `opanai`, did you mean `openai`\?/,
  },
  {
    args: ["run", "DATASET", "-m", "picasso"],
    words: /cannot tell the provider of model `picasso`: give --provider/,
  },
  {
    args: ["run", "DATASET", "-m", "gpt-imag-2"],
    words: /cannot tell the provider of model `gpt-imag-2`, did you mean `gpt-image-2`\? If not,/,
  },
  {
    args: ["run", "DATASET", ...model, "-p", "quality=lou"],
    words: /parameter `quality` of gpt-image-2.*did you mean `low`\?/,
  },
  {
    args: ["run", "DATASET", ...model, "-p", "quality=low", "-p", "quality=high"],
    words: /expected --param quality once, got it 2 times/,
  },
  {
    args: ["run", "DATASET", ...model, "--images-per-minute", "0"],
    words: /Expected a number above 0, such as 60 or 0\.5, and at most 1e9, got `0`/,
  },
  {
    args: ["run", "DATASET", ...model, "--timeout", "1000h"],
    words: /Expected at most 500h, got `1000h`/,
  },
  {
    args: ["run", "DATASET", ...model, "--image-hosts", "http://minio:9000"],
    words: /--image-hosts: expected a host such as minio\.internal.* without http:\/\/; got `http/,
  },
  // An unset variable of a shell must not send the prompts to OpenAI's own host.
  { args: ["run", "DATASET", ...model, "--base-url", ""], words: /--base-url.*Expected a value/ },
  { args: ["run", "nowhere.jsonl", ...model], words: /cannot read the dataset .*nowhere\.jsonl/ },
  {
    args: ["run", "DATASET", ...model, "--prompt-column", "promt"],
    words: /Expected a column `promt`.*did you mean `prompt`\?/,
  },
  {
    args: ["simulate", "--port", "0", "--ledger", "/nonexist/ledger.jsonl"],
    words: /cannot write the ledger \/nonexist\/ledger\.jsonl: no folder/,
  },
  {
    args: ["simulate", "--port", "0", "--host", "1.2.3.4"],
    words: /cannot listen on 1\.2\.3\.4:0: .*--host takes an address of this machine/,
  },
  {
    args: ["monitor", "--runs", "DATASET", "--listen", "127.0.0.1:0"],
    words: /cannot look for runs in .*: it is a file/,
  },
  {
    args: ["failures", "nowhere"],
    words: /nowhere is neither a run directory nor the id of a run/,
  },
  { args: ["retry", "nowhere"], words: /nowhere is neither a run directory nor the id of a run/ },
];

describe("a command that cannot be", () => {
  test.concurrent("ends with 2, says why on stderr, and leaves no call and no run behind", async () => {
    await using stage = await openStage();
    const dataset = stage.dataset(promptRows(2));
    const outOf = (i: number) => join(stage.folder, `out-${i}`);
    const check = async (i: number) => {
      const { args, words } = wrong[i]!;
      const out = args[0] === "run" && args.length > 1 ? ["--out", outOf(i)] : [];
      const end = await stage.cli(
        ...args.map((arg) => (arg === "DATASET" ? dataset : arg)),
        ...out,
      );
      expect(end.stderr).toMatch(words);
      expect([args, end.code, end.stdout]).toEqual([args, 2, ""]);
    };
    await Array.fromAsync(inOrder(wrong.keys(), 4, check));
    expect(stage.simulator.ledger.calls).toBe(0);
    // The folder that a wrong column left is not in the way of the right one.
    const outs = wrong.map((_, i) => outOf(i)).filter((out) => existsSync(out));
    expect(outs.length).toBeGreaterThan(0);
    for (const out of outs) {
      const right = await stage.cli("run", dataset, ...model, "--out", out);
      expect(right.code).toBe(0);
    }
  });

  test.concurrent("is not what empty variables make of one, nor switches that are off", async () => {
    await using stage = await openStage();
    for (const name of ["OUT", "PROMPT_COLUMN", "ID_COLUMN", "NUM_GENERATIONS", "DURABLE"])
      stage.env[`IMAGEMILL_${name}`] = "";
    Object.assign(stage.env, { IMAGEMILL_LOG_LEVEL: "", IMAGEMILL_JSON: "false" });
    const run = ["run", stage.dataset(promptRows(1)), ...model] as const;
    const end = await stage.cli(...run);
    expect(end.stderr).toContain("1 call for 1 image of 1 prompt");
    expect(end.code).toBe(0);
    expect(end.stdout).toContain("complete: every prompt has all its images");
    expect(existsSync(join(stage.folder, "runs", "prompts-gpt-image-2", "images"))).toBe(true);
    stage.env["IMAGEMILL_JSON"] = "1";
    expect((await stage.cli(...run)).summary.state).toBe("completed");
    stage.env["IMAGEMILL_LOG_LEVEL"] = "loud";
    const loud = await stage.cli(...run);
    expect(loud.code).toBe(2);
    expect(loud.stderr).toContain("IMAGEMILL_LOG_LEVEL: unknown level `loud`. Known: trace, debug");
    stage.env["IMAGEMILL_JSON"] = "maybe";
    const neither = await stage.cli(...run);
    expect(neither).toMatchObject({ code: 2, stdout: "" });
    expect(neither.stderr).toMatch(/expected IMAGEMILL_JSON to be one of 1, true,.* got `maybe`/);
  });

  test.concurrent("for a parameter that OpenAI does not know names the one that was meant", async () => {
    await using stage = await openStage();
    // The public host: no call is made, since the parameter is refused before.
    delete stage.env["OPENAI_BASE_URL"];
    const dataset = stage.dataset(promptRows(2));
    const keyless = await stage.run(dataset, ...model, "-p", "qualty=low");
    expect(keyless).toMatchObject({ code: 2, stdout: "" });
    expect(keyless.stderr).toMatch(/needs a key: set OPENAI_API_KEY/);
    stage.env["OPENAI_API_KEY"] = "sk-not-a-key";
    const end = await stage.run(dataset, ...model, "-p", "qualty=low");
    expect(end).toMatchObject({ code: 2, stdout: "" });
    expect(end.stderr).toContain("unknown parameter `qualty`, did you mean `quality`?");
  });

  test.concurrent("on a folder that holds something else leaves it as it is", async () => {
    await using stage = await openStage();
    mkdirSync(stage.out);
    writeFileSync(join(stage.out, "thesis.txt"), "do not touch");
    const end = await stage.run(stage.dataset(promptRows(2)), ...model);
    expect(end).toMatchObject({ code: 2, stdout: "" });
    expect(end.stderr).toContain(
      `${stage.out} is not empty and no run directory: give another --out`,
    );
    expect(readdirSync(stage.out)).toEqual(["thesis.txt"]);
  });

  test.concurrent("on a path where no folder can be ends with 2 and says why", async () => {
    await using stage = await openStage();
    const dataset = stage.dataset(promptRows(2));
    const at = (name: string) => join(stage.folder, name);
    symlinkSync("circle", at("circle"));
    symlinkSync("nowhere", at("dangling"));
    const end = await stage.cli("run", dataset, ...model, "--out", at("good"));
    expect(end.code).toBe(0);
    const places: (readonly [path: string, why: RegExp])[] = [
      [dataset, /is a file/],
      ["/dev/null", /is a file/],
      [at("x".repeat(300)), /too long/],
      [at("x/".repeat(2_100)), /too long/],
      [at("circle/out"), /symbolic links lead in a circle/],
      [at("dangling/out"), /a link to nowhere/],
      // Node's recursive mkdir never gives up there.
      ...(existsSync("/proc/self") ? [["/proc/out", /no folder|no permission/] as const] : []),
    ];
    const check = async ([path, why]: (typeof places)[number]) => {
      const [run, exported] = await Promise.all([
        stage.cli("run", dataset, ...model, "--out", path),
        stage.cli("export", at("good"), "--format", "jsonl", "--to", path),
      ]);
      for (const { code, stdout, stderr } of [run, exported]) {
        expect([path, code, stdout, stderr.trim().split("\n").length]).toEqual([path, 2, "", 1]);
        expect(stderr).toMatch(why);
      }
      expect(run.stderr).toContain("give another --out");
      expect(exported.stderr).toContain("--to");
    };
    await Array.fromAsync(inOrder(places, 2, check));
  });

  test.concurrent("on a run directory in use names the process that holds it, which goes on", async () => {
    await using stage = await openStage({ latencyMs: 200 });
    const { settings } = stage.simulator;
    const command = [stage.dataset(promptRows(40)), ...model, "-c", "1"] as const;
    const first = stage.start(...command);
    await stage.settled(1);
    // The first one is not over before the second has ended, however slowly that starts.
    settings.latencyMs = 5_000;
    const second = await stage.run(...command);
    expect(first.alive).toBe(true);
    settings.latencyMs = 0;
    expect(second).toMatchObject({ code: 2, stdout: "" });
    expect(second.stderr).toContain(`${stage.out} is in use by process ${first.pid}`);
    const end = await first.ended;
    expect(end.code).toBe(0);
    expect(stage.simulator.ledger.calls).toBe(40);
  });

  test.concurrent("is told from a question for help, which ends with 0", async () => {
    await using stage = await openStage();
    const help = await stage.cli("--help");
    expect(help).toMatchObject({ code: 0, stderr: "" });
    for (const name of ["run", "resume", "retry", "failures", "simulate", "doctor"]) {
      expect(help.stdout).toMatch(new RegExp(`^  ${name}\\b`, "m"));
    }
    const runHelp = await stage.cli("run", "--help");
    expect(runHelp).toMatchObject({ code: 0, stderr: "" });
    for (const flag of ["--num-generations", "--prompt-column", "--allow-failures", "--json"]) {
      expect(runHelp.stdout).toContain(flag);
    }
    expect(await stage.cli("--version")).toMatchObject({ code: 0, stderr: "" });
  });
});
