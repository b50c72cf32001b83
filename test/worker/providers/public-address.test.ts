import { isIPv4 } from "node:net";
import * as fc from "fast-check";
import { expect, test } from "vitest";
import {
  describeNonPublic,
  publicLookup,
  refuseNonPublicLiteral,
  type Resolve,
} from "../../../worker/providers/public-address.ts";

const refused = [
  ["0.0.0.0", "an unspecified address"],
  ["0.1.2.3", "an unspecified address"],
  ["10.0.0.1", "a private address"],
  ["100.100.100.200", "an address of a carrier's own network"],
  ["127.0.0.1", "a loopback address"],
  ["127.255.255.254", "a loopback address"],
  ["168.63.129.16", "a metadata address"],
  ["169.254.169.254", "a link-local or metadata address"],
  ["172.31.255.255", "a private address"],
  ["192.168.1.1", "a private address"],
  ["198.19.0.1", "a reserved address"],
  ["224.0.0.251", "a multicast address"],
  ["255.255.255.255", "a reserved address"],
  ["::", "an unspecified address"],
  ["::1", "a loopback address"],
  ["fd00:ec2::254", "a private address"],
  ["fe80::1", "a link-local address"],
  ["fe80::1%eth0", "a link-local address"],
  ["fec0::1", "a private address"],
  ["ff02::1", "a multicast address"],
  ["64:ff9b:1::a00:1", "an address of a local translator"],
  ["2001:0:4136:e378::1", "a reserved address"],
  ["::ffff:10.0.0.1", "a private address"],
  ["::ffff:7f00:1", "a loopback address"],
  ["::10.0.0.1", "a private address"],
  ["64:ff9b::169.254.169.254", "a link-local or metadata address"],
  ["2002:a00:1::1", "a private address"],
  ["2002:7f00:1::", "a loopback address"],
] as const;

test.each(refused)("%s is %s", (address, what) => {
  expect(describeNonPublic(address)).toBe(what);
});

test.each([
  ["1.1.1.1"],
  ["9.255.255.255"],
  ["11.0.0.0"],
  ["100.63.255.255"],
  ["100.128.0.0"],
  ["172.15.255.255"],
  ["172.32.0.0"],
  ["223.255.255.255"],
  ["2606:4700:4700::1111"],
  ["::ffff:1.1.1.1"],
  ["64:ff9b::1.1.1.1"],
  ["2002:101:101::1"],
])("%s is public", (address) => {
  expect(describeNonPublic(address)).toBeUndefined();
});

test("an IPv4 address is judged alike in each form that IPv6 has for it", () => {
  fc.assert(
    fc.property(fc.ipV4().filter(isIPv4), (address) => {
      const bytes = Buffer.from(address.split(".").map(Number)).toString("hex");
      const sixToFour = `2002:${bytes.slice(0, 4)}:${bytes.slice(4)}::1`;
      const forms = [`::ffff:${address}`, `64:ff9b::${address}`, sixToFour];
      expect(forms.map((form) => describeNonPublic(form))).toEqual(
        forms.map(() => describeNonPublic(address)),
      );
    }),
  );
});

test.each([
  "https://127.1/",
  "https://2130706433/",
  "https://0x7f.0.0.1/",
  "https://017700000001/",
  "https://[::ffff:10.0.0.1]/",
  "https://user:secret@169.254.169.254/latest",
])("%s is refused before anything is looked up", (url) => {
  expect(() => refuseNonPublicLiteral(new URL(url))).toThrow("address");
});

const toBoth: Resolve = (_host, _options, done) =>
  done(null, [
    { address: "203.0.113.7", family: 4 },
    { address: "10.0.0.1", family: 4 },
  ]);

test("a name with one public and one private address is refused", async () => {
  const answer = await new Promise((done) => {
    publicLookup(toBoth)("images.test", {}, (error) => done(error));
  });
  expect(answer).toMatchObject({ message: "images.test (10.0.0.1) is a private address" });
});
