#!/usr/bin/env bash
# Every shell script passes shellcheck: files that say on their first line which shell they are for.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

mapfile -t files < <(git grep --untracked -lIE '^(#!/.*[ /](ba)?sh( |$)|# shellcheck shell=)')
echo "${#files[@]} files"
[[ ${#files[@]} -gt 0 ]]
shellcheck --external-sources "${files[@]}"
