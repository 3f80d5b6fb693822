#!/bin/sh
# rdap-test of icann-rdap-cli 0.0.30 (crates.io): where the host of its URL has no address, it runs no
# test and exits with 0, as after tests that all passed. Its resolver looks at the answers of the DNS
# alone, not at the response code: NXDOMAIN, which a mistyped name gets, counts as a host without
# addresses. The report has "0 of 0" and two notes (2102 and 2103), no warning and no error. A job that
# goes by the exit status passes for good. An address where nothing listens gives 1.
#
# Here a resolver on this machine answers NXDOMAIN for a name below .invalid (RFC 6761), as any does.
# Building takes some ten minutes.
#
# Seen (Rust 1.95): no address: asked for A AAAA, status 0, runs 0; nothing listens: status 1, runs 3.
set -eu
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
CARGO_TARGET_DIR="$place/target" cargo install icann-rdap-cli --version 0.0.30 --locked --debug --quiet \
    --bin rdap-test --root "$place"
python3 - "$place/bin/rdap-test" "$place" <<'PYTHON'
import json
import os
import socket
import subprocess
import sys
import threading

resolver = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
resolver.bind(("127.0.0.1", 0))
asked = []


def resolve():
    while True:
        query, client = resolver.recvfrom(512)
        end = query.index(b"\0", 12) + 5
        asked.append({1: "A", 28: "AAAA"}[int.from_bytes(query[end - 4:end - 2], "big")])
        # The question again, with the response code 3 (NXDOMAIN).
        head = query[:2] + b"\x81\x83" + b"\0\1" + b"\0" * 6
        resolver.sendto(head + query[12:end], client)


def tested(host):
    command = [sys.argv[1], "--log-level", "off", "--json", "--dns-resolver",
               "127.0.0.1:%d" % resolver.getsockname()[1],
               "https://%s/domain/example.com" % host]
    ran = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True,
                         env=os.environ | {"HOME": sys.argv[2]})
    runs = json.loads(ran.stdout[ran.stdout.index("{"):])["Http"]["test_runs"]
    return "status %d, runs %d" % (ran.returncode, len(runs))


threading.Thread(target=resolve, daemon=True).start()
# A port that is taken, and where nothing listens.
taken = socket.socket()
taken.bind(("127.0.0.1", 0))
seen = [
    ("no address", tested("rdap.nothing.invalid")),
    ("nothing listens", tested("127.0.0.1:%d" % taken.getsockname()[1])),
    ("asked for", " ".join(asked)),
]
for name, result in seen:
    print("%s: %s" % (name, result))
expected = ["status 0, runs 0", "status 1, runs 3", "A AAAA"]
sys.exit([result for _, result in seen] != expected)
PYTHON
