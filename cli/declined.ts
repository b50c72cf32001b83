/** The person did not want the run: nothing was sent. */
export class Declined extends Error {
  override readonly name = "Declined";
}
