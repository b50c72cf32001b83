/** An object's bytes, and the tag of this very version of it. */
export interface StoredObject {
  bytes: Buffer;
  tag: string;
}

/** An object whose bytes are on their way. */
export interface ObjectBody {
  /** Throws StorageError where the storage breaks off. Who does not read it to its end returns it. */
  body: AsyncGenerator<Uint8Array>;
  bytes: number;
  tag: string;
}

/** What a listing tells of an object. */
export interface ListedObject {
  /** Relative to the store's location. */
  name: string;
  bytes: number;
  tag: string;
}

/** Holds only while there is no object of the name, or while it is still that version. */
export type Condition = "absent" | { tag: string };

/**
 * Objects at one location of an S3-compatible storage, by names relative to it. Each is written as a whole or not at all.
 * Every method throws StorageError, which names object and reason, when the storage is in trouble.
 */
export interface ObjectStore {
  /** `s3://bucket/prefix`. */
  readonly location: string;
  /**
   * Tells storages apart, by a hash of the address that it is asked at: buckets of two may have the same name. One that is
   * reached by two addresses counts as two.
   */
  storage(): Promise<string>;
  get(name: string): Promise<StoredObject | undefined>;
  /** What it is, without its bytes; undefined where there is none. */
  look(name: string): Promise<Omit<ListedObject, "name"> | undefined>;
  /** Begins to read an object of any size; undefined where there is none. */
  open(name: string): Promise<ObjectBody | undefined>;
  /** Writes an object of any size to a local file; false where there is none. */
  getFile(name: string, path: string): Promise<boolean>;
  /** Writes an object and gives its tag; undefined where the condition does not hold. */
  put(name: string, bytes: Uint8Array, condition?: Condition): Promise<string | undefined>;
  /** Writes a local file of any size, replacing what is there. */
  putFile(name: string, path: string): Promise<void>;
  /** Objects whose name begins with `start`, in the order of their names. */
  list(start: string): AsyncGenerator<ListedObject>;
  /** Names of the folders directly below the location: what stands before the first slash of names. */
  listFolders(): AsyncGenerator<string>;
  /** Removes an object, whether or not it is there. */
  remove(name: string): Promise<void>;
  /** Ends its connections. */
  close(): void;
}
