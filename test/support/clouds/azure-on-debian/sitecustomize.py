"""Lets Debian's collection for Azure work with Debian's SDK, which is newer than the collection asks for.

For tests alone. Python reads this file as it starts where its folder is in PYTHONPATH. What fits is left alone.
"""

import functools
import importlib.util
import sys
import types


def without_backups(module):
    """The collection imports a client by a name that is gone, for modules that nobody uses here."""
    if hasattr(module, "RecoveryServicesBackupClient"):
        return
    module.RecoveryServicesBackupClient = type("RecoveryServicesBackupClient", (), {})
    module.models = types.ModuleType(module.__name__ + ".models")
    sys.modules[module.models.__name__] = module.models


def with_versions_there_are(module):
    """The collection asks for versions of the network's interface that are gone; the SDK's own one answers the same."""
    client = module.NetworkManagementClient
    models, begin = client.models, client.__init__

    def there(version):
        try:
            models(version)
        except ValueError:
            return client.DEFAULT_API_VERSION
        return version

    @functools.wraps(begin)
    def begin_with(self, *args, api_version=None, **named):
        begin(self, *args, api_version=api_version and there(api_version), **named)

    client.__init__ = begin_with
    client.models = classmethod(lambda _, version=client.DEFAULT_API_VERSION: models(there(version)))


def without_validation(module):
    """The collection writes new models by the old serializer, which has each of them validate itself."""
    validate = module._recursive_validate

    def validate_old(name, kind, data):
        new = hasattr(data, "_validation") and not hasattr(data, "validate")
        return [] if new else validate(name, kind, data)

    module._recursive_validate = validate_old


class Amending:
    """Finds modules as Python does, and amends them once they are loaded."""

    def __init__(self, amendments):
        self.amendments = amendments

    def find_spec(self, name, path=None, target=None):
        amend = self.amendments.pop(name, None)
        spec = amend and importlib.util.find_spec(name)
        if not spec:
            return None
        load = spec.loader.exec_module

        def load_and_amend(module):
            load(module)
            amend(module)

        spec.loader.exec_module = load_and_amend
        return spec


sys.meta_path.insert(
    0,
    Amending(
        {
            "azure.mgmt.recoveryservicesbackup": without_backups,
            "azure.mgmt.network": with_versions_there_are,
            "msrest.serialization": without_validation,
        }
    ),
)
