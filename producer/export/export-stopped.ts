/** An export could not go on; once what its message names is mended, the same command goes on with it. */
export class ExportStopped extends Error {
  override readonly name = "ExportStopped";
}
