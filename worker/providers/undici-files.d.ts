// undici's agent by the file that it is in: the package's entry loads 80 files more, and with them Node's own `fetch`, which is
// a twelfth of the start of a run. The package has no `exports` that would keep its files in: so package.json takes patches only.

declare module "undici/lib/dispatcher/agent.js" {
  export { Agent as default } from "undici";
}
