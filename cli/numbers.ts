import { InvalidArgumentError } from "commander";

/** A parser for an option that takes a whole number from `least` up, to `most` where that is given. */
export function wholeNumber(least: number, most?: number): (text: string) => number {
  return (text) => {
    if (most !== undefined && Number(text) > most) {
      throw new InvalidArgumentError(`Expected at most ${most}, got \`${text}\`.`);
    }
    const value = Number(text);
    if (!Number.isSafeInteger(value) || value < least || text.trim() === "") {
      throw new InvalidArgumentError(`Expected a whole number from ${least} up, got \`${text}\`.`);
    }
    return value;
  };
}

/** Most of anything a minute that a limit may be: more is a mistake. */
export const mostPerMinute = 1e9;

/** Parses a limit a minute: a number above 0, such as `60` or `0.5`. */
export function perMinute(text: string): number {
  const value = text.trim() === "" ? NaN : Number(text);
  if (value > 0 && value <= mostPerMinute) return value;
  throw new InvalidArgumentError(
    `Expected a number above 0, such as 60 or 0.5, and at most 1e9, got \`${text}\`.`,
  );
}

const units: Record<string, number> = {
  ms: 1,
  "": 1_000,
  s: 1_000,
  m: 60_000,
  min: 60_000,
  h: 3_600_000,
};

/** 500 hours: a timer of Node's takes a little more for one that is over at once. */
const maxDurationMs = 500 * 3_600_000;

/** Parses a time such as `90`, `90s`, `500ms`, `15m` or `1h` into whole milliseconds from 1; a bare number means seconds. */
export function duration(text: string): number {
  const match = /^(\d+(?:\.\d+)?)\s*(ms|s|m|min|h|)$/.exec(text.trim());
  const value = Math.round(match ? Number(match[1]) * units[match[2]!]! : 0);
  if (value < 1)
    throw new InvalidArgumentError(`Expected a time such as 90s, 500ms or 15m, got \`${text}\`.`);
  if (value > maxDurationMs)
    throw new InvalidArgumentError(`Expected at most 500h, got \`${text}\`.`);
  return value;
}

/** How many failures are allowed: a number of prompts or a share of them. */
export interface Allowance {
  count?: number;
  share?: number;
}

/** Parses `5` or `2%`. */
export function allowance(text: string): Allowance {
  const match = /^(\d+(?:\.\d+)?)(%?)$/.exec(text.trim());
  if (!match)
    throw new InvalidArgumentError(
      `Expected a number of prompts or a share such as 2%, got \`${text}\`.`,
    );
  const value = Number(match[1]);
  if (match[2] !== "%") return { count: value };
  if (value > 100) throw new InvalidArgumentError(`Expected at most 100%, got \`${text}\`.`);
  return { share: value / 100 };
}

/** Parses US dollars, such as `5`, `0.04` or `$5`. */
export function dollars(text: string): number {
  const match = /^\$?(\d+(?:\.\d+)?|\.\d+)$/.exec(text.trim());
  if (!match)
    throw new InvalidArgumentError(`Expected US dollars such as 5 or 0.04, got \`${text}\`.`);
  return Number(match[1]);
}
