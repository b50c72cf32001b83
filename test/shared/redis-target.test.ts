import { describe, expect, test } from "vitest";
import { describeRedis, parseRedisTarget } from "../../shared/redis-target.ts";
import { UsageError } from "../../shared/usage-error.ts";

describe("a Redis URL", () => {
  test.each([
    ["redis://localhost", "redis://localhost:6379/0"],
    ["redis://10.0.0.1:6380/3", "redis://10.0.0.1:6380/3"],
    ["rediss://user:secret@redis.example:6380", "rediss://redis.example:6380/0"],
    ["redis://[::1]:7000/", "redis://[::1]:7000/0"],
    ["redis+unix:///run/redis.sock", "redis+unix:///run/redis.sock"],
    ["unix:///run/a%20b.sock?db=2", "redis+unix:///run/a b.sock?db=2"],
    ["redis+sentinel://s1,s2:5000/main/1", "redis+sentinel://s1:26379,s2:5000/main/1"],
    ["rediss+sentinel://s1/main", "rediss+sentinel://s1:26379/main/0"],
    ["redis+cluster://:secret@n1,n2:7001", "redis+cluster://n1:6379,n2:7001"],
    ["rediss+cluster://n1/0", "rediss+cluster://n1:6379"],
  ])("%s is read, and printed as %s", (url, printed) => {
    expect(describeRedis(parseRedisTarget(url))).toBe(printed);
  });

  test("gives user name and password, percent-decoded", () => {
    const target = parseRedisTarget("redis://me%40home:p%2Fa%3Ass@localhost");
    expect(target).toMatchObject({ username: "me@home", password: "p/a:ss" });
  });

  test("may hold @, : and / in the password as they are", () => {
    expect(parseRedisTarget("redis://:p@s:s/@localhost/1")).toMatchObject({
      password: "p@s:s/",
      db: 1,
    });
  });

  test("has no user name where only a password stands", () => {
    expect(parseRedisTarget("redis://:secret@localhost").username).toBeUndefined();
  });

  test("gives way to a user name and a password from elsewhere", () => {
    const target = parseRedisTarget("redis://a:old@localhost", { username: "b", password: "new" });
    expect(target).toMatchObject({ username: "b", password: "new" });
    expect(parseRedisTarget("redis://a:old@localhost", { password: "new" })).toMatchObject({
      username: "a",
    });
  });

  test.each([
    ["localhost:6379", "without a scheme"],
    ["http://localhost", "the scheme `http://`"],
    ["redis://", "host 1 not of the form host or host:port"],
    ["redis://localhost:99999", "host 1 not of the form"],
    ["redis://:hunter2?x@localhost", "a `?` in a password is `%3F`"],
    ["redis://:hunter2%@localhost", "a password that is not percent-encoded"],
    ["redis://:hunter2@localhost/hunter2", "a database that is not a number"],
    ["redis://hunter2,b", "use redis+sentinel:// or redis+cluster://"],
    ["redis+sentinel://s1", "no name of the master"],
    ["redis+cluster://:hunter2@n1,,n2", "host 2 not of the form"],
    ["redis+cluster://n1/1", "a database other than 0"],
    ["redis+unix://run/redis.sock", "a socket path that is not absolute"],
    ["redis+unix:///run/redis.sock?password=hunter2", "a setting other than `?db=0`"],
  ])("%s is refused: %s", (url, problem) => {
    const parse = () => parseRedisTarget(url);
    expect(parse).toThrow(UsageError);
    expect(parse).toThrow(problem);
    expect(parse).toThrow("Expected a Redis URL like redis://host:6379/0");
    expect(parse).not.toThrow("hunter2");
  });
});
