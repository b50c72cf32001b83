import { InvalidArgumentError } from "commander";
import type { ListenAddress } from "../shared/probes.ts";

/** Parses `HOST:PORT`, `[IPv6]:PORT` or `PORT` alone, which means this machine only. */
export function listenAddress(text: string): ListenAddress {
  const match = /^(?:(\[[0-9a-fA-F:.]+\]|[^\s:[\]]+):)?(\d{1,5})$/.exec(text.trim());
  const port = Number(match?.[2]);
  if (!match || port > 65_535) {
    throw new InvalidArgumentError(
      `Expected HOST:PORT such as 127.0.0.1:9464 or 0.0.0.0:9464, got \`${text}\`.`,
    );
  }
  return { host: (match[1] ?? "127.0.0.1").replace(/^\[|\]$/g, ""), port };
}
