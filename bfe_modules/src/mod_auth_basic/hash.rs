//! Hashes of passwords, as they stand in a user file.

use super::md5_crypt;
use aws_lc_rs::constant_time::verify_slices_are_equal;
use aws_lc_rs::digest;
use base64::Engine as _;
use base64::alphabet;
use base64::engine::general_purpose::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};

/// bcrypt has an alphabet of its own.
const BCRYPT_BASE64: GeneralPurpose = GeneralPurpose::new(
    &alphabet::BCRYPT,
    GeneralPurposeConfig::new()
        .with_encode_padding(false)
        .with_decode_padding_mode(DecodePaddingMode::RequireNone)
        .with_decode_allow_trailing_bits(true),
);

/// The costs that bcrypt has, as powers of two.
const BCRYPT_COSTS: std::ops::RangeInclusive<u32> = 4..=31;
/// How many bytes of a password, with its closing 0, bcrypt looks at.
const BCRYPT_BYTES: usize = 72;
/// Length of salt and hash in a bcrypt hash.
const BCRYPT_TEXT: (usize, usize) = (22, 31);

/// A hash, taken apart when it was loaded.
pub(super) enum Hash {
    /// `{SHA}`: base64 of SHA-1.
    Sha1(Box<[u8]>),
    Bcrypt {
        cost: u32,
        salt: [u8; 16],
        text: Box<[u8]>,
    },
    Md5Crypt {
        /// With its dollar signs.
        magic: Box<[u8]>,
        salt: Box<[u8]>,
        text: Box<[u8]>,
    },
    /// No password fits.
    Nothing,
}

impl Hash {
    /// Takes a hash apart; the first prefix that fits decides.
    pub(super) fn parse(hash: &[u8]) -> Self {
        if let Some(text) = hash.strip_prefix(b"{SHA}") {
            return Self::Sha1(text.into());
        }
        if [&b"$2a$"[..], b"$2b$", b"$2x$", b"$2y$"].iter().any(|prefix| hash.starts_with(prefix)) {
            return Self::parse_bcrypt(hash).unwrap_or(Self::Nothing);
        }
        Self::parse_md5_crypt(hash).unwrap_or(Self::Nothing)
    }

    /// `$2a$cost$` and base64 of salt and hash.
    fn parse_bcrypt(hash: &[u8]) -> Option<Self> {
        let (cost, rest) = hash.get(4..)?.split_at_checked(2)?;
        let cost = str::from_utf8(cost).ok()?.parse().ok()?;
        let (salt, text) = rest.get(1..)?.split_at_checked(BCRYPT_TEXT.0)?;
        let salt = BCRYPT_BASE64.decode(salt).ok()?.try_into().ok()?;
        let fits = BCRYPT_COSTS.contains(&cost) && text.len() == BCRYPT_TEXT.1;
        fits.then(|| Self::Bcrypt { cost, salt, text: text.into() })
    }

    /// `$magic$salt$` and the rest.
    fn parse_md5_crypt(hash: &[u8]) -> Option<Self> {
        let mut parts = hash.splitn(4, |byte| *byte == b'$');
        let (before, magic, salt, text) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
        before.is_empty().then(|| Self::Md5Crypt {
            magic: [b"$", magic, b"$"].concat().into(),
            salt: salt.into(),
            text: text.into(),
        })
    }

    /// Whether it takes longer to look at than a worker can wait.
    pub(super) fn is_slow(&self) -> bool {
        matches!(self, Self::Bcrypt { .. } | Self::Md5Crypt { .. })
    }

    /// Whether it is the hash of that password; how long the comparison takes says nothing about where they
    /// differ.
    pub(super) fn matches(&self, password: &[u8]) -> bool {
        let equal = |computed: &[u8], text: &[u8]| verify_slices_are_equal(computed, text).is_ok();
        match self {
            Self::Sha1(text) => {
                let hash = digest::digest(&digest::SHA1_FOR_LEGACY_USE_ONLY, password);
                equal(STANDARD.encode(hash).as_bytes(), text)
            }
            Self::Bcrypt { cost, salt, text } => {
                let terminated: Vec<u8> = password.iter().copied().chain([0]).take(BCRYPT_BYTES).collect();
                let [hash @ .., _] = bcrypt::bcrypt(*cost, *salt, &terminated);
                equal(BCRYPT_BASE64.encode(hash).as_bytes(), text)
            }
            Self::Md5Crypt { magic, salt, text } => equal(&md5_crypt::hash(password, salt, magic), text),
            Self::Nothing => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matches(hash: &str, password: &str) -> bool {
        Hash::parse(hash.as_bytes()).matches(password.as_bytes())
    }

    #[test]
    fn authbasic_2_to_9_vectors() {
        for (id, hash, password, want) in [
            ("AUTHBASIC-2", "$apr1$mI7SilJz$CWwYJyYKbhVDNl26sdUSh/", "123456", true),
            ("AUTHBASIC-2", "$apr1$mI7SilJz$CWwYJyYKbhVDNl26sdUSh/", "123457", false),
            ("AUTHBASIC-2", "$apr1$mI7SilJz$CWwYJyYKbhVDNl26sdUSh", "123456", false),
            ("AUTHBASIC-3", "$1$mI7SilJz$9SBOD6w.rqWJWiWBAdLbv/", "123456", true),
            ("AUTHBASIC-4", "$apr1$mI7SilJzLONGSALT$sQ22qqn1zDnJlynLkp/cz.", "123456", true),
            ("AUTHBASIC-5", "$foo$mI7SilJz$A2JBjml4eTrgySxMXXbn0.", "123456", true),
            ("AUTHBASIC-6", "$apr1$mI7SilJz$xCYbucHWHU41ffFX3fbnQ0", "", true),
            ("AUTHBASIC-6", "$apr1$mI7SilJz$xCYbucHWHU41ffFX3fbnQ0", "x", false),
            ("AUTHBASIC-7", "{SHA}fEqNCco3Yq9h5ZUglD3CZJT4lBs=", "123456", true),
            ("AUTHBASIC-7", "{SHA}fEqNCco3Yq9h5ZUglD3CZJT4lBs", "123456", false),
            ("AUTHBASIC-7", "{sha}fEqNCco3Yq9h5ZUglD3CZJT4lBs=", "123456", false),
            ("AUTHBASIC-9", "123456", "123456", false),
            ("AUTHBASIC-9", "rqXexS6ZhobKA", "secret", false),
            (
                "AUTHBASIC-9",
                "$5$saltstring$5B8vYYiY.CVt1RlTTf8KbXBH3hsxY/GNooZaBBGWEc8",
                "Hello world!",
                false,
            ),
            ("no salt", "$apr1$", "", false),
            ("empty", "", "", false),
            ("text before the magic", "x$apr1$mI7SilJz$CWwYJyYKbhVDNl26sdUSh/", "123456", false),
        ] {
            assert_eq!(matches(hash, password), want, "{id}: {hash}");
        }
    }

    #[test]
    fn authbasic_8_bcrypt() {
        let rest = "$05$abcdefghijklmnopqrstuu1Z..wm/IlVbtpza52hgqCBArL1cvSg6";
        for version in ["$2a", "$2b", "$2x", "$2y"] {
            assert!(matches(&format!("{version}{rest}"), "123456"), "{version}");
            assert!(!matches(&format!("{version}{rest}"), "12345"), "{version}");
        }
        // Bits of the last letter of the salt that mean nothing.
        assert!(matches("$2y$05$abcdefghijklmnopqrstuv1Z..wm/IlVbtpza52hgqCBArL1cvSg6", "123456"));
        for damaged in [
            "$2y$05$abcdefghijklmnopqrstuu1Z..wm/IlVbtpza52hgqCBArL1cvSg",
            "$2y$05$abcdefghijklmnopqrstuu1Z..wm/IlVbtpza52hgqCBArL1cvSg66",
            "$2y$03$abcdefghijklmnopqrstuu1Z..wm/IlVbtpza52hgqCBArL1cvSg6",
            "$2y$32$abcdefghijklmnopqrstuu1Z..wm/IlVbtpza52hgqCBArL1cvSg6",
            "$2y$x5$abcdefghijklmnopqrstuu1Z..wm/IlVbtpza52hgqCBArL1cvSg6",
            "$2y$05$!bcdefghijklmnopqrstuu1Z..wm/IlVbtpza52hgqCBArL1cvSg6",
            "$2y$",
            "$2y$05",
        ] {
            assert!(matches!(Hash::parse(damaged.as_bytes()), Hash::Nothing | Hash::Bcrypt { .. }));
            assert!(!matches(damaged, "123456"), "{damaged}");
        }
        assert!(!matches("$2c$05$abcdefghijklmnopqrstuu1Z..wm/IlVbtpza52hgqCBArL1cvSg6", "123456"));
    }

    #[test]
    fn bcrypt_looks_at_72_bytes() {
        let long = "a".repeat(72);
        let salt = [7; 16];
        let hash = bcrypt::bcrypt(4, salt, long.as_bytes());
        let hash =
            Hash::Bcrypt { cost: 4, salt, text: BCRYPT_BASE64.encode(&hash[..23]).into_bytes().into() };
        assert!(hash.matches(long.as_bytes()));
        assert!(hash.matches(format!("{long}b").as_bytes()));
        assert!(!hash.matches(&long.as_bytes()[..71]));
    }
}
