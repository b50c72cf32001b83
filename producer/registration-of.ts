import { hostname } from "node:os";
import type { Registration } from "../shared/registration.ts";
import type { RunFile } from "../shared/run-file.ts";

/** What a producer tells workers of its run, which is in the directory `location` of this host. */
export function registrationOf(
  { id, round, revision }: RunFile,
  location: string,
  state: Registration["state"],
  reason: string | undefined,
): Registration {
  return {
    v: 1,
    run: id,
    round,
    revision,
    location,
    host: hostname(),
    state,
    ...(reason !== undefined && { reason }),
  };
}
