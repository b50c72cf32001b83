import { readFileSync, readlinkSync } from "node:fs";
import { hostname } from "node:os";

/**
 * Names the table of processes that this process is in: two processes of one identity see each other's ids. Containers
 * may share a host name but not that table, so on Linux the boot and the namespace of ids are part of it.
 */
export function hostIdentity(): string {
  const parts = [
    () => readFileSync("/proc/sys/kernel/random/boot_id", "utf8").trim(),
    () => readlinkSync("/proc/self/ns/pid"),
  ].map((read) => {
    try {
      return read();
    } catch {
      // Not Linux: the name has to do.
      return "";
    }
  });
  return [hostname(), ...parts].filter((part) => part !== "").join(" ");
}
