import type { AnswerBytes } from "./answer-bytes.ts";
import { decodeBase64, decodeBase64Between } from "./decode-base64.ts";

/** Values shorter than this are left to the JSON parser. */
const minLength = 4096;
const key = Buffer.from('"b64_json"');
const quote = Buffer.from('"');

/** A JSON text whose long images were taken out: `lifted:0` stands for the first of them, and so on. */
export interface LiftedJson {
  text: string;
  images: Buffer[];
}

/**
 * Decodes the images of an answer straight from its bytes. Parsing base64 as a part of JSON costs three times as much as
 * decoding it: at 1.5 MB an image that would be a fifth of a worker's time.
 */
export function liftBase64(bytes: AnswerBytes): LiftedJson {
  const parts: string[] = [];
  const images: Buffer[] = [];
  let done = 0;
  for (let at = bytes.indexOf(key, 0); at !== -1; at = bytes.indexOf(key, at + key.length)) {
    const start = valueStart(bytes, at + key.length);
    const end = start === -1 ? -1 : bytes.indexOf(quote, start);
    if (end === -1 || end - start < minLength) continue;
    const image = decodeBase64Between(bytes, start, end) ?? decodeOther(bytes.text(start, end));
    if (!image) continue;
    parts.push(bytes.text(done, start), `lifted:${images.length}`);
    images.push(image);
    done = end;
    at = end;
  }
  parts.push(bytes.text(done));
  return { text: parts.join(""), images };
}

/** Base64 with line ends or as a data URL. What JSON has escaped is left to its parser. */
function decodeOther(value: string): Buffer | undefined {
  return value.includes("\\") ? undefined : decodeBase64(value);
}

/** The image that a value stands for; undefined where the value is itself. */
export function findLifted(value: string, images: readonly Buffer[]): Buffer | undefined {
  return value.startsWith("lifted:") ? images[Number(value.slice("lifted:".length))] : undefined;
}

/** Where the string begins that is the value of a key ending at `at`; -1 where no string follows. */
function valueStart(bytes: AnswerBytes, at: number): number {
  const between = /^\s*:\s*"/.exec(bytes.text(at, at + 32))?.[0];
  return between === undefined ? -1 : at + between.length;
}
