const signatures: readonly [RegExp, string][] = [
  [/^(<\?xml[^>]*>\s*)?(<!--[^]*?-->\s*)?(<!doctype svg[^>]*>\s*)?<svg[\s/>]/i, "an SVG drawing"],
  [/^(<!--[^]*?-->\s*)?<(!doctype html|html|head|body)[\s>]/i, "an HTML page"],
  [/^<\?xml/i, "XML"],
  [/^[{[]/, "JSON"],
  [/^%PDF-/, "a PDF"],
  [/^BM[^]{4}(?![ -~]{4})/, "a BMP image"],
  [/^(II\*[^]|MM[^]\*)/, "a TIFF image"],
  [/^[^]{4}ftyp(avif|avis)/, "an AVIF image"],
  [/^[^]{4}ftyp(heic|heix|mif1)/, "a HEIC image"],
  [/^(\xff\n|[^]{4}JXL )/, "a JPEG XL image"],
  [/^[^]{4}ftyp/, "a video"],
  [/^[^]\x8b/, "gzip data"],
];

/** Says in a few words what bytes look like, for the message that they are not what was expected. */
export function describeBytes(bytes: Buffer): string {
  if (bytes.length === 0) return "empty";
  const start = bytes.toString("latin1", 0, 512);
  const text = start.replace(/^\xef\xbb\xbf/, "").trimStart();
  const known = signatures.find(([pattern]) => pattern.test(text));
  if (known) return known[1];
  return /^[\t\n\r\x20-\x7e]*$/.test(start) ? "text" : "something else";
}
