#!/usr/bin/env bash
# The .deb installs into a clean Debian 12 and is complete there: both programs run, the runtimes are found, the manual
# pages and completions are in place. The clean Debian is made once, by debootstrap, and kept as an archive in the cache.
set -euo pipefail

if [[ $EUID -ne 0 ]] || ! unshare --mount true; then
  echo "SKIPPED: making a Debian and installing into it takes root, and the right to mount"
  exit 77
fi
# In a mount namespace of its own: what is mounted here is gone with it, however this ends.
[[ ${1:-} == unshared ]] || exec unshare --mount "${BASH_SOURCE[0]}" unshared

# shellcheck disable=SC2016  # what apt fills in
# Where this machine itself gets its Debian packages, a line each: address, release, component.
sources=$(apt-get indextargets --format '$(REPO_URI) $(RELEASE) $(COMPONENT)' 'Created-By: Packages' 'Origin: Debian')
mirror=$(awk '$2 == "bookworm" { print $1; exit }' <<< "$sources")
[[ -n $mirror ]] || { echo "SKIPPED: this machine's apt has no package lists of Debian 12 (apt-get update)"; exit 77; }

build=$(dirname "$VIADUCT")/..
cache=${VIADUCT_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/viaduct}
clean=$cache/debian-12-minbase-$(dpkg --print-architecture).tar.gz

work=$(mktemp -d "$PWD/package.XXXXXX")
root=$work/root
cleanup() {
  umount "$root/proc" "$root/sys" 2> /dev/null || true # of debootstrap, where it was interrupted, and below
  rm -rf --one-file-system "$work"
}
trap cleanup EXIT
trap 'exit 1' INT TERM HUP

if [[ ! -e $clean ]]; then
  echo "making a clean Debian 12 (once)"
  mkdir -p "$cache"
  debootstrap --variant=minbase bookworm "$root" "$mirror" > "$work/log" 2>&1 || { tail -n 20 "$work/log"; exit 1; }
  tar -C "$root" -I 'gzip -1' -cf "$work/clean.tar.gz" .
  cp "$work/clean.tar.gz" "$clean.$$"
  mv "$clean.$$" "$clean"
else
  mkdir "$root"
  tar -C "$root" -xf "$clean"
fi

echo "packing"
cpack --config "$build/CPackConfig.cmake" -G DEB -B "$work/deb" > "$work/log" 2>&1 || { tail -n 20 "$work/log"; exit 1; }
dpkg-deb --info "$work"/deb/*.deb
dpkg-deb --contents "$work"/deb/*.deb

echo "installing"
awk '{ print "deb", $1, $2, $3 }' <<< "$sources" > "$root/etc/apt/sources.list"
apt-config dump --format '%F "%v";%n' | grep -E '^Acquire::(Check-|https?::|Retries)' > "$root/etc/apt/apt.conf.d/host" || true
cp /etc/resolv.conf "$root/etc/resolv.conf"
cp "$work"/deb/*.deb "$root/tmp/viaduct.deb"
inside() { chroot "$root" env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root DEBIAN_FRONTEND=noninteractive "$@"; }
mount -t proc proc "$root/proc"
inside apt-get -q update
inside apt-get -q -o Dpkg::Use-Pty=0 install -y --no-install-recommends /tmp/viaduct.deb

echo "looking at what is installed"
set -x
inside viaduct --version
inside viaduct --help
inside viaduct-agent --version
inside viaduct plan /usr/share/viaduct/examples/pi/trainjob.yaml
for file in man/man1/viaduct.1.gz bash-completion/completions/viaduct zsh/site-functions/_viaduct \
  fish/vendor_completions.d/viaduct.fish doc/viaduct/LICENSE doc/viaduct/README.md; do
  test -s "$root/usr/share/$file"
done

# viaduct-agent is one static file: it runs where there is nothing else.
mkdir "$work/nothing"
cp "$root/usr/bin/viaduct-agent" "$work/nothing"
chroot "$work/nothing" /viaduct-agent --version

inside apt-get -q -o Dpkg::Use-Pty=0 remove -y viaduct
test ! -e "$root/usr/share/viaduct"
