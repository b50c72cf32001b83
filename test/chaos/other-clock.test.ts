import { mkdirSync, writeFileSync } from "node:fs";
import { machine } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { otherClock } from "../../chaos/other-clock.ts";
import { temporaryFolder } from "../helpers/temporary-folder.ts";

function usrWith(...libraries: string[]): string {
  const usr = temporaryFolder();
  for (const library of libraries) {
    mkdirSync(join(usr, library, ".."), { recursive: true });
    writeFileSync(join(usr, library), "");
  }
  return usr;
}

test("libraries are found in the folder of this machine, before those of others", () => {
  const folder = `lib/${machine()}-linux-gnu`;
  const usr = usrWith(
    "lib/other-linux-gnu/libmimalloc.so.2",
    "lib/libmimalloc.so.2",
    `${folder}/libmimalloc.so.3`,
    "lib64/faketime/libfaketime.so.1",
  );
  expect(otherClock(-60, usr)).toMatchObject({
    LD_PRELOAD: `${usr}/${folder}/libmimalloc.so.3:${usr}/lib64/faketime/libfaketime.so.1`,
    FAKETIME: "-60s",
  });
  expect(otherClock(60, usr)).toMatchObject({ FAKETIME: "+60s" });
});

test("a library that is missing is named, with what to install", () => {
  const usr = usrWith("lib/libmimalloc.so.2", "lib/other-linux-gnu/faketime/libfaketime.so.1");
  expect(() => otherClock(60, usr)).toThrow(
    /faketime\/libfaketime\.so\.\* is not in .* apt-get install -y faketime/s,
  );
});
