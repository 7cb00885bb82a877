//! Just enough X.509 for certificates that the TLS library refuses to read (version 1).
//!
//! <https://datatracker.ietf.org/doc/html/rfc5280#section-4.1>
//!
//! Only the outer structure is walked; keys and signatures are checked by the library's own
//! algorithms.

use rustls_pki_types::{SignatureVerificationAlgorithm, UnixTime};
use tokio_rustls::rustls::{self, CertificateError};

const SEQUENCE: u8 = 0x30;
const INTEGER: u8 = 0x02;
const BIT_STRING: u8 = 0x03;
const UTC_TIME: u8 = 0x17;
const GENERALIZED_TIME: u8 = 0x18;
/// `[0] EXPLICIT`, the version; version 1 leaves it away.
const VERSION: u8 = 0xa0;

/// A certificate's parts, borrowed from its bytes.
#[derive(Debug)]
pub(super) struct Certificate<'a> {
    /// What is signed, with its own header.
    pub(super) tbs: &'a [u8],
    pub(super) issuer: &'a [u8],
    pub(super) subject: &'a [u8],
    pub(super) signature_algorithm: &'a [u8],
    pub(super) signature: &'a [u8],
    key_algorithm: &'a [u8],
    public_key: &'a [u8],
    not_before: Digits,
    not_after: Digits,
}

/// `YYYYMMDDhhmmss`, which sorts as it is.
type Digits = [u8; 14];

impl<'a> Certificate<'a> {
    /// `None` for what is not a certificate.
    pub(super) fn parse(der: &'a [u8]) -> Option<Self> {
        let mut outer = Der { rest: Der { rest: der }.value(SEQUENCE)? };
        let tbs = outer.whole(SEQUENCE)?;
        let signature_algorithm = outer.value(SEQUENCE)?;
        let signature = outer.bits()?;
        let mut fields = Der { rest: Der { rest: tbs }.value(SEQUENCE)? };
        if fields.rest.first() == Some(&VERSION) {
            fields.value(VERSION)?;
        }
        fields.value(INTEGER)?;
        if fields.value(SEQUENCE)? != signature_algorithm {
            return None;
        }
        let issuer = fields.whole(SEQUENCE)?;
        let mut validity = Der { rest: fields.value(SEQUENCE)? };
        let (not_before, not_after) = (validity.time()?, validity.time()?);
        let subject = fields.whole(SEQUENCE)?;
        let mut key = Der { rest: fields.value(SEQUENCE)? };
        Some(Self {
            tbs,
            issuer,
            subject,
            signature_algorithm,
            signature,
            key_algorithm: key.value(SEQUENCE)?,
            public_key: key.bits()?,
            not_before,
            not_after,
        })
    }

    /// Neither expired nor of the future.
    pub(super) fn valid(&self, now: UnixTime) -> Result<(), rustls::Error> {
        let now = digits(now.as_secs());
        if now < self.not_before {
            return Err(CertificateError::NotValidYet.into());
        }
        if now > self.not_after {
            return Err(CertificateError::Expired.into());
        }
        Ok(())
    }

    /// Whether this certificate's key made a signature with the algorithm that is named.
    pub(super) fn signed(
        &self,
        algorithms: &[&dyn SignatureVerificationAlgorithm],
        message: &[u8],
        named: &[u8],
        signature: &[u8],
    ) -> bool {
        algorithms
            .iter()
            .filter(|it| it.signature_alg_id().as_ref() == named)
            .any(|it| self.has_signed(&[*it], message, signature))
    }

    /// Whether this certificate's key made a signature with one of the algorithms.
    pub(super) fn has_signed(
        &self,
        algorithms: &[&dyn SignatureVerificationAlgorithm],
        message: &[u8],
        signature: &[u8],
    ) -> bool {
        algorithms
            .iter()
            .filter(|it| it.public_key_alg_id().as_ref() == self.key_algorithm)
            .any(|it| it.verify_signature(self.public_key, message, signature).is_ok())
    }
}

/// A walk over values that each have a tag and a length.
struct Der<'a> {
    rest: &'a [u8],
}

impl<'a> Der<'a> {
    fn value(&mut self, tag: u8) -> Option<&'a [u8]> {
        self.next(tag).map(|(_, value)| value)
    }

    fn whole(&mut self, tag: u8) -> Option<&'a [u8]> {
        self.next(tag).map(|(whole, _)| whole)
    }

    fn bits(&mut self) -> Option<&'a [u8]> {
        match self.value(BIT_STRING)? {
            [0, bits @ ..] => Some(bits),
            _ => None,
        }
    }

    fn time(&mut self) -> Option<Digits> {
        let tag = *self.rest.first()?;
        let text = self.value(tag)?.strip_suffix(b"Z")?;
        let century: &[u8] = match (tag, text) {
            (GENERALIZED_TIME, _) => b"",
            // RFC 5280: two digits from 50 on are of the twentieth century.
            (UTC_TIME, [b'5'..=b'9', ..]) => b"19",
            (UTC_TIME, _) => b"20",
            _ => return None,
        };
        let time: Digits = [century, text].concat().try_into().ok()?;
        time.iter().all(u8::is_ascii_digit).then_some(time)
    }

    fn next(&mut self, tag: u8) -> Option<(&'a [u8], &'a [u8])> {
        let (length, header) = match self.rest {
            [it, length @ 0..=0x7f, ..] if *it == tag => (usize::from(*length), 2),
            [it, 0x81, a, ..] if *it == tag => (usize::from(*a), 3),
            [it, 0x82, a, b, ..] if *it == tag => (usize::from(u16::from_be_bytes([*a, *b])), 4),
            _ => return None,
        };
        let (whole, rest) = self.rest.split_at_checked(header + length)?;
        self.rest = rest;
        Some((whole, whole.get(header..)?))
    }
}

/// Seconds since 1970 as `YYYYMMDDhhmmss`.
///
/// The date by Howard Hinnant's `civil_from_days`,
/// <https://howardhinnant.github.io/date_algorithms.html>.
fn digits(seconds: u64) -> Digits {
    let (days, of_day) = (seconds / 86_400, seconds % 86_400);
    let shifted = days + 719_468;
    let (era, of_era) = (shifted / 146_097, shifted % 146_097);
    let year_of_era = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 };
    let year = year_of_era + era * 400 + u64::from(month <= 2);
    let (hour, minute, second) = (of_day / 3_600, of_day / 60 % 60, of_day % 60);
    let text = format!("{year:04}{month:02}{day:02}{hour:02}{minute:02}{second:02}");
    // Beyond the year 9999 nothing is valid any more.
    text.as_bytes().try_into().unwrap_or([b'9'; 14])
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio_rustls::rustls::crypto::ring;

    use super::*;

    /// `openssl req -x509` with a key on P-256, `CN=ca`.
    const AUTHORITY: &str = "\
         3082016e30820115a00302010202146418adae4105c3a676cd57f38ffda1ca643c538d300a06082a8648\
         ce3d040302300d310b300906035504030c026361301e170d3236313132323135303830395a170d333631\
         3131393135303830395a300d310b300906035504030c0263613059301306072a8648ce3d020106082a86\
         48ce3d03010703420004283047ee22b9e8ab07a0b7eca63b9cd6f30d12b0381f534b32fab2db3c63c434\
         a14a877e7b09cab320cf839c2a6a4953835feb5dadf16412c16ee097ebe6b2bea3533051301d0603551d\
         0e0416041460299a6355dc9607a4306269eeb93803cfae8478301f0603551d2304183016801460299a63\
         55dc9607a4306269eeb93803cfae8478300f0603551d130101ff040530030101ff300a06082a8648ce3d\
         040302034700304402203260a011ec777c26f2d3ea37411d5987765590c4c1625a85d4bbef87b4f542f3\
         02203567cc15115699371d90a82f80ba74ef6781b6ddfbd5887c7f5a75e7f38be430";
    /// `openssl x509 -req` without extensions, signed by it: version 1, `CN=leaf`.
    const LEAF: &str = "\
         308201163081bd021410d724b08b8bf90eaf1b52b4dc355308112477e5300a06082a8648ce3d04030230\
         0d310b300906035504030c026361301e170d3236313132323135303830395a170d333631313139313530\
         3830395a300f310d300b06035504030c046c6561663059301306072a8648ce3d020106082a8648ce3d03\
         010703420004c308f81c20068f1ec8fb3528388f66a60b04f7ba1bb6397aebcd8d68dda0e5fba5dfbc4d\
         a331b54893945e85d462001ac170f20772d56585fdbaf13b62784560300a06082a8648ce3d0403020348\
         003045022100c705c6a399bdba24c5d6472fd69b8dad61a16b088b7284fe771a24ce4e40228e0220211d\
         f5fb55ae92f07756283630a83a3c39519a34bfa3ace5b4177ac764768e6d";

    fn bytes(hex: &str) -> Vec<u8> {
        let digits: Vec<char> = hex.chars().filter(|it| !it.is_whitespace()).collect();
        let byte =
            |pair: &[char]| u8::from_str_radix(&pair.iter().collect::<String>(), 16).unwrap();
        digits.chunks(2).map(byte).collect()
    }

    fn is_signed(issuer: &[u8], leaf: &[u8]) -> bool {
        let algorithms = ring::default_provider().signature_verification_algorithms;
        let (issuer, leaf) =
            (Certificate::parse(issuer).unwrap(), Certificate::parse(leaf).unwrap());
        issuer.subject == leaf.issuer
            && issuer.signed(algorithms.all, leaf.tbs, leaf.signature_algorithm, leaf.signature)
    }

    #[test]
    fn a_certificate_of_version_1_is_read_and_its_signature_checked() {
        let (authority, leaf) = (bytes(AUTHORITY), bytes(LEAF));
        assert!(is_signed(&authority, &leaf));
        // Not by itself, and not after any change of what is signed.
        assert!(!is_signed(&leaf, &leaf));
        let mut forged = leaf.clone();
        let name = forged.windows(4).position(|it| it == b"leaf").unwrap();
        forged[name] = b'L';
        assert!(!is_signed(&authority, &forged));
    }

    #[test]
    fn a_certificate_is_valid_within_its_years() {
        let leaf = bytes(LEAF);
        let certificate = Certificate::parse(&leaf).unwrap();
        let at =
            |seconds| certificate.valid(UnixTime::since_unix_epoch(Duration::from_secs(seconds)));
        // Made on 2026-11-22, for ten years.
        at(1_800_000_000).unwrap();
        at(1_700_000_000).unwrap_err();
        at(2_200_000_000).unwrap_err();
    }

    #[test]
    fn a_certificate_cut_short_is_none() {
        let leaf = bytes(LEAF);
        for length in 0..leaf.len() {
            assert!(Certificate::parse(&leaf[..length]).is_none(), "{length}");
        }
    }

    #[test]
    fn seconds_become_a_date() {
        for (seconds, expect) in [
            (0, b"19700101000000"),
            (951_782_400, b"20000229000000"),
            (1_709_251_199, b"20240229235959"),
            (4_102_444_800, b"21000101000000"),
        ] {
            assert_eq!(&digits(seconds), expect);
        }
        assert_eq!(digits(u64::MAX), [b'9'; 14]);
    }

    #[test]
    fn lengths_beyond_the_end_are_refused() {
        for der in [
            &[][..],
            &[SEQUENCE],
            &[SEQUENCE, 0x82],
            &[SEQUENCE, 0x82, 0xff, 0xff],
            &[SEQUENCE, 0x84, 0xff, 0xff, 0xff, 0xff],
            &[SEQUENCE, 2, SEQUENCE, 0x7f],
        ] {
            assert!(Certificate::parse(der).is_none());
        }
    }
}
