"""`copier …`, with `family.render_fast`, for proofs of what is around it: its own start and renders take most of their time."""

from copier._cli import CopierApp

import family

if __name__ == "__main__":
    family.render_fast()
    CopierApp.run()
