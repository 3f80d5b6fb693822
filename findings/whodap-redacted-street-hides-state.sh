#!/bin/sh
# whodap 0.2.1 (PyPI): where `redacted` (RFC 9537) names the registrant's street alone, to_whois_dict()
# gives the whole address as "REDACTED FOR PRIVACY", and the state that the answer has is lost. gTLD
# answers under the Registration Data Policy are of this kind: street and postal code are hidden, state
# and country are published. Without the entry the state is there. The country is not in either case:
# the parameter `cc` (RFC 8605), where ICANN's profile has it, is not read.
#
# Seen (Python 3.11): with the entry: REDACTED FOR PRIVACY; without it: CA.
set -eu
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
python3 -m venv "$place/venv"
"$place/venv/bin/pip" install --quiet --disable-pip-version-check whodap==0.2.1
"$place/venv/bin/python" - <<'PYTHON'
import json
import sys

import whodap
from whodap.utils import WHOISKeys

registrant = {
    "objectClassName": "entity",
    "handle": "C1-EXAMPLE",
    "roles": ["registrant"],
    "vcardArray": ["vcard", [
        ["version", {}, "text", "4.0"],
        ["fn", {}, "text", "Jane Doe"],
        ["adr", {"cc": "US"}, "text", ["", "", "", "", "CA", "", ""]],
    ]],
}
street = {
    "name": {"type": "Registrant Street"},
    "postPath": "$.entities[?(@.roles[0]=='registrant')].vcardArray[1][?(@[0]=='adr')][3][:3]",
    "pathLang": "jsonpath",
    "method": "emptyValue",
    "reason": {"description": "Server policy"},
}
answer = {
    "rdapConformance": ["rdap_level_0", "redacted"],
    "objectClassName": "domain",
    "ldhName": "example.com",
    "status": ["active"],
    "secureDNS": {"delegationSigned": False},
    "nameservers": [{"objectClassName": "nameserver", "ldhName": "ns1.example.com"}],
    "events": [{"eventAction": "registration", "eventDate": "2020-01-01T00:00:00Z"}],
    "entities": [registrant],
}


def address(more):
    read = whodap.DomainResponse.from_json(json.dumps(answer | more))
    return str(read.to_whois_dict()[WHOISKeys.REGISTRANT_ADDRESS])


seen = [
    ("with the entry", address({"redacted": [street]})),
    ("without it", address({})),
]
for name, result in seen:
    print(name + ": " + result)
expected = ["REDACTED FOR PRIVACY", "CA"]
sys.exit([result for _, result in seen] != expected)
PYTHON
