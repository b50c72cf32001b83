import { Writable } from "node:stream";
import type { Command } from "commander";
import { describe, expect, test } from "vitest";
import { program } from "../../cli.ts";

/** The whole command line, which prints to nowhere, or to `print`. */
async function commands(print: (text: string) => void = () => undefined): Promise<Command[]> {
  const nowhere = new Writable({ write: (_chunk, _encoding, done) => done() });
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- no command is run: nothing is written to it
  const stream = nowhere as unknown as NodeJS.WriteStream;
  const root = await program({ env: {}, stdout: stream, stderr: stream, exitCode: 0 });
  const output = {
    writeOut: print,
    writeErr: print,
    getOutHelpWidth: () => 80,
    getErrHelpWidth: () => 80,
  };
  return [root, ...root.commands].map((command) => command.configureOutput(output));
}

/** Each option that takes a value, with its command. */
async function valueOptions() {
  return (await commands()).flatMap((command) =>
    command.options
      .filter(({ required, optional }) => required || optional)
      .map(({ long }) => ({ command, flag: long! })),
  );
}

describe("every command", () => {
  test("has help that fits 80 columns", async () => {
    const tooLong: string[] = [];
    for (const command of await commands((text) => {
      tooLong.push(...text.split("\n").filter((line) => line.length > 80));
    })) {
      command.outputHelp();
    }
    expect(tooLong).toEqual([]);
  });

  test("refuses each option whose value is empty or blank", async () => {
    const options = await valueOptions();
    expect(options.length).toBeGreaterThan(50);
    for (const { command, flag } of options) {
      for (const value of ["", " "])
        expect(() => command.parseOptions([flag, value]), `${command.name()} ${flag}`).toThrow(
          expect.objectContaining({ code: "commander.invalidArgument" }),
        );
    }
  });

  test("refuses an argument that is empty", async () => {
    const taking = (await commands()).filter(
      ({ registeredArguments: [first] }) => first?.variadic === false,
    );
    expect(taking.length).toBeGreaterThan(8);
    for (const command of taking) {
      const needed = command.options.filter(({ mandatory }) => mandatory);
      const words = ["", ...needed.flatMap(({ long }) => [long!, "any"])];
      expect(() => command.parse(words, { from: "user" })).toThrow(
        expect.objectContaining({ code: "commander.invalidArgument" }),
      );
    }
  });

  test("refuses a list of which only the commas are left", async () => {
    const lists = ["--base-url", "--image-hosts", "--lanes"];
    const given = (await valueOptions()).filter(({ flag }) => lists.includes(flag));
    expect(new Set(given.map(({ flag }) => flag)).size).toBe(lists.length);
    for (const { command, flag } of given)
      expect(() => command.parseOptions([flag, ","])).toThrow("Expected a value, or several");
  });
});
