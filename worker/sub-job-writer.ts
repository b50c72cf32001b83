import type { Queue } from "bullmq";
import { jobNames, jobOptions, type CallJob } from "../shared/job.ts";
import { Together } from "./together.ts";

/** Prompts whose sub-jobs are added in one pipeline at most. */
const mostTogether = 50;

/** A sub-job to be. */
export interface SubJob {
  id: string;
  data: CallJob;
}

/** The sub-jobs of one prompt job, which is told by its id. */
interface Family {
  parent: string;
  subJobs: readonly SubJob[];
}

/**
 * Adds sub-jobs to a lane's queue, ahead of waiting prompts. Those of prompts that are expanded together share a pipeline,
 * of which each costs as much to open as a job to add.
 */
export class SubJobWriter {
  readonly #families: Together<Family, string[]>;

  constructor(queue: Queue) {
    this.#families = new Together(mostTogether, (families) => addAll(queue, families));
  }

  /**
   * Adds the sub-jobs of a prompt job, the first to be taken first. Those that are there already stay.
   * @returns the ids of those that Redis did not add, with its answer
   * @throws what Redis refuses the commands with
   */
  async add(parent: string, subJobs: readonly SubJob[]): Promise<string[]> {
    return await this.#families.add({ parent, subJobs });
  }
}

async function addAll(queue: Queue, families: readonly Family[]): Promise<string[][]> {
  const jobs = families.flatMap(({ parent, subJobs }) =>
    // Each `lifo` job goes to the very front, so the first call has to be added last.
    subJobs.toReversed().map(({ id, data }) => ({
      name: jobNames.call,
      data,
      opts: {
        ...jobOptions(id),
        parent: { id: parent, queue: queue.qualifiedName },
        lifo: true,
        ignoreDependencyOnFailure: true,
      },
    })),
  );
  const added = await queue.addBulk(jobs);
  return families.map(({ subJobs }) =>
    added.splice(0, subJobs.length).flatMap((job, i) => {
      const { id } = subJobs.at(-1 - i)!;
      return job.id === id ? [] : `${id}: ${job.id}`;
    }),
  );
}
