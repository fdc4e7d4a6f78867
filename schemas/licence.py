"""Licences and terms: what may be done with the clips and labels of a source, and with a mix of several."""

from __future__ import annotations

import re
from collections.abc import Iterable

import msgspec


class Terms(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What a licence permits and asks for. None = not known, which nobody may take for a yes.

    Permissions: to `redistribute` it, to pass on changed versions (`modify`), to use it for `commercial` ends. Duties:
    `attribution`, to name the source and keep its notice; `share_alike`, to pass it on under the same licence only.
    """

    redistribute: bool | None = None
    modify: bool | None = None
    commercial: bool | None = None
    attribution: bool | None = None
    share_alike: bool | None = None


PERMISSIONS = ("redistribute", "modify", "commercial")
DUTIES = ("attribution", "share_alike")

_FREE = Terms(redistribute=True, modify=True, commercial=True, attribution=False, share_alike=False)
_NOTICE = msgspec.structs.replace(_FREE, attribution=True)
_CLOSED = Terms(redistribute=False, modify=False, commercial=False, attribution=False, share_alike=False)
_PERMISSIVE = {"MIT", "Apache-2.0", "BSD-2-Clause", "BSD-3-Clause", "ISC", "ODC-By-1.0", "CDLA-Permissive-2.0"}
_PUBLIC = {"CC0-1.0", "Unlicense", "0BSD", "PDDL-1.0", "CC-PDM-1.0", "public domain"}
_OWN = {"proprietary", "private", "all rights reserved"}
_CREATIVE_COMMONS = re.compile(r"CC[- ]BY((?:-(?:NC|ND|SA))*)(?:[- ](?:\d\.\d|[A-Z]{2}))*", re.IGNORECASE)
_KNOWN = {
    name.casefold(): terms
    for names, terms in ((_PERMISSIVE, _NOTICE), (_PUBLIC, _FREE), (_OWN, _CLOSED))
    for name in names
}


def terms_of(licence: str) -> Terms:
    """Give the terms of a licence that is called as SPDX calls it; all None for any other text.

    Creative Commons: https://creativecommons.org/licenses/; SPDX: https://spdx.org/licenses/. `proprietary` and
    `private` permit nothing: an owner who does pass the clips on says so (`terms` of a recipe's source).
    """
    name = licence.strip()
    if known := _KNOWN.get(name.casefold()):
        return known
    if match := _CREATIVE_COMMONS.fullmatch(name):
        parts = set(match[1].upper().split("-"))
        return msgspec.structs.replace(
            _NOTICE, modify="ND" not in parts, commercial="NC" not in parts, share_alike="SA" in parts
        )
    return Terms()


def together(terms: Iterable[Terms]) -> Terms:
    """Roll the terms of several sources up to those of their mix.

    A mix permits what all of them permit and asks for what any of them asks for; what is not known of one is not known
    of the mix, unless another one decides it.
    """
    every = list(terms)
    rolled: dict[str, bool | None] = {}
    for names, decides in ((PERMISSIONS, False), (DUTIES, True)):
        for name in names:
            said = {getattr(one, name) for one in every}
            rolled[name] = decides if decides in said else None if None in said or not said else not decides
    return Terms(**rolled)
