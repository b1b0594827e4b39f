"""Keys on tokens: SoftHSM's, through its PKCS#11 module; made by komainu-maker, and by other people's tools.

What signs is a token, what judges is python-tuf and securesystemslib.
"""

import json
import os
import pty
import re
import select
import signal
import subprocess
import termios
import time
from pathlib import Path

from cryptography.hazmat.primitives.serialization import load_pem_public_key
from maker import Workshop
from place import KOMAINU_MAKER, PATIENCE, Skip, command, need, test, tests, wait_until
from securesystemslib.formats import encode_canonical
from securesystemslib.signer import Signature, SSlibKey
from test_tuf import read_all

MODULES = ("/usr/lib/softhsm/libsofthsm2.so", "/usr/lib/x86_64-linux-gnu/softhsm/libsofthsm2.so",
           "/usr/lib/aarch64-linux-gnu/softhsm/libsofthsm2.so")


class Tokens:
    """Tokens in the place's folder; no other user or test sees them."""

    def __init__(self, place, *labels):
        need("softhsm2-util", "softhsm2")
        self.module = next((module for module in MODULES if os.path.exists(module)), None)
        if not self.module:
            raise Skip("needs libsofthsm2.so (Debian: libsofthsm2)")
        self.place, self.folder = place, place.path("tokens")
        self.folder.mkdir()
        config = place.path("softhsm2.conf")
        config.write_text(f"directories.tokendir = {self.folder}\nobjectstore.backend = file\nlog.level = ERROR\n",
                          encoding="ascii")
        # One PIN for all, for where a person would type each.
        self.pin = place.path("pin")
        self.pin.write_text("271828\n", encoding="ascii")
        self.env = {"SOFTHSM2_CONF": str(config), "KOMAINU_PKCS11_MODULE": self.module, "KOMAINU_PIN_FILE": str(self.pin)}
        for label in labels:
            self.softhsm("--init-token", "--free", "--label", label, "--so-pin", "31415926", "--pin", "271828")

    def softhsm(self, *words):
        return command("softhsm2-util", *words, env={**os.environ, **self.env})

    def pkcs11_tool(self, label, *words):
        """OpenSC's tool at one of the tokens."""
        need("pkcs11-tool", "opensc")
        return command("pkcs11-tool", "--module", self.module, "--token-label", label, "--login", "--pin", "271828",
                       *words, env={**os.environ, **self.env}).stdout

    def maker(self, *words, fails=None, **more):
        """komainu-maker, without a terminal; `fails` is what it must say instead of succeeding."""
        env = {name: value for name, value in {**os.environ, **self.env, **more}.items() if value is not None}
        if fails is None:
            return command(KOMAINU_MAKER, *words, env=env, stdin=subprocess.DEVNULL).stdout
        done = subprocess.run([KOMAINU_MAKER, *map(str, words)], env=env, stdin=subprocess.DEVNULL,
                              capture_output=True, text=True, timeout=PATIENCE, check=False)
        assert done.returncode == 1 and fails in done.stderr, f"exit {done.returncode}, not `{fails}`: {done.stderr}"
        return done.stderr

    def key(self, name, token, kind="ecdsa"):
        """A new key on a token; gives the file that refers to it."""
        file = self.place.path(f"keys/{name}.token")
        self.maker("key", "new", file, "--type", kind, "--token", f"pkcs11:token={token};object={name}")
        return file


def tokens_to_tuf(place, kind):
    tokens = Tokens(place, "root one", "root-two", "targets")
    one, two = tokens.key("root-1", "root%20one", kind), tokens.key("root-2", "root-two", kind)
    targets = tokens.key("targets-1", "targets", kind)
    three = place.path("keys/root-3.pem")
    tokens.maker("key", "new", three)
    keys = ["--root-key", one, "--root-key", two, "--root-key", three.with_suffix(".pub"), "--targets-key", targets]
    workshop = Workshop(place, keys=keys, env=tokens.env)
    assert not list(workshop.folder.glob("keys/offline/*.pem")), "a private key was written"
    shipped = workshop.root
    images = workshop.publish(2)
    assert read_all(place, workshop, shipped, "first") == (2, images, [1, 2, 2, 2])

    # The key in the file goes, one on a token comes: asked for here, signed without a workshop, published here.
    new = tokens.key("root-4", "targets", kind)
    request = place.path("carried/request.json")
    goes = json.loads(workshop.root)["signed"]["roles"]["root"]["keyids"][2]
    workshop.run("sign", "request", request, "rotate", "root", "--add", new.with_suffix(".pub"), "--remove", goes)
    trusted = place.path("carried/root.json")
    trusted.write_bytes(shipped)
    for number, file in enumerate([one, new, two], 1):
        said = tokens.maker("sign", "add", request, "--keys", file, "--root", trusted)
        assert "Signed 2.root.json with" in said, said
        assert ("That is enough" in said) == (number == 3), said
    workshop.run("sign", "publish", request)
    # And a release, in two steps as well: the workshop cannot reach the token.
    images = release_by_request(workshop, tokens, targets, trusted, 3)
    release, found, versions = read_all(place, workshop, shipped, "rotated")
    assert (release, found, versions) == (3, images, [2, 3, 3, 3]), f"release {release}, versions {versions}"
    return f"versions {versions}"


tests(tokens_to_tuf, "python_tuf_reads_what_{}_keys_on_tokens_sign", [("ecdsa", "ecdsa"), ("ed25519", "ed25519")])


def release_by_request(workshop, tokens, targets, trusted, release):
    request = tokens.place.path(f"carried/release-{release}.json")
    run, images = workshop.run, None

    def instead(*words, **more):
        if words != ("publish",):
            return run(*words, **more)
        run("sign", "request", request, "targets")
        said = tokens.maker("sign", "add", request, "--keys", targets, "--root", trusted)
        assert f"gate-1/stable release {release}" in said, said
        return run("sign", "publish", request)

    workshop.run = instead
    try:
        images = workshop.publish(release)
    finally:
        workshop.run = run
    return images


def others_keys(place, make):
    tokens = Tokens(place, "others")
    make(tokens)
    file = place.path("keys/theirs.token")
    tokens.maker("key", "link", file, "pkcs11:token=others;object=theirs;id=%A1")
    public = json.loads(file.with_suffix(".pub").read_bytes())
    crypto = load_pem_public_key(public["keyval"]["public"].encode())
    key = SSlibKey.from_crypto(crypto, scheme="ecdsa-sha2-nistp256")
    workshop = Workshop(place, keys=["--root-threshold", "1", "--root-key", file], env=tokens.env)
    root = json.loads(workshop.root)
    [signature] = root["signatures"]
    assert key.keyid == signature["keyid"] == root["signed"]["roles"]["root"]["keyids"][0]
    # Raises if it is not its signature.
    signed = encode_canonical(root["signed"]).encode()
    key.verify_signature(Signature(signature["keyid"], signature["sig"]), signed)


def by_pkcs11_tool(tokens):
    tokens.pkcs11_tool("others", "--keypairgen", "--key-type", "EC:prime256v1", "--label", "theirs", "--id", "a1",
                       "--usage-sign")


def by_import(tokens):
    need("openssl", "openssl")
    pem = tokens.place.path("theirs.pem")
    command("openssl", "genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256", "-out", pem)
    tokens.softhsm("--import", pem, "--token", "others", "--label", "theirs", "--id", "a1", "--pin", "271828")


tests(others_keys, "a_key_made_by_{}_signs_what_securesystemslib_accepts", [
    ("pkcs11_tool", by_pkcs11_tool),
    ("openssl_and_imported", by_import),
])


@test
def a_key_made_on_a_token_signs_and_never_leaves_it(place):
    tokens = Tokens(place, "mine")
    tokens.key("mine", "mine")
    listed = tokens.pkcs11_tool("mine", "--list-objects")
    private = listed.split("Private Key Object")[1]
    usage, access = re.search(r"Usage: +(.*)", private)[1], re.search(r"Access: +(.*)", private)[1]
    assert usage.strip() == "sign", listed
    assert {"sensitive", "never extractable", "local"} <= {word.strip() for word in access.split(",")}, listed


@test
def what_is_wrong_with_a_token_is_said(place):
    tokens = Tokens(place, "mine")
    file = tokens.key("mine", "mine")
    reference = file.read_text(encoding="ascii")
    assert "pin" not in reference and reference.startswith("pkcs11:token=mine;object=mine;id=%"), reference
    wrong = place.path("wrong-pin")
    wrong.write_text("000000\n", encoding="ascii")
    other = place.path("keys/other.token")

    def init(fails, **more):
        tokens.maker("init", place.path("w"), "--root-threshold", "1", "--root-key", file, fails=fails, **more)
        assert not place.path("w").exists()

    init("the PIN is wrong. It was tried once and not again, because tokens lock", KOMAINU_PIN_FILE=str(wrong))
    init("token `mine` needs its PIN; name a file with it with --pin-file", KOMAINU_PIN_FILE=None)
    init("there is no such file; install the token's software", KOMAINU_PKCS11_MODULE="/nowhere.so")
    init("nothing says which PKCS#11 module talks to the token", KOMAINU_PKCS11_MODULE=None)
    tokens.maker("key", "link", other, "pkcs11:token=yours;object=mine", fails="is not connected (there is `mine`)")
    tokens.maker("key", "link", other, "pkcs11:token=mine;object=yours", fails="has no public key `yours`")
    tokens.maker("key", "new", other, "--token", "pkcs11:token=mine;object=mine", fails="is never overwritten")
    tokens.pkcs11_tool("mine", "--keypairgen", "--key-type", "EC:secp384r1", "--label", "large", "--id", "b2")
    tokens.maker("key", "link", other, "pkcs11:token=mine;object=large", fails="must be ECDSA on P-256")
    # A key that wants the PIN before every signature, as slot 9c of PIV cards does.
    tokens.pkcs11_tool("mine", "--keypairgen", "--key-type", "EC:prime256v1", "--label", "shy", "--id", "d4", "--always-auth")
    tokens.maker("key", "link", other, "pkcs11:token=mine;object=shy")
    tokens.maker("init", place.path("w"), "--root-threshold", "1", "--root-key", other,
                 fails="asks for the PIN at every signature")
    # Another key under the same name: the reference's public half tells.
    tokens.pkcs11_tool("mine", "--keypairgen", "--key-type", "EC:prime256v1", "--label", "new", "--id", "c3")
    file.write_text("pkcs11:token=mine;object=new\n", encoding="ascii")
    init("signed with another key than the one that its .pub file has")


@test
def a_token_that_is_not_connected_is_like_a_medium_that_was_not_brought(place):
    tokens = Tokens(place, "one", "two", "three")
    keys = []
    for number, label in enumerate(("one", "two", "three"), 1):
        keys += ["--root-key", tokens.key(f"root-{number}", label)]
    workshop = Workshop(place, keys=keys, env=tokens.env)
    for folder in tokens.folder.iterdir():
        # SoftHSM keeps a token's label in a file of its own, among others.
        if any(b"one" in file.read_bytes() for file in folder.glob("token.object")):
            folder.rename(place.path("pulled-out"))
    assert place.path("pulled-out").exists()
    said = workshop.run("key", "rotate", "root")
    assert "root is version 2 now" in said, said
    assert len(json.loads((workshop.folder / "root.json").read_bytes())["signatures"]) == 2


def at_a_terminal(place, words, env, answers, seconds=PATIENCE):
    """Runs a program at a terminal of its own, and types an answer whenever what it waits for was printed; gives exit
    status and all that was seen."""
    child, terminal = pty.fork()
    if child == 0:
        try:
            # Python ignores it, and what is started inherits that.
            signal.signal(signal.SIGPIPE, signal.SIG_DFL)
            os.execve(words[0], [str(word) for word in words], env)
        finally:
            os._exit(127)
    # Undone also where this test fails: the terminal's end ends the program.
    place.undo.callback(os.close, terminal)
    seen, deadline = "", time.monotonic() + seconds
    answers = list(answers)
    while True:
        ready, _, _ = select.select([terminal], [], [], max(0, deadline - time.monotonic()))
        try:
            piece = os.read(terminal, 4096).decode() if ready else ""
        except OSError:  # the program has ended
            piece = ""
        if not piece:
            break
        seen += piece
        if answers and seen.endswith(answers[0][0]):
            if answers[0][0].startswith("PIN"):
                # The prompt comes before the terminal is told not to show what is typed.
                wait_until(lambda: not termios.tcgetattr(terminal)[3] & termios.ECHO, "the terminal hides what is typed")
            os.write(terminal, f"{answers.pop(0)[1]}\n".encode())
    if not ready:
        os.kill(child, signal.SIGKILL)
    _, status = os.waitpid(child, 0)
    assert ready, f"after {seconds} s still waiting: {seen}"
    return os.waitstatus_to_exitcode(status), seen


@test
def a_person_sees_what_would_change_and_types_pin_and_yes(place):
    tokens = Tokens(place, "mine")
    file = tokens.key("mine", "mine")
    workshop = Workshop(place, keys=["--root-threshold", "1", "--root-key", file], env=tokens.env)
    request = place.path("request.json")
    workshop.run("sign", "request", request, "rotate", "root")
    before = request.read_bytes()
    env = {name: value for name, value in {**os.environ, **tokens.env}.items() if name != "KOMAINU_PIN_FILE"}
    words = [KOMAINU_MAKER, "sign", "add", request, "--keys", file, "--root", workshop.folder / "root.json"]
    for answers, says in [([("yes: ", "no")], "nothing was signed"),
                          ([("yes: ", "yes"), ("PIN of token `mine`: ", "000000")], "the PIN is wrong")]:
        status, seen = at_a_terminal(place, words, env, answers)
        assert status == 1 and says in seen and "root version 2 (in force is 1)" in seen, seen
        assert request.read_bytes() == before
    status, seen = at_a_terminal(place, words, env, [("yes: ", "yes"), ("PIN of token `mine`: ", "271828")])
    assert status == 0 and "That is enough" in seen and "271828" not in seen, seen
    workshop.run("sign", "publish", request)


@test
def every_command_of_a_ceremony_with_tokens_works(place):
    tokens = Tokens(place, "root-1", "root-2", "root-3", "targets-1", "root-new")
    machines = {name: place.path(f"{name}/x").parent for name in ("offline", "workshop")}
    programs = place.path("bin/komainu-maker")
    programs.symlink_to(KOMAINU_MAKER)
    env = {**os.environ, **tokens.env, "PATH": f"{programs.parent}:{os.environ['PATH']}"}

    def hold(*words):
        sheet = tokens.maker("ceremony", *words, "--tokens", "--media", place.path("media"))
        lines = re.findall(r"^ +(offline|workshop)\$ (.*)$", sheet.replace(" \\\n", " "), re.MULTILINE)
        assert len(lines) > 10, sheet
        for machine, line in lines:
            if line.startswith("findmnt "):
                # Every medium is connected.
                Path(line.split()[1]).mkdir(parents=True, exist_ok=True)
                continue
            command("sh", "-c", line, env=env, cwd=machines[machine], stdin=subprocess.DEVNULL)

    workshop = machines["workshop"] / "gates"
    hold("first", "--workshop", workshop)
    root = json.loads((workshop / "root.json").read_bytes())["signed"]
    assert len(root["roles"]["root"]["keyids"]) == 3 and root["version"] == 1
    goes = root["roles"]["root"]["keyids"][0]
    hold("revoke", "--workshop", workshop, "--key", goes)
    root = json.loads((workshop / "root.json").read_bytes())["signed"]
    assert root["version"] == 2 and goes not in root["keys"] and len(root["roles"]["root"]["keyids"]) == 3
