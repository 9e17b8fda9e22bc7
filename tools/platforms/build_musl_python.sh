#!/bin/sh
# Builds a Python that uses musl for its C library, from Debian's sources, inside a Debian.
#
#   build_musl_python.sh PREFIX
#
# Its pip takes wheels for musllinux, as on Alpine. zlib, libffi and OpenSSL are built in.
set -eu

prefix=$1
work=$(mktemp -d)
built=$work/built
jobs=-j$(nproc)
cd "$work"

sed -n 's/^deb /deb-src /p' /etc/apt/sources.list > /etc/apt/sources.list.d/source.list
apt-get update -qq
for name in zlib libffi openssl python3.13; do
  # A mirror may list a version that it does not have.
  for version in $(apt-cache madison "$name" | cut -d'|' -f2 | sort -ruV); do
    apt-get source -qq --download-only --tar-only "$name=$version" && break
  done
done
for archive in ./*.orig.tar.*; do
  folder=$(basename "${archive%%_*}")
  mkdir "$folder"
  tar -xf "$archive" -C "$folder" --strip-components 1
done

# musl-gcc leaves the kernel's headers out.
for headers in /usr/include/linux /usr/include/asm-generic /usr/include/x86_64-linux-gnu/asm; do
  ln -sf "$headers" /usr/include/x86_64-linux-musl/
done
# Its name for the system would be glibc's, which Python's build refuses.
cat > cc <<'CC'
#!/bin/sh
test "$1" != --print-multiarch || { echo x86_64-linux-musl; exit; }
exec musl-gcc "$@"
CC
chmod +x cc
export CC="$work/cc" CFLAGS="-O2 -fPIC"

(cd zlib && ./configure --static --prefix="$built" && make "$jobs" install)
(cd libffi && ./autogen.sh && ./configure --disable-shared --disable-docs --prefix="$built" && make "$jobs" install)
(cd openssl && ./Configure linux-x86_64 --prefix="$built" --libdir=lib no-apps no-docs no-engine \
  no-module no-shared no-tests && make "$jobs" && make install_dev)
(cd python3.13 && ./configure --prefix="$prefix" --with-openssl="$built" --disable-test-modules \
  CPPFLAGS="-I$built/include" LDFLAGS="-L$built/lib" && make "$jobs" && make install)
"$prefix/bin/python3" -c 'import ctypes, ssl, zlib'
rm -rf "$work"
