#!/usr/bin/env bash
# Every C++ file is as clang-format writes it.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

# Another version formats differently.
format=$(command -v clang-format-14) || { echo "clang-format-14 is missing: scripts/install-packages test"; exit 1; }
mapfile -t files < <(git ls-files --cached --others --exclude-standard -- '*.h' '*.cc' | while read -r file; do
  [[ ! -e $file ]] || echo "$file"
done)
echo "${#files[@]} files"
[[ ${#files[@]} -gt 0 ]]
"$format" --dry-run -Werror "${files[@]}" || { echo "To mend it: clang-format-14 -i FILE"; exit 1; }
