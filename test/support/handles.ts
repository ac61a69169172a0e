/** What keeps a process alive: sockets, servers, timers. */
import { setTimeout as sleep } from "node:timers/promises";

function counts(): Map<string, number> {
  const found = new Map<string, number>();
  for (const name of process.getActiveResourcesInfo()) found.set(name, (found.get(name) ?? 0) + 1);
  return found;
}

/** Begins to watch; the function it returns resolves to what is still open beyond that, after it had time to close. */
export function watchHandles(): () => Promise<string[]> {
  const before = counts();
  const beyond = (): string[] =>
    [...counts()]
      .filter(([name, count]) => /TCP|TLS|Pipe|Server|FSReq/.test(name) && count > (before.get(name) ?? 0))
      .map(([name]) => name);
  return async () => {
    for (let attempt = 0; attempt < 200 && beyond().length > 0; attempt++) await sleep(10);
    return beyond();
  };
}
