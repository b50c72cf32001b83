// Adds to package-lock.json the optional packages for other systems that npm left out because its registry does not
// have them; without them `npm ci` refuses the lock file (https://github.com/npm/cli/issues/9846), and on those systems
// the tools miss their native part. Run it after `npm install <package>`; prints what it added.
import { readFileSync, writeFileSync } from "node:fs";

const path = new URL("../package-lock.json", import.meta.url);
const lock = JSON.parse(readFileSync(path, "utf8"));

const systems = ["android", "darwin", "freebsd", "linux", "openharmony", "win32"];
const processors = ["arm64", "arm", "ia32", "ppc64", "riscv64", "s390x", "x64"];

/** True where the package at `from` would find `name`: in its own node_modules or in one further up. */
function isThere(from, name) {
  for (
    let folder = from;
    ;
    folder = folder.slice(0, Math.max(0, folder.lastIndexOf("/node_modules/")))
  ) {
    if (lock.packages[`${folder === "" ? "" : `${folder}/`}node_modules/${name}`]?.version)
      return true;
    if (folder === "") return false;
  }
}

/** The entry of a native package: its name tells the system it is for, and npm skips those of other systems by that. */
function entry(name, version, dev) {
  const words = name.split("/").at(-1).split(/[-.]/);
  const os = systems.filter((system) => words.includes(system));
  const cpu = processors.filter((processor) => words.includes(processor));
  if (os.length !== 1 || cpu.length !== 1 || !/^\d/.test(version)) return undefined;
  const libc = os[0] !== "linux" ? undefined : words.find((word) => /^(gnu|musl)/.test(word));
  return {
    version,
    cpu,
    ...(dev && { dev }),
    ...(libc && { libc: [libc.startsWith("musl") ? "musl" : "glibc"] }),
    optional: true,
    os,
  };
}

for (const [from, { optionalDependencies = {}, dev }] of Object.entries(lock.packages)) {
  for (const [name, version] of Object.entries(optionalDependencies)) {
    if (isThere(from, name)) continue;
    const added = entry(name, version, dev);
    if (added) lock.packages[`node_modules/${name}`] = added;
    console.log(`${added ? "added" : "cannot tell the system of"} ${name} ${version}`);
  }
}
const sorted = Object.entries(lock.packages).toSorted(([a], [b]) => a.localeCompare(b, "en"));
lock.packages = Object.fromEntries(sorted);
writeFileSync(path, `${JSON.stringify(lock, null, 2)}\n`);
