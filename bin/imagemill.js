#!/usr/bin/env node
// Starts the command line: in a checkout cli.ts, under the Node of node_modules where the one that runs this is too old
// for TypeScript; in the published package, which has no cli.ts, the built file. Plain JavaScript for Node 18.
import { spawn } from "node:child_process";
import { existsSync, realpathSync } from "node:fs";
import * as nodeModule from "node:module";
import { constants } from "node:os";
import { fileURLToPath } from "node:url";

const built = new URL("../dist/cli.js", import.meta.url);
const source = new URL("../cli.ts", import.meta.url);
const ownNode = fileURLToPath(new URL("../node_modules/.bin/node", import.meta.url));

if (existsSync(source)) {
  if (process.features.typescript) await run(source);
  else runUnderOwnNode();
} else if (hasBuiltFeatures()) await run(built);
else refuse("22.12 or newer", "Update Node.");

/** As `engines` in package.json says, of which npm only warns. */
function hasBuiltFeatures() {
  const [major, minor] = process.versions.node.split(".").map(Number);
  return major > 22 || (major === 22 && minor >= 12);
}

/**
 * @param {string} expected
 * @param {string} advice
 */
function refuse(expected, advice) {
  process.stderr.write(`imagemill: expected Node ${expected}, got ${process.version}\n${advice}\n`);
  process.exitCode = 2;
}

/** @param {URL} cli */
async function run(cli) {
  // Keeps compiled code between starts; Node 22.1 and newer have it.
  nodeModule.enableCompileCache?.();
  const { main } = await import(cli.href);
  process.exitCode = await main(process.argv.slice(2));
  setTimeout(endWhenWritten, 500).unref();
}

/** A connection that cannot be closed while Redis is away must not keep the process. */
function endWhenWritten() {
  if (process.stdout.writableLength === 0) process.exit();
  setTimeout(endWhenWritten, 100);
}

function runUnderOwnNode() {
  if (!existsSync(ownNode) || realpathSync(ownNode) === realpathSync(process.execPath)) {
    refuse(
      "22.18 or newer, also in node_modules",
      "Run `npm ci` in the checkout (it brings Node 24), or update Node.",
    );
    return;
  }
  const child = spawn(ownNode, [fileURLToPath(import.meta.url), ...process.argv.slice(2)], {
    stdio: "inherit",
  });
  child.on("error", (error) => {
    process.stderr.write(`imagemill: ${ownNode} could not be started: ${error.message}\n`);
    process.exitCode = 1;
  });
  // This process must outlive the child to pass on how it ended. Ctrl-C reaches both from the terminal: passing it
  // on too would make it a second one, which means "at once".
  const fromTerminal = process.stdin.isTTY || process.stdout.isTTY || process.stderr.isTTY;
  process.on("SIGINT", () => void (fromTerminal || child.kill("SIGINT")));
  process.on("SIGTERM", () => void child.kill("SIGTERM"));
  process.on("SIGHUP", () => void child.kill("SIGHUP"));
  child.on("exit", (code, signal) => process.exit(code ?? 128 + constants.signals[signal]));
}
