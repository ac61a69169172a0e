/**
 * An account on EC2, as far as the plays go: machines and their disks, groups, keys and templates, with tags and filters. Things
 * of others are in it too.
 */
import { forms, Refusal, word, words, type Answer, type Form } from "./query.ts";

export type Tags = Readonly<Record<string, string>>;

export interface Rule {
  readonly protocol: string;
  readonly ports: string;
  /** A network, or the id of a group. */
  readonly from: string;
  readonly about: string;
}

/** Anything that may bear tags. Its `says` is what a description of it holds. */
export interface Thing {
  readonly kind: "machine" | "disk" | "group" | "key" | "template";
  readonly id: string;
  readonly name: string;
  readonly says: Readonly<Record<string, Answer>>;
  tags: Tags;
  /** Of a machine. */
  state: "running" | "terminated";
  /** Of a machine: ids. Of a disk: that of its machine. */
  readonly uses: readonly string[];
  /** Of a group: what comes in. */
  rules: readonly Rule[];
}

export type Kind = Thing["kind"];

export const VPC = "vpc-1";
const PREFIX: Readonly<Record<Kind, string>> = { machine: "i", disk: "vol", group: "sg", key: "key", template: "lt" };

/** Names of the actions that were asked for are in `asked`. */
export class Ec2Account {
  readonly asked = new Set<string>();
  /** How many requests changed something. */
  changes = 0;
  readonly #things = new Map<string, Thing>();
  readonly #addresses: string[];
  #made = 0;

  /** @param addresses What new machines get, the first one first. */
  constructor(addresses: readonly string[]) {
    this.#addresses = [...addresses];
  }

  /** Things of a kind that have not ended. */
  all(kind: Kind): Thing[] {
    return [...this.#things.values()].filter((thing) => thing.kind === kind && thing.state !== "terminated");
  }

  /** Puts something into the account. */
  make(kind: Kind, about: Partial<Pick<Thing, "name" | "says" | "tags" | "uses" | "rules">> = {}): Thing {
    const id = `${PREFIX[kind]}-${(++this.#made).toString(16).padStart(17, "0")}`;
    const thing: Thing = { kind, id, name: "", says: {}, tags: {}, state: "running", uses: [], rules: [], ...about };
    this.#things.set(id, thing);
    return thing;
  }

  /** As the cloud does with a spot machine, and as who asks for it does with any. */
  end(machine: Thing): void {
    machine.state = "terminated";
    for (const disk of this.all("disk")) if (disk.uses.includes(machine.id)) this.#things.delete(disk.id);
    const address = machine.says["ipAddress"];
    if (typeof address === "string") this.#addresses.unshift(address);
  }

  /** A request has come in. */
  note(action: string): void {
    this.asked.add(action);
    if (!/^(Describe|Get)/.test(action)) this.changes++;
  }

  /** @throws {Refusal} */
  get(id: string): Thing {
    const thing = this.#things.get(id);
    if (thing === undefined) throw new Refusal("InvalidID.NotFound", `there is no ${id}`);
    return thing;
  }

  /** Those that a request names and that pass its filters, ended machines too. */
  find(kind: Kind, form: Form, ids: readonly string[] = []): Thing[] {
    for (const id of ids) this.get(id);
    return [...this.#things.values()].filter(
      (thing) =>
        thing.kind === kind &&
        (ids.length === 0 || ids.includes(thing.id)) &&
        forms(form, "Filter").every((filter) =>
          words(filter, "Value").includes(propertyOf(thing, word(filter, "Name"))),
        ),
    );
  }

  remove(thing: Thing): void {
    const inUse = this.all("machine").filter(({ uses }) => uses.includes(thing.id));
    if (inUse.length > 0) throw new Refusal("DependencyViolation", `${thing.id} has a dependent object`);
    this.#things.delete(thing.id);
  }

  nextAddress(): string {
    const address = this.#addresses.shift();
    if (address === undefined) throw new Refusal("InsufficientInstanceCapacity", "there are no more addresses");
    return address;
  }
}

function propertyOf(thing: Thing, filter: string): string {
  if (filter.startsWith("tag:")) return thing.tags[filter.slice("tag:".length)] ?? "";
  const known: Readonly<Record<string, string>> = {
    "instance-state-name": thing.state,
    "group-name": thing.name,
    "vpc-id": VPC,
    "instance-id": thing.id,
  };
  const property = known[filter];
  if (property === undefined) throw new Refusal("InvalidParameterValue", `The filter '${filter}' is invalid`);
  return property;
}
