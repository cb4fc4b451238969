//! How calls reach a carrier, and who we are to it.

use crate::model::TrunkCredentials;
use crate::reader::Section;

/// The credentials of a trunk: none when it has neither user name nor password.
pub(super) fn read_credentials(section: &Section<'_, '_>) -> Option<Option<TrunkCredentials>> {
    const KEYS: [&str; 3] = ["username", "password", "realm"];
    section.know(&KEYS);
    if !KEYS.into_iter().any(|key| section.has(key)) {
        return Some(None);
    }
    let username = section.string("username", "the user name that the carrier gave you").map(|(it, _)| it);
    let password = section.string("password", "the password that the carrier gave you").map(|(it, _)| it);
    let realm = match section.has("realm") {
        true => section.string("realm", "the realm of the carrier's challenges").map(|(it, _)| Some(it)),
        false => Some(None),
    };
    Some(Some(TrunkCredentials { username: username?, password: password?, realm: realm? }))
}
