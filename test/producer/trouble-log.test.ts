import { expect, test } from "vitest";
import { TroubleLog } from "../../producer/trouble-log.ts";
import { silentLog } from "../../shared/log.ts";
import { StorageError } from "../../shared/storage.ts";

test("trouble of the disk, of S3 and of Redis is told apart, and what is neither without either's name", () => {
  const told: unknown[] = [];
  const log = new TroubleLog({
    ...silentLog,
    warn: (fields, message) => void told.push([message, fields]),
  });
  const full = Object.assign(new Error("ENOSPC: no space left"), { code: "ENOSPC" });
  const noAnswer = Object.assign(new Error("connect ECONNREFUSED"), { code: "ECONNREFUSED" });
  for (const error of [full, noAnswer, full, new StorageError("s3://b: denied"), new Error("odd")])
    log.add(error);
  log.ofRedis(new Error("certificate has expired"));
  expect(told).toEqual([
    ["storage: ENOSPC: no space left", { count: 1 }],
    ["Redis: connect ECONNREFUSED", { count: 1 }],
    ["odd", { count: 1 }],
  ]);
  log.close();
  expect(told.slice(3)).toEqual([
    ["storage: s3://b: denied", { count: 2 }],
    ["Redis: certificate has expired", { count: 1 }],
  ]);
});
