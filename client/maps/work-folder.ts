/**
 * What a run keeps beside its output until the maps are verified: `<output>.work/`.
 *
 * - `parts/NAME`: one file per finished task, named by what it was computed from, with a checksum.
 * - `journal/JOB/`: the journal of the scheduler in this process, one folder a job, so that a run never goes on with a job
 *   that nobody asked it for. A job's id comes from what is computed: the same command finds the same folder.
 */
import { readdir, rm, rmdir } from "node:fs/promises";
import { join, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { asPeError } from "../../common/errors.ts";
import { makeFolders } from "../../data/folders.ts";

export interface WorkFolder {
  readonly path: string;
  /** Of the job's own journal. */
  readonly journal: string;
  readonly partsFolder: string;
  /** Of `partsFolder`, as workers are told it. */
  readonly partsUrl: string;
  /** Forgets how far the job came; its parts stay. */
  forgetProgress(): Promise<void>;
  /** Takes away this job and its parts; the folder too, unless another interrupted job has something in it. */
  remove(parts: Iterable<string>): Promise<void>;
}

/** @throws {PeError} `PE_OUTPUT_UNWRITABLE`, `PE_DISK_FULL` */
export async function openWorkFolder(output: string, jobId: string): Promise<WorkFolder> {
  const path = resolve(`${output}.work`);
  const [journals, partsFolder] = [join(path, "journal"), join(path, "parts")];
  const journal = join(journals, jobId);
  const make = async (): Promise<void> => {
    try {
      await makeFolders(partsFolder);
      await makeFolders(journal);
    } catch (error) {
      throw asPeError(error, "PE_OUTPUT_UNWRITABLE", `Cannot keep intermediate results in "${path}"`);
    }
  };
  await make();
  return {
    path,
    journal,
    partsFolder,
    partsUrl: pathToFileURL(partsFolder).href,
    forgetProgress: async () => {
      await rm(journal, { recursive: true, force: true });
      await make();
    },
    remove: async (parts) => {
      await rm(journal, { recursive: true, force: true });
      // Where version 0.1 kept the list of this job's finished tasks.
      await rm(join(path, jobId), { recursive: true, force: true });
      for (const name of parts) await rm(join(partsFolder, name), { force: true });
      await rmdir(journals).catch(() => undefined);
      const others = (await readdir(path)).filter((name) => name !== "parts");
      if (others.length === 0) await rm(path, { recursive: true, force: true });
      else await rmdir(partsFolder).catch(() => undefined);
    },
  };
}
