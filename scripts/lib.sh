# shellcheck shell=bash
# What the scripts share. Source it; it changes to the project's root.

cd "$(dirname "${BASH_SOURCE[0]}")/.." || exit

# Progress goes to stderr: stdout is for what a script's caller reads.
say() { printf '==> %s\n' "$*" >&2; }
die() { printf '%s: %s\n' "${0##*/}" "$*" >&2; exit 1; }

# Where things are kept that are expensive to make and belong to no checkout.
cache_dir() { printf '%s\n' "${VIADUCT_CACHE:-${XDG_CACHE_HOME:-${HOME:?}/.cache}/viaduct}"; }
