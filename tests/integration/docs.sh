#!/usr/bin/env bash
# The generated man pages and completions are well-formed, and complete what there is.
set -euo pipefail
share=$(dirname "$VIADUCT")/../share

for page in "$share"/man/man1/*.1; do
  warnings=$(man --warnings -E UTF-8 -l -Tutf8 -Z "$page" 2>&1 > /dev/null)
  [[ -z $warnings ]] || { echo "$page: $warnings"; exit 1; }
done
for command in run submit plan list status logs wait cancel suspend resume delete; do
  [[ -e $share/man/man1/viaduct-$command.1 ]] || { echo "no man page for viaduct $command"; exit 1; }
done
bash -n "$share/bash-completion/completions/viaduct"
zsh -n "$share/zsh/site-functions/_viaduct"
fish --no-execute "$share/fish/vendor_completions.d/viaduct.fish"

# shellcheck source=/dev/null
. "$share/bash-completion/completions/viaduct"
COMP_WORDS=(viaduct su) COMP_CWORD=1
_viaduct
[[ ${COMPREPLY[*]} == "submit suspend" ]] || { echo "bash completes 'su' to: ${COMPREPLY[*]}"; exit 1; }
COMP_WORDS=(viaduct run --qu) COMP_CWORD=2
_viaduct
[[ ${COMPREPLY[*]} == --quiet ]] || { echo "bash completes '--qu' to: ${COMPREPLY[*]}"; exit 1; }
echo "man pages and completions are fine"
