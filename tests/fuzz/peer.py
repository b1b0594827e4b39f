"""Says what securesystemslib signs for a JSON file: frames of a length (32 bits, little-endian) and bytes, in and out.

An answer has one more byte after its length: 0 for a canonical form, 1 for a refusal and its reason.
"""

import json
import sys

from securesystemslib.formats import encode_canonical


def answer(file):
    try:
        return 0, encode_canonical(json.loads(file)).encode()
    except Exception as refusal:  # whatever it is, it is a refusal
        return 1, f"{type(refusal).__name__}: {refusal}".encode("utf-8", "backslashreplace")


def main():
    questions, answers = sys.stdin.buffer, sys.stdout.buffer
    while head := questions.read(4):
        status, body = answer(questions.read(int.from_bytes(head, "little")))
        answers.write(len(body).to_bytes(4, "little") + bytes([status]) + body)
        answers.flush()


if __name__ == "__main__":
    main()
