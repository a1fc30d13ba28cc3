"""The guarantee of updates: from each release to the working tree, whatever the owner wrote, whatever answer changes.

    python -m updates          every release, a sample of the changed answers
    python -m updates all      every answer, every pair of styles

history.py      a repository with every release, the working tree as the next one, and one after it
project.py      a project: rendered, edited by its owner, updated, looked at
edits.py        what owners do to their projects
switches.py     which answers change
mutants.py      broken templates and broken updates that the checks must catch
"""
