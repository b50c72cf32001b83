import type { Row } from "./row.ts";
import { bytes } from "./rows/bytes.ts";
import { fanOut, queue } from "./rows/in-process.ts";
import { knownLimit, knownTokens, limitSeeking } from "./rows/limits.ts";
import { resume } from "./rows/resume.ts";
import { flat } from "./rows/size.ts";
import { saturation, scale } from "./rows/steady.ts";
import { firstImage, large, small } from "./rows/whole-run.ts";

/** All rows, in the order of the table. */
export const rows: readonly Row[] = [
  small,
  large,
  bytes,
  saturation,
  queue,
  fanOut,
  scale,
  flat,
  resume,
  limitSeeking,
  knownLimit,
  knownTokens,
  firstImage,
];
