import { lookup, type LookupAddress, type LookupOptions } from "node:dns";
import { BlockList, isIP, isIPv6, type LookupFunction } from "node:net";

type Range = readonly [network: string, prefix: number, what: string];

/** IPv4 ranges in which nothing of the public Internet is (IANA's special-purpose registry; documentation left out). */
const ranges4: readonly Range[] = [
  ["0.0.0.0", 8, "an unspecified address"],
  ["10.0.0.0", 8, "a private address"],
  ["100.64.0.0", 10, "an address of a carrier's own network"],
  ["127.0.0.0", 8, "a loopback address"],
  // Azure answers with a machine's identity at an address that looks public.
  ["168.63.129.16", 32, "a metadata address"],
  ["169.254.0.0", 16, "a link-local or metadata address"],
  ["172.16.0.0", 12, "a private address"],
  ["192.0.0.0", 24, "a reserved address"],
  ["192.88.99.0", 24, "a reserved address"],
  ["192.168.0.0", 16, "a private address"],
  ["198.18.0.0", 15, "a reserved address"],
  ["224.0.0.0", 4, "a multicast address"],
  ["240.0.0.0", 4, "a reserved address"],
];

/** The same of IPv6; forms that hold an IPv4 address are made from {@link ranges4}. */
const ranges6: readonly Range[] = [
  ["::", 128, "an unspecified address"],
  ["::1", 128, "a loopback address"],
  ["64:ff9b:1::", 48, "an address of a local translator"],
  ["100::", 64, "a reserved address"],
  ["2001::", 23, "a reserved address"],
  ["fc00::", 7, "a private address"],
  ["fe80::", 10, "a link-local address"],
  ["fec0::", 10, "a private address"],
  ["ff00::", 8, "a multicast address"],
];

let lists: { list: BlockList; what: string }[] | undefined;

/** All ranges, made when the first address is looked at: many programs never ask for an image at a URL. */
function nonPublicLists() {
  lists ??= [...ranges4, ...ranges6, ...ranges4.flatMap(embedded)].map(
    ([network, prefix, what]) => {
      const list = new BlockList();
      list.addSubnet(network, prefix, isIPv6(network) ? "ipv6" : "ipv4");
      return { list, what };
    },
  );
  return lists;
}

/** An IPv4 range as IPv6 carries it: compatible (`::a.b.c.d`), translated (NAT64), and 6to4. BlockList itself knows mapped. */
function embedded([network, prefix, what]: Range): Range[] {
  const hex = Buffer.from(network.split(".").map(Number)).toString("hex");
  return [
    [`::${network}`, 96 + prefix, what],
    [`64:ff9b::${network}`, 96 + prefix, what],
    [`2002:${hex.slice(0, 4)}:${hex.slice(4)}::`, 16 + prefix, what],
  ];
}

/** What an IP address is that is not one of the public Internet, such as "a loopback address"; undefined where it is one. */
export function describeNonPublic(address: string): string | undefined {
  const [bare = ""] = address.split("%");
  const family = isIP(bare) === 6 ? "ipv6" : "ipv4";
  return nonPublicLists().find(({ list }) => list.check(bare, family))?.what;
}

/** A host that may not be asked, since its address is none of the public Internet. No connection was begun. */
export class NonPublicAddressError extends Error {
  override readonly name = "NonPublicAddressError";

  constructor(host: string, address: string, what: string) {
    super(`${host === address ? address : `${host} (${address})`} is ${what}`);
  }
}

/** @throws NonPublicAddressError where a URL's host is the literal address of another network than the public Internet */
export function refuseNonPublicLiteral({ hostname }: URL): void {
  const literal = hostname.replace(/^\[(.*)\]$/, "$1");
  const what = isIP(literal) > 0 ? describeNonPublic(literal) : undefined;
  if (what !== undefined) throw new NonPublicAddressError(literal, literal, what);
}

/** How host names are looked up: `dns.lookup`, or another one of its kind. */
export type Resolve = (
  host: string,
  options: LookupOptions & { all: true },
  done: (error: NodeJS.ErrnoException | null, addresses: LookupAddress[]) => void,
) => void;

/**
 * A socket's own look-up that gives a name's addresses only if all are public: between this check and the connection
 * nothing is looked up again, so that a name that changes its address cannot slip through.
 */
export function publicLookup(resolve: Resolve = lookup): LookupFunction {
  return (host, options, done) => {
    resolve(host, { ...options, all: true }, (error, addresses) => {
      if (error) return done(error, []);
      for (const { address } of addresses) {
        const what = describeNonPublic(address);
        if (what !== undefined) return done(new NonPublicAddressError(host, address, what), []);
      }
      const [first] = addresses;
      if (options.all || !first) return done(null, addresses);
      return done(null, first.address, first.family);
    });
  };
}
