import { promisify } from "node:util";
import { brotliDecompress, gunzip, inflate } from "node:zlib";
import { AnswerBytes } from "./answer-bytes.ts";

/** What is asked of an answer's headers. */
export type AnswerHeaders = Pick<Headers, "get" | "entries">;

/** A whole answer. */
export interface HttpAnswer {
  status: number;
  headers: AnswerHeaders;
  body: AnswerBytes;
}

/** Whether a status says that the answer is what was asked for. */
export function isSuccess(status: number): boolean {
  return status >= 200 && status < 300;
}

/** What is read of an answer. */
export interface AnswerLimits {
  /** Largest answer in bytes that is read: the connection is cut where more comes or is announced. */
  maxBytes: number;
  /** Sees the first bytes of a successful answer, 64 or more unless it is shorter. What it throws ends the exchange. */
  inspect?(head: Buffer): void;
}

/** The answer is larger than the request's `maxBytes`. */
export class TooLargeError extends Error {
  override readonly name = "TooLargeError";

  constructor(maxBytes: number) {
    super(`the answer is larger than ${maxBytes} bytes`);
  }
}

/** So much is read of an answer that tells of an error. */
const maxErrorBytes = 1_048_576;
/** Enough for the signatures and headers of all formats but JPEG. */
const headBytes = 64;
/** So many chunks, if they are small, are put together to one: millions of tiny ones would take a hundred times their bytes. */
const maxLooseChunks = 1024;
const smallChunkBytes = 4096;

/** Takes an answer in as it arrives. Copies nothing, unless it comes in very many chunks. */
export class AnswerReader {
  readonly #limits: AnswerLimits;
  readonly #status: number;
  readonly #headers: AnswerHeaders;
  readonly #isError: boolean;
  #chunks: Buffer[] = [];
  #loose: Buffer[] = [];
  #size = 0;
  #isInspected: boolean;

  /** @throws TooLargeError where the header announces too much */
  constructor(status: number, headers: AnswerHeaders, limits: AnswerLimits) {
    const announced = Number(headers.get("content-length") ?? 0);
    this.#status = status;
    this.#headers = headers;
    this.#limits = limits;
    this.#isError = !isSuccess(status);
    this.#isInspected =
      this.#isError || !limits.inspect || headers.get("content-encoding") !== null;
    if (!this.#isError && announced > limits.maxBytes) throw new TooLargeError(limits.maxBytes);
  }

  /** True where more is wanted. @throws TooLargeError, or what `inspect` throws */
  add(chunk: Buffer): boolean {
    const most = this.#isError ? maxErrorBytes : this.#limits.maxBytes;
    if (this.#size + chunk.length > most) {
      if (this.#isError) return false;
      throw new TooLargeError(most);
    }
    this.#keep(chunk);
    this.#size += chunk.length;
    if (!this.#isInspected && this.#size >= headBytes) this.#inspect();
    return true;
  }

  /** What has arrived, unpacked. An error page that cannot be is left out: its status and headers tell what happened. */
  async end(): Promise<HttpAnswer> {
    if (!this.#isInspected) this.#inspect();
    const answer = { status: this.#status, headers: this.#headers, body: this.#body() };
    if (!this.#isError) return await decompress(answer, this.#limits.maxBytes);
    return await decompress(answer, maxErrorBytes).catch(() => ({
      ...answer,
      body: new AnswerBytes([]),
    }));
  }

  #keep(chunk: Buffer): void {
    if (this.#loose.push(chunk) < maxLooseChunks) return;
    const size = this.#loose.reduce((sum, { length }) => sum + length, 0);
    const areSmall = size < maxLooseChunks * smallChunkBytes;
    this.#chunks.push(...(areSmall ? [Buffer.concat(this.#loose, size)] : this.#loose));
    this.#loose = [];
  }

  #inspect(): void {
    this.#isInspected = true;
    this.#limits.inspect?.(this.#body().whole);
  }

  #body(): AnswerBytes {
    return new AnswerBytes([...this.#chunks, ...this.#loose]);
  }
}

const decoders: Record<string, typeof gunzip> = {
  gzip: gunzip,
  "x-gzip": gunzip,
  deflate: inflate,
};

/** No encoding is asked for, but some servers compress regardless. What unpacks to more than `maxBytes` is refused. */
async function decompress(answer: HttpAnswer, maxBytes: number): Promise<HttpAnswer> {
  const { headers, body } = answer;
  const encoding = headers.get("content-encoding")?.trim().toLowerCase();
  if (!encoding || encoding === "identity" || body.length === 0) return answer;
  const decode = encoding === "br" ? brotliDecompress : decoders[encoding];
  if (!decode) return answer;
  const unpacked = await promisify<Buffer, { maxOutputLength: number }, Buffer>(decode)(
    body.whole,
    { maxOutputLength: maxBytes },
  );
  return { ...answer, body: new AnswerBytes([unpacked]) };
}
