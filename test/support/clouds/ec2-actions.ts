/** What EC2 does when it is asked, for each action that the plays use. */
import { VPC, type Ec2Account, type Rule, type Tags, type Thing } from "./ec2-account.ts";
import { forms, Refusal, word, words, type Answer, type Form } from "./query.ts";

/** Answers one request. @throws {Refusal} */
export function act(account: Ec2Account, action: string, form: Form): Answer {
  account.note(action);
  const known = ACTIONS[action];
  if (known === undefined) throw new Refusal("InvalidAction", `this account knows no ${action}`);
  return known(account, form);
}

type Action = (account: Ec2Account, form: Form) => Answer;

const done: Answer = { return: true };

const ACTIONS: Readonly<Record<string, Action>> = {
  // Where.
  DescribeSubnets: () => ({
    subnetSet: ["b", "a"].map((zone) => ({
      subnetId: `subnet-${zone}`,
      vpcId: VPC,
      availabilityZone: `eu-central-1${zone}`,
      state: "available",
      defaultForAz: true,
    })),
  }),
  DescribeImages: (_, form) => {
    const owners = forms(form, "Filter").filter((filter) => word(filter, "Name") === "owner-id");
    // Debian's.
    if (owners.flatMap((filter) => words(filter, "Value")).join() !== "136693071363") return { imagesSet: [] };
    const imagesSet = ["20250101", "20260101", "20250601"].map((date) => ({
      imageId: `ami-${date}`,
      imageState: "available",
      creationDate: `${date.slice(0, 4)}-${date.slice(4, 6)}-01T00:00:00.000Z`,
      rootDeviceName: "/dev/xvda",
      name: `debian-12-amd64-${date}`,
    }));
    return { imagesSet };
  },
  GetCallerIdentity: () => ({
    GetCallerIdentityResult: { Account: "123456789012", Arn: "arn:aws:iam::123456789012:user/lab" },
  }),
  GetInstanceProfile: (_, form) => ({
    GetInstanceProfileResult: {
      InstanceProfile: {
        InstanceProfileName: word(form, "InstanceProfileName"),
        Arn: `arn:aws:iam::123456789012:instance-profile/${word(form, "InstanceProfileName")}`,
      },
    },
  }),

  // Machines.
  RunInstances: (account, form) => {
    const count = Number(word(form, "MaxCount"));
    const instancesSet = Array.from({ length: count }, () => machineSays(run(account, form)));
    return { reservationId: "r-1", ownerId: "123456789012", instancesSet };
  },
  DescribeInstances: (account, form) => ({
    reservationSet: account
      .find("machine", form, words(form, "InstanceId"))
      .map((machine) => ({ reservationId: "r-1", ownerId: "123456789012", instancesSet: [machineSays(machine)] })),
  }),
  DescribeInstanceStatus: (account, form) => ({
    instanceStatusSet: account.find("machine", form, words(form, "InstanceId")).map(({ id, state }) => ({
      instanceId: id,
      instanceState: { name: state },
    })),
  }),
  DescribeInstanceAttribute: (account, form) => {
    const { id, uses, says } = account.get(word(form, "InstanceId"));
    const groupSet = uses.filter((one) => one.startsWith("sg-")).map((groupId) => ({ groupId }));
    const attribute = word(form, "Attribute");
    return {
      instanceId: id,
      ...(attribute === "groupSet" ? { groupSet } : { [attribute]: { value: says[attribute] ?? false } }),
    };
  },
  TerminateInstances: (account, form) => ({
    instancesSet: words(form, "InstanceId").map((id) => {
      account.end(account.get(id));
      return { instanceId: id, currentState: { code: 32, name: "shutting-down" } };
    }),
  }),
  DescribeVolumes: (account, form) => ({
    volumeSet: account
      .find("disk", form)
      .map(({ id, says, tags }) => ({ volumeId: id, ...says, tagSet: tagList(tags) })),
  }),

  // Groups.
  DescribeSecurityGroups: (account, form) => ({
    securityGroupInfo: account.find("group", form, words(form, "GroupId")).map(groupSays),
  }),
  CreateSecurityGroup: (account, form) => {
    const about = { name: word(form, "GroupName"), says: { groupDescription: word(form, "GroupDescription") } };
    return { groupId: account.make("group", { ...about, tags: tagsFor(form, "security-group") }).id };
  },
  AuthorizeSecurityGroupIngress: (account, form) => {
    const group = account.get(word(form, "GroupId"));
    group.rules = [...group.rules, ...rulesOf(form)];
    return done;
  },
  RevokeSecurityGroupIngress: (account, form) => {
    const group = account.get(word(form, "GroupId"));
    const [gone] = rulesOf(form);
    group.rules = group.rules.filter(({ ports, from }) => ports !== gone!.ports || from !== gone!.from);
    return done;
  },
  DeleteSecurityGroup: (account, form) => {
    account.remove(account.get(word(form, "GroupId")));
    return done;
  },

  // Keys.
  DescribeKeyPairs: (account, form) => {
    const wanted = words(form, "KeyName");
    const keys = account.find("key", form).filter(({ name }) => wanted.length === 0 || wanted.includes(name));
    if (keys.length < wanted.length) throw new Refusal("InvalidKeyPair.NotFound", "there is no such key");
    return { keySet: keys.map(keySays) };
  },
  ImportKeyPair: (account, form) => {
    const text = Buffer.from(word(form, "PublicKeyMaterial"), "base64").toString();
    if (!text.startsWith("ssh-ed25519 "))
      throw new Refusal("InvalidKey.Format", "Key is not in valid OpenSSH public key format");
    return keySays(account.make("key", { name: word(form, "KeyName"), tags: tagsFor(form, "key-pair") }));
  },
  DeleteKeyPair: (account, form) => {
    for (const key of account.all("key")) if (key.name === word(form, "KeyName")) account.remove(key);
    return done;
  },

  // Templates.
  DescribeLaunchTemplates: (account, form) => {
    const wanted = words(form, "LaunchTemplateName");
    const ids = words(form, "LaunchTemplateId");
    const found = account
      .find("template", form, ids)
      .filter(({ name }) => wanted.length === 0 || wanted.includes(name));
    if (found.length < wanted.length)
      throw new Refusal("InvalidLaunchTemplateName.NotFoundException", "no such template");
    return { launchTemplates: found.map(templateSays) };
  },
  DescribeLaunchTemplateVersions: (account, form) => {
    const { id, name, says } = account.get(word(form, "LaunchTemplateId"));
    const version = { launchTemplateId: id, launchTemplateName: name, versionNumber: 1, defaultVersion: true };
    return { launchTemplateVersionSet: [{ ...version, launchTemplateData: says }] };
  },
  CreateLaunchTemplate: (account, form) => {
    const data = form["LaunchTemplateData"] as Form;
    const [network] = forms(data, "NetworkInterface");
    const about = {
      name: word(form, "LaunchTemplateName"),
      says: {
        instanceMarketOptions: { marketType: word(data, "InstanceMarketOptions", "MarketType") },
        networkInterfaceSet: [{ subnetId: word(network, "SubnetId"), groupSet: words(network, "SecurityGroupId") }],
      },
      uses: words(network, "SecurityGroupId"),
    };
    return { launchTemplate: templateSays(account.make("template", about)) };
  },
  DeleteLaunchTemplate: (account, form) => {
    const template = account.get(word(form, "LaunchTemplateId"));
    account.remove(template);
    return { launchTemplate: templateSays(template) };
  },

  // Tags.
  CreateTags: (account, form) => {
    for (const id of words(form, "ResourceId")) {
      const thing = account.get(id);
      thing.tags = { ...thing.tags, ...tagsOf(forms(form, "Tag")) };
    }
    return done;
  },
  DescribeTags: (account, form) => {
    const [id = ""] = forms(form, "Filter").flatMap((filter) => words(filter, "Value"));
    return { tagSet: tagList(account.get(id).tags) };
  },
};

function run(account: Ec2Account, form: Form): Thing {
  const [network] = forms(form, "NetworkInterface");
  const address = account.nextAddress();
  const named = word(form, "LaunchTemplate", "LaunchTemplateName");
  const template = account.all("template").find(({ name }) => name === named);
  if (named !== "" && template === undefined)
    throw new Refusal("InvalidLaunchTemplateName.NotFoundException", `there is no template ${named}`);
  const says = {
    imageId: word(form, "ImageId"),
    instanceType: word(form, "InstanceType"),
    keyName: word(form, "KeyName"),
    subnetId: word(network, "SubnetId"),
    privateIpAddress: address,
    ipAddress: address,
    instanceLifecycle: template === undefined ? undefined : "spot",
    iamInstanceProfile: { arn: word(form, "IamInstanceProfile", "Arn") },
    metadataOptions: { httpTokens: word(form, "MetadataOptions", "HttpTokens") },
  };
  const machine = account.make("machine", {
    name: word(form, "KeyName"),
    says,
    uses: network === undefined && template !== undefined ? template.uses : words(network, "SecurityGroupId"),
    tags: tagsFor(form, "instance"),
  });
  const size = Number(word(forms(form, "BlockDeviceMapping")[0], "Ebs", "VolumeSize"));
  account.make("disk", { says: { size, status: "in-use" }, uses: [machine.id], tags: tagsFor(form, "volume") });
  return machine;
}

function machineSays({ id, says, tags, state }: Thing): Answer {
  return {
    instanceId: id,
    instanceState: { code: state === "running" ? 16 : 48, name: state },
    launchTime: "2026-01-01T00:00:00.000Z",
    placement: { availabilityZone: "eu-central-1a" },
    vpcId: VPC,
    networkInterfaceSet: [{ networkInterfaceId: id.replace("i-", "eni-"), status: "in-use" }],
    ...says,
    tagSet: tagList(tags),
  };
}

function groupSays({ id, name, says, rules, tags }: Thing): Answer {
  const everywhere = [{ ipProtocol: "-1", ipRanges: [{ cidrIp: "0.0.0.0/0" }] }];
  const ipPermissions = rules.map(({ protocol, ports, from, about }) => ({
    ipProtocol: protocol,
    fromPort: ports.split("-")[0],
    toPort: ports.split("-")[1],
    ...(from.startsWith("sg-")
      ? { groups: [{ groupId: from, userId: "123456789012", description: about }] }
      : { ipRanges: [{ cidrIp: from, description: about }] }),
  }));
  const known = { groupId: id, groupName: name, ownerId: "123456789012", vpcId: VPC, ...says };
  return { ...known, ipPermissions, ipPermissionsEgress: everywhere, tagSet: tagList(tags) };
}

function keySays({ id, name, tags }: Thing): Answer {
  return { keyPairId: id, keyName: name, keyFingerprint: "aa:bb", tagSet: tagList(tags) };
}

function templateSays({ id, name, tags }: Thing): Answer {
  const versions = { defaultVersionNumber: 1, latestVersionNumber: 1 };
  return { launchTemplateId: id, launchTemplateName: name, ...versions, tagSet: tagList(tags) };
}

function rulesOf(form: Form): Rule[] {
  return forms(form, "IpPermissions").flatMap((permission) => {
    const protocol = word(permission, "IpProtocol");
    const ports = `${word(permission, "FromPort")}-${word(permission, "ToPort")}`;
    const rule = (place: Form, from: string): Rule => ({ protocol, ports, from, about: word(place, "Description") });
    return [
      ...forms(permission, "IpRanges").map((place) => rule(place, word(place, "CidrIp"))),
      ...forms(permission, "Groups").map((place) => rule(place, word(place, "GroupId"))),
    ];
  });
}

function tagsFor(form: Form, kind: string): Tags {
  const all = forms(form, "TagSpecification").find((one) => word(one, "ResourceType") === kind);
  return tagsOf(forms(all, "Tag"));
}

function tagsOf(list: readonly Form[]): Tags {
  return Object.fromEntries(list.map((tag) => [word(tag, "Key"), word(tag, "Value")]));
}

function tagList(tags: Tags): Answer {
  return Object.entries(tags).map(([key, value]) => ({ key, value }));
}
