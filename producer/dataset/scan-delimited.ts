const [QUOTE, CR, LF] = [0x22, 0x0d, 0x0a];

/** Where a field stands in the bytes, without its quotes. */
interface FieldPlace {
  from: number;
  to: number;
  quoted: boolean;
}

/** Where a record stands: `end` is the first byte after its line end, `terminated` false where that was missing. */
export interface RecordPlace {
  fields: FieldPlace[];
  end: number;
  terminated: boolean;
}

/**
 * Finds the fields of the CSV or TSV record that starts at `start`; undefined where its end is not in the bytes yet.
 *
 * A field is quoted where it starts with `"` and the closing `"` stands before a delimiter or a line end. Any other
 * quote is an ordinary character: files without quoting, such as most TSV, have prompts like `"STOP" on a sign`, and
 * one forgotten quote must not swallow the rows below it: {@link hasOpenQuote} finds it.
 * @param final no more bytes will come: what is open at their end ends there
 */
export function scanRecord(
  bytes: Buffer,
  start: number,
  delimiter: number,
  final: boolean,
): RecordPlace | undefined {
  const fields: FieldPlace[] = [];
  let at = start;
  for (;;) {
    const close = bytes[at] === QUOTE ? closingQuote(bytes, at + 1, delimiter, final) : "plain";
    if (close === "unknown") return undefined;
    let stop = close === "plain" ? plainEnd(bytes, at, delimiter) : close + 1;
    if (close !== "plain") fields.push({ from: at + 1, to: close, quoted: true });
    else fields.push({ from: at, to: withoutCarriageReturn(bytes, at, stop), quoted: false });
    if (bytes[stop] === CR) stop++;
    if (stop >= bytes.length)
      return final ? { fields, end: bytes.length, terminated: false } : undefined;
    if (bytes[stop] === LF) return { fields, end: stop + 1, terminated: true };
    at = stop + 1;
  }
}

/** Position of the next delimiter or line feed, or the end of the bytes. */
function plainEnd(bytes: Buffer, from: number, delimiter: number): number {
  let at = from;
  while (at < bytes.length && bytes[at] !== delimiter && bytes[at] !== LF) at++;
  return at;
}

function withoutCarriageReturn(bytes: Buffer, from: number, end: number): number {
  const atLineEnd = end >= bytes.length || bytes[end] === LF;
  return atLineEnd && end > from && bytes[end - 1] === CR ? end - 1 : end;
}

function closingQuote(
  bytes: Buffer,
  from: number,
  delimiter: number,
  final: boolean,
): number | "plain" | "unknown" {
  for (let at = bytes.indexOf(QUOTE, from); at !== -1; at = bytes.indexOf(QUOTE, at + 2)) {
    const next = bytes[at + 1];
    if (next === QUOTE) continue;
    if (next === delimiter || next === LF) return at;
    const known = next !== undefined && !(next === CR && at + 2 >= bytes.length);
    if (!known) return final ? at : "unknown";
    return next === CR && bytes[at + 2] === LF ? at : "plain";
  }
  return final ? "plain" : "unknown";
}

/**
 * Whether a field of the record begins with a quote that nothing closes: one that is plain and whose quotes are odd in
 * number. `"STOP" on a sign` is whole.
 */
export function hasOpenQuote(bytes: Buffer, record: RecordPlace): boolean {
  return record.fields.some(({ from, to, quoted }) => {
    if (quoted || from === to || bytes[from] !== QUOTE) return false;
    return bytes.subarray(from, to).filter((byte) => byte === QUOTE).length % 2 === 1;
  });
}

/** The text of a record's fields, doubled quotes of quoted ones made single. The bytes must be UTF-8. */
export function fieldTexts(bytes: Buffer, record: RecordPlace): string[] {
  return record.fields.map(({ from, to, quoted }) => {
    const text = bytes.toString("utf8", from, to);
    return quoted && text.includes('"') ? text.replaceAll('""', '"') : text;
  });
}
