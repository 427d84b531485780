"""Proof that Tinybird holds what Postgres holds, by value (facts/procedures.md §5).

``fields`` says how a column is written the same way on both sides, ``claim`` what is to be proven, ``source``
and ``target`` build the SQL of the two sides, ``sandwich`` judges what came back. Nothing here talks to a
system: the step ``Prove`` does.
"""
