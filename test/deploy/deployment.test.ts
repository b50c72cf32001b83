import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { Command } from "commander";
import { describe, expect, test } from "vitest";
import { parse, parseAllDocuments } from "yaml";
import { z } from "zod";
import { program } from "../../cli.ts";
import { duration } from "../../cli/numbers.ts";

const root = join(import.meta.dirname, "../..");
const kubernetes = join(root, "examples/kubernetes");

const Service = z.object({
  command: z.array(z.string()).optional(),
  image: z.string(),
  stop_grace_period: z.string().optional(),
  profiles: z.array(z.string()).optional(),
  environment: z.record(z.string(), z.string().nullable()).optional(),
  volumes: z.array(z.string()).optional(),
});
const Compose = z.object({
  services: z.object({ redis: Service, worker: Service, producer: Service, simulator: Service }),
});

const Rule = z.object({
  action: z.string(),
  onExitCodes: z.object({ containerName: z.string(), values: z.array(z.int()) }).optional(),
});
const Pod = z.object({
  terminationGracePeriodSeconds: z.int().optional(),
  containers: z.array(
    z.object({
      name: z.string(),
      image: z.string(),
      args: z.array(z.string()),
      env: z.array(z.object({ name: z.string(), value: z.string() })).default([]),
      volumeMounts: z.array(z.object({ mountPath: z.string() })),
    }),
  ),
});
const Manifest = z.object({
  kind: z.string(),
  spec: z.object({
    template: z.object({ spec: Pod }).optional(),
    podFailurePolicy: z.object({ rules: z.array(Rule) }).optional(),
  }),
});

/** The services as compose reads them with no variable set: every `${NAME:-default}` is its default. */
const { services } = Compose.parse(
  parse(
    readFileSync(join(root, "docker-compose.yml"), "utf8").replaceAll(/\$\{\w+:-([^}]*)\}/g, "$1"),
    { merge: true },
  ),
);

const manifests = readdirSync(kubernetes).flatMap((name) =>
  parseAllDocuments(readFileSync(join(kubernetes, name), "utf8")).map((document) =>
    Manifest.parse(document.toJS()),
  ),
);

function podOf(kind: string) {
  const manifest = manifests.find((candidate) => candidate.kind === kind)!;
  const pod = manifest.spec.template!.spec;
  return { ...manifest.spec, pod, container: pod.containers[0]! };
}

/** Exit codes of the producer after which Kubernetes does this. */
function exitCodesFor(action: string): number[] {
  const { rules } = podOf("Job").podFailurePolicy!;
  return rules.flatMap((rule) => (rule.action === action ? (rule.onExitCodes?.values ?? []) : []));
}

/** Parses a command line as imagemill does, without running it. */
async function parseCommand([name, ...args]: readonly string[]): Promise<{
  name: string;
  command: Command;
  operands: string[];
}> {
  const { env, stdout, stderr } = process;
  const all = await program({ env, stdout, stderr, exitCode: 0 }, name);
  const command = all.commands.find((candidate) => candidate.name() === name);
  if (!command) throw new Error(`there is no command ${name}`);
  const { operands, unknown } = command.parseOptions([...args]);
  expect(unknown).toEqual([]);
  expect(operands).toHaveLength(command.registeredArguments.length);
  return { name: command.name(), command, operands };
}

async function timeoutOf(args: readonly string[]): Promise<number> {
  return z.object({ timeout: z.number() }).parse((await parseCommand(args)).command.opts()).timeout;
}

describe("docker-compose.yml", () => {
  test("has command lines that imagemill takes", async () => {
    const { worker, producer, simulator } = services;
    const parsed = [worker, producer, simulator].map(({ command }) => parseCommand(command!));
    const names = (await Promise.all(parsed)).map(({ name }) => name);
    expect(names).toEqual(["work", "enqueue", "simulate"]);
    expect(services.redis.command).toEqual(expect.arrayContaining(["noeviction", "--appendonly"]));
    expect(simulator.profiles).toEqual(["simulator"]);
  });

  test("lets workers and the producer finish their calls", async () => {
    const timeout = await timeoutOf(services.producer.command!);
    for (const { stop_grace_period: grace } of [services.worker, services.producer])
      expect(duration(grace!)).toBeGreaterThan(timeout);
  });

  test("gives workers and the producer one Redis, and the run directory at the same path", async () => {
    const { worker, producer } = services;
    const { out } = (await parseCommand(producer.command!)).command.opts<{ out: string }>();
    for (const { environment, volumes } of [worker, producer]) {
      expect(environment).toMatchObject({ REDIS_URL: "redis://redis:6379" });
      const mounts = volumes!.map((volume) => volume.split(":")[1]!);
      expect(mounts.some((path) => out.startsWith(`${path}/`))).toBe(true);
    }
  });
});

describe("examples/kubernetes", () => {
  const worker = podOf("Deployment");
  const producer = podOf("Job");

  test("has command lines that imagemill takes", async () => {
    expect((await parseCommand(worker.container.args)).name).toBe("work");
    expect((await parseCommand(producer.container.args)).name).toBe("enqueue");
  });

  test("lets workers and the producer finish their calls", async () => {
    const timeout = await timeoutOf(producer.container.args);
    for (const { pod } of [worker, producer])
      expect(pod.terminationGracePeriodSeconds! * 1_000).toBeGreaterThan(timeout);
  });

  test("gives secrets as files, below a folder that is mounted", () => {
    for (const { container } of [worker, producer]) {
      const secrets = container.env.filter(({ name }) => /PASSWORD|KEY|TOKEN/.test(name));
      expect(secrets.length).toBeGreaterThan(0);
      for (const { name, value } of secrets) {
        expect(name).toMatch(/_FILE$/);
        expect(container.volumeMounts.map(({ mountPath }) => mountPath)).toContain(
          value.slice(0, value.lastIndexOf("/")),
        );
      }
    }
  });

  test("ends the job where the same command would change nothing, and goes on after an interruption", () => {
    expect(exitCodesFor("FailJob")).toEqual([2, 3, 5]);
    expect(exitCodesFor("Ignore")).toEqual([130, 143]);
    for (const { onExitCodes } of producer.podFailurePolicy!.rules)
      expect(onExitCodes?.containerName ?? producer.container.name).toBe(producer.container.name);
  });
});

test("the Dockerfile runs as somebody else than root, and by default a worker that imagemill takes", async () => {
  const lines = readFileSync(join(root, "Dockerfile"), "utf8");
  expect(lines).toMatch(/^FROM node:24[^\n]*\n# tini/m);
  expect(lines).toMatch(/^USER node$/m);
  const command = z.array(z.string()).parse(JSON.parse(/^CMD (\[.*\])$/m.exec(lines)![1]!));
  expect((await parseCommand(command)).name).toBe("work");
  // The build makes dist and node_modules; the rest has to be there.
  const copied = Array.from(
    lines.matchAll(/^COPY --from=build \/app\/(\S+)/gm),
    ([, path]) => path!,
  );
  const missing = copied.filter((path) => !existsSync(join(root, path)));
  expect(missing.filter((path) => path !== "dist")).toEqual([]);
});
