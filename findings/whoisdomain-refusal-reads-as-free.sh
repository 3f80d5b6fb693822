#!/bin/sh
# whoisdomain 2.20260806.3 (PyPI): an answer without "Domain Name:" is "not registered", even if it says
# that a rate limit refused the query. Only a line with the words "quota exceeded" makes the package
# raise its quota error. "rate limit exceeded" does not, although the package has "limit exceeded" among
# its words for a quota: it looks for those only in answers of fewer than five lines, where it finds
# "error" first.
#
# Seen (Python 3.11): long refusal: None; the same with "Quota exceeded": WhoisQuotaExceededError;
# short refusal with "Error": None.
set -eu
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
python3 -m venv "$place/venv"
"$place/venv/bin/pip" install --quiet --disable-pip-version-check whoisdomain==2.20260806.3
"$place/venv/bin/python" - <<'PYTHON'
import logging
import sys

import whoisdomain
from whoisdomain.context.parameterContext import ParameterContext
from whoisdomain.whoisCliInterface import WhoisCliInterface

logging.disable(logging.CRITICAL)
text = ""
WhoisCliInterface.init = lambda self: None
WhoisCliInterface.executeWhoisQueryOrReturnFileData = lambda self: text


def read(lines):
    global text
    text = "".join(line + "\r\n" for line in lines)
    try:
        return repr(whoisdomain.q2("example.xyz", ParameterContext(force=True, whoisOnly=True)))
    except Exception as error:
        return type(error).__name__


head = ["% Error: rate limit exceeded.", "% Wait a minute, then ask again."]
terms = ["Terms of use, line %d" % number for number in range(8)]
seen = [
    ("long refusal", read(head + terms)),
    ("with quota exceeded", read(head + ["% Quota exceeded."] + terms)),
    ("short refusal", read(head)),
]
for name, result in seen:
    print(name + ": " + result)
expected = ["None", "WhoisQuotaExceededError", "None"]
sys.exit([result for _, result in seen] != expected)
PYTHON
