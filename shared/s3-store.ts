import { createWriteStream } from "node:fs";
import { type FileHandle, open } from "node:fs/promises";
import { extname } from "node:path";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { setTimeout as delay } from "node:timers/promises";
import {
  AbortMultipartUploadCommand,
  CompleteMultipartUploadCommand,
  CreateMultipartUploadCommand,
  DeleteObjectCommand,
  GetObjectCommand,
  HeadObjectCommand,
  ListObjectsV2Command,
  type ListObjectsV2CommandOutput,
  PutObjectCommand,
  S3Client,
  UploadPartCommand,
  type S3ClientConfig,
} from "@aws-sdk/client-s3";
import { messageOf } from "./caught.ts";
import type {
  Condition,
  ListedObject,
  ObjectBody,
  ObjectStore,
  StoredObject,
} from "./object-store.ts";
import { watchAddress } from "./s3-address.ts";
import { isAbsent, isConflict, isUnmet, s3Error } from "./s3-errors.ts";
import { stateFolder } from "./state-files.ts";
import { normalS3Location, parseS3Location } from "./s3-location.ts";
import { StorageError } from "./storage.ts";

/** Files beyond it are sent in several parts. */
const partBytes = 16 * 1024 * 1024;
/** The most parts that S3 takes. */
const mostParts = 10_000;
/** How often a put is tried that met another one of the same object. */
const conflictTries = 8;

const contentTypes: Record<string, string> = {
  ".png": "image/png",
  ".jpg": "image/jpeg",
  ".webp": "image/webp",
  ".gif": "image/gif",
  ".html": "text/html; charset=utf-8",
  ".md": "text/markdown; charset=utf-8",
  ".json": "application/json",
  ".jsonl": "application/jsonl",
  ".parquet": "application/vnd.apache.parquet",
};

/** A storage that hangs is one that is away. Many images are on their way at once, each over a connection. */
const requestHandler = {
  connectionTimeout: 5_000,
  socketTimeout: 30_000,
  requestTimeout: 120_000,
  throwOnRequestTimeout: true,
  socketAcquisitionWarningTimeout: 600_000,
  httpAgent: { maxSockets: 256 },
  httpsAgent: { maxSockets: 256 },
};

/**
 * Opens a location of an S3-compatible storage; nothing is asked yet. `options` are those of the SDK's client: without
 * credentials, region or endpoint it looks for them in its standard places.
 * @throws UsageError where the location is malformed
 */
export function openS3Store(location: string, options: S3ClientConfig): ObjectStore {
  return new S3Store(location, new S3Client({ requestHandler, ...options }));
}

class S3Store implements ObjectStore {
  readonly location: string;
  readonly #client: S3Client;
  readonly #place: ReturnType<typeof parseS3Location>;
  readonly #address: () => string | undefined;

  constructor(location: string, client: S3Client) {
    this.location = normalS3Location(location);
    this.#place = parseS3Location(location);
    this.#client = client;
    this.#address = watchAddress(client);
  }

  async storage(): Promise<string> {
    if (this.#address() === undefined) await this.look(`${stateFolder}/run.json`);
    return this.#address() ?? "";
  }

  async get(name: string): Promise<StoredObject | undefined> {
    const found = await this.open(name);
    if (!found) return undefined;
    const chunks: Uint8Array[] = [];
    for await (const chunk of found.body) chunks.push(chunk);
    return { bytes: Buffer.concat(chunks), tag: found.tag };
  }

  async look(name: string): Promise<{ bytes: number; tag: string } | undefined> {
    return await this.#asking(name, async () => {
      try {
        const { ContentLength: bytes = 0, ETag: tag = "" } = await this.#client.send(
          new HeadObjectCommand(this.#object(name)),
        );
        return { bytes, tag };
      } catch (error) {
        if (isAbsent(error)) return undefined;
        throw error;
      }
    });
  }

  async open(name: string): Promise<ObjectBody | undefined> {
    return await this.#asking(name, async () => {
      try {
        const {
          Body: body,
          ETag: tag = "",
          ContentLength: bytes = 0,
        } = await this.#client.send(new GetObjectCommand(this.#object(name)));
        if (!(body instanceof Readable)) throw new Error("expected a stream of bytes");
        return { body: this.#received(name, body), bytes, tag };
      } catch (error) {
        if (isAbsent(error)) return undefined;
        throw error;
      }
    });
  }

  /** What breaks on the way is the storage's trouble; what breaks where it goes to, such as a disk, is not. */
  async *#received(name: string, body: Readable): AsyncGenerator<Uint8Array> {
    try {
      yield* body;
    } catch (error) {
      throw this.#trouble(name, error);
    }
  }

  async getFile(name: string, path: string): Promise<boolean> {
    const found = await this.open(name);
    if (!found) return false;
    await pipeline(found.body, createWriteStream(path));
    return true;
  }

  async put(name: string, bytes: Uint8Array, condition?: Condition): Promise<string | undefined> {
    const command = {
      ...this.#object(name),
      ...typeOf(name),
      Body: bytes,
      ...(condition === "absent" && { IfNoneMatch: "*" }),
      ...(typeof condition === "object" && { IfMatch: condition.tag }),
    };
    return await this.#asking(name, async () => {
      for (let tries = 1; ; tries++) {
        try {
          const { ETag: tag } = await this.#client.send(new PutObjectCommand(command));
          return tag ?? "";
        } catch (error) {
          if (isUnmet(error) || (typeof condition === "object" && isAbsent(error)))
            return undefined;
          if (!isConflict(error) || tries === conflictTries) throw error;
          await delay(50 * tries);
        }
      }
    });
  }

  async putFile(name: string, path: string): Promise<void> {
    await using file = await open(path);
    const { size } = await file.stat();
    const length = Math.max(partBytes, Math.ceil(size / mostParts));
    const read = (from: number) => readBytes(file, path, from, Math.min(length, size - from));
    if (size <= length) {
      await this.put(name, await read(0));
      return;
    }
    await this.#asking(name, () => this.#putParts(name, size, length, read));
  }

  async #putParts(
    name: string,
    size: number,
    length: number,
    read: (position: number) => Promise<Buffer>,
  ): Promise<void> {
    const object = this.#object(name);
    const { UploadId } = await this.#client.send(
      new CreateMultipartUploadCommand({ ...object, ...typeOf(name) }),
    );
    try {
      const Parts: { ETag: string | undefined; PartNumber: number }[] = [];
      for (let position = 0; position < size; position += length) {
        const PartNumber = Parts.length + 1;
        const part = { ...object, UploadId, PartNumber, Body: await read(position) };
        const { ETag } = await this.#client.send(new UploadPartCommand(part));
        Parts.push({ ETag, PartNumber });
      }
      await this.#client.send(
        new CompleteMultipartUploadCommand({ ...object, UploadId, MultipartUpload: { Parts } }),
      );
    } catch (error) {
      // The error that ended it is what counts: what is left of the parts is told of by the storage's owner.
      await this.#client
        .send(new AbortMultipartUploadCommand({ ...object, UploadId }))
        .catch(() => undefined);
      throw error;
    }
  }

  async *list(start: string): AsyncGenerator<ListedObject> {
    const { prefix } = this.#place;
    for await (const { Contents } of this.#pages(start))
      for (const { Key = "", Size: bytes = 0, ETag: tag = "" } of Contents ?? [])
        yield { name: Key.slice(prefix.length), bytes, tag };
  }

  async *listFolders(): AsyncGenerator<string> {
    const { prefix } = this.#place;
    for await (const { CommonPrefixes } of this.#pages("", "/"))
      for (const { Prefix = "" } of CommonPrefixes ?? []) yield Prefix.slice(prefix.length, -1);
  }

  async *#pages(start: string, Delimiter?: string): AsyncGenerator<ListObjectsV2CommandOutput> {
    const { bucket, prefix } = this.#place;
    for (let token: string | undefined; ;) {
      const page = await this.#asking(start, () =>
        this.#client.send(
          new ListObjectsV2Command({
            Bucket: bucket,
            Prefix: prefix + start,
            ContinuationToken: token,
            Delimiter,
          }),
        ),
      );
      yield page;
      token = page.NextContinuationToken;
      if (!page.IsTruncated || token === undefined) return;
    }
  }

  async remove(name: string): Promise<void> {
    await this.#asking(name, () => this.#client.send(new DeleteObjectCommand(this.#object(name))));
  }

  close(): void {
    this.#client.destroy();
  }

  #object(name: string): { Bucket: string; Key: string } {
    return { Bucket: this.#place.bucket, Key: this.#place.prefix + name };
  }

  /** Says which object and why, and turns the SDK's error into a StorageError. */
  async #asking<T>(name: string, ask: () => Promise<T>): Promise<T> {
    try {
      return await ask();
    } catch (error) {
      throw this.#trouble(name, error);
    }
  }

  #trouble(name: string, error: unknown): StorageError {
    if (error instanceof StorageError) return error;
    return s3Error(error, this.#place, `${this.location}/${name}`);
  }
}

/** @throws StorageError that names the file where it cannot be read or has become shorter */
async function readBytes(
  file: FileHandle,
  path: string,
  from: number,
  length: number,
): Promise<Buffer> {
  const bytes = Buffer.alloc(length);
  try {
    const { bytesRead } = await file.read(bytes, 0, length, from);
    if (bytesRead < length)
      throw new Error(`expected ${length} bytes from byte ${from}, got ${bytesRead}`);
    return bytes;
  } catch (error) {
    throw new StorageError(`cannot read ${path}: ${messageOf(error)}`, { cause: error });
  }
}

function typeOf(name: string): { ContentType?: string } {
  const ContentType = contentTypes[extname(name)];
  return ContentType === undefined ? {} : { ContentType };
}
