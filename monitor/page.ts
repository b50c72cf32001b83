import type { Html } from "../shared/html.ts";
import type { Trouble } from "./trouble.ts";

/** A page before it is put into the frame that all pages share. */
export interface Page {
  title: string;
  /** The entry of the navigation that it belongs to. */
  section: "runs" | "retries" | "lanes" | "none";
  main: Html;
  /** Default 200. */
  status?: Trouble["status"];
}

/** What a page's or an action's code sees of a request. */
export interface PageRequest {
  parameters: Record<string, string>;
  query: URLSearchParams;
  /** Goes with every form; undefined where the reader may only look. */
  actionToken: string | undefined;
  now: number;
}

/** A number of a query, brought into a range; `least` where it is missing or no whole number. */
export function wholeNumber(text: string | null, least: number, most: number): number {
  const value = Number(text ?? NaN);
  return Number.isInteger(value) ? Math.max(least, Math.min(value, most)) : least;
}
