import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { aclServer } from "../helpers/acl.ts";
import { driveAll, whole } from "../helpers/drive-all.ts";
import { startTestRedis } from "../helpers/redis.ts";
import { openStage } from "../helpers/stage.ts";
import { tlsFile } from "../helpers/tls.ts";

const prompts = 60;

describe.concurrent("enqueue, work, status, pause, unpause and doctor work", () => {
  test("over TLS with an authority of one's own and a certificate for the client", async () => {
    const mutual = ["--tls-auth-clients", "yes"];
    await using server = await startTestRedis({ tls: true, arguments: mutual });
    await using stage = await openStage({ latencyMs: 300 });
    Object.assign(stage.env, {
      REDIS_URL: server.url,
      REDIS_TLS_CA_FILE: tlsFile("ca.pem"),
      REDIS_TLS_CERT_FILE: tlsFile("client.pem"),
      REDIS_TLS_KEY_FILE: tlsFile("client-key.pem"),
    });
    expect(await driveAll(stage, { prompts })).toEqual(whole(prompts));
  });

  test("as the user that docs/redis.md recommends, with the password in a file", async () => {
    const user = aclServer();
    const alone = [...user.arguments, "--user", "default", "off"];
    await using server = await startTestRedis({ tcp: true, arguments: alone });
    await using stage = await openStage({ latencyMs: 300 });
    const passwordFile = join(stage.folder, "password");
    writeFileSync(passwordFile, `${user.password}\n`);
    Object.assign(stage.env, {
      REDIS_URL: server.url,
      REDIS_USERNAME: user.name,
      REDIS_PASSWORD_FILE: passwordFile,
    });
    expect(await driveAll(stage, { prompts })).toEqual(whole(prompts));
  });
});
