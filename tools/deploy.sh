#!/bin/sh
# Bring a bundle and the runtime to a device, and into use if the self-test passes there.
#
#   bench/deploy.sh HOST BUNDLE WHEEL [FOLDER]     make deploy HOST=pi@raspberrypi BUNDLE=bundles/imdb
#
# On the device FOLDER (default: glovelite, in the home folder) then holds
#   venv              the environment in use        venv.previous           the one before it
#   bundles/NAME      the bundle in use             bundles/NAME.previous   the one before it
# which are links, so that each changes in one rename, and back: mv -T NAME.previous NAME.
# DRY=1 prints the commands and runs none. SSH and SCP may name other programs or options.
set -eu

host=$1 bundle=${2%/} wheel=$3 folder=${4:-glovelite}
name=$(basename "$bundle")
fail() { echo "deploy: $*" >&2; exit 1; }
case $host in -*|'') fail "HOST is a name ssh knows, such as pi@raspberrypi" ;; esac
case $folder$name in *[!A-Za-z0-9._/-]*) fail "$folder, $name: use letters, digits, . _ - in names" ;; esac
test -f "$bundle/manifest.json" || fail "$bundle is no bundle: it has no manifest.json"
test -f "$wheel" || fail "$wheel does not exist: make wheel"
hash() { cksum < "$1" | cut -d' ' -f1; }

# Prints a command and, unless it is a rehearsal, runs it.
step() {
  echo "+ $*"
  test -n "${DRY:-}" || "$@"
}

# What the device does, in the shell it has.
on_device() {
  cat <<DEVICE
{  # read to its end before it begins
set -eu
cd '$folder'
name=$name bundle=.$name@$(hash "$bundle/manifest.json") venv=.venv-$(hash "$wheel")
wheel=incoming/$(basename "$wheel")
DEVICE
  cat <<'DEVICE'
use() {  # use TARGET LINK: the link names the target from now on, LINK.previous what it named before
  test "$(readlink "$2" || true)" != "$1" || return 0
  test ! -L "$2" || ln -sfn "$(readlink "$2")" "$2.previous"
  ln -sfn "$1" "$2.next"
  mv -T "$2.next" "$2"
}
drop() {  # drop LINK FOLDER...: removes the folders that neither the link nor LINK.previous names
  link=$1; shift
  for each; do
    case $(basename "$each") in
      "$(readlink "$link" || true)" | "$(readlink "$link.previous" || true)") ;;
      *) rm -rf "$each" ;;
    esac
  done
}
fail() { echo "deploy: $*; what was in use stays" >&2; rm -rf incoming; exit 1; }

if ! test -f "$venv/ready"; then
  # Where pip finds no numpy for 32-bit ARM, Debian's serves: apt-get install python3-numpy
  case $(uname -m) in armv*) site=--system-site-packages ;; *) site= ;; esac
  rm -rf "$venv"
  python3 -m venv $site "$venv" || fail "no environment: apt-get install python3-venv"
  "$venv/bin/python" -m pip --disable-pip-version-check install -q "$wheel" || fail "pip failed"
  touch "$venv/ready"
fi
"$venv/bin/glovelite-run" "incoming/$name" --self-test || fail "the self-test failed"
test -e "bundles/$bundle" || mv "incoming/$name" "bundles/$bundle"
use "$venv" venv
use "$bundle" "bundles/$name"
drop venv .venv-*
drop "bundles/$name" "bundles/.$name@"*
rm -rf incoming
echo "in use: $(pwd)/bundles/$name; classify there with $(pwd)/venv/bin/glovelite-run"
exit
}
DEVICE
}

step ${SSH:-ssh} "$host" "rm -rf '$folder/incoming' && mkdir -p '$folder/incoming' '$folder/bundles'"
step ${SCP:-scp} -q -r "$wheel" "$bundle" "$host:$folder/incoming/"
echo "+ ${SSH:-ssh} $host sh -s"
if test -n "${DRY:-}"; then on_device | sed 's/^/    /'; else on_device | ${SSH:-ssh} "$host" sh -s; fi
