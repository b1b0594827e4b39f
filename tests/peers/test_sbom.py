"""`komainu-maker sbom`: SBOMs of a real tool (cyclonedx-py), and files laid out as OpenWrt, Buildroot and Yocto write
theirs, become what a device reads; advisories find the components by CPE, and the build's word on vulnerabilities holds.
"""

import json
import os
import subprocess
import sys

from maker import Workshop
from place import KOMAINU_MAKER, Skip, command, test

BOARD = "gate-1"

#: OpenWrt (`CONFIG_JSON_CYCLONEDX_SBOM`): CycloneDX 1.4, a CPE of the older form, no package URL and no bom-ref.
OPENWRT = {
    "bomFormat": "CycloneDX", "specVersion": "1.4", "serialNumber": "urn:uuid:3e671687-395b-41f5-a30f-a58921a69b79", "version": 1,
    "metadata": {"timestamp": "2026-05-01T00:00:00", "component": {"type": "firmware", "name": "OpenWrt", "version": "25.12"}},
    "components": [
        {"type": "application", "name": "dropbear", "version": "2022.83-r1", "licenses": [{"license": {"name": "MIT"}}],
         "cpe": "cpe:/a:dropbear_ssh_project:dropbear_ssh:2022.83"},
        {"type": "library", "name": "libopenssl3", "version": "3.0.13-r1", "cpe": "cpe:/a:openssl:openssl:3.0.13"},
        {"type": "application", "name": "base-files", "version": "1644"},
        {"type": "operating-system", "name": "kernel", "version": "6.6.30", "cpe": "cpe:/o:linux:linux_kernel:6.6.30"},
    ],
}

#: Buildroot (`utils/generate-cyclonedx`): CycloneDX 1.6 with patches inline, programs of the build, virtual packages.
BUILDROOT = {
    "bomFormat": "CycloneDX", "$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json", "specVersion": "1.6", "version": 1,
    "components": [
        {"bom-ref": "busybox", "type": "library", "name": "busybox", "version": "1.36.1",
         "cpe": "cpe:2.3:a:busybox:busybox:1.36.1:*:*:*:*:*:*:*",
         "pedigree": {"patches": [{"type": "unofficial", "diff": {"text": {"content": "x" * 700_000}}}]},
         "properties": [{"name": "BR_TYPE", "value": "target"}]},
        {"bom-ref": "dnsmasq", "type": "library", "name": "dnsmasq", "version": "2.90",
         "cpe": "cpe:2.3:a:thekelleys:dnsmasq:2.90:*:*:*:*:*:*:*", "properties": [{"name": "BR_TYPE", "value": "target"}]},
        {"bom-ref": "host-cmake", "type": "library", "name": "cmake", "version": "3.30",
         "properties": [{"name": "BR_TYPE", "value": "host"}]},
        {"bom-ref": "openssl", "type": "library", "name": "openssl", "properties": [{"name": "BR_TYPE", "value": "target"}]},
    ],
    "vulnerabilities": [
        {"id": "CVE-2023-42366", "source": {"name": "NVD"}, "affects": [{"ref": "busybox"}],
         "analysis": {"state": "resolved_with_pedigree", "detail": "The CVE has been marked as ignored by Buildroot"}},
        {"id": "CVE-2021-45951", "affects": [{"ref": "dnsmasq"}], "analysis": {"state": "in_triage", "detail": "ignored"}},
        {"id": "CVE-2024-0001", "affects": [{"ref": "host-cmake"}], "analysis": {"state": "not_affected"}},
    ],
}

#: Yocto (`create-spdx` of SPDX 3): a graph of packages, recipes, vulnerabilities and relationships.
YOCTO = {
    "@context": "https://spdx.org/rdf/3.0.1/spdx-context.jsonld",
    "@graph": [
        {"type": "CreationInfo", "@id": "_:CreationInfo1", "specVersion": "3.0.1"},
        *({"type": "software_Package", "spdxId": f"http://spdx.org/spdxdocs/busybox/package/{name}", "name": "busybox",
           "software_packageVersion": "1.37.0", "software_primaryPurpose": "install",
           "externalIdentifier": [{"type": "ExternalIdentifier", "externalIdentifierType": "cpe23",
                                   "identifier": "cpe:2.3:a:busybox:busybox:1.37.0:*:*:*:*:*:*:*"}]}
          for name in ("busybox", "busybox-syslog")),
        {"type": "software_Package", "spdxId": "http://spdx.org/spdxdocs/busybox/recipe", "name": "busybox",
         "software_primaryPurpose": "specification"},
        {"type": "security_Vulnerability", "spdxId": "http://spdxdocs.org/vulnerability/CVE-2022-28391",
         "externalIdentifier": [{"type": "ExternalIdentifier", "externalIdentifierType": "cve", "identifier": "CVE-2022-28391"}]},
        {"type": "security_VexNotAffectedVulnAssessmentRelationship", "spdxId": "http://spdx.org/vex/1", "relationshipType": "doesNotAffect",
         "from": "http://spdxdocs.org/vulnerability/CVE-2022-28391", "to": ["http://spdx.org/spdxdocs/busybox/package/busybox"],
         "security_justificationType": "vulnerableCodeNotPresent", "security_impactStatement": "not-applicable-config: not built"},
    ],
}

#: Yocto's list of CVEs beside the image.
YOCTO_CVES = {
    "version": "1",
    "package": [
        {"name": "busybox", "layer": "meta", "version": "1.37.0", "products": [{"product": "busybox", "cvesInRecord": "Yes"}],
         "cpes": ["cpe:2.3:*:*:busybox:1.37.0:*:*:*:*:*:*:*"],
         "issue": [{"id": "CVE-2026-1111", "status": "Patched", "detail": "backported-patch"},
                   {"id": "CVE-2026-2222", "status": "Unpatched"}, {"id": "CVE-2026-3333", "status": "Unknown"}]},
        {"name": "cmake-native", "layer": "meta", "version": "3.30", "issue": [{"id": "CVE-2026-4444", "status": "Unpatched"}]},
    ],
}


def osv(vulnerability, *events):
    return {"id": vulnerability, "modified": "2026-01-01T00:00:00Z", "summary": "a thing happens",
            "affected": [{"ranges": [{"type": "ECOSYSTEM", "events": list(events)}]}]}


class Desk:
    """A workshop with advisories, and a build's files."""

    def __init__(self, place):
        self.place, self.workshop = place, Workshop(place)
        self.sbom, self.vex = place.path("sbom.json"), place.path("build.openvex.json")

    def slim(self, *documents, words=()):
        """Makes the SBOM, and gives back what was said."""
        files = []
        for number, document in enumerate(documents):
            file = self.place.path(f"build-{number}.json")
            file.write_text(json.dumps(document))
            files.append(file)
        done = subprocess.run([KOMAINU_MAKER, "sbom", "--board", BOARD, "--out", str(self.sbom), "--vex", str(self.vex), *words,
                               *map(str, files)], capture_output=True, text=True, check=False)
        return done

    def add(self, purl, entry):
        file = self.place.path(f"{entry['id']}.json")
        file.write_text(json.dumps(entry))
        self.workshop.run("advisory", "add", "--board", BOARD, "--purl", purl, file)

    def take_vex(self):
        self.workshop.run("advisory", "vex", "--board", BOARD, self.vex)

    def shown(self):
        """What a device with this SBOM shows its owner."""
        return self.workshop.run("advisory", "check", "--board", BOARD, "--sbom", self.sbom)


def components(desk):
    """What is in the slim SBOM, after the schema of CycloneDX was held against it."""
    text = desk.sbom.read_text()
    try:
        from cyclonedx.schema import SchemaVersion
        from cyclonedx.validation.json import JsonStrictValidator
        fault = JsonStrictValidator(SchemaVersion.V1_6).validate_str(text)
    except ImportError as missing:
        raise Skip(f"needs {missing.name} (tests/setup)") from missing
    assert fault is None, fault
    return json.loads(text)["components"]


@test
def an_sbom_of_openwrt_is_matched_by_cpe(place):
    desk = Desk(place)
    done = desk.slim(OPENWRT)
    assert done.returncode == 0 and "1 components have no CPE and no package URL, or no version: base-files" in done.stderr, done
    assert [one["name"] for one in components(desk)] == ["dropbear", "libopenssl3", "base-files", "kernel"]
    desk.add("pkg:generic/openssl/openssl", osv("CVE-2024-5535", {"introduced": "3.0.0"}, {"last_affected": "3.0.13"}))
    desk.add("pkg:generic/dropbear", osv("CVE-2021-36369", {"introduced": "0"}, {"fixed": "2022.82"}))
    desk.add("pkg:generic/linux_kernel", osv("CVE-2024-1086", {"introduced": "3.15"}, {"fixed": "6.7"}))
    shown = desk.shown()
    assert "CVE-2024-5535" in shown and "libopenssl3" in shown and "CVE-2024-1086" in shown, shown
    assert "CVE-2021-36369" not in shown, shown


@test
def an_sbom_of_buildroot_is_slimmed_and_its_word_is_taken_over(place):
    desk = Desk(place)
    done = desk.slim(BUILDROOT)
    assert done.returncode == 0, done.stderr
    assert [one["name"] for one in components(desk)] == ["busybox", "dnsmasq"], "neither the build's nor virtual ones"
    assert desk.sbom.stat().st_size < 500 < 700_000 < place.path("build-0.json").stat().st_size
    for purl, name in (("pkg:generic/busybox", "CVE-2023-42366"), ("pkg:generic/dnsmasq", "CVE-2021-45951")):
        desk.add(purl, osv(name, {"introduced": "0"}))
    before = desk.shown()
    assert "CVE-2023-42366" in before and "CVE-2021-45951" in before
    desk.take_vex()
    after = desk.shown()
    assert "CVE-2023-42366" not in after and "CVE-2021-45951" in after, after
    assert "CVE-2024-0001" not in desk.vex.read_text()


@test
def spdx_of_yocto_and_its_list_of_cves_become_what_a_device_reads(place):
    desk = Desk(place)
    done = desk.slim(YOCTO, YOCTO_CVES)
    assert done.returncode == 0, done.stderr
    found = components(desk)
    assert [(one["name"], one["cpe"]) for one in found] == [("busybox", "cpe:2.3:a:busybox:busybox:1.37.0:*:*:*:*:*:*:*")]
    statements = {one["vulnerability"]["name"]: one["status"] for one in json.loads(desk.vex.read_text())["statements"]}
    assert statements == {"CVE-2022-28391": "not_affected", "CVE-2026-1111": "fixed", "CVE-2026-2222": "affected"}
    for name in ("CVE-2022-28391", "CVE-2026-1111", "CVE-2026-3333"):
        desk.add("pkg:generic/busybox/busybox", osv(name, {"introduced": "0"}))
    desk.take_vex()
    shown = desk.shown()
    assert "CVE-2026-2222" in shown and "CVE-2026-3333" in shown, shown
    assert "CVE-2022-28391" not in shown and "CVE-2026-1111" not in shown, shown


@test
def an_sbom_of_a_real_tool_is_slimmed_and_found_by_package_url(place):
    made = place.path("environment.json")
    words = [sys.executable, "-m", "cyclonedx_py", "environment", "--of", "JSON", "--sv", "1.6", "-o", str(made)]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    if "No module named" in done.stderr:
        raise Skip("needs cyclonedx-bom (tests/setup)")
    assert done.returncode == 0, done.stderr
    desk = Desk(place)
    said = desk.slim(json.loads(made.read_text()))
    assert said.returncode == 0 and said.stderr == "", said.stderr
    found = {one["name"]: one for one in components(desk)}
    assert found["tuf"]["purl"] == f"pkg:pypi/tuf@{found['tuf']['version']}"
    assert desk.sbom.stat().st_size * 2 < made.stat().st_size
    desk.add("pkg:pypi/tuf", osv("CVE-2026-5555", {"introduced": "0"}))
    assert "CVE-2026-5555" in desk.shown()


@test
def what_is_no_sbom_is_refused_by_name(place):
    desk = Desk(place)
    for document, says in (({"spdxVersion": "SPDX-2.3"}, "build-0.json is neither CycloneDX"), ([], "is neither"),
                           ({"@graph": []}, "no package of the firmware"), ({"bomFormat": "CycloneDX", "specVersion": "2.0"}, "known is 1.x"),
                           ({"bomFormat": "CycloneDX"}, "does not say its specVersion"), ({**OPENWRT, "components": []}, "no component of the firmware"),
                           (YOCTO_CVES, "no component of the firmware")):
        done = desk.slim(document)
        assert done.returncode == 1 and says in done.stderr and not desk.sbom.exists(), done.stderr
    many = {**OPENWRT, "components": [{"type": "library", "name": f"x{n}", "version": "1"} for n in range(2049)]}
    done = desk.slim(many)
    assert done.returncode == 1 and "a device could not use this SBOM: components must be a shorter list" in done.stderr, done.stderr
    command(KOMAINU_MAKER, "sbom", "--help")
    pipe = place.path("pipe")
    os.mkfifo(pipe)
    done = subprocess.run([KOMAINU_MAKER, "sbom", "--out", str(desk.sbom), str(pipe)], capture_output=True, text=True, check=False)
    assert done.returncode == 1 and "is no ordinary file" in done.stderr, done.stderr


@test
def an_output_replaces_neither_an_input_nor_a_device_nor_the_other_output(place):
    desk = Desk(place)
    build, hard, link, pipe = (place.path(name) for name in ("build-0.json", "hard.json", "link.json", "pipe"))
    assert desk.slim(OPENWRT).returncode == 0
    desk.sbom.unlink()
    desk.vex.unlink()
    before = build.read_bytes()
    hard.hardlink_to(build)
    link.symlink_to("/dev/full")
    os.mkfifo(pipe)
    fresh = place.path("fresh.json")
    for out, vex, says in ((build, fresh, "would replace the input"), (hard, fresh, "would replace the input"),
                           (fresh, f"{build.parent}/./{build.name}", "would replace the input"),
                           (fresh, f"{fresh.parent}/./{fresh.name}", "is the file of --out as well"),
                           (link, fresh, "is a symbolic link"), ("/dev/full", fresh, "a device"), (fresh, pipe, "a FIFO"),
                           (build.parent, fresh, "is a folder")):
        done = subprocess.run([KOMAINU_MAKER, "sbom", "--board", BOARD, "--out", str(out), "--vex", str(vex), str(build)],
                              capture_output=True, text=True, check=False)
        assert done.returncode == 2 and says in done.stderr and not done.stdout, (out, vex, done)
        assert build.read_bytes() == before and not fresh.exists() and link.is_symlink() and pipe.is_fifo()
    assert os.path.exists("/dev/full") and not os.path.isfile("/dev/full")


@test
def a_board_that_no_device_has_is_refused(place):
    desk = Desk(place)
    for words in (["--board", ""], ["--board", "a\x1b[2Jb"], ["--board", "a\nb"], ["--board", BOARD, "--version", "1\x07"]):
        build = place.path("build.json")
        build.write_text(json.dumps(OPENWRT))
        done = subprocess.run([KOMAINU_MAKER, "sbom", *words, "--out", str(desk.sbom), str(build)], capture_output=True, text=True,
                              check=False)
        assert done.returncode == 2 and not desk.sbom.exists(), (words, done)
