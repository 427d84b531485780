"""Copy pipes: run by people, what is safe of that (facts/procedures.md §2.6), and their timetable."""

from runbooks.copies.offers import LeftOut, Offers, offers

__all__ = ["LeftOut", "Offers", "offers"]
