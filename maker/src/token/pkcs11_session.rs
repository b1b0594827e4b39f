//! Talks to tokens through their PKCS#11 module. A module is loaded once and kept until the program ends; a
//! session lasts for one question. The PIN is given once and never tried again: tokens lock after a few.

use super::absent::Absent;
use super::curve_point::{ed25519_key, p256_key};
use super::pkcs11_uri::TokenUri;
use crate::public_key::KeyType;
use anyhow::{Context, Error, Result, anyhow, bail};
use cryptoki::context::{CInitializeArgs, CInitializeFlags, Pkcs11};
use cryptoki::error::{Error as Fault, RvError};
use cryptoki::mechanism::Mechanism;
use cryptoki::mechanism::eddsa::{EddsaParams, EddsaSignatureScheme};
use cryptoki::object::{Attribute, AttributeType, KeyType as TokenKeyType, ObjectClass, ObjectHandle};
use cryptoki::session::{Session, UserType};
use cryptoki::slot::{Slot, TokenInfo};
use cryptoki::types::AuthPin;
use komainu_trust::keys::Key;
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};

// prime256v1 and Ed25519 as DER object identifiers, and the name that PKCS#11 2.40 has for the latter.
const P256: &[u8] = &[0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07];
const ED25519: &[u8] = &[0x06, 0x03, 0x2b, 0x65, 0x70];
const ED25519_NAME: &[u8] = b"\x13\x0cedwards25519";

/// So long are identifiers that we give to keys on a token.
const ID_BYTES: usize = 8;

static MODULES: Mutex<BTreeMap<PathBuf, Pkcs11>> = Mutex::new(BTreeMap::new());

/// Ok if the token is there.
pub fn look(uri: &TokenUri) -> Result<()> {
    find_token(uri).map(|_| ())
}

/// The public half of the key that is named.
pub fn public_key(uri: &TokenUri) -> Result<Key> {
    let (module, slot, _) = find_token(uri)?;
    let session = module.open_ro_session(slot).map_err(|fault| on_token(uri, &fault))?;
    let key = find_key(&session, uri, ObjectClass::PUBLIC_KEY)?;
    read_public(&session, uri, key)
}

/// Signs, as metadata wants it: 64 bytes for Ed25519, DER for ECDSA.
pub fn sign(uri: &TokenUri, pin: &str, public: &Key, message: &[u8]) -> Result<Vec<u8>> {
    let (module, slot, info) = find_token(uri)?;
    let session = module.open_ro_session(slot).map_err(|fault| on_token(uri, &fault))?;
    log_in(&session, &info, uri, pin)?;
    let key = find_key(&session, uri, ObjectClass::PRIVATE_KEY)?;
    let signature = if public.scheme == "ed25519" {
        let mechanism = Mechanism::Eddsa(EddsaParams::new(EddsaSignatureScheme::Pure));
        session.sign(&mechanism, key, message).map_err(|fault| not_signed(uri, &fault))?
    } else {
        // The hash is ours: many tokens offer only the bare signature.
        let raw = session.sign(&Mechanism::Ecdsa, key, &Sha256::digest(message));
        let raw = raw.map_err(|fault| not_signed(uri, &fault))?;
        let signature = p256::ecdsa::Signature::from_slice(&raw).ok();
        let signature = signature
            .with_context(|| format!("{}: its answer is not a signature on P-256", uri.token_name()))?;
        signature.to_der().as_bytes().to_vec()
    };
    // Proves in one that the private half belongs to the public one, and that the token works.
    if !public.verifies(message, &signature) {
        bail!(
            "{} signed with another key than the one that its .pub file has: key {} was replaced, or the reference \
             names the wrong one",
            uri.token_name(),
            uri.key_name()
        );
    }
    Ok(signature)
}

/// Makes a key pair on the token: it signs, does nothing else, and never leaves. Gives its name, complete.
pub fn generate(uri: &TokenUri, pin: &str, key_type: KeyType) -> Result<(TokenUri, Key)> {
    let mut uri = uri.clone();
    if uri.id.is_none() {
        let mut id = vec![0; ID_BYTES];
        getrandom::fill(&mut id).context("the operating system has no randomness")?;
        uri.id = Some(id);
    }
    let id = uri.id.clone().unwrap_or_default();
    let label = uri.object.clone().context("a new key needs a label: object=LABEL in its URI")?;
    let (module, slot, info) = find_token(&uri)?;
    let session = module.open_rw_session(slot).map_err(|fault| on_token(&uri, &fault))?;
    log_in(&session, &info, &uri, pin)?;
    for taken in [Attribute::Label(label.clone().into_bytes()), Attribute::Id(id.clone())] {
        for class in [ObjectClass::PRIVATE_KEY, ObjectClass::PUBLIC_KEY] {
            let found = session.find_objects(&[Attribute::Class(class), taken.clone()]);
            if !found.map_err(|fault| on_token(&uri, &fault))?.is_empty() {
                bail!(
                    "{} has a key {} already; it is never overwritten. `key link` takes it into use",
                    uri.token_name(),
                    uri.key_name()
                );
            }
        }
    }
    let (mechanism, curve) = match key_type {
        KeyType::Ecdsa => (Mechanism::EccKeyPairGen, P256),
        KeyType::Ed25519 => (Mechanism::EccEdwardsKeyPairGen, ED25519),
    };
    let named = [Attribute::Token(true), Attribute::Label(label.into_bytes()), Attribute::Id(id)];
    // Some modules allow everything that is not forbidden.
    let mut public = vec![
        Attribute::Private(false),
        Attribute::Verify(true),
        Attribute::Encrypt(false),
        Attribute::Wrap(false),
        Attribute::EcParams(curve.to_vec()),
    ];
    public.extend(named.iter().cloned());
    let mut private = vec![
        Attribute::Private(true),
        Attribute::Sensitive(true),
        Attribute::Extractable(false),
        Attribute::Sign(true),
        Attribute::Decrypt(false),
        Attribute::Unwrap(false),
        Attribute::Derive(false),
    ];
    private.extend(named);
    let made = session.generate_key_pair(&mechanism, &public, &private);
    let (public, _) = made.map_err(|fault| match fault {
        Fault::Pkcs11(RvError::MechanismInvalid, _) => anyhow!(
            "{} cannot make {} keys; ECDSA on P-256 (--type ecdsa) is what most tokens can",
            uri.token_name(),
            if key_type == KeyType::Ed25519 { "Ed25519" } else { "ECDSA" }
        ),
        other => on_token(&uri, &other),
    })?;
    let key = read_public(&session, &uri, public)?;
    Ok((uri, key))
}

fn module(uri: &TokenUri) -> Result<Pkcs11> {
    let path = uri.module()?;
    let mut modules = MODULES.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(module) = modules.get(&path) {
        return Ok(module.clone());
    }
    let absent = |why: String| {
        Error::new(Absent(format!("{}: the PKCS#11 module {}: {why}", uri.token_name(), path.display())))
    };
    if !path.is_file() {
        return Err(absent(
            "there is no such file; install the token's software, or correct module-path".into(),
        ));
    }
    let module = Pkcs11::new(&path).map_err(|fault| absent(format!("it cannot be loaded: {fault}")))?;
    match module.initialize(CInitializeArgs::new(CInitializeFlags::OS_LOCKING_OK)) {
        Ok(()) | Err(Fault::Pkcs11(RvError::CryptokiAlreadyInitialized, _)) => {}
        Err(fault) => return Err(absent(format!("it does not start: {fault}"))),
    }
    modules.insert(path, module.clone());
    Ok(module)
}

fn find_token(uri: &TokenUri) -> Result<(Pkcs11, Slot, TokenInfo)> {
    let module = module(uri)?;
    let slots = module.get_slots_with_token().map_err(|fault| on_token(uri, &fault))?;
    let mut found = Vec::new();
    let mut others = Vec::new();
    for slot in slots {
        // A token that is being pulled out is one that is not there.
        let Ok(info) = module.get_token_info(slot) else { continue };
        let fits =
            |wanted: &Option<String>, have: &str| wanted.as_deref().is_none_or(|wanted| wanted == have);
        if fits(&uri.token, info.label())
            && fits(&uri.serial, info.serial_number())
            && fits(&uri.manufacturer, info.manufacturer_id())
            && fits(&uri.model, info.model())
        {
            found.push((slot, info));
        } else if info.token_initialized() {
            others.push(format!("`{}`", info.label().escape_debug()));
        }
    }
    if found.len() > 1 {
        bail!("{} is there {} times: tell them apart with serial=…", uri.token_name(), found.len());
    }
    let Some((slot, info)) = found.pop() else {
        let there = if others.is_empty() { "no token".into() } else { others.join(", ") };
        return Err(Error::new(Absent(format!("{} is not connected (there is {there})", uri.token_name()))));
    };
    Ok((module, slot, info))
}

fn log_in(session: &Session, info: &TokenInfo, uri: &TokenUri, pin: &str) -> Result<()> {
    let token = uri.token_name();
    if info.user_pin_locked() {
        bail!("{token} is locked after too many wrong PINs; its administrator (SO PIN, PUK) can open it");
    }
    match session.login(UserType::User, Some(&AuthPin::from(pin.to_owned()))) {
        Ok(()) | Err(Fault::Pkcs11(RvError::UserAlreadyLoggedIn, _)) => Ok(()),
        Err(Fault::Pkcs11(RvError::PinIncorrect | RvError::PinLenRange | RvError::PinInvalid, _)) => bail!(
            "{token}: the PIN is wrong. It was tried once and not again, because tokens lock after a few wrong PINs{}",
            if info.user_pin_final_try() { "; the next one is the last try" } else { "" }
        ),
        Err(Fault::Pkcs11(RvError::PinLocked, _)) => {
            bail!("{token} is locked after too many wrong PINs; its administrator (SO PIN, PUK) can open it")
        }
        Err(fault) => Err(on_token(uri, &fault)),
    }
}

fn find_key(session: &Session, uri: &TokenUri, class: ObjectClass) -> Result<ObjectHandle> {
    let half = if class == ObjectClass::PRIVATE_KEY { "private" } else { "public" };
    let mut wanted = vec![Attribute::Class(class)];
    wanted.extend(uri.object.iter().map(|label| Attribute::Label(label.clone().into_bytes())));
    wanted.extend(uri.id.iter().map(|id| Attribute::Id(id.clone())));
    let found = session.find_objects(&wanted).map_err(|fault| on_token(uri, &fault))?;
    match found.as_slice() {
        [key] => Ok(*key),
        [] => bail!(
            "{} has no {half} key {}; `pkcs11-tool -O` lists its keys",
            uri.token_name(),
            uri.key_name()
        ),
        more => bail!(
            "{} has {} {half} keys {}: tell them apart with object=… and id=…",
            uri.token_name(),
            more.len(),
            uri.key_name()
        ),
    }
}

fn read_public(session: &Session, uri: &TokenUri, key: ObjectHandle) -> Result<Key> {
    let wanted = [AttributeType::KeyType, AttributeType::EcParams, AttributeType::EcPoint];
    let attributes = session.get_attributes(key, &wanted).map_err(|fault| on_token(uri, &fault))?;
    let (mut kind, mut curve, mut point) = (None, Vec::new(), Vec::new());
    for attribute in attributes {
        match attribute {
            Attribute::KeyType(of) => kind = Some(of),
            Attribute::EcParams(of) => curve = of,
            Attribute::EcPoint(of) => point = of,
            _ => {}
        }
    }
    let key = match kind {
        Some(TokenKeyType::EC) if curve == P256 => p256_key(&point),
        Some(TokenKeyType::EC_EDWARDS) if curve == ED25519 || curve == ED25519_NAME => ed25519_key(&point),
        _ => bail!(
            "{}: key {} is of a kind that devices do not know: it must be ECDSA on P-256 (prime256v1) or Ed25519",
            uri.token_name(),
            uri.key_name()
        ),
    };
    key.with_context(|| {
        format!("{}: the public half of key {} cannot be read", uri.token_name(), uri.key_name())
    })
}

fn not_signed(uri: &TokenUri, fault: &Fault) -> Error {
    match fault {
        // The PIN was accepted, but this key wants it once more for each signature.
        Fault::Pkcs11(RvError::UserNotLoggedIn, _) => anyhow!(
            "{}: key {} asks for the PIN at every signature (CKA_ALWAYS_AUTHENTICATE), which komainu-maker cannot do; \
             use a key that does not (on PIV cards: not slot 9c)",
            uri.token_name(),
            uri.key_name()
        ),
        other => on_token(uri, other),
    }
}

fn on_token(uri: &TokenUri, fault: &Fault) -> Error {
    anyhow!("{}: {fault}", uri.token_name())
}
