import type { Row } from "./row.ts";
import { knownLimit, limitSeeking } from "./rows/limits.ts";

/** All rows, in the order of the table. */
export const rows: readonly Row[] = [limitSeeking, knownLimit];
