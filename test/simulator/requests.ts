import { z } from "zod";

/** The answer of the images API as far as the tests look at it. */
export const ImagesAnswer = z.looseObject({
  data: z.array(
    z.object({
      b64_json: z.string().optional(),
      url: z.string().optional(),
      revised_prompt: z.string().optional(),
    }),
  ),
  size: z.string().optional(),
  quality: z.string().optional(),
  usage: z.object({ output_tokens: z.number(), total_tokens: z.number() }).optional(),
});

/** An OpenAI error. */
export const ErrorAnswer = z.object({
  error: z.looseObject({
    message: z.string(),
    type: z.string(),
    param: z.string().nullable(),
    code: z.string().nullable(),
  }),
});

/** POSTs JSON. */
export function post(
  url: string,
  body: unknown,
  headers: Record<string, string> = {},
): Promise<Response> {
  return fetch(url, {
    method: "POST",
    headers: { "content-type": "application/json", ...headers },
    body: JSON.stringify(body),
  });
}

/** Asks for images over the OpenAI API of a simulator. */
export function askImages(
  base: string,
  body: object,
  headers?: Record<string, string>,
): Promise<Response> {
  return post(
    `${base}/v1/images/generations`,
    { model: "imagemill-sim", prompt: "a fox", ...body },
    headers,
  );
}

/** The images of a good answer. */
export async function imagesOf(response: Response): Promise<Buffer[]> {
  const { data } = ImagesAnswer.parse(await response.json());
  return data.map(({ b64_json = "" }) => Buffer.from(b64_json, "base64"));
}

/** The error of a bad answer, with its status. */
export async function errorOf(response: Response) {
  return { status: response.status, ...ErrorAnswer.parse(await response.json()).error };
}
