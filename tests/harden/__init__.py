"""Rendered projects under load, faults and bad input, and the template under hostile answers.

`python -m harden` takes a slice of about five minutes, which CI runs; `--full` takes everything. `python -m harden load
faults` chooses parts. Each part is a module with a function `run`, which yields rows of one table.
"""
