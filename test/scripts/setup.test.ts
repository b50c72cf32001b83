import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import {
  chmod,
  copyFile,
  mkdir,
  mkdtemp,
  readFile,
  rm,
  symlink,
  writeFile,
} from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, describe, expect, test } from "vitest";

const script = fileURLToPath(new URL("../../scripts/setup.sh", import.meta.url));

/** A checkout whose PATH holds only what a test puts there, so that nothing of this machine is installed or missed. */
let checkout: string;

beforeEach(async () => {
  checkout = await mkdtemp(join(tmpdir(), "imagemill-setup-"));
  await mkdir(join(checkout, "scripts"));
  await mkdir(join(checkout, "bin"));
  await copyFile(script, join(checkout, "scripts", "setup.sh"));
  await writeLock("1.0.0");
  await addTools(["sh", "cat", "cksum", "dirname", "env", "ln", "mkdir", "uname", "chmod"]);
  await symlink(process.execPath, join(checkout, "bin", "node"));
  await addCommand("id", "echo 0");
  await addCommand("npm", "echo npm was not expected; exit 1");
});

afterEach(async () => {
  await rm(checkout, { recursive: true, force: true });
});

async function writeLock(version: string, path = "package-lock.json") {
  const other = { "node_modules/for-another-system": { version: "1.0.0", optional: true } };
  const packages = { "node_modules/some-package": { version } };
  const isNpmsOwn = path !== "package-lock.json";
  const lock = { packages: isNpmsOwn ? packages : { "": { name: "x" }, ...packages, ...other } };
  await writeFile(join(checkout, path), JSON.stringify(lock));
}

async function addTools(names: string[]) {
  for (const name of names) {
    const path = ["/bin", "/usr/bin"]
      .map((folder) => join(folder, name))
      .find((candidate) => existsSync(candidate));
    await symlink(path!, join(checkout, "bin", name));
  }
}

/** A command that writes its name and arguments to `calls` and then does what `body` says. */
async function addCommand(name: string, body: string) {
  const path = join(checkout, "bin", name);
  const record = name === "id" ? "" : `echo ${name} "$@" >>"${checkout}/calls"\n`;
  await writeFile(path, `#!/bin/sh\n${record}${body}\n`);
  await chmod(path, 0o755);
}

/** What gives a Redis another clock, where set-up looks for it. */
async function addClockLibraries() {
  await mkdir(join(checkout, "lib", "faketime"), { recursive: true });
  await writeFile(join(checkout, "lib", "faketime", "libfaketime.so.1"), "");
  await writeFile(join(checkout, "lib", "libmimalloc.so.2"), "");
}

/** What a good `npm ci` leaves. */
async function installPackages() {
  await mkdir(join(checkout, "node_modules", ".bin"), { recursive: true });
  await writeLock("1.0.0", "node_modules/.package-lock.json");
  await symlink(process.execPath, join(checkout, "node_modules", ".bin", "node"));
}

function setup(args: string[] = [], env: Record<string, string> = {}) {
  return new Promise<{ code: number | string; stdout: string; stderr: string; ms: number }>(
    (resolve) => {
      const startedAt = performance.now();
      const options = { env: { PATH: join(checkout, "bin"), SETUP_USR: checkout, ...env } };
      execFile(
        "/bin/sh",
        [join(checkout, "scripts", "setup.sh"), ...args],
        options,
        (error, stdout, stderr) => {
          resolve({ code: error?.code ?? 0, stdout, stderr, ms: performance.now() - startedAt });
        },
      );
    },
  );
}

async function calls(): Promise<string[]> {
  const text = await readFile(join(checkout, "calls"), "utf8").catch(() => "");
  return text.split("\n").filter((line) => line !== "");
}

const makesRedis = `: >"$(dirname "$0")/redis-server"; chmod +x "$(dirname "$0")/redis-server"`;

describe("set-up of the packages", () => {
  beforeEach(() => addCommand("redis-server", ""));

  test("says nothing and installs nothing where nothing is missing", async () => {
    await installPackages();
    expect(await setup()).toMatchObject({ code: 0, stdout: "", stderr: "" });
    expect(await setup()).toMatchObject({ code: 0, stdout: "", stderr: "" });
    expect(await calls()).toEqual([]);
  });

  test("runs npm ci, and says so, in a clean clone", async () => {
    await addCommand(
      "npm",
      `mkdir -p node_modules/.bin; ln -s "${process.execPath}" node_modules/.bin/node; echo added 1 package`,
    );
    const { code, stdout, stderr } = await setup();
    expect({ code, stdout }).toEqual({ code: 0, stdout: "" });
    expect(stderr).toMatch(
      /^setup: installing the npm packages of package-lock.json \(npm ci\)\nadded 1 package/,
    );
    expect(await calls()).toEqual(["npm ci --no-audit --no-fund --loglevel=error"]);

    expect((await setup()).stderr).toBe("");
  });

  test("runs npm ci when package-lock.json asks for another version", async () => {
    await installPackages();
    await setup();
    await addCommand("npm", "");
    await writeLock("2.0.0");
    expect((await setup()).code).toBe(0);
    expect(await calls()).toEqual(["npm ci --no-audit --no-fund --loglevel=error"]);
  });

  test("tries npm install where npm ci refuses the lock file", async () => {
    await addCommand(
      "npm",
      `[ "$1" = install ] && mkdir -p node_modules/.bin && ln -s "${process.execPath}" node_modules/.bin/node`,
    );
    expect((await setup()).code).toBe(0);
    expect((await calls()).at(-1)).toContain("npm install --no-save");
  });

  test("fails where npm can install nothing", async () => {
    expect(await setup()).toMatchObject({ code: 1 });
    expect(await calls()).toHaveLength(2);
  });

  test("runs the install script of the package node where npm did not", async () => {
    await mkdir(join(checkout, "node_modules", "node"), { recursive: true });
    await writeLock("1.0.0", "node_modules/.package-lock.json");
    await writeFile(
      join(checkout, "node_modules", "node", "installArchSpecificPackage.js"),
      `require("node:fs").mkdirSync("bin"); require("node:fs").symlinkSync(process.execPath, "bin/node");`,
    );
    const { code, stderr } = await setup();
    expect(stderr).toContain("setup: installing the Node.js of package-lock.json");
    expect(code).toBe(0);
  });
});

describe("set-up of Redis", () => {
  beforeEach(installPackages);

  test("takes Valkey as well", async () => {
    await addCommand("valkey-server", "");
    expect(await setup()).toMatchObject({ code: 0, stderr: "" });
  });

  test("installs it with apt-get where there is none, and says so", async () => {
    await addCommand("apt-get", `[ "$1" = update ] || { ${makesRedis}; }`);
    const { code, stderr } = await setup();
    expect({ code, stderr }).toEqual({
      code: 0,
      stderr: "setup: installing Redis (apt-get install redis-server)\n",
    });
    expect(await calls()).toEqual(["apt-get update -q", "apt-get install -y -q redis-server"]);
  });

  test("uses sudo, without asking for a password, where the user is not root", async () => {
    await addCommand("id", "echo 1000");
    await addCommand("sudo", `shift; "$@"`);
    await addCommand("apk", makesRedis);
    expect((await setup()).code).toBe(0);
    expect(await calls()).toEqual(["sudo -n true", "sudo -n apk add -q redis", "apk add -q redis"]);
  });

  test("without the rights says what to install on each system", async () => {
    await addCommand("id", "echo 1000");
    await addCommand("apt-get", makesRedis);
    const { code, stderr } = await setup();
    expect(code).toBe(1);
    for (const advice of [
      "apt-get install",
      "dnf install",
      "apk add",
      "brew install",
      "docker run",
      "REDIS_URL",
    ]) {
      expect(stderr).toContain(advice);
    }
    expect(await calls()).toEqual([]);
  });

  test("is not needed to start with REDIS_URL, but for the tests it is", async () => {
    const env = { REDIS_URL: "redis://localhost" };
    expect(await setup([], env)).toMatchObject({ code: 0, stderr: "" });
    expect((await setup([], { ...env, npm_lifecycle_event: "pretest" })).code).toBe(1);
    expect((await setup(["test"], env)).code).toBe(1);
  });
});

describe("set-up of a browser", () => {
  beforeEach(async () => {
    await installPackages();
    await addCommand("redis-server", "");
    await addClockLibraries();
  });

  test("is left alone but for the tests, and where there is one", async () => {
    expect(await setup()).toMatchObject({ code: 0, stderr: "" });
    await addCommand("google-chrome", "");
    expect(await setup(["test"])).toMatchObject({ code: 0, stderr: "" });
    expect(await calls()).toEqual([]);
  });

  test("installs Chromium with apt-get for the tests, and says so", async () => {
    const makesChromium = makesRedis.replaceAll("redis-server", "chromium");
    await addCommand("apt-get", `[ "$1" = update ] || { ${makesChromium}; }`);
    expect(await setup(["test"])).toMatchObject({
      code: 0,
      stderr:
        "setup: installing Chromium for the tests of the monitor (apt-get install chromium)\n",
    });
    expect((await calls()).at(-1)).toBe("apt-get install -y -q --no-install-recommends chromium");
  });

  test("that cannot be installed is no reason not to run the other tests", async () => {
    await addCommand("id", "echo 1000");
    const { code, stderr } = await setup(["test"]);
    expect(code).toBe(0);
    for (const advice of ["apt-get install", "snap install", "dnf install", "apk add", "brew"])
      expect(stderr).toContain(advice);
  });
});

describe("set-up of another clock", () => {
  beforeEach(async () => {
    await installPackages();
    await addCommand("redis-server", "");
    await addCommand("chromium", "");
  });

  test("is left alone but for the tests, and where it is there", async () => {
    expect(await setup()).toMatchObject({ code: 0, stderr: "" });
    await addClockLibraries();
    expect(await setup(["test"])).toMatchObject({ code: 0, stderr: "" });
    expect(await calls()).toEqual([]);
  });

  test("installs its two packages with apt-get where one is missing, and says so", async () => {
    await addClockLibraries();
    const library = join(checkout, "lib", "libmimalloc.so.2");
    await rm(library);
    await addCommand("apt-get", `[ "$1" = update ] || : >"${library}"`);
    expect(await setup(["test"])).toMatchObject({
      code: 0,
      stderr:
        "setup: installing what gives a test's Redis another clock (apt-get install faketime libmimalloc-dev)\n",
    });
    expect((await calls()).at(-1)).toBe(
      "apt-get install -y -q --no-install-recommends faketime libmimalloc-dev",
    );
  });

  test("that cannot be installed is no reason not to run the other tests", async () => {
    await addCommand("id", "echo 1000");
    const { code, stderr } = await setup(["test"]);
    expect(code).toBe(0);
    expect(stderr).toContain("the test of a Redis whose clock is behind will fail");
    for (const advice of ["apt-get install", "dnf install", "apk add"])
      expect(stderr).toContain(advice);
  });
});
