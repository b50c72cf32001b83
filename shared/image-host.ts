import { z } from "zod";

/** A host that images at URLs may come from: a name or an address, with or without a port, and no URL. */
export const ImageHost = z
  .string()
  .regex(
    /^([\w.-]+(:\d+)?|\[[\da-f:.]+\](:\d+)?|[\da-f:.]+)$/i,
    "expected a host such as minio.internal or minio.internal:9000, without http://",
  );
