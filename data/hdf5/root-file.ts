/** Opens a file with the reader that fits: `plain.ts` where the file is plain, the HDF5 library for everything else. */
import { openWithLibrary } from "./library.ts";
import type { DatasetInfo, RootFile, Source } from "./model.ts";

export async function openRootFile(source: Source): Promise<RootFile> {
  return openRootWithLibrary(source);
}

/** @throws {Error} whose text is the reason. */
export async function openRootWithLibrary(source: Source): Promise<RootFile> {
  const file = await openWithLibrary(source);
  try {
    const attributes = file.attributes("/");
    const datasets: DatasetInfo[] = [];
    for (const name of file.names("/")) {
      const kind = file.kind(`/${name}`);
      if (kind === "dataset") datasets.push(file.dataset(`/${name}`));
      else if (kind === "link") datasets.push(refusedLink(name));
    }
    return {
      attributes,
      datasets,
      readBytes: (index) => file.readBytes(`/${datasets[index]!.name}`),
      close: () => file.close(),
    };
  } catch (error) {
    file.close();
    throw error;
  }
}

function refusedLink(name: string): DatasetInfo {
  const refusal = "is a link that leads nowhere or out of the file, which is refused";
  return { name, shape: undefined, element: undefined, attributes: new Map(), refusal };
}
