"""The watch: what is wrong with the copy pipes of one environment, looked at once a minute (facts/procedures.md §6).

``look`` asks the platform and writes the ledger; everything between is pure. ``seen`` is what one look saw, ``history``
what is remembered of each pipe, ``usual`` what that teaches, ``faults`` what is wrong now (a file a kind of fault),
``reconcile`` what of it is news.
"""
