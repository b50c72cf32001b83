import { html } from "../../shared/html.ts";
import type { Page } from "../page.ts";

/** Asks for the token. */
export function signInPage(wasWrong: boolean): Page {
  const main = html`<section class="narrow">
    <h1>Sign in</h1>
    <p>
      Pausing, cancelling and retrying need the token that <code>imagemill monitor</code> printed
      when it started, or that it was started with.
    </p>
    ${wasWrong ? html`<p class="note bad" role="alert">That is not the token.</p>` : ""}
    <form method="post" action="/sign-in" class="sign-in">
      <label for="token">Token</label>
      <input id="token" name="token" type="password" autocomplete="off" required autofocus />
      <button class="primary">Sign in</button>
    </form>
  </section>`;
  return { title: "Sign in", section: "none", main };
}
