//! Encryption and authentication of one packet in place, under session keys that are kept (RFC 3711 §4; RFC 7714).

use aes::cipher::{InnerIvInit, KeyInit, StreamCipher, StreamCipherCoreWrapper, consts::U12};
use aes::{Aes128, Aes128Enc, Aes256};
use aes_gcm::AesGcm;
use aes_gcm::aead::AeadInOut;
use ctr::CtrCore;
use ctr::flavors::Ctr128BE;
use hmac::{Hmac, Mac};
use sha1::Sha1;

use super::derivation::{Labels, derive};
use super::key::{MasterKey, Suite};

/// Octets of the longest tag.
pub(super) const MAX_TAG_LEN: usize = 16;

/// Octets of the longest packet that is only authenticated under GCM, which is copied for it.
const MAX_CLEAR_LEN: usize = 1_500;

/// Which packet of which source it is; together with the key it makes the initialisation vector, so it must never
/// come twice with different contents.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place {
    pub(super) ssrc: u32,
    /// 48 bits for RTP, 31 for RTCP.
    pub(super) index: u64,
}

/// What is authenticated with the packet although it does not stand before the tag (RFC 3711 §4.2).
#[derive(Clone, Copy, Debug)]
pub(super) enum Appended {
    /// RTP: the rollover counter. GCM has it in its initialisation vector.
    RolloverCounter(u32),
    /// RTCP: the E bit and the index.
    IndexWord(u32),
}

/// The session keys of one direction's RTP or RTCP.
pub(super) enum Cipher {
    Counter(Box<CounterMode>),
    Gcm128(Box<Gcm<Aes128>>),
    Gcm256(Box<Gcm<Aes256>>),
}

impl Cipher {
    pub(super) fn new(master: &MasterKey, labels: Labels, tag_len: usize) -> Self {
        match master.suite() {
            Suite::AesCm128HmacSha1_80 | Suite::AesCm128HmacSha1_32 => {
                Self::Counter(Box::new(CounterMode::new(master, labels, tag_len)))
            }
            Suite::AeadAes128Gcm => Self::Gcm128(Box::new(Gcm {
                aead: AesGcm::new(&derive::<16>(master, labels.encryption).into()),
                salt: derive(master, labels.salt),
            })),
            Suite::AeadAes256Gcm => Self::Gcm256(Box::new(Gcm {
                aead: AesGcm::new(&derive::<32>(master, labels.encryption).into()),
                salt: derive(master, labels.salt),
            })),
        }
    }

    /// Encrypts what follows the first `clear` octets, and gives the tag, of which the suite may use a part.
    #[inline]
    pub(super) fn seal(
        &self,
        place: Place,
        clear: usize,
        packet: &mut [u8],
        appended: Appended,
    ) -> Option<[u8; MAX_TAG_LEN]> {
        match self {
            Self::Counter(cipher) => cipher.seal(place, clear, packet, appended),
            Self::Gcm128(cipher) => cipher.seal(place, clear, packet, appended),
            Self::Gcm256(cipher) => cipher.seal(place, clear, packet, appended),
        }
    }

    /// Checks the tag, and decrypts what follows the first `clear` octets; leaves all as it is when the tag is wrong.
    #[inline]
    pub(super) fn open(
        &self,
        place: Place,
        clear: usize,
        packet: &mut [u8],
        appended: Appended,
        tag: &[u8],
    ) -> Option<()> {
        match self {
            Self::Counter(cipher) => cipher.open(place, clear, packet, appended, tag),
            Self::Gcm128(cipher) => cipher.open(place, clear, packet, appended, tag),
            Self::Gcm256(cipher) => cipher.open(place, clear, packet, appended, tag),
        }
    }
}

/// AES in counter mode with HMAC-SHA1 (RFC 3711 §4.1.1, §4.2.1).
pub(super) struct CounterMode {
    aes: Aes128Enc,
    salt: [u8; 14],
    /// Keyed, and copied for each packet.
    hmac: Hmac<Sha1>,
    tag_len: usize,
}

impl CounterMode {
    fn new(master: &MasterKey, labels: Labels, tag_len: usize) -> Self {
        Self {
            aes: Aes128Enc::new(&derive::<16>(master, labels.encryption).into()),
            salt: derive(master, labels.salt),
            hmac: authenticator(&derive::<20>(master, labels.authentication)),
            tag_len,
        }
    }

    fn seal(
        &self,
        place: Place,
        clear: usize,
        packet: &mut [u8],
        appended: Appended,
    ) -> Option<[u8; MAX_TAG_LEN]> {
        self.apply_keystream(place, packet.get_mut(clear..)?);
        let code = self.authenticated(packet, appended).finalize().into_bytes();
        code.first_chunk().copied()
    }

    fn open(
        &self,
        place: Place,
        clear: usize,
        packet: &mut [u8],
        appended: Appended,
        tag: &[u8],
    ) -> Option<()> {
        if tag.len() != self.tag_len {
            return None;
        }
        self.authenticated(packet, appended).verify_truncated_left(tag).ok()?;
        self.apply_keystream(place, packet.get_mut(clear..)?);
        Some(())
    }

    fn authenticated(&self, packet: &[u8], appended: Appended) -> Hmac<Sha1> {
        let (Appended::RolloverCounter(word) | Appended::IndexWord(word)) = appended;
        let mut hmac = self.hmac.clone();
        hmac.update(packet);
        hmac.update(&word.to_be_bytes());
        hmac
    }

    /// RFC 3711 §4.1.1: IV = (k_s · 2^16) XOR (SSRC · 2^64) XOR (i · 2^16).
    fn apply_keystream(&self, place: Place, payload: &mut [u8]) {
        let mut iv = [0; 16];
        iv[..14].copy_from_slice(&self.salt);
        exclusive_or(&mut iv[4..8], &place.ssrc.to_be_bytes());
        exclusive_or(&mut iv[8..14], &place.index.to_be_bytes()[2..]);
        let core = CtrCore::<_, Ctr128BE>::inner_iv_init(&self.aes, &iv.into());
        StreamCipherCoreWrapper::from_core(core).apply_keystream(payload);
    }
}

fn authenticator(key: &[u8; 20]) -> Hmac<Sha1> {
    // A key shorter than SHA-1's block of 64 octets is filled up with zeros (RFC 2104 §2).
    let mut block = [0; 64];
    block[..key.len()].copy_from_slice(key);
    Hmac::new(&block.into())
}

/// AES-GCM (RFC 7714 §8, §9).
pub(super) struct Gcm<Aes> {
    aead: AesGcm<Aes, U12>,
    salt: [u8; 12],
}

impl<Aes> Gcm<Aes>
where
    AesGcm<Aes, U12>: AeadInOut<NonceSize = U12, TagSize = aes::cipher::consts::U16>,
{
    fn seal(
        &self,
        place: Place,
        clear: usize,
        packet: &mut [u8],
        appended: Appended,
    ) -> Option<[u8; MAX_TAG_LEN]> {
        let (header, payload) = packet.split_at_mut_checked(clear)?;
        let tag = with_associated(header, appended, |associated| {
            self.aead.encrypt_inout_detached(&self.iv(place), associated, payload.into()).ok()
        })?;
        Some(tag.into())
    }

    fn open(
        &self,
        place: Place,
        clear: usize,
        packet: &mut [u8],
        appended: Appended,
        tag: &[u8],
    ) -> Option<()> {
        let tag: &[u8; MAX_TAG_LEN] = tag.try_into().ok()?;
        let (header, payload) = packet.split_at_mut_checked(clear)?;
        with_associated(header, appended, |associated| {
            self.aead.decrypt_inout_detached(&self.iv(place), associated, payload.into(), tag.into()).ok()
        })
    }

    /// RFC 7714 §8.1, §9.1: 16 zero bits, SSRC, 48 bits of index; XOR salt.
    fn iv(&self, place: Place) -> aes_gcm::Nonce<U12> {
        let mut iv = self.salt;
        exclusive_or(&mut iv[2..6], &place.ssrc.to_be_bytes());
        exclusive_or(&mut iv[6..12], &place.index.to_be_bytes()[2..]);
        iv.into()
    }
}

/// Hands over what GCM authenticates besides the payload (RFC 7714 §8.2, §9.2, §9.3): the header, and for RTCP its
/// last word, which stands behind the tag.
#[inline]
fn with_associated<T>(header: &[u8], appended: Appended, work: impl FnOnce(&[u8]) -> Option<T>) -> Option<T> {
    let Appended::IndexWord(word) = appended else { return work(header) };
    let mut room = [0; MAX_CLEAR_LEN + 4];
    let end = header.len() + 4;
    room.get_mut(..header.len())?.copy_from_slice(header);
    room.get_mut(header.len()..end)?.copy_from_slice(&word.to_be_bytes());
    work(room.get(..end)?)
}

fn exclusive_or(target: &mut [u8], with: &[u8]) {
    for (target, with) in target.iter_mut().zip(with) {
        *target ^= with;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::srtp::hex;

    /// RFC 3711 §B.2: the key stream of SSRC 0 and index 0.
    #[test]
    fn the_key_stream_is_as_the_rfc_shows() {
        let cipher = CounterMode {
            aes: Aes128Enc::new_from_slice(&hex("2B7E151628AED2A6ABF7158809CF4F3C")).unwrap(),
            salt: hex("F0F1F2F3F4F5F6F7F8F9FAFBFCFD").try_into().unwrap(),
            hmac: authenticator(&[0; 20]),
            tag_len: 10,
        };
        let mut stream = vec![0; 0xff02 * 16];
        cipher.apply_keystream(Place { ssrc: 0, index: 0 }, &mut stream);
        assert_eq!(
            stream[..48],
            hex("E03EAD0935C95E80E166B16DD92B4EB4 D23513162B02D0F72A43A2FE4A5F97AB
                 41E95B3BB0A2E8DD477901E4FCA894C0")
        );
        assert_eq!(
            stream[0xfeff * 16..],
            hex("EC8CDF7398607CB0F2D21675EA9EA1E4 362B7C3C6773516318A077D7FC5073AE
                 6A2CC3787889374FBEB4C81B17BA6C44")
        );
    }

    const SALT: &str = "517569642070726f2071756f";
    const RTP: &str = "8040f17b8041f8d35501a0b2 47616c6c696120657374206f6d6e6973206469766973612069
        6e207061727465732074726573";
    const RTCP: &str = "81c8000d4d617273 4e5450314e545032525450200000042a0000e9304c756e61
        deadbeefdeadbeefdeadbeefdeadbeefdeadbeef";

    fn gcm_128() -> Cipher {
        let key: [u8; 16] = std::array::from_fn(|n| n as u8);
        let salt = hex(SALT).try_into().unwrap();
        Cipher::Gcm128(Box::new(Gcm { aead: AesGcm::new(&key.into()), salt }))
    }

    fn gcm_256() -> Cipher {
        let key: [u8; 32] = std::array::from_fn(|n| n as u8);
        let salt = hex(SALT).try_into().unwrap();
        Cipher::Gcm256(Box::new(Gcm { aead: AesGcm::new(&key.into()), salt }))
    }

    /// Seals and opens again.
    #[track_caller]
    fn both_ways(
        cipher: &Cipher,
        place: Place,
        clear: usize,
        appended: Appended,
        plain: &[u8],
        sealed: &str,
        tag: &str,
    ) {
        let mut packet = plain.to_vec();
        let made = cipher.seal(place, clear, &mut packet, appended).unwrap();
        assert_eq!((packet[clear..].to_vec(), made.to_vec()), (hex(sealed), hex(tag)));
        assert_eq!(packet[..clear], plain[..clear]);
        let mut forged = made;
        forged[15] ^= 1;
        assert_eq!(cipher.open(place, clear, &mut packet, appended, &forged), None);
        assert_eq!(packet[clear..], hex(sealed), "a packet that fails is as it was");
        assert_eq!(cipher.open(place, clear, &mut packet, appended, &made), Some(()));
        assert_eq!(packet, plain);
    }

    /// RFC 7714 §16.1.1 and §16.1.2.
    #[test]
    fn rtp_under_gcm_with_128_bits() {
        let place = Place { ssrc: 0x5501_a0b2, index: 0xf17b };
        let sealed = "f24de3a3fb34de6cacba861c9d7e4bcabe633bd50d294e6f42a5f47a51c7d19b36de3adf8833";
        let tag = "899d7f27beb16a9152cf765ee4390cce";
        both_ways(&gcm_128(), place, 12, Appended::RolloverCounter(0), &hex(RTP), sealed, tag);
    }

    /// RFC 7714 §16.2.1 and §16.2.2.
    #[test]
    fn rtp_under_gcm_with_256_bits() {
        let place = Place { ssrc: 0x5501_a0b2, index: 0xf17b };
        let sealed = "32b1de78a822fe12ef9f78fa332e33aab18012389a58e2f3b50b2a0276ffae0f1ba63799b87b";
        let tag = "7aa3db36dfffd6b0f9bb7878d7a76c13";
        both_ways(&gcm_256(), place, 12, Appended::RolloverCounter(0), &hex(RTP), sealed, tag);
    }

    const RTCP_PLACE: Place = Place { ssrc: 0x4d61_7273, index: 0x5d4 };

    /// RFC 7714 §17.1.
    #[test]
    fn rtcp_under_gcm_with_128_bits() {
        let sealed = "63e94885dcdab67ca727d7662f6b7e997ff5c0f76c06f32dc676a5f1730d6fda4ce09b468630
            3ded0bb9275b";
        let tag = "c84aa45896cf4d2fc5abf87245d9eade";
        both_ways(&gcm_128(), RTCP_PLACE, 8, Appended::IndexWord(0x8000_05d4), &hex(RTCP), sealed, tag);
    }

    /// RFC 7714 §17.2.
    #[test]
    fn rtcp_under_gcm_with_256_bits() {
        let sealed = "d50ae4d1f5ce5d304ba297e47d470c282c3ece5dbffe0a50a2eaa5c1110555be8415f658c61d
            e0476f1b6fad";
        let tag = "1d1eb30c4446839f57ff6f6cb26ac3be";
        both_ways(&gcm_256(), RTCP_PLACE, 8, Appended::IndexWord(0x8000_05d4), &hex(RTCP), sealed, tag);
    }

    /// RFC 7714 §17.3: authenticated only, E bit 0.
    #[test]
    fn rtcp_that_is_only_authenticated() {
        let plain = hex(RTCP);
        let tag = "841dd9683dd78ec92ae58790125f62b3";
        both_ways(&gcm_128(), RTCP_PLACE, plain.len(), Appended::IndexWord(0x5d4), &plain, "", tag);
    }
}
