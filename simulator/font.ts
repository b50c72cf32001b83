/** Width and height of a glyph in pixels, without the gap to its neighbours. */
export const glyphWidth = 3;
/** Height of every glyph in pixels. */
export const glyphHeight = 5;

/** Five octal digits a character: its rows from top to bottom, three bits each, the left pixel first. */
const glyphs: Record<string, number> = {
  " ": 0o00000,
  "!": 0o22202,
  '"': 0o55000,
  "#": 0o57575,
  $: 0o36236,
  "%": 0o51245,
  "&": 0o25253,
  "'": 0o22000,
  "(": 0o12221,
  ")": 0o42224,
  "*": 0o05250,
  "+": 0o02720,
  ",": 0o00024,
  "-": 0o00700,
  ".": 0o00002,
  "/": 0o11244,
  "0": 0o75557,
  "1": 0o26227,
  "2": 0o61247,
  "3": 0o61216,
  "4": 0o55711,
  "5": 0o74616,
  "6": 0o34757,
  "7": 0o71122,
  "8": 0o75757,
  "9": 0o75716,
  ":": 0o02020,
  ";": 0o02024,
  "<": 0o12421,
  "=": 0o07070,
  ">": 0o42124,
  "?": 0o61202,
  "@": 0o25543,
  A: 0o25755,
  B: 0o65656,
  C: 0o34443,
  D: 0o65556,
  E: 0o74647,
  F: 0o74644,
  G: 0o34553,
  H: 0o55755,
  I: 0o72227,
  J: 0o11152,
  K: 0o55655,
  L: 0o44447,
  M: 0o57755,
  N: 0o65555,
  O: 0o25552,
  P: 0o65644,
  Q: 0o25563,
  R: 0o65655,
  S: 0o34216,
  T: 0o72222,
  U: 0o55557,
  V: 0o55552,
  W: 0o55775,
  X: 0o55255,
  Y: 0o55222,
  Z: 0o71247,
  "[": 0o64446,
  "\\": 0o44211,
  "]": 0o31113,
  "^": 0o25000,
  _: 0o00007,
  "`": 0o42000,
  "{": 0o32623,
  "|": 0o22222,
  "}": 0o62326,
  "~": 0o03600,
};

/** What stands for a character without a glyph: a full block. */
const block = 0o77777;

/**
 * The 15 pixels of a character, the top left one in the highest bit. Letters have one case; a character outside of ASCII
 * is a full block.
 */
export function glyphOf(character: string): number {
  return glyphs[character] ?? glyphs[character.toUpperCase()] ?? block;
}
