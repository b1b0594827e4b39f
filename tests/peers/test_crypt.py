"""The crypt strings that the device writes, held against those who must verify them: crypt(3) of libxcrypt and of
musl, also on big-endian MIPS, and OpenSSL. What they write is verified here in turn.
"""

import ctypes
import os
import random
import subprocess
from pathlib import Path

from place import ROOT, ZIG_CACHES, Skip, command, need, tests

CRYPT = os.environ.get("KOMAINU_CRYPT") or str(ROOT / "target/debug/crypt")
CROSS = Path(os.environ.get("KOMAINU_CROSS") or ROOT / "work/cross-venv")
METHODS = {"sha256": ("$5$", 16), "sha512": ("$6$", 16), "md5": ("$1$", 8)}
BYTES_MAX = 96
SALT = "./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
LETTERS = ["".join(map(chr, range(0x20, 0x7F))), "あいうえお漢字カナ、。", "äöüßéñ¿ €", "🦁🐶", " "]
# Every line: what stands before the sum, a tab, the password.
MUSL = """#include <crypt.h>
#include <stdio.h>
#include <string.h>
int main(void)
{
    char line[1024];
    while (fgets(line, sizeof line, stdin)) {
        line[strcspn(line, "\\n")] = 0;
        char *password = strchr(line, '\\t');
        if (!password) return 1;
        *password++ = 0;
        puts(crypt(password, line));
    }
    return 0;
}
"""


def passwords(chance):
    """Of every length where the algorithms turn a corner, and many between."""
    yield from ("", " ", "  two spaces  ", "correct horse battery staple", "犬も歩けば棒に当たる", "$5$x$y", "a:b!*")
    for length in [*(size + more for size in (8, 16, 32, 64, 96) for more in (-1, 0, 1)), *range(1, 97, 3)]:
        letters = chance.choice(LETTERS) + chance.choice(LETTERS)
        drawn = "".join(chance.choice(letters) for _ in range(length))
        yield drawn.encode()[:BYTES_MAX].decode(errors="ignore")


def ask(lines, *words, seconds=300):
    done = subprocess.run(words, input="".join(f"{line}\n" for line in lines), capture_output=True, text=True,
                          encoding="utf-8", timeout=seconds, check=False)
    assert done.returncode == 0, f"{words[0]}: exit {done.returncode}: {done.stderr.strip()}"
    answers = done.stdout.splitlines()
    assert len(answers) == len(lines), f"{words[0]}: {len(answers)} answers to {len(lines)} lines"
    return answers


def libxcrypt(place):
    try:
        function = ctypes.CDLL("libcrypt.so.1").crypt
    except OSError:
        raise Skip("needs libcrypt.so.1 (Debian: libcrypt1)") from None
    function.restype = ctypes.c_char_p
    function.argtypes = [ctypes.c_char_p, ctypes.c_char_p]
    return lambda pairs: [function(password.encode(), setting.encode()).decode() for setting, password in pairs]


def musl(place, target, *emulator):
    python = CROSS / "bin/python"
    if not python.is_file():
        raise Skip(f"cross/setup has not been run: there is no {python}")
    source, program = place.path("crypt.c"), place.path("crypt")
    source.write_text(MUSL)
    command(python, "-m", "ziglang", "cc", "-target", target, "-static", "-O1", "-o", program, source, seconds=300,
            env={**os.environ, **ZIG_CACHES})
    words = [*(need(name, "qemu-user-static") for name in emulator), str(program)]
    return lambda pairs: ask([f"{setting}\t{password}" for setting, password in pairs], *words)


def openssl(place):
    program = need("openssl", "openssl")

    def one(setting, password):
        kind, *salt = setting.split("$")[1 : 4 if "rounds=" in setting else 3]
        salt = "$".join(salt)
        return ask([password], program, "passwd", f"-{kind}", "-salt", salt, "-stdin")[0]
    return lambda pairs: [one(*pair) for pair in pairs]


def what_is_written_is_verified_by_others(place, peer, *more):
    if not os.access(CRYPT, os.X_OK):
        raise Skip(f"cargo build -p komainu-tests has not been run, or KOMAINU_CRYPT is not its crypt: {CRYPT}")
    crypt = peer(place, *more)
    chance = random.Random(4)
    # To OpenSSL an empty password is none.
    all_passwords = [word for word in passwords(chance) if word or peer is not openssl]
    count = 0
    for method, (begin, salt_max) in METHODS.items():
        made = ask([f"make\t{method}\t{chance.randbytes(12).hex()}\t{word}" for word in all_passwords], CRYPT)
        for mine, theirs, word in zip(made, crypt(list(zip(made, all_passwords))), all_passwords, strict=True):
            assert mine == theirs, f"{word!r}: made {mine}, but crypt says {theirs}"

        settings = []
        for number in range(len(all_passwords)):
            salt = "".join(chance.choice(SALT) for _ in range(1 + number % salt_max))
            rounds = f"rounds={chance.randint(1000, 9000)}$" if number % 4 == 0 and method != "md5" else ""
            settings.append(f"{begin}{rounds}{salt}$")
        theirs = crypt(list(zip(settings, all_passwords)))
        verdicts = ask([f"verify\t{one}\t{word}" for one, word in zip(theirs, all_passwords)], CRYPT)
        for one, word, verdict in zip(theirs, all_passwords, verdicts):
            assert verdict == "right", f"{word!r}: crypt wrote {one}, and that is {verdict} here"
        verdicts = ask([f"verify\t{one}\t{word}x" for one, word in zip(theirs, all_passwords)], CRYPT)
        assert set(verdicts) == {"wrong"}, f"{method}: a letter more: {set(verdicts)}"
        count += 2 * len(all_passwords)
    return f"{count} strings"


def what_others_write_in_old_ways_is_verified(place, made):
    if not os.access(CRYPT, os.X_OK):
        raise Skip(f"cargo build -p komainu-tests has not been run, or KOMAINU_CRYPT is not its crypt: {CRYPT}")
    chance = random.Random(5)
    words = [word for word in passwords(chance) if word and len(word.encode()) < 60]
    crypts = made(place, chance, words)
    verdicts = ask([f"verify\t{crypt}\t{word}" for crypt, word in zip(crypts, words, strict=True)], CRYPT)
    for crypt, word, verdict in zip(crypts, words, verdicts):
        assert verdict == "right", f"{word!r}: written as {crypt}, and that is {verdict} here"
    verdicts = ask([f"verify\t{crypt}\tx{word}" for crypt, word in zip(crypts, words)], CRYPT)
    # To DES `xx` and `x` differ as well.
    assert set(verdicts) == {"wrong"}, f"a letter more in front: {set(verdicts)}"
    return f"{len(words)} strings"


def salts(chance, words, length, letters=SALT):
    return ["".join(chance.choice(letters) for _ in range(length)) for _ in words]


def des_of_libxcrypt(place, chance, words):
    return libxcrypt(place)(list(zip(salts(chance, words, 2), words)))


def des_of_musl(place, chance, words):
    # It takes any character, as it does for what some call a locked account.
    odd = [salt for salt in salts(chance, range(3 * len(words)), 2, SALT + "!*@[]~{") if salt != "**"]
    return musl(place, "x86_64-linux-musl")(list(zip(odd, words)))


def des_of_perl(place, chance, words):
    program = need("perl", "perl")
    lines = [f"{salt}\t{word}" for salt, word in zip(salts(chance, words, 2), words)]
    return ask(lines, program, "-lne", r'my ($salt, $word) = split /\t/, $_, 2; print crypt($word, $salt)')


def apr1_of_openssl(place, chance, words):
    return openssl(place)([(f"$apr1${salt}$", word) for salt, word in zip(salts(chance, words, 8), words)])


def apr1_of_htpasswd(place, chance, words):
    program = need("htpasswd", "apache2-utils")
    return [command(program, "-nbm", "user", word).stdout.strip().partition(":")[2] for word in words]


def des_of_htpasswd(place, chance, words):
    program = need("htpasswd", "apache2-utils")
    return [command(program, "-nbd", "user", word).stdout.strip().partition(":")[2] for word in words]


tests(what_others_write_in_old_ways_is_verified, "{}_is_verified_here", [
    ("des_of_libxcrypt", des_of_libxcrypt), ("des_of_musl", des_of_musl), ("des_of_perl", des_of_perl),
    ("des_of_htpasswd", des_of_htpasswd), ("apr1_of_openssl", apr1_of_openssl), ("apr1_of_htpasswd", apr1_of_htpasswd),
])
tests(what_is_written_is_verified_by_others, "what_the_device_writes_{}_verifies", [
    ("libxcrypt", libxcrypt), ("openssl", openssl),
    ("musl", musl, "x86_64-linux-musl"), ("musl_on_big_endian_mips", musl, "mips-linux-musleabi", "qemu-mips-static"),
])
