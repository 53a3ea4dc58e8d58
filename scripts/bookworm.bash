# To be sourced: Debian 12 into a folder.

# unpack_bookworm FOLDER PACKAGE,PACKAGE... [MMDEBSTRAP-OPTION...]
# Documentation and translations stay out; package lists are dropped, so `apt-get update` comes first if apt is wanted.
# The package sources are the host's own (its mirror, its proxy) when it is of the same release, else Debian's.
unpack_bookworm() {
  local root=$1 packages=$2 sources proxy
  shift 2
  sources=$(mktemp)
  proxy=$(apt-config dump Acquire 2>/dev/null | grep -E '^Acquire::https?::Proxy(::[^ ]+)? "' || true)
  if grep -qs '^VERSION_CODENAME=bookworm' /etc/os-release; then
    if [ -s /etc/apt/sources.list ] && grep -q '^deb ' /etc/apt/sources.list; then
      grep -E '^deb .*\bbookworm\b' /etc/apt/sources.list > "$sources" || true
    elif [ -s /etc/apt/sources.list.d/debian.sources ]; then
      cp /etc/apt/sources.list.d/debian.sources "$sources"
    fi
  fi
  [ -s "$sources" ] || echo "deb http://deb.debian.org/debian bookworm main" > "$sources"
  mmdebstrap --quiet --mode=root --include="$packages" ${proxy:+--aptopt="$proxy"} \
    --aptopt='Apt::Install-Recommends "false"' \
    --dpkgopt='path-exclude=/usr/share/man/*' \
    --dpkgopt='path-exclude=/usr/share/doc/*' \
    --dpkgopt='path-include=/usr/share/doc/*/copyright' \
    --dpkgopt='path-exclude=/usr/share/locale/*' \
    --dpkgopt='path-exclude=/usr/share/info/*' \
    "$@" bookworm "$root" "$sources" || { rm -f "$sources"; return 1; }
  rm -rf "$sources" "$root"/var/lib/apt/lists/* "$root"/var/cache/apt/*.bin "$root"/var/log/*.log "$root"/var/log/apt
}
