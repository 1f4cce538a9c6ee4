#!/usr/bin/env bash
# No file names a place that is only on one machine. (The pattern is written so that it doesn't match itself.)
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

status=0
git grep --untracked -nIE '[.][.]/shared|/[w]ork/' -- . ':!.ci/run' || status=$?
[[ $status -eq 1 ]] || { echo "Other machines don't have these places. Test data is found by VIADUCT_TEST_DATA." && exit 1; }
