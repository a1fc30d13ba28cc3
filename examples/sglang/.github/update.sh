#!/usr/bin/env bash
# Brings the template's newest release into one pull request; update.yml runs it every week.
# By hand, on a clean checkout of the main branch: GH_TOKEN=$(gh auth token) bash .github/update.sh
set -euo pipefail

branch=copier-update
bot="github-actions[bot]"
address="41898282+github-actions[bot]@users.noreply.github.com"

fail() {
  echo "update.sh: $1" >&2
  exit 1
}

# Read as a whole before it runs: the update may replace this very file.
main() {
  base=$(git branch --show-current)
  [ -n "$base" ] || fail "no branch is checked out, so there is none to open a pull request for."
  [ -z "$(git status --porcelain)" ] || fail "there are uncommitted changes: commit or stash them first."

  news=$(uvx copier check-update --output-format json) || fail "Copier cannot look for a newer release of the template."
  case $news in
    *'"update_available": false'*) echo "The template has nothing newer." && exit ;;
    *'"update_available": true'*) release=${news##*'"latest_version": "'} && release=${release%%'"'*} ;;
    *) fail "what Copier answers is not understood here: $news" ;;
  esac
  [ -n "${GH_TOKEN:-}" ] || fail "release $release of the template is out, but without a token in the secret UPDATE_TOKEN \
there is no pull request: see \"Update it\" in README.md, or run \`uvx copier update\` yourself."

  # What somebody did on the branch is not thrown away.
  known=$(git ls-remote origin "refs/heads/$branch" | cut -f1)
  if [ -n "$known" ]; then
    git fetch --quiet origin "refs/heads/$branch"
    others=$(git log --format=%ce "HEAD..$known" | grep -vxF "$address" || true)
    [ -z "$others" ] || fail "the branch $branch holds commits of others: merge or delete it, and release $release can come."
  fi

  git switch --quiet --force-create "$branch"
  uvx copier update --defaults || fail "Copier cannot update to $release: run \`uvx copier update\` yourself."

  title="Update the template to $release"
  text="Release $release of the template, merged into this project by \`copier update\`."
  conflicts=$(
    git diff --name-only --diff-filter=U
    git grep --untracked -lE '^(<<<<<<< before|>>>>>>> after) updating' || true
    git ls-files --others --exclude-standard -- '*.rej'
  )
  if [ -n "$conflicts" ]; then
    title="[conflicts] $title"
    text+=$'\n\n**Not finished.** In these files the template changed lines that this project had changed too:\n'
    while read -r file; do text+=$'\n'"- \`$file\`"; done < <(sort -u <<<"$conflicts")
    text+=$'\n\n'"\`git fetch && git switch $branch\`. Choose between \`<<<<<<< before updating\` (yours) and \
\`>>>>>>> after updating\` (the template's); what a \`.rej\` file holds, apply by hand, then delete it. \
\`uv lock && uv run pytest\`, commit, push."
  fi
  # Where a release no longer offers what was answered, Copier takes its default instead, without a word.
  answers=$(git diff --unified=0 HEAD -- .copier-answers.yml | grep -E '^[-+] *[a-z]' || true)
  [ -z "$answers" ] || text+=$'\n\nAnswers that changed or are new:\n\n```diff\n'"$answers"$'\n```'
  if uv lock; then
    text+=$'\n\n`uv.lock` is locked again.'
  else
    title="[uv lock fails] $title"
    text+=$'\n\n**`uv.lock` is as it was**: `uv lock` fails.'
  fi

  # The hook against merge markers has no say here: the branch is where they get resolved.
  git add --all
  git -c user.name="$bot" -c user.email="$address" commit --quiet --no-verify --message "$title"
  git push --quiet --force-with-lease="refs/heads/$branch:$known" origin "HEAD:refs/heads/$branch"

  pull=$(gh api "repos/{owner}/{repo}/pulls?state=open&head={owner}:$branch" --jq '.[0].number // empty')
  if [ -n "$pull" ]; then
    gh api --method PATCH "repos/{owner}/{repo}/pulls/$pull" -f title="$title" -f body="$text" --jq .html_url
  else
    gh api "repos/{owner}/{repo}/pulls" -f title="$title" -f body="$text" -f head="$branch" -f base="$base" --jq .html_url
  fi
}

main; exit
