"""Lineage: what reads a data source, near and far, so that no plan says "no readers" without having looked."""

from runbooks.lineage.bounds import Bound
from runbooks.lineage.graph import Lineage, Link, NodeUse, WildcardCopy
from runbooks.lineage.moved import NotMoved, reading
from runbooks.lineage.sql import NotParsed, Understood, Use, understand

__all__ = [
    "Bound",
    "Lineage",
    "Link",
    "NodeUse",
    "NotMoved",
    "NotParsed",
    "Understood",
    "Use",
    "WildcardCopy",
    "reading",
    "understand",
]
