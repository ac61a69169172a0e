#!/usr/bin/python
"""Everything on EC2 that bears a tag: nothing else is ever removed."""

from __future__ import annotations

from ansible_collections.amazon.aws.plugins.module_utils.core import AnsibleAWSModule

DOCUMENTATION = """
module: pe_cluster_ec2_things
short_description: Lists what was made for a cluster on EC2
description: Lists machines that have not ended, disks, groups, keys and templates that bear a tag. Changes nothing.
options:
  tag:
    description: Name of the tag.
    type: str
    required: true
  value:
    description: Its value.
    type: str
    required: true
author: pe-cluster maintainers
"""

EXAMPLES = """
- pe_cluster_ec2_things:
    tag: pe-cluster
    value: lab
"""

RETURN = """
things:
  description: A list for each kind, whose items have an id, a name, and a line of text for people.
  returned: always
  type: dict
"""

LIVE = ["pending", "running", "shutting-down", "stopping", "stopped"]


def describe(client, what, key, *filters):
    """All pages of a request, as one list."""
    pages = client.get_paginator(what) if client.can_paginate(what) else None
    answers = pages.paginate(Filters=list(filters)) if pages else [getattr(client, what)(Filters=list(filters))]
    return [one for answer in answers for one in answer[key]]


def tag_of(thing, name):
    """Value of a tag, or nothing."""
    return next((tag["Value"] for tag in thing.get("Tags", []) if tag["Key"] == name), "")


def machine(one):
    """A machine as text, with what it is to the cluster."""
    address = one.get("PublicIpAddress") or one.get("PrivateIpAddress", "no address")
    kind = one.get("InstanceLifecycle", "on demand")
    role = tag_of(one, "pe-role")
    text = f"{one['InstanceId']}  {role}, {one['InstanceType']}, {kind}, {one['State']['Name']}, {address}"
    return {"id": one["InstanceId"], "name": tag_of(one, "Name"), "role": role, "address": address, "text": text}


def thing(one, key, name, about=""):
    """Anything that has an id and a name."""
    return {"id": one[key], "name": one.get(name, ""), "text": f"{one[key]}  {one.get(name, '')}{about}".rstrip()}


def main():
    """Asks for each kind."""
    module = AnsibleAWSModule(
        argument_spec={"tag": {"required": True}, "value": {"required": True}}, supports_check_mode=True
    )
    client = module.client("ec2")
    tagged = {"Name": f"tag:{module.params['tag']}", "Values": [module.params["value"]]}
    try:
        held = describe(client, "describe_instances", "Reservations", tagged, {"Name": "instance-state-name", "Values": LIVE})
        things = {
            "machines": [machine(one) for reservation in held for one in reservation["Instances"]],
            "disks": [
                thing(one, "VolumeId", "State", f", {one['Size']} GB")
                for one in describe(client, "describe_volumes", "Volumes", tagged)
            ],
            "templates": [
                thing(one, "LaunchTemplateId", "LaunchTemplateName")
                for one in describe(client, "describe_launch_templates", "LaunchTemplates", tagged)
            ],
            "groups": [
                thing(one, "GroupId", "GroupName")
                for one in describe(client, "describe_security_groups", "SecurityGroups", tagged)
            ],
            "key_pairs": [
                thing(one, "KeyPairId", "KeyName") for one in describe(client, "describe_key_pairs", "KeyPairs", tagged)
            ],
        }
    except Exception as error:  # pylint: disable=broad-except
        module.fail_json_aws(error, msg="Cannot list what bears the tag")
    module.exit_json(changed=False, things=things)


if __name__ == "__main__":
    main()
