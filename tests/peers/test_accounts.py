"""What an account is, and what lets it in: held against those who decide that on a device. glibc and musl read pairs of
files that were drawn by lot, and BusyBox, Dropbear and Debian's su log in by them. Nothing that one of them lets in is
missing here, and nothing is let in after it was locked.
"""

import os
import random
import shutil
import socket
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from place import DEVICE_BUILDS, KOMAINU, ROOT, Skip, command, end, need, need_root, test, tests, wait_until
from test_crypt import CRYPT, ask

CASES = 600
LOGINS = 36
#: A log-in that is refused waits; one that is not is quick.
LOGIN_SECONDS = 4
PAM = "/lib/x86_64-linux-gnu/security"
DES, MD5 = "abOV.DfJmdnYw", "$1$abcdefgh$l/LAqC8oJERu7Cmx6trtY/"
PASSWORD = "admin"
NAMES = ["svc"] * 8 + ["-svc", "+svc", "#svc", " svc", "svc ", "\tsvc", ":svc", "", "+", " #svc", "sv\x0bc", "root"]
FIELDS = ["x", "*", "!", "!!", "", DES, MD5, DES, MD5, "!" + MD5, " ", " x", "x ", f" {MD5} ", "*LK*", "\r"]
NUMBERS = ["0"] * 4 + ["00", " 0", "0 ", "+0", "-0", "0x0", "4294967296", "", "5", "-1", "root", "\t0"]
TAILS = ["::/:/bin/sh"] * 8 + ["::/:", "", ":", ":::", "::/:/bin/sh:more", ":" + "g" * 5000 + ":/:/bin/sh", "::/:\r", "::/:/bin/sh\0"]
DAYS = [":1:0:99999:7:::"] * 6 + ["", ":", ":1::::::", "::::::::", ":1:0:9", ":a:b:::::", ":1:0:99999:7:::\r", ":1:0:99999:7::::x"]
# Each line: a folder with etc/passwd and etc/shadow, a tab, the names to ask for. The answers: hexadecimal, a word each.
ASK = """#define _GNU_SOURCE
#include <pwd.h>
#include <shadow.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
static char line[1 << 20];
static void hex(const char *text) { for (putchar('.'); *text; text++) printf("%02x", (unsigned char)*text); }
static void account(struct passwd *one) {
    struct spwd *shadow = getspnam(one->pw_name);
    printf("\\t%u ", (unsigned)one->pw_uid); hex(one->pw_name); putchar(' '); hex(one->pw_passwd); putchar(' ');
    if (shadow && shadow->sp_pwdp) hex(shadow->sp_pwdp); else putchar('-');
}
int main(void) {
    while (fgets(line, sizeof line, stdin)) {
        char *folder = strtok(line, "\\t\\n"), *word;
        fflush(stdout);
        pid_t child = fork();
        if (!child) {
            if (chroot(folder) || chdir("/")) _exit(1);
            while ((word = strtok(NULL, "\\t\\n"))) {
                char name[8192] = "", *to = name;
                for (word++; *word; word += 2) { unsigned byte; sscanf(word, "%2x", &byte); *to++ = (char)byte; }
                struct passwd *one = getpwnam(name);
                if (one) account(one);
            }
            setpwent();
            for (struct passwd *one; (one = getpwent());) { struct passwd copy = *one; copy.pw_name = strdup(one->pw_name);
                copy.pw_passwd = strdup(one->pw_passwd); account(&copy); }
            fflush(stdout);
            _exit(0);
        }
        int status; waitpid(child, &status, 0);
        if (status) return 1;
        puts("");
    }
    return 0;
}
"""


def hexadecimal(text):
    return "." + text.encode("latin-1").hex()


def clear(digits):
    return bytes.fromhex(digits[1:]).decode("latin-1")


def drawn(chance, odd=1.0):
    """A pair of files, of a few lines each. What is not drawn odd is as usual, but for the password fields."""
    one = lambda of: chance.choice(of) if of is FIELDS or chance.random() < odd else of[0]
    line = lambda tail, *fields: ":".join(one(field) for field in fields) + one(tail)
    passwd = [line(TAILS, NAMES, FIELDS, NUMBERS, ["0", "0", "", " 0", "x"]) for _ in range(chance.randint(1, 3))]
    shadow = [line(DAYS, NAMES, FIELDS) for _ in range(chance.randint(0, 3))]
    ends = lambda lines: "\n".join(lines) + chance.choice(["\n", "\n", "\n", ""])
    return ends(passwd), ends(shadow)


def names_of(passwd):
    names = set()
    for line in passwd.replace("\0", "\n").split("\n"):
        first = line.split(":")[0]
        names |= {first, first.strip(), ":" + "".join(line[1:].split(":")[:1])}
    return sorted(name for name in names if name and "\t" not in name)


def entries_of(pairs):
    """What Komainu sees: for each pair its entries as file, number, name, field (`None`: locked)."""
    answers = ask([f"accounts\t{hexadecimal(passwd)}\t{hexadecimal(shadow)}" for passwd, shadow in pairs], CRYPT)
    for answer in answers:
        entries = []
        for word in answer.split("\t") if answer else []:
            held_in, number, name, field = word.split(" ")
            entries.append((held_in, number, clear(name), None if field == "-" else clear(field)))
        yield entries


def locked(pair, entries):
    """The pair after everything that is open was locked."""
    files = dict(zip(("passwd", "shadow"), pair))
    for held_in, _, name, field in entries:
        if field is not None:
            files[held_in] = clear(ask([f"bar\t{hexadecimal(name)}\t{hexadecimal(files[held_in])}"], CRYPT)[0])
    return files["passwd"], files["shadow"]


def has(entries, name, number, field):
    """Whether this is among what Komainu sees. It may take more for the number 0."""
    same = [entry for entry in entries if entry[2].strip() == name.strip()]
    if number == "0":
        same = [entry for entry in same if entry[1] in ("0", "-")]
    return any(entry[3] == field for entry in same) if field is not None else bool(same)


def libraries(place, compiler):
    source, program = place.path("ask.c"), place.path("ask")
    source.write_text(ASK)
    static = ["-static"] if compiler == "musl-gcc" else []
    command(need(compiler, {"gcc": "gcc", "musl-gcc": "musl-tools"}[compiler]), *static, "-O1", "-o", program, source)

    def seen(pairs):
        lines = []
        for number, (passwd, shadow) in enumerate(pairs):
            etc = place.path(f"{number}/etc/passwd").parent
            (etc / "passwd").write_bytes(passwd.encode("latin-1"))
            (etc / "shadow").write_bytes(shadow.encode("latin-1"))
            lines.append("\t".join([str(etc.parent), *map(hexadecimal, names_of(passwd))]))
        for answer in ask(lines, str(program)):
            accounts = [word.split(" ") for word in answer.split("\t")[1:]]
            yield [(number, clear(name), clear(field), None if shadow == "-" else clear(shadow))
                   for number, name, field, shadow in accounts]
    return seen


def opens(field):
    return field == "" or field in (DES, MD5)


def ready():
    need_root("chroot")
    if not os.access(CRYPT, os.X_OK):
        raise Skip(f"cargo build -p komainu-tests has not been run, or KOMAINU_CRYPT is not its crypt: {CRYPT}")


def every_account_of_a_library_is_one_here(place, compiler):
    ready()
    seen = libraries(place, compiler)
    chance = random.Random(12)
    pairs = [drawn(chance) for _ in range(CASES)]
    entries = list(entries_of(pairs))
    count = 0
    for pair, ours, theirs in zip(pairs, entries, seen(pairs), strict=True):
        for number, name, *fields in theirs:
            for field in filter(opens, [field for field in fields if field is not None]):
                count += 1
                assert has(ours, name, number, field), f"{pair}: {name!r} ({number}) by {field!r}; here {ours}"
            # A comment that lets no one in is none to most.
            if number == "0" and not name.strip().startswith(("#", ":")):
                assert has(ours, name, number, None), f"{pair}: {name!r} is not here: {ours}"
    assert count > CASES / 4, f"only {count} ways in: the files say too little"
    after = [locked(pair, ours) for pair, ours in zip(pairs, entries)]
    for pair, theirs in zip(after, seen(after), strict=True):
        for number, name, *fields in theirs:
            assert not any(map(opens, fields)), f"locked as {pair}, and {name!r} is open"
    return f"{count} ways in"


class Rooms:
    """A few folders with the programs of a small device, in each of which one log-in is tried at a time."""

    def __init__(self, place, login, *programs):
        self.login, self.rooms = login, []
        modules = sorted(Path(PAM).glob("pam_[pu]*.so")) if programs[0].endswith("/su") else []
        libraries = set(modules)
        for program in [*programs, *map(str, modules)]:
            needed = subprocess.run(["ldd", program], capture_output=True, text=True, check=False).stdout
            libraries |= {Path(word) for word in needed.split() if word.startswith("/")}
        for number in range(6):
            room = place.path(f"room{number}/etc/passwd").parent.parent
            for name in ("bin", "dev", "tmp", "etc/pam.d"):
                (room / name).mkdir(parents=True, exist_ok=True)
            for file in [*libraries, *map(Path, programs)]:
                there = room / str(file).lstrip("/") if file in libraries else room / "bin" / file.name
                there.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(file, there)
            shutil.copy(need("busybox", "busybox-static"), room / "bin/busybox")
            for name in ("sh", "id"):
                (room / "bin" / name).symlink_to("busybox")
            for program in (room / "bin").iterdir():
                program.chmod(0o4755)
            for name, minor in (("null", 3), ("urandom", 9)):
                os.mknod(room / "dev" / name, 0o20666, os.makedev(1, minor))
                (room / "dev" / name).chmod(0o666)
            for name in ("su", "other"):
                (room / "etc/pam.d" / name).write_text("auth required pam_unix.so nullok\naccount required pam_permit.so\n"
                                                       "session required pam_permit.so\n")
            self.rooms.append(room)

    def numbers(self, questions):
        """For each pair and name the number of the user who is in, or None."""
        def one(turn):
            for pair, name in questions[turn :: len(self.rooms)]:
                room = self.rooms[turn]
                for file, text in zip(("passwd", "shadow"), pair):
                    (room / "etc" / file).write_bytes(text.encode("latin-1"))
                yield self.login(room, name)
        with ThreadPoolExecutor(len(self.rooms)) as pool:
            answers = list(pool.map(lambda turn: list(one(turn)), range(len(self.rooms))))
        return [answers[at % len(self.rooms)][at // len(self.rooms)] for at in range(len(questions))]


def number_of(words, password, **more):
    """The user that the program becomes, or None."""
    try:
        done = subprocess.run([os.fsencode(word) for word in words], input=f"{password}\n".encode(), timeout=LOGIN_SECONDS,
                              capture_output=True, check=False, **more)
    except subprocess.TimeoutExpired:
        return None
    lines = done.stdout.decode("latin-1").split("\n")
    return next((line.removeprefix("in:") for line in lines if line.startswith("in:")), None)


def by_su(program):
    def login(room, name):
        words = ["chroot", "--userspec=1000:1000", room, *program, "-s", "/bin/sh", "-c", "echo; echo in:$(id -u)", "--",
                 name.encode("latin-1")]
        return number_of(words, PASSWORD)
    return login


def busybox(place):
    return Rooms(place, by_su(["/bin/busybox", "su"]), need("busybox", "busybox-static"))


def debian(place):
    if not os.path.exists(f"{PAM}/pam_unix.so"):
        raise Skip("needs pam_unix.so (Debian: libpam-modules)")
    return Rooms(place, by_su(["/bin/su"]), need("su", "util-linux"))


def dropbear(place):
    server, client = need("dropbear", "dropbear-bin"), need("dbclient", "dropbear-bin")
    key = place.path("key")
    command(need("dropbearkey", "dropbear-bin"), "-t", "ed25519", "-f", key)

    def login(room, name):
        port = ports[room]
        words = [client, "-y", "-y", "-p", str(port), "-l", name.encode("latin-1"), "127.0.0.1", "echo; echo in:$(id -u)"]
        return number_of(words, "", env={**os.environ, "DROPBEAR_PASSWORD": PASSWORD, "HOME": str(place.folder)})
    rooms = Rooms(place, login, server)
    ports = {}
    for room in rooms.rooms:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            ports[room] = port = free.getsockname()[1]
        shutil.copy(key, room / "etc/key")
        process = subprocess.Popen(["chroot", str(room), "/bin/dropbear", "-F", "-E", "-B", "-p", f"127.0.0.1:{port}", "-r", "/etc/key"],
                                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        place.undo.callback(end, process)
        wait_until(lambda: socket.socket().connect_ex(("127.0.0.1", port)) == 0, "dropbear listens")
    return rooms


def a_log_in_is_by_an_open_account_here(place, program):
    ready()
    rooms = program(place)
    chance = random.Random(3)
    named = [((f"svc:{field}:0:0::/:/bin/sh\n", f"svc:{shadow}:1:0:99999:7:::\n"), "svc")
             for field, shadow in [("*", MD5), ("x", DES), (MD5, "*"), ("*", ""), ("", "!"), (DES, "x"), ("!", DES)]]
    questions = named
    while len(questions) < LOGINS:
        pair = drawn(chance, odd=0.2)
        names = [name for name in names_of(pair[0]) if "svc" in name and "\0" not in name]
        if any(hash in "".join(pair) for hash in (DES, MD5)) and names:
            questions.append((pair, chance.choice(names)))
    entries = list(entries_of([pair for pair, _ in questions]))
    count = 0
    for (pair, name), ours, number in zip(questions, entries, rooms.numbers(questions)):
        if number is not None:
            count += 1
            fields = [entry[3] for entry in ours if entry[3] is not None and entry[2].strip() == name.strip()
                      and (number != "0" or entry[1] in ("0", "-"))]
            assert any(map(opens, fields)), f"{pair}: {name!r} is in as {number}, and here it is {ours}"
    assert count > 9, f"only {count} of {len(questions)} log-ins succeed: this sees nothing"
    after = [(locked(pair, ours), name) for (pair, name), ours in zip(questions, entries)]
    for (pair, name), number in zip(after, rooms.numbers(after)):
        assert number is None, f"locked as {pair}, and {name!r} is in as {number}"
    return f"{count} of {len(questions)} are in"


@test
def no_program_shows_a_password_of_the_list(place):
    lists = [ROOT / "bootstrap/lists" / name for name in ("default-credentials.txt", "default-credentials-field.txt")]
    lines = [line for file in lists for line in file.read_text().splitlines() if line and not line.startswith("#")]
    # A word of the language stands in programs for itself.
    is_word = lambda password: len(password) < 6 or password.isdigit() or not any(map(str.isdigit, password))
    passwords = {password for password in (line.split("\t")[-1] for line in lines) if not is_word(password)}
    shown = lambda data: {password for password in passwords if password.encode() in data}
    assert len(passwords) > 100 and shown(b"".join(file.read_bytes() for file in lists)) == passwords
    programs = [file for file in [Path(KOMAINU), *sorted(DEVICE_BUILDS.glob("*/komainu"))] if file.is_file()]
    if not programs:
        raise Skip("cargo build -p komainu has not been run")
    for program in programs:
        # `password` and a digit that happens to follow it.
        found = shown(program.read_bytes()) - {"password1"}
        assert not found, f"{program} shows {sorted(found)}"
    return f"{len(passwords)} passwords, {len(programs)} programs"


tests(every_account_of_a_library_is_one_here, "every_account_of_{}_is_an_account_here", [("glibc", "gcc"), ("musl", "musl-gcc")])
tests(a_log_in_is_by_an_open_account_here, "a_log_in_by_{}_is_by_an_open_account_here", [
    ("busybox", busybox), ("dropbear", dropbear), ("debians_su", debian),
])
