/** HTML that is safe to put into a page. Made by {@link html} only. */
export class Html {
  readonly text: string;

  constructor(text: string) {
    this.text = text;
  }
}

const entities: Record<string, string> = {
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
  '"': "&quot;",
  "'": "&#39;",
};

/** Text as it stands in HTML, inside an element or a quoted attribute; control characters become a visible mark. */
function escapeHtml(text: string): string {
  return (
    text
      .replace(/[&<>"']/g, (character) => entities[character]!)
      // oxlint-disable-next-line no-control-regex -- they are what is looked for
      .replace(/[\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f]/g, "\ufffd")
      .toWellFormed()
  );
}

/** Fills a template of HTML: texts and numbers are escaped, other HTML and lists of it are put in as they are. */
export function html(
  strings: TemplateStringsArray,
  ...values: (string | number | Html | Html[])[]
): Html {
  const parts = strings.map((string, position) => {
    const value = values[position];
    return value === undefined ? string : string + filled(value);
  });
  return new Html(parts.join(""));
}

function filled(value: string | number | Html | Html[]): string {
  if (value instanceof Html) return value.text;
  if (Array.isArray(value)) return value.map((part) => part.text).join("\n");
  return escapeHtml(String(value));
}
