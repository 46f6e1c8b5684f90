//! The key of a data directory and what is signed with it.

use std::{io, path::Path};

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use crate::callback::hex;

/// A secret of 32 bytes that never leaves its data directory.
#[derive(Clone)]
pub struct SigningKey(Vec<u8>);

impl std::fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SigningKey(..)")
    }
}

impl SigningKey {
    /// A key from bytes that somebody chose.
    pub fn new(bytes: impl Into<Vec<u8>>) -> Self {
        Self(bytes.into())
    }

    /// The key kept in `path`, made when there is none. Links signed with it stay valid across restarts.
    ///
    /// # Errors
    ///
    /// The file can't be read or written.
    pub fn load_or_create(path: &Path) -> io::Result<Self> {
        match std::fs::read(path) {
            Ok(bytes) if bytes.len() == 32 => return Ok(Self(bytes)),
            Ok(_) => {
                return Err(io::Error::new(
                    io::ErrorKind::InvalidData,
                    "the signing key is damaged; delete it",
                ));
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
        // Two random UUIDs carry 244 bits from the operating system's generator.
        let bytes: Vec<u8> = [uuid::Uuid::new_v4(), uuid::Uuid::new_v4()]
            .iter()
            .flat_map(|uuid| uuid.as_bytes().iter().copied())
            .collect();
        let mut options = std::fs::OpenOptions::new();
        options.write(true).create_new(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let mut file = options.open(path)?;
        io::Write::write_all(&mut file, &bytes)?;
        file.sync_all()?;
        Ok(Self(bytes))
    }

    /// HMAC-SHA-256 over `parts`, each with its length, as hexadecimal text.
    #[must_use]
    pub fn sign(&self, parts: &[&[u8]]) -> String {
        let mut mac = self.mac();
        for part in parts {
            mac.update(&(part.len() as u64).to_be_bytes());
            mac.update(part);
        }
        hex(&mac.finalize().into_bytes())
    }

    /// HMAC-SHA-256 over `message` as it is, as hexadecimal text: the form that webhook senders use.
    #[must_use]
    pub fn sign_message(&self, message: &[u8]) -> String {
        let mut mac = self.mac();
        mac.update(message);
        hex(&mac.finalize().into_bytes())
    }

    fn mac(&self) -> Hmac<Sha256> {
        Hmac::<Sha256>::new_from_slice(&self.0).expect("HMAC takes keys of any length")
    }
}

/// Compares two secrets in a time that depends only on their lengths.
#[must_use]
pub fn constant_time_eq(left: &[u8], right: &[u8]) -> bool {
    // Tags under a fresh key are compared instead of the secrets: where they first differ says nothing, so
    // this holds even if the compiler turns the fold into an early exit.
    let key = SigningKey::new(uuid::Uuid::new_v4().as_bytes().to_vec());
    let (left, right) = (key.sign_message(left), key.sign_message(right));
    left.bytes().zip(right.bytes()).fold(0, |difference, (a, b)| difference | (a ^ b)) == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_signature_is_plain_hmac_sha256() {
        // RFC 4231, test case 2.
        assert_eq!(
            SigningKey::new(*b"Jefe").sign_message(b"what do ya want for nothing?"),
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843",
        );
    }

    #[test]
    fn parts_can_not_be_shifted_into_each_other() {
        let key = SigningKey::new(*b"k");
        assert_ne!(key.sign(&[b"ab", b"c"]), key.sign(&[b"a", b"bc"]));
    }

    #[test]
    fn comparison_tells_equal_from_different() {
        assert!(constant_time_eq(b"secret", b"secret"));
        assert!(!constant_time_eq(b"secret", b"secreT"));
        assert!(!constant_time_eq(b"secret", b"secret2"));
        assert!(!constant_time_eq(b"", b"x"));
    }

    #[test]
    fn the_key_of_a_directory_stays_the_same() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("key");
        let first = SigningKey::load_or_create(&path).unwrap();
        let second = SigningKey::load_or_create(&path).unwrap();
        assert_eq!(first.sign(&[b"x"]), second.sign(&[b"x"]));
        std::fs::write(&path, "short").unwrap();
        assert!(SigningKey::load_or_create(&path).is_err());
    }
}
