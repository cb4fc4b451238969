//! Session keys from a master key (RFC 3711 §4.3; for 256 bits RFC 6188 §3; for GCM RFC 7714 §11).

use aes::cipher::{KeyIvInit, StreamCipher};
use aes::{Aes128, Aes256};
use ctr::Ctr128BE;

use super::key::MasterKey;

/// What a session key is for (RFC 3711 §4.3.1, §4.3.2).
#[derive(Clone, Copy, Debug)]
pub(super) struct Labels {
    pub(super) encryption: u8,
    pub(super) authentication: u8,
    pub(super) salt: u8,
}

pub(super) const RTP: Labels = Labels { encryption: 0, authentication: 1, salt: 2 };
pub(super) const RTCP: Labels = Labels { encryption: 3, authentication: 4, salt: 5 };

/// The first octets of the key stream that the master key makes for a label. The key derivation rate is 0, as SDES
/// has it unless it says otherwise (RFC 4568 §6.3.1), so that keys are derived once.
pub(super) fn derive<const N: usize>(master: &MasterKey, label: u8) -> [u8; N] {
    let mut iv = [0; 16];
    let (salt, _counter) = iv.split_at_mut(super::key::DERIVATION_SALT_LEN);
    salt.copy_from_slice(&master.derivation_salt());
    salt[7] ^= label;
    let mut key = [0; N];
    if let Ok(mut stream) = Ctr128BE::<Aes128>::new_from_slices(master.key(), &iv) {
        stream.apply_keystream(&mut key);
    } else if let Ok(mut stream) = Ctr128BE::<Aes256>::new_from_slices(master.key(), &iv) {
        stream.apply_keystream(&mut key);
    }
    key
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::srtp::Suite;
    use crate::srtp::hex;

    /// RFC 3711 §B.3.
    #[test]
    fn keys_are_derived_as_the_rfc_shows() {
        let master = hex("E1F97A0D3E018BE0D64FA32C06DE4139 0EC675AD498AFEEBB6960B3AABE6");
        let master = MasterKey::new(Suite::AesCm128HmacSha1_80, &master).unwrap();
        assert_eq!(derive::<16>(&master, RTP.encryption)[..], hex("C61E7A93744F39EE10734AFE3FF7A087"));
        assert_eq!(derive::<14>(&master, RTP.salt)[..], hex("30CBBC08863D8C85D49DB34A9AE1"));
        assert_eq!(
            derive::<94>(&master, RTP.authentication)[..],
            hex("CEBE321F6FF7716B6FD4AB49AF256A15 6D38BAA48F0A0ACF3C34E2359E6CDBCE
                 E049646C43D9327AD175578EF7227098 6371C10C9A369AC2F94A8C5FBCDDDC25
                 6D6E919A48B610EF17C2041E47403576 6B68642C59BBFC2F34DB60DBDFB2")
        );
    }
}
