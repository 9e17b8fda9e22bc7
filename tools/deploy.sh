#!/bin/sh
# Copies a bundle and the runtime to a device and activates them if the self-test passes there.
#
#   tools/deploy.sh HOST BUNDLE WHEEL [FOLDER]     make deploy HOST=pi@raspberrypi BUNDLE=bundles/imdb
#
# On the device, FOLDER (default: glovelite in the home folder) then holds these links:
#   venv              the active environment        venv.previous           the one before
#   bundles/NAME      the active bundle             bundles/NAME.previous   the one before
# Each is replaced in one rename; to roll back: mv -T NAME.previous NAME.
# SERVE=[HOST:]PORT also installs what --serve needs, writes glovelite-NAME.service, a systemd unit, beside
# them, and prints the two commands that enable it. DRY=1 prints the commands without running them. SSH and
# SCP may name other programs or options.
set -eu

host=$1 bundle=${2%/} wheel=$3 folder=${4:-glovelite}
name=$(basename "$bundle")
fail() { echo "deploy: $*" >&2; exit 1; }
case $host in -*|'') fail "HOST must be a name that ssh knows, such as pi@raspberrypi" ;; esac
case $folder$name in *[!A-Za-z0-9._/-]*) fail "$folder, $name: expected letters, digits and . _ - in names" ;; esac
case ${SERVE:-} in *[!][0-9A-Za-z.:-]*) fail "SERVE must be [HOST:]PORT, such as 8080" ;; esac
test -f "$bundle/manifest.json" || fail "$bundle is not a bundle: it has no manifest.json"
test -f "$wheel" || fail "$wheel does not exist: make wheel"
hash() { cksum < "$1" | cut -d' ' -f1; }

# Prints a command and, unless DRY is set, runs it.
step() {
  echo "+ $*"
  test -n "${DRY:-}" || "$@"
}

# Prints the script that the device runs.
on_device() {
  cat <<DEVICE
{  # the shell reads the whole script before it starts
set -eu
cd '$folder'
name=$name bundle=.$name@$(hash "$bundle/manifest.json") venv=.venv-$(hash "$wheel")
wheel=incoming/$(basename "$wheel") serve=${SERVE:-}
DEVICE
  cat <<'DEVICE'
activate() {  # activate TARGET LINK: points the link at the target, LINK.previous at the old one
  test "$(readlink "$2" || true)" != "$1" || return 0
  test ! -L "$2" || ln -sfn "$(readlink "$2")" "$2.previous"
  ln -sfn "$1" "$2.next"
  mv -T "$2.next" "$2"
}
prune() {  # prune LINK FOLDER...: removes folders that neither the link nor LINK.previous names
  link=$1; shift
  for folder; do
    case $(basename "$folder") in
      "$(readlink "$link" || true)" | "$(readlink "$link.previous" || true)") ;;
      *) rm -rf "$folder" ;;
    esac
  done
}
fail() { echo "deploy: $*; the active bundle and environment are unchanged" >&2; rm -rf incoming; exit 1; }

extras=
if test -n "$serve$(ls glovelite-*.service 2> /dev/null)"; then  # also if another bundle is served
  venv=$venv-serve extras=,serve
fi
if ! test -f "$venv/ready"; then
  # pip finds no numpy wheel for 32-bit Python; Debian has one: apt-get install python3-numpy
  site=$(python3 -c 'import sys; print("--system-site-packages" * (sys.maxsize < 2**32))')
  rm -rf "$venv"
  python3 -m venv $site "$venv" || fail "cannot create an environment: apt-get install python3-venv"
  install() { "$venv/bin/python" -m pip --disable-pip-version-check install -q "$1"; }
  # Before Python 3.12 the wheel itself brings an interpreter.
  litert=$(python3 -c 'import sys; print(",litert" * (sys.version_info >= (3, 12)))')
  named() { test -z "$1" || echo "[${1#,}]"; }  # ,serve,litert -> [serve,litert]
  install "$wheel$(named "$extras$litert")" 2> /dev/null || install "$wheel$(named "$extras")" || fail "pip failed"
  touch "$venv/ready"
fi
"$venv/bin/glovelite-run" "incoming/$name" --self-test || fail "the self-test failed"
test -e "bundles/$bundle" || mv "incoming/$name" "bundles/$bundle"
activate "$venv" venv
activate "$bundle" "bundles/$name"
prune venv .venv-*
prune "bundles/$name" "bundles/.$name@"*
rm -rf incoming
echo "active: $(pwd)/bundles/$name; classify with $(pwd)/venv/bin/glovelite-run"
unit=glovelite-$name.service
if test -n "$serve"; then
  cat > "$unit.next" <<UNIT
[Unit]
Description=Text classifier $name

[Service]
ExecStart=$(pwd)/venv/bin/glovelite-run $(pwd)/bundles/$name --serve $serve
ExecReload=/bin/kill -HUP \$MAINPID
Restart=always
RestartSec=2
User=$(id -un)
NoNewPrivileges=yes
ProtectSystem=strict
ProtectHome=read-only
PrivateTmp=yes

[Install]
WantedBy=multi-user.target
UNIT
  mv "$unit.next" "$unit"
  echo "to serve it now and whenever the device starts, run there:"
  echo "  sudo cp $(pwd)/$unit /etc/systemd/system/"
  echo "  sudo systemctl enable --now ${unit%.service}"
fi
if test -f "/etc/systemd/system/$unit"; then
  echo "to serve what is active now, run there: sudo systemctl restart ${unit%.service}"
fi
exit
}
DEVICE
}

step ${SSH:-ssh} "$host" "rm -rf '$folder/incoming' && mkdir -p '$folder/incoming' '$folder/bundles'"
step ${SCP:-scp} -q -r "$wheel" "$bundle" "$host:$folder/incoming/"
echo "+ ${SSH:-ssh} $host sh -s"
if test -n "${DRY:-}"; then on_device | sed 's/^/    /'; else on_device | ${SSH:-ssh} "$host" sh -s; fi
