"""Rendered projects under load, faults and bad input, and the template under hostile answers.

`python -m harden` takes a part of all, in about five minutes; with SLICE, as CI has it, of the styles and mutants of that
part those of the day; `--full` takes everything. `python -m harden load faults` chooses parts. Each part is a module with
a function `run`, which yields rows of one table.
"""
