/**
 * An account on Azure, as far as the plays go: resource groups and what is in them, each thing known by its path. Things of others
 * are in it too.
 */
import { completed, type Properties } from "./azure-resources.ts";

export type Tags = Readonly<Record<string, string>>;

/** Anything that has a path, written as it was when it was made. Azure itself does not look at the case of paths. */
export interface Resource {
  readonly id: string;
  readonly name: string;
  /** Such as `Microsoft.Network/publicIPAddresses`. */
  readonly type: string;
  readonly properties: Properties;
  readonly location?: string;
  readonly tags?: Tags;
}

/** What Azure answers to a request that it refuses. */
export class AzureRefusal extends Error {
  readonly status: number;
  readonly code: string;

  constructor(status: number, code: string, message: string) {
    super(message);
    this.status = status;
    this.code = code;
  }
}

const GROUP = "Microsoft.Resources/resourceGroups";

export class AzureAccount {
  readonly subscription: string;
  /** How many requests changed something. */
  changes = 0;
  readonly #resources = new Map<string, Resource>();
  readonly #addresses: string[];

  /** @param addresses What new public addresses get, the first one first. */
  constructor(subscription: string, addresses: readonly string[]) {
    this.subscription = subscription;
    this.#addresses = [...addresses];
  }

  /** Path of a resource group. */
  group(name: string): string {
    return `/subscriptions/${this.subscription}/resourceGroups/${name}`;
  }

  groups(): Resource[] {
    return this.all().filter(({ type }) => type === GROUP);
  }

  /** Resources, groups among them: all, or those of one type below a path. */
  all(path = "", type?: string): Resource[] {
    const [within, wanted] = [`${path}/`.toLowerCase(), type?.toLowerCase()];
    return [...this.#resources.values()].filter(
      (one) => one.id.toLowerCase().startsWith(within) && (wanted === undefined || one.type.toLowerCase() === wanted),
    );
  }

  find(path: string): Resource | undefined {
    return this.#resources.get(path.toLowerCase());
  }

  /** @throws {AzureRefusal} Where there is none. */
  get(path: string): Resource {
    const found = this.find(path);
    if (found !== undefined) return found;
    const kind = path.toLowerCase().includes("/providers/") ? "Resource" : "ResourceGroup";
    throw new AzureRefusal(404, `${kind}NotFound`, `there is no ${path}`);
  }

  /** Makes or changes what is at a path. @throws {AzureRefusal} */
  put(path: string, body: Partial<Pick<Resource, "location" | "tags" | "properties">>): Resource {
    const { parent, name, type } = placeOf(path);
    if (parent !== undefined) this.get(parent);
    for (const id of namedBy(path, body.properties)) this.get(id);
    const before = this.find(path);
    const asked = { ...body, id: before?.id ?? path, name, type, properties: body.properties ?? {} };
    const properties = completed(asked, before, { address: () => this.#nextAddress(), disk: (id) => this.#disk(id) });
    const made: Resource = { ...asked, properties: { ...properties, provisioningState: "Succeeded" } };
    this.#resources.set(path.toLowerCase(), made);
    return made;
  }

  /** With all that is in it. @throws {AzureRefusal} When something outside of it needs it. */
  remove(path: string): void {
    const inside = (id: string): boolean => isWithin(path, id);
    const user = this.all().find(({ id, properties }) => !inside(id) && namedBy(id, properties).some(inside));
    if (user !== undefined) throw new AzureRefusal(409, "InUse", `${path} is in use by ${user.id}`);
    for (const { id, properties } of this.all().filter((resource) => inside(resource.id))) {
      const address = properties["ipAddress"];
      if (typeof address === "string") this.#addresses.unshift(address);
      this.#resources.delete(id.toLowerCase());
    }
  }

  /** As the cloud does with a spot machine that it takes away: the disk goes too, and the rest stays. */
  evict(machine: Resource): void {
    const disks = namedBy(machine.id, machine.properties).filter((id) => id.includes("/disks/"));
    this.remove(machine.id);
    for (const disk of disks) this.remove(disk);
  }

  /** A disk that comes with its machine. */
  #disk(id: string): void {
    if (this.find(id) !== undefined) throw new AzureRefusal(409, "Conflict", `there is a disk ${id} already`);
    this.put(id, {});
  }

  #nextAddress(): string {
    const address = this.#addresses.shift();
    if (address === undefined) throw new AzureRefusal(409, "PublicIPCountLimitReached", "there are no more addresses");
    return address;
  }
}

/** What has to be there before, and what a path says of the thing itself. @throws {AzureRefusal} */
function placeOf(path: string): { parent: string | undefined; name: string; type: string } {
  const group = /^\/subscriptions\/[^/]+\/resourceGroups\/([^/]+)$/i.exec(path);
  if (group !== null) return { parent: undefined, name: group[1]!, type: GROUP };
  const found = /^(.+)\/providers\/([^/]+)\/(.+)$/i.exec(path);
  const steps = found?.[3]?.split("/") ?? [];
  if (found === null || steps.length % 2 !== 0) throw new AzureRefusal(400, "InvalidResourceId", path);
  return {
    parent: steps.length === 2 ? found[1]! : path.split("/").slice(0, -2).join("/"),
    name: steps.at(-1)!,
    type: [found[2], ...steps.filter((_, index) => index % 2 === 0)].join("/"),
  };
}

/** Paths of other things that a thing names, at any depth of what is asked of it: `{ id: path }`. */
function namedBy(path: string, value: unknown): string[] {
  if (typeof value !== "object" || value === null) return [];
  const { id } = value as { id?: unknown };
  if (typeof id === "string" && !isWithin(path, id)) return [id];
  return Object.values(value).flatMap((one) => namedBy(path, one));
}

/** Whether a path leads to a thing or into it. */
function isWithin(path: string, id: string): boolean {
  return `${id}/`.toLowerCase().startsWith(`${path}/`.toLowerCase());
}
