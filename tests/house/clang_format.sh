#!/usr/bin/env bash
# Every C++ file is as clang-format writes it. clang_format.sh --fix makes them so.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

# Another version formats differently.
format=$(command -v clang-format-14) || { echo "clang-format-14 is missing: scripts/install-packages test"; exit 1; }
files=0
wrong=0
while read -r file; do
  [[ -e $file ]] || continue
  files=$((files + 1))
  if [[ ${1:-} == --fix ]]; then
    "$format" -i "$file"
  elif ! "$format" --dry-run -Werror "$file" 2> /dev/null; then
    echo "$file"
    wrong=$((wrong + 1))
  fi
done < <(git ls-files --cached --others --exclude-standard -- '*.h' '*.cc')
echo "$wrong of $files files are not as clang-format writes them; tests/house/clang_format.sh --fix mends that"
[[ $files -gt 0 && $wrong -eq 0 ]]
