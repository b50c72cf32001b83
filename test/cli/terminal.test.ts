import { Writable } from "node:stream";
import { expect, test } from "vitest";
import { createLog } from "../../cli/logger.ts";
import { Terminal } from "../../cli/terminal.ts";

const hostile = "\u001b[2J\u001b]0;pwn\u0007 bad \u202e";
const shown = "\\u001b[2J\\u001b]0;pwn\\u0007 bad \\u202e";

/** A terminal of 200 columns, and all that was written to it. */
function terminal(isTTY: boolean): { terminal: Terminal; written: () => string } {
  let written = "";
  const stream = new Writable({
    write(chunk, _encoding, done) {
      written += String(chunk);
      done();
    },
  });
  Object.assign(stream, { isTTY, columns: 200 });
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- it is written to, and asked for what it was given
  return { terminal: new Terminal(stream as NodeJS.WriteStream), written: () => written };
}

test("lines and the last line show what would steer the terminal", () => {
  const { terminal: to, written } = terminal(true);
  to.status(`waiting: ${hostile}`);
  to.write(hostile);
  to.clear();
  expect(written().replaceAll("\r\u001b[2K", "")).toBe(
    `waiting: ${shown}${shown}\nwaiting: ${shown}`,
  );
});

test("a log on a terminal has colours, but no escape of a message, a field or an error", async () => {
  const { terminal: to, written } = terminal(true);
  const log = await createLog(to, {}, "warn");
  log.warn({ reason: hostile, error: new Error(hostile) }, `failed: ${hostile}`);
  // oxlint-disable-next-line no-control-regex -- colours begin with one
  const plain = written().replaceAll(/\u001b\[\d*m/g, "");
  expect(plain.length).toBeLessThan(written().length);
  for (const character of "\u0007\u001b\u202e") expect(plain).not.toContain(character);
  expect(plain.split(shown).length).toBeGreaterThanOrEqual(4);
});
