import { globSync } from "node:fs";
import { machine } from "node:os";
import { join } from "node:path";

/** Folders below `/usr` that hold this machine's libraries: Debian's has its name, Fedora's the width of its addresses. */
const libraryFolders = [`lib/${machine()}-linux-*`, "lib64", "lib"];

const advice = `A redis-server with another clock takes libfaketime, and mimalloc in place of its own allocator, which hangs with it:
  Debian, Ubuntu   sudo apt-get update && sudo apt-get install -y faketime libmimalloc-dev
  Fedora           sudo dnf install -y libfaketime mimalloc
  Alpine           sudo apk add libfaketime mimalloc2
  elsewhere        there is no way: run it in a container of one of these`;

/**
 * The environment in which a redis-server's clock is so many seconds ahead; behind where they are less than 0.
 * @param usr where libraries are looked for
 * @throws Error naming the library that is missing and how to install it
 */
export function otherClock(seconds: number, usr = "/usr"): Record<string, string> {
  // The allocator comes first: libfaketime allocates as soon as it is loaded.
  const libraries = ["libmimalloc*.so.*", "faketime/libfaketime.so.*"].map((name) =>
    findLibrary(name, usr),
  );
  return {
    LD_PRELOAD: libraries.join(":"),
    FAKETIME: `${seconds < 0 ? "-" : "+"}${Math.abs(seconds)}s`,
    // A machine that has just booted has a clock of fewer seconds than these.
    FAKETIME_DONT_FAKE_MONOTONIC: "1",
  };
}

function findLibrary(name: string, usr: string): string {
  for (const folder of libraryFolders) {
    const [found] = globSync(join(folder, name), { cwd: usr });
    if (found !== undefined) return join(usr, found);
  }
  throw new Error(`${name} is not in ${libraryFolders.join(", ")} of ${usr}. ${advice}`);
}
