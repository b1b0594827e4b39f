//! Makes keys, signatures and certificate chains of every supported kind, once per run.

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

/// How one chain is made: the keys of authority and server, and how the authority signs.
pub struct Kind {
    pub name: &'static str,
    authority: &'static str,
    server: &'static str,
    signing: &'static str,
}

const fn kind(
    name: &'static str,
    authority: &'static str,
    server: &'static str,
    signing: &'static str,
) -> Kind {
    Kind { name, authority, server, signing }
}

const P256: &str = "EC -pkeyopt ec_paramgen_curve:P-256";
const P384: &str = "EC -pkeyopt ec_paramgen_curve:P-384";
const ED25519: &str = "ED25519";
const RSA_2048: &str = "RSA -pkeyopt rsa_keygen_bits:2048";
const RSA_3072: &str = "RSA -pkeyopt rsa_keygen_bits:3072";
const RSA_4096: &str = "RSA -pkeyopt rsa_keygen_bits:4096";
const PSS: &str = "-sigopt rsa_padding_mode:pss -sigopt rsa_pss_saltlen:digest";

pub const KINDS: &[Kind] = &[
    kind("p256", P256, P256, "-sha256"),
    kind("p256-sha384", P256, P256, "-sha384"),
    kind("p384", P384, P384, "-sha384"),
    kind("p384-sha256", P384, P256, "-sha256"),
    kind("ed25519", ED25519, ED25519, ""),
    kind("rsa2048", RSA_2048, RSA_2048, "-sha256"),
    kind("rsa4096", RSA_4096, RSA_4096, "-sha512"),
    kind("rsa-over-p256", RSA_4096, P256, "-sha384"),
    kind("pss", RSA_3072, RSA_2048, "-sha256 PSS"),
    kind("pss-sha384", RSA_2048, P256, "-sha384 PSS"),
    kind("pss-sha512", RSA_2048, P384, "-sha512 PSS"),
];

/// Where a chain lies; the server is `localhost` and 127.0.0.1, for ten years from now.
pub struct Chain {
    pub authority: PathBuf,
    pub server: Vec<CertificateDer<'static>>,
    pub key: PrivateKeyDer<'static>,
}

/// The folder with everything in it. What was there before is replaced.
pub fn folder() -> &'static Path {
    static FOLDER: OnceLock<PathBuf> = OnceLock::new();
    FOLDER.get_or_init(|| {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("tls_oracle");
        std::fs::create_dir_all(&folder).unwrap();
        for kind in KINDS {
            make(&folder, kind);
        }
        folder
    })
}

pub fn chain(name: &str) -> Chain {
    let file = |end: &str| folder().join(format!("{name}.{end}"));
    Chain {
        authority: file("ca.pem"),
        server: vec![CertificateDer::from_pem_file(file("pem")).unwrap()],
        key: PrivateKeyDer::from_pem_file(file("key")).unwrap(),
    }
}

fn make(folder: &Path, Kind { name, authority, server, signing }: &Kind) {
    let signing = signing.replace("PSS", PSS);
    let extensions = "-addext subjectAltName=DNS:localhost,IP:127.0.0.1 -addext extendedKeyUsage=serverAuth";
    openssl(folder, &format!("genpkey -algorithm {authority} -out {name}.ca.key"));
    openssl(folder, &format!("genpkey -algorithm {server} -out {name}.key"));
    openssl(
        folder,
        &format!("req -x509 -key {name}.ca.key -subj /CN={name}-ca -days 3650 -out {name}.ca.pem"),
    );
    openssl(folder, &format!("req -new -key {name}.key -subj /CN={name} {extensions} -out {name}.csr"));
    openssl(
        folder,
        &format!(
            "x509 -req -in {name}.csr -CA {name}.ca.pem -CAkey {name}.ca.key -CAcreateserial -days 3650 \
             -copy_extensions copyall {signing} -out {name}.pem"
        ),
    );
}

/// Leaves a file in the folder. What `clippy.toml` says of writing in place is for devices.
pub fn leave(name: &str, bytes: &[u8]) -> PathBuf {
    let path = folder().join(name);
    std::fs::File::create(&path).unwrap().write_all(bytes).unwrap();
    path
}

/// Runs the tool in `folder` with arguments that hold no blanks.
pub fn openssl(folder: &Path, arguments: &str) {
    let done = Command::new("openssl").current_dir(folder).args(arguments.split_whitespace()).output();
    let done = done.expect("these tests need the openssl tool");
    assert!(done.status.success(), "openssl {arguments}: {}", String::from_utf8_lossy(&done.stderr));
}
