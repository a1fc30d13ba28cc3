#!/usr/bin/env bash
# Publishes each release of CHANGELOG.md that has no tag yet; release.yml runs it after CI has passed on main.
set -euo pipefail

tags=$(git ls-remote --tags origin)
releases=$(python3 tests/releases.py)
while read -r version commit; do
  case $tags in *"refs/tags/v$version"*) continue ;; esac
  # One call makes the tag and the release, so there is never one without the other.
  python3 tests/releases.py notes "$version" |
    gh release create "v$version" --target "$commit" --title "$version" --notes-file -
done <<<"$releases"
