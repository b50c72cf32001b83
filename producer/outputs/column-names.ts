/**
 * Gives the dataset's columns their names in an output. One that clashes with a reserved name becomes `source_<name>`;
 * upper and lower case count as the same, since several tools that read Parquet see no difference. The name of a
 * column is settled when it is first seen and stays. Names that end in `file_name` or `file_names` end in `filename(s)` then:
 * Hugging Face `datasets` opens what stands in a text column with such an ending, whatever comes before it.
 */
export class ColumnNames {
  readonly #isReserved: (lowerCaseName: string) => boolean;
  readonly #names = new Map<string, string>();
  readonly #taken = new Set<string>();

  constructor(isReserved: (lowerCaseName: string) => boolean) {
    this.#isReserved = isReserved;
  }

  nameOf(column: string): string {
    const known = this.#names.get(column);
    if (known !== undefined) return known;
    const wanted = column === "" ? "column" : column;
    const base = this.#isReserved(wanted.toLowerCase())
      ? `source_${wanted}`.replace(/file_name(s?)$/i, "filename$1")
      : wanted;
    let name = base;
    for (let count = 2; this.#taken.has(name.toLowerCase()); count++) name = `${base}_${count}`;
    this.#taken.add(name.toLowerCase());
    this.#names.set(column, name);
    return name;
  }
}
