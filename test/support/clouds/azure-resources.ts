/** What Azure adds of its own to what it is asked to make. */
import type { Resource } from "./azure-account.ts";

export type Properties = Readonly<Record<string, unknown>>;

interface Part {
  readonly name: string;
  readonly properties: Properties;
}

interface Storage {
  readonly osDisk: Properties & { readonly name: string; readonly managedDisk?: Properties };
}

export interface Supplies {
  /** The next public address. */
  address(): string;
  /** Makes a disk. @throws {AzureRefusal} Where there is one of that path. */
  disk(id: string): void;
}

/** Properties of a thing as it will be. @param before The same thing as it was. */
export function completed(asked: Omit<Resource, "tags">, before: Resource | undefined, supplies: Supplies): Properties {
  return KINDS[asked.type.toLowerCase()]?.(asked, before, supplies) ?? asked.properties;
}

type Completed = (...args: Parameters<typeof completed>) => Properties;

const KINDS: Readonly<Record<string, Completed>> = {
  "microsoft.network/publicipaddresses": ({ properties }, before, { address }) => ({
    publicIPAddressVersion: "IPv4",
    idleTimeoutInMinutes: 4,
    ...properties,
    ipAddress: before?.properties["ipAddress"] ?? address(),
  }),
  "microsoft.network/networksecuritygroups": ({ id, properties }) => ({
    ...properties,
    securityRules: parts(id, "securityRules", properties).map((rule) => withProperties(rule, {})),
    defaultSecurityRules: [],
  }),
  "microsoft.network/networkinterfaces": ({ id, properties }) => ({
    enableIPForwarding: false,
    dnsSettings: { dnsServers: [], appliedDnsServers: [] },
    ...properties,
    macAddress: "00-0D-3A-00-00-01",
    ipConfigurations: parts(id, "ipConfigurations", properties).map((configuration) =>
      withProperties(configuration, { privateIPAddress: "10.86.0.4" }),
    ),
  }),
  "microsoft.compute/virtualmachines": ({ id, name, properties }, before, { disk }) => {
    if (before !== undefined) return { ...before.properties, ...properties };
    const { osDisk } = properties["storageProfile"] as Storage;
    const path = id.replace(/virtualMachines\/[^/]+$/i, `disks/${osDisk.name}`);
    disk(path);
    return {
      ...properties,
      vmId: name,
      storageProfile: {
        dataDisks: [],
        ...(properties["storageProfile"] as Storage),
        osDisk: { ...osDisk, osType: "Linux", managedDisk: { ...osDisk.managedDisk, id: path } },
      },
    };
  },
};

/** Things that are known by a path below that of the whole. */
function parts(id: string, list: string, properties: Properties): Part[] {
  return ((properties[list] ?? []) as Part[]).map((part) => ({ ...part, id: `${id}/${list}/${part.name}`, etag: "1" }));
}

function withProperties(part: Part, more: Properties): Part {
  return { ...part, properties: { ...part.properties, ...more, provisioningState: "Succeeded" } };
}
