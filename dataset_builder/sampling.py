"""Which distortions are put on which clips: balanced over kinds and severities, for each split by itself.

Clips are taken in the order of hash(seed, id), and each gets the cells (kind, severity) that were used least so far, so
that no cell is ahead of another by more than the clips allow: a pass over all clips, without looking into any.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

from dataset_builder.distort import applied
from dataset_builder.local import LEAST_SIDE
from schemas.draws import pick, share
from schemas.recipe import Distort
from schemas.record import Applied, Box, Media, Record

WINDOW_SECONDS = (1, 2, 3)
"""How long a distortion lasts that is local in time; it starts at a whole second (OmniVQA, AAAI 2026)."""
BOX_SIDE = 0.5
"""Side of the box of a distortion that is local in space: a quarter of the frame's area (OmniVQA, AAAI 2026)."""
BOX_STEPS = 8
"""Boxes lie on a grid of this many steps each way."""


def planned(
    records: Sequence[Record], modules: Mapping[str, ModuleType], distort: Distort, seed: int, plugins: Sequence[Path]
) -> list[tuple[Record, list[Applied]]]:
    """Draw the versions of every record, each a chain whose first distortion is the main one; sorted by record id.

    A record gets every kind once at most. A kind over time is not put on a still image.
    """
    draw = _Draw(modules, distort, seed, plugins)
    used: dict[str, Counter[tuple[str, int]]] = defaultdict(Counter)
    plan: dict[str, list[list[Applied]]] = {}
    by_id = {record.id: record for record in records}
    for record_id in sorted(by_id, key=lambda name: (share(seed, name, "turn"), name)):
        record = by_id[record_id]
        plan[record_id] = [draw.chain(record, *cell) for cell in draw.cells(record, used[record.split])]
    return [(by_id[record_id], chain) for record_id in sorted(plan) for chain in plan[record_id]]


@dataclass(frozen=True)
class _Draw:
    """Draws by hash(seed, record, ...): what one record gets depends on others only through the balance."""

    modules: Mapping[str, ModuleType]
    distort: Distort
    seed: int
    plugins: Sequence[Path]

    def cells(self, record: Record, used: Counter[tuple[str, int]]) -> list[tuple[str, int]]:
        """Take the cells of a record: least used first, by hash among equals, every kind once."""
        kinds, severities = self._usable(record), sorted(set(self.distort.severities))
        taken: list[tuple[str, int]] = []
        for _ in range(min(self.distort.per_clip, len(kinds))):
            of_kind = {kind: sum(used[kind, severity] for severity in severities) for kind in kinds}
            free = [
                (of_kind[kind], used[kind, severity], share(self.seed, record.id, kind, str(severity)), kind, severity)
                for kind in kinds
                if kind not in {k for k, _ in taken}
                for severity in severities
            ]
            *_, kind, severity = min(free)
            used[kind, severity] += 1
            taken.append((kind, severity))
        return taken

    def chain(self, record: Record, kind: str, severity: int) -> list[Applied]:
        """Draw where and when a distortion is seen, and what is laid on top of it."""
        names = (record.id, kind, str(severity))
        start, end = self._window(record.media, *names)
        chain = [applied(kind, severity, start, end, self._box(record.media, kind, *names), plugins=self.plugins)]
        others = [k for k in self._usable(record) if self.modules[k].NAME != self.modules[kind].NAME]
        # What is laid on top is two steps weaker at least, and never on a local one: the main one stays the main one.
        local = chain[0].start is not None or chain[0].box is not None
        if others and not local and severity >= 3 and share(self.seed, *names, "second") < self.distort.second:
            chain.append(applied(pick(others, self.seed, *names, "which"), severity - 2, plugins=self.plugins))
        return chain

    def _usable(self, record: Record) -> list[str]:
        return sorted(kind for kind, module in self.modules.items() if module.STILLS or record.media.frames > 1)

    def _window(self, media: Media, *names: str) -> tuple[float | None, float | None]:
        lengths = [seconds for seconds in WINDOW_SECONDS if seconds < media.duration]
        drawn = share(self.seed, *names, "in time") < self.distort.local_time
        if media.kind == "image" or not lengths or not drawn:
            return None, None
        length = pick(lengths, self.seed, *names, "length")
        start = pick(range(math.floor(media.duration - length) + 1), self.seed, *names, "start")
        return float(start), float(start + length)

    def _box(self, media: Media, kind: str, *names: str) -> Box | None:
        small = BOX_SIDE * min(media.width, media.height) < LEAST_SIDE
        drawn = share(self.seed, *names, "in space") < self.distort.local_space
        if small or not self.modules[kind].STILLS or not drawn:
            return None
        places = range(int((1 - BOX_SIDE) * BOX_STEPS) + 1)
        x, y = (pick(places, self.seed, *names, axis) / BOX_STEPS for axis in ("x", "y"))
        return x, y, BOX_SIDE, BOX_SIDE
