import { promisify } from "node:util";
import { brotliDecompress, gunzip, inflate } from "node:zlib";

/** What is asked of an answer's headers. */
export type AnswerHeaders = Pick<Headers, "get" | "entries">;

/** A whole answer. */
export interface HttpAnswer {
  status: number;
  headers: AnswerHeaders;
  bytes: Buffer;
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
/** Announced sizes are trusted up to here: nothing has arrived yet. */
const maxPreallocatedBytes = 16 * 1024 * 1024;
/** So many chunks, if they are small, are put together to one: millions of tiny ones would take a hundred times their bytes. */
const maxLooseChunks = 1024;
const smallChunkBytes = 4096;

/** Takes an answer in as it arrives. Copies each byte once at most, unless it comes in very many chunks. */
export class AnswerReader {
  readonly #limits: AnswerLimits;
  readonly #status: number;
  readonly #headers: AnswerHeaders;
  readonly #isError: boolean;
  readonly #whole: Buffer | undefined;
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
    const isWorthIt = announced > 65_536 && announced <= maxPreallocatedBytes && !this.#isError;
    this.#whole = isWorthIt ? Buffer.allocUnsafeSlow(announced) : undefined;
  }

  /** True where more is wanted. @throws TooLargeError, or what `inspect` throws */
  add(chunk: Buffer): boolean {
    const most = this.#isError ? maxErrorBytes : this.#limits.maxBytes;
    if (this.#size + chunk.length > most) {
      if (this.#isError) return false;
      throw new TooLargeError(most);
    }
    if (this.#whole) chunk.copy(this.#whole, this.#size);
    else this.#keep(chunk);
    this.#size += chunk.length;
    if (!this.#isInspected && this.#size >= headBytes) this.#inspect();
    return true;
  }

  /** What has arrived, unpacked. An error page that cannot be is left out: its status and headers tell what happened. */
  async end(): Promise<HttpAnswer> {
    if (!this.#isInspected) this.#inspect();
    const answer = { status: this.#status, headers: this.#headers, bytes: this.#bytes() };
    if (!this.#isError) return await decompress(answer, this.#limits.maxBytes);
    return await decompress(answer, maxErrorBytes).catch(() => ({
      ...answer,
      bytes: Buffer.alloc(0),
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
    this.#limits.inspect?.(this.#bytes());
  }

  #bytes(): Buffer {
    if (this.#whole) return this.#whole.subarray(0, this.#size);
    const chunks = [...this.#chunks, ...this.#loose];
    return chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks, this.#size);
  }
}

const decoders: Record<string, typeof gunzip> = {
  gzip: gunzip,
  "x-gzip": gunzip,
  deflate: inflate,
};

/** No encoding is asked for, but some servers compress regardless. What unpacks to more than `maxBytes` is refused. */
async function decompress(answer: HttpAnswer, maxBytes: number): Promise<HttpAnswer> {
  const encoding = answer.headers.get("content-encoding")?.trim().toLowerCase();
  if (!encoding || encoding === "identity" || answer.bytes.length === 0) return answer;
  const limit = { maxOutputLength: maxBytes };
  if (encoding === "br")
    return { ...answer, bytes: await promisify(brotliDecompress)(answer.bytes, limit) };
  const decode = decoders[encoding];
  return decode ? { ...answer, bytes: await promisify(decode)(answer.bytes, limit) } : answer;
}
