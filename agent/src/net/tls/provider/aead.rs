//! Encrypting and opening TLS 1.3 records, the same way for both ciphers (RFC 8446, 5.2).

use chacha20poly1305::aead::consts::{U12, U16};
use chacha20poly1305::aead::{AeadCore, AeadInOut, KeyInit, Tag};
use rustls::crypto::cipher::{
    AeadKey, InboundOpaqueMessage, InboundPlainMessage, Iv, MessageDecrypter, MessageEncrypter, Nonce,
    OutboundOpaqueMessage, OutboundPlainMessage, PrefixedPayload, Tls13AeadAlgorithm,
    UnsupportedOperationError, make_tls13_aad,
};
use rustls::{ConnectionTrafficSecrets, ContentType, Error, ProtocolVersion};
use std::marker::PhantomData;

/// ChaCha20 with Poly1305, as RFC 8439 has it.
pub(super) static CHACHA20_POLY1305: Aead<chacha20poly1305::ChaCha20Poly1305> = Aead(PhantomData);
/// NIST SP 800-38D with a key of 128 bits.
pub(super) static AES_128_GCM: Aead<aes_gcm::Aes128Gcm> = Aead(PhantomData);

/// Both ciphers end a record with a tag of this size.
const TAG_BYTES: usize = 16;
/// Within the encryption, the last byte says what the record holds.
const TYPE_BYTES: usize = 1;

pub(super) struct Aead<Cipher>(PhantomData<fn() -> Cipher>);

impl<Cipher> Tls13AeadAlgorithm for Aead<Cipher>
where
    Cipher: AeadInOut + AeadCore<NonceSize = U12, TagSize = U16> + KeyInit + Send + Sync + 'static,
{
    fn encrypter(&self, key: AeadKey, iv: Iv) -> Box<dyn MessageEncrypter> {
        Box::new(Records { cipher: cipher::<Cipher>(&key), iv })
    }

    fn decrypter(&self, key: AeadKey, iv: Iv) -> Box<dyn MessageDecrypter> {
        Box::new(Records { cipher: cipher::<Cipher>(&key), iv })
    }

    fn key_len(&self) -> usize {
        Cipher::key_size()
    }

    fn extract_keys(&self, _: AeadKey, _: Iv) -> Result<ConnectionTrafficSecrets, UnsupportedOperationError> {
        // Only needed to hand a connection to the kernel.
        Err(UnsupportedOperationError)
    }
}

fn cipher<Cipher: KeyInit>(key: &AeadKey) -> Cipher {
    Cipher::new_from_slice(key.as_ref()).expect("rustls derives keys of key_len() bytes")
}

/// One direction of one connection.
struct Records<Cipher> {
    cipher: Cipher,
    iv: Iv,
}

impl<Cipher> MessageEncrypter for Records<Cipher>
where
    Cipher: AeadInOut + AeadCore<NonceSize = U12, TagSize = U16> + Send + Sync,
{
    fn encrypt(
        &mut self,
        message: OutboundPlainMessage<'_>,
        sequence: u64,
    ) -> Result<OutboundOpaqueMessage, Error> {
        let total = self.encrypted_payload_len(message.payload.len());
        let mut payload = PrefixedPayload::with_capacity(total);
        payload.extend_from_chunks(&message.payload);
        payload.extend_from_slice(&[u8::from(message.typ)]);

        let nonce = Nonce::new(&self.iv, sequence);
        let tag = self
            .cipher
            .encrypt_inout_detached((&nonce.0).into(), &make_tls13_aad(total), payload.as_mut().into())
            .map_err(|_| Error::EncryptError)?;
        payload.extend_from_slice(&tag);

        // On the wire every protected record claims to be application data of TLS 1.2 (RFC 8446, 5.2).
        Ok(OutboundOpaqueMessage::new(ContentType::ApplicationData, ProtocolVersion::TLSv1_2, payload))
    }

    fn encrypted_payload_len(&self, payload_len: usize) -> usize {
        payload_len + TYPE_BYTES + TAG_BYTES
    }
}

impl<Cipher> MessageDecrypter for Records<Cipher>
where
    Cipher: AeadInOut + AeadCore<NonceSize = U12, TagSize = U16> + Send + Sync,
{
    fn decrypt<'a>(
        &mut self,
        mut message: InboundOpaqueMessage<'a>,
        sequence: u64,
    ) -> Result<InboundPlainMessage<'a>, Error> {
        let total = message.payload.len();
        let sealed = total.checked_sub(TAG_BYTES).ok_or(Error::DecryptError)?;

        let (data, tag) = message.payload.split_at_mut(sealed);
        let tag = Tag::<Cipher>::try_from(&*tag).map_err(|_| Error::DecryptError)?;
        let nonce = Nonce::new(&self.iv, sequence);
        self.cipher
            .decrypt_inout_detached((&nonce.0).into(), &make_tls13_aad(total), data.into(), &tag)
            .map_err(|_| Error::DecryptError)?;

        message.payload.truncate(sealed);
        message.into_tls13_unpadded_message()
    }
}
