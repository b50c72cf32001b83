import { execFileSync } from "node:child_process";

/**
 * Does something while no file of this process may grow beyond `bytes`: writing more fails with EFBIG after what still
 * fits was written, much as on a full disk. Linux only.
 */
export async function withFileSizeLimit<Value>(
  bytes: number,
  work: () => Promise<Value>,
): Promise<Value> {
  setSoftLimit(String(bytes));
  try {
    return await work();
  } finally {
    setSoftLimit("unlimited");
  }
}

function setSoftLimit(bytes: string): void {
  execFileSync("prlimit", ["--pid", String(process.pid), `--fsize=${bytes}:`]);
}
