import type { Command } from "commander";
import type { Check } from "./check.ts";
import { printable } from "../shared/printable.ts";
import { exitCodes, EnvironmentCommand, type Io } from "./io.ts";
import { configOption } from "./run-options.ts";

const marks = (check: Check) => (check.ok === "warning" ? "warn" : check.ok ? "ok  " : "FAIL");

/** `imagemill doctor`: what is wrong here and what to do. */
export function doctorCommand(io: Io): Command {
  const command = new EnvironmentCommand("doctor")
    .description("check Node, Redis and its settings, keys and the output folder; say what to do")
    .option(
      "-o, --out <dir>",
      "folder or s3:// location that runs are to be written to (default: runs)",
    )
    .addOption(configOption())
    .option("--json", "print the checks as JSON")
    .action(async ({ out, json, config }: { out?: string; json?: true; config?: string }) => {
      const { runDoctor } = await import("./doctor-checks.ts");
      const checks = await runDoctor(io.env, { out, config });
      io.stdout.write(
        json ? `${JSON.stringify(checks)}\n` : printable(`${checks.flatMap(lines).join("\n")}\n`),
      );
      if (checks.some((check) => check.ok === false)) io.exitCode = exitCodes.usage;
    });
  return command;
}

function lines(check: Check): string[] {
  const { name, detail, fix } = check;
  return [`${marks(check)}  ${name}: ${detail}`, ...(fix === undefined ? [] : [`      ${fix}`])];
}
