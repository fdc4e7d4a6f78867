"""Calibrations: from which evidence on a claim may be contradicted, and how often that is right."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Literal

import msgspec

from dataset_builder.engine import source_digest
from dataset_builder.signal.measuring import MODULES
from schemas.errors import CallError

Kind = Literal["present", "absent", "time"]
KINDS: tuple[Kind, ...] = ("present", "absent", "time")
"""What is claimed: that the clip has an attribute, that it has not, or that it has it at that time."""
LEAST_PRECISION = 0.95
"""Share of the contradicted claims that must be false, of equally many true and false ones."""
MOST_SPURIOUS = 0.02
"""Share of the true claims that may be contradicted: most claims that are made are true."""
AKIN: tuple[frozenset[str], ...] = (
    frozenset({"compression artifact", "block effect", "spatial blur", "quality switch"}),
    frozenset({"spatial blur", "motion blur"}),
    frozenset({"stuttering", "low frame rate"}),
    frozenset({"stuttering", "quality switch"}),
    frozenset({"overexposure", "high contrast"}),
    frozenset({"underexposure", "high contrast"}),
    frozenset({"overexposure", "desaturation"}),
    frozenset({"underexposure", "desaturation"}),
    frozenset({"overexposure", "low contrast"}),
    frozenset({"underexposure", "low contrast"}),
    frozenset({"low contrast", "desaturation"}),
    frozenset({"high contrast", "oversaturation"}),
)
"""What may be seen for each other, or brings the other along: of such, no claim is called false.

A stretch of a quality switch is coded with so few bits that pictures do repeat in it.
"""
COMMITTED = Path(__file__).with_name("calibration.json")


class Rule(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """When a claim of this kind may be contradicted: where the evidence is at most the `threshold` (`present`, `time`).

    Of an `absent` attribute, where it is at least that. A threshold of None never contradicts. `severity` is the least
    that a clip has of which the claim is true (0 for `absent`). The rest tells of held-out contents: `precision` with
    its 95 % interval, where as many claims are true as false (None if nothing was contradicted); `recall`, the share of
    the `false_claims` that are contradicted, and `spurious`, that of the `true_claims`.
    """

    attribute: str
    kind: Kind
    severity: int
    threshold: float | None
    precision: float | None
    interval: tuple[float, float] | None
    recall: float
    spurious: float
    false_claims: int
    true_claims: int


class Calibration(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """All rules, and what they were found on: `contents` with the hashes of their clean clips, and how many `clips`.

    `probes` is the digest of the code of measures and probes: the rules hold for no other. `tools` are the libraries.
    """

    probes: str
    tools: dict[str, str]
    contents: dict[str, str]
    clips: int
    folds: int
    rules: list[Rule]


def akin_to(attribute: str) -> frozenset[str]:
    """Name what may be seen for an attribute."""
    return frozenset().union(*(akin for akin in AKIN if attribute in akin)) - {attribute}


@functools.cache
def probes_digest() -> str:
    """Hash the code of measures and probes."""
    return source_digest(*MODULES, "dataset_builder.signal.probes")


def read_calibration(path: Path = COMMITTED) -> Calibration:
    """Read a calibration. Raises CallError for a file that is none, or one that was made for other probes."""
    try:
        calibration = msgspec.json.decode(path.read_bytes(), type=Calibration)
    except OSError as error:
        raise CallError(f"the calibration {str(path)!r} cannot be read ({error.strerror})") from None
    except msgspec.DecodeError as error:
        raise CallError(f"{str(path)!r} is no calibration ({error}): make one with vqa2 calibrate --out FILE") from None
    refuse_other_probes(calibration)
    return calibration


def refuse_other_probes(calibration: Calibration) -> None:
    """Raise CallError for a calibration whose thresholds were found with other probes."""
    if calibration.probes != probes_digest():
        raise CallError(
            "the calibration was made for other probes than these, its thresholds mean nothing here: "
            "run vqa2 calibrate --out FILE"
        )
