"""
The screens as a tree: each once, below the screen that first led to it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from atlas.walk import Flow
from atlas.world import Seen
from menus import engine
from menus.screen import AnyScreen, Done


@dataclass
class Node:
    """
    A screen, as it was first seen.

    Args:
        key: Its name; a last word is told from others by who says it.
        kind: Its class.
        words: What it showed.
        ways: What is typed there, and where that leads.
        dialled: Who gets here by dialling, if anybody does.
    """

    key: str
    kind: type[AnyScreen]
    words: str
    ends: bool
    ways: dict[str, list[str]] = field(default_factory=dict)
    dialled: str = ""


@dataclass
class Graph:
    """Every screen that was seen, in the order of the menus."""

    nodes: dict[str, Node] = field(default_factory=dict)
    children: dict[str, list[str]] = field(default_factory=dict)

    @property
    def roots(self) -> list[str]:
        below = {key for keys in self.children.values() for key in keys}
        return [key for key in self.nodes if key not in below]


def drawn(flows: Sequence[Flow]) -> Graph:
    """Make a graph of what was walked."""
    graph = Graph()
    for flow in flows:
        at: str | None = None
        for number, hop in enumerate(flow.hops):
            if number and hop.seen.dialogue.notice is not None:
                break  # refused: the way ends where it was
            key = _key(hop.seen, at)
            if key not in graph.nodes:
                seen = hop.seen
                graph.nodes[key] = Node(key, type(seen.screen), seen.words, seen.ends)
                graph.children[key] = []
                if at is None:
                    graph.nodes[key].dialled = f"{flow.beginning.title}: {hop.typed}"
                else:
                    graph.children[at].append(key)
            if at is not None:
                typed = graph.nodes[at].ways.setdefault(key, [])
                if hop.typed not in typed:
                    typed.append(hop.typed)
            at = key
    return graph


def _key(seen: Seen, parent: str | None) -> str:
    name = engine.name(type(seen.screen))
    return f"{name} {parent} {seen.words}" if isinstance(seen.screen, Done) else name
