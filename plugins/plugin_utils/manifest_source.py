# Copyright: Quorum contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Read manifests the way kubectl does. PyYAML is needed, so this runs on the controller only."""

from __future__ import annotations

import re
from typing import Any, List

import yaml
from ansible_collections.quorum.kubeadm.plugins.module_utils.kubectl import KubernetesObject
from ansible_collections.quorum.kubeadm.plugins.module_utils.manifests import ManifestError, flatten

# The C parser reads a manifest of 10,000 lines in a fraction of the pure one's seconds.
_Base: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class ManifestLoader(_Base):  # type: ignore[misc]
    """YAML as Kubernetes reads it: no dates, no base-60 numbers, and `=` is a string."""

    yaml_implicit_resolvers = {
        first: [(tag, pattern) for tag, pattern in resolvers if tag.rpartition(":")[2] not in ("timestamp", "value", "int", "float")]
        for first, resolvers in _Base.yaml_implicit_resolvers.items()
    }


ManifestLoader.add_implicit_resolver("tag:yaml.org,2002:int", re.compile(r"^[-+]?(?:0b[01]+|0x[0-9a-fA-F]+|0[0-7]*|[1-9][0-9]*)$"), list("-+0123456789"))
ManifestLoader.add_implicit_resolver(
    "tag:yaml.org,2002:float",
    re.compile(r"^[-+]?(?:[0-9]+\.[0-9]*(?:[eE][-+]?[0-9]+)?|\.[0-9]+(?:[eE][-+]?[0-9]+)?|[0-9]+[eE][-+]?[0-9]+|\.inf)$|^\.nan$"),
    list("-+.0123456789"),
)


def parse_manifest(text: str, source: str) -> List[KubernetesObject]:
    """The objects of a manifest's text; errors name the source."""
    try:
        return flatten(yaml.load_all(text, Loader=ManifestLoader), source)
    except yaml.YAMLError as error:
        raise ManifestError(f"{source} is not YAML: {error}") from error
