"""Bar charts as pictures, for the card of a corpus: the same numbers give the same pixels."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from PIL import Image, ImageDraw, ImageFont

WIDTH, HEIGHT, MARGIN = 720, 320, 24
TITLE_HEIGHT, LABEL_HEIGHT = 40, 56
PAPER, INK, FAINT, BAR = (255, 255, 255), (30, 34, 40), (120, 126, 134), (46, 105, 178)


def bar_chart(title: str, counts: Mapping[Any, int]) -> Image.Image:
    """Draw one bar for each count, with the count and its share above it: RGB, 720 x 320 pixels."""
    picture = Image.new("RGB", (WIDTH, HEIGHT), PAPER)
    draw = ImageDraw.Draw(picture)
    large, small = ImageFont.load_default(18), ImageFont.load_default(14)
    draw.text((MARGIN, 12), title, INK, large)
    top, bottom = TITLE_HEIGHT + 44, HEIGHT - LABEL_HEIGHT
    draw.line((MARGIN, bottom, WIDTH - MARGIN, bottom), FAINT)
    total, tallest = sum(counts.values()) or 1, max(counts.values(), default=0) or 1
    step = (WIDTH - 2 * MARGIN) / max(len(counts), 1)
    for index, (name, count) in enumerate(counts.items()):
        middle = MARGIN + (index + 0.5) * step
        peak = bottom - round((bottom - top) * count / tallest)
        draw.rectangle((round(middle - 0.3 * step), peak, round(middle + 0.3 * step), bottom), BAR)
        draw.text((middle, peak - 4), f"{count:,} ({count / total:.0%})", INK, small, anchor="ms")
        draw.text((middle, bottom + 10), name, INK, large, anchor="mt")
    return picture
