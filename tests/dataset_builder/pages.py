"""Reading a page of HTML as a person does: its tables by caption, its text by section, and what could do harm."""

from __future__ import annotations

from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import Any

VOID = {"img", "meta", "line", "rect", "path", "circle"}


@dataclass
class Page(HTMLParser):
    """A page that was read: `tables` by caption, `sections` as text by id, and every element with its attributes."""

    source: str
    tables: dict[str, list[list[str]]] = field(default_factory=dict)
    sections: dict[str, str] = field(default_factory=dict)
    elements: list[tuple[str, dict[str, str | None]]] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Read the page. Elements must be closed in the order in which they were opened."""
        super().__init__()
        self._open: list[str] = []
        self._section = ""
        self._caption = ""
        self.feed(self.source)
        self.close()
        assert self._open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        told = dict(attrs)
        self.elements.append((tag, told))
        if tag not in VOID:
            self._open.append(tag)
        if tag == "section":
            self._section = told["id"] or ""
            self.sections[self._section] = ""
        elif tag == "caption":
            self._caption = ""
        elif tag == "tr" and self._caption:
            self.tables[self._caption].append([])
        elif tag in {"td", "th"} and self._caption:
            self.tables[self._caption][-1].append("")

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag
        if tag == "caption":
            assert self._caption not in self.tables, "two tables of one name"
            self.tables[self._caption] = []
        elif tag == "section":
            self._section = ""
        elif tag == "table":
            self._caption = ""

    def handle_data(self, data: str) -> None:
        if self._section:
            self.sections[self._section] += data
        if "caption" in self._open:
            self._caption += data
        elif self._caption and {"td", "th"} & set(self._open):
            self.tables[self._caption][-1][-1] += data

    def all_of(self, tag: str) -> list[dict[str, Any]]:
        """List the attributes of every element of a kind."""
        return [told for name, told in self.elements if name == tag]
