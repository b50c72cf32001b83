import { printable } from "../shared/printable.ts";

/** A last line on stderr that is rewritten in place, below lines that stay. */
export class Terminal {
  readonly #stream: NodeJS.WriteStream;
  #last = "";

  constructor(stream: NodeJS.WriteStream) {
    this.#stream = stream;
  }

  get isInteractive(): boolean {
    return this.#stream.isTTY;
  }

  get columns(): number {
    return this.#stream.columns || 80;
  }

  /** Writes lines that stay; what would steer the terminal is shown instead. */
  write(text: string): void {
    this.writeStyled(printable(text));
  }

  /** The same as it is, for text with colours whose other parts are printable. */
  writeStyled(text: string): void {
    const redraw = this.#last;
    this.clear();
    this.#stream.write(text.endsWith("\n") ? text : `${text}\n`);
    if (redraw) this.status(redraw);
  }

  /** Rewrites the last line. */
  status(text: string): void {
    this.#last = text;
    this.#stream.write(`\r\u001b[2K${printable(text).slice(0, this.columns - 1)}`);
  }

  clear(): void {
    if (this.#last) this.#stream.write("\r\u001b[2K");
    this.#last = "";
  }
}
