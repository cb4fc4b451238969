//! What sources do wrong, and who is not heard because of it.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};

use tandem_time::Instant;

use super::serving::user_of;
use super::session::Phase;
use super::{Ban, BanReason, Received, SessionId, SourceChange, Tally, UserAgent};
use crate::auth::Verdict;
use crate::ban::{self, Offence};
use crate::message::Method;
use crate::source::SourceClass;

impl UserAgent {
    /// Takes the news that a source sent so many packets more than it may, which were dropped.
    pub fn handle_packets_over_rate(&mut self, now: Instant, source: SocketAddr, packets: u32) {
        self.offend(now, source, Offence::PacketsOverRate(packets));
    }

    /// The next source that need not be read any more, or must be again. Bans that spare registered phones are
    /// told of by [`UserAgent::bans`] only: their packets must come here.
    pub fn poll_source_change(&mut self) -> Option<SourceChange> {
        self.bans.poll_change()
    }

    /// The bans in force, the one that ends first at the front.
    pub fn bans(&self) -> impl Iterator<Item = &Ban> {
        self.bans.in_force()
    }

    /// What was counted of each kind of offence.
    #[must_use]
    pub fn ban_tallies(&self) -> &BTreeMap<BanReason, Tally> {
        self.bans.tallies()
    }

    /// Ends a ban and forgets it. Whether the address was banned.
    pub fn unban(&mut self, address: IpAddr) -> bool {
        self.bans.pardon(address)
    }

    /// Whether a packet's source is banned; then it is counted, and nothing else.
    pub(super) fn drops_banned(&mut self, source: SocketAddr) -> bool {
        let registrar = &self.registrar;
        self.bans.drops(source, || registrar.is_source(source))
    }

    pub(super) fn offend(&mut self, now: Instant, source: SocketAddr, offence: Offence<'_>) {
        let can_be_banned = self.can_be_banned(source.ip());
        let has_users = self.registrar.is_used(ban::prefix_of(source.ip()));
        let protection = &self.config.protection;
        self.bans.offend(now, source, offence, (can_be_banned, has_users), protection);
    }

    /// Counts what a request's credentials say of who sent it, or the lack of them. A name that does not exist is an
    /// offence of its own: scanners go through many.
    pub(super) fn suspect(&mut self, now: Instant, received: Received<'_>, verdict: &Verdict) {
        let source = received.packet.source;
        match verdict {
            Verdict::Authentic(_) | Verdict::Stale => {}
            Verdict::Refused => self.offend(now, source, Offence::AuthenticationFailure),
            Verdict::Unknown(user) => {
                self.offend(now, source, Offence::AuthenticationFailure);
                self.offend(now, source, Offence::UnknownUser(user));
            }
            Verdict::Missing => {
                let essentials = received.essentials;
                let is_register = essentials.cseq.method == Method::Register;
                let claimed = if is_register { &essentials.to } else { &essentials.from };
                let user = user_of(claimed).unwrap_or_default();
                if !self.passwords.contains_key(&user) {
                    self.offend(now, source, Offence::UnknownUser(&user));
                }
            }
        }
    }

    /// Counts the number that an offered session asked for and that does not exist.
    pub(super) fn suspect_number(&mut self, now: Instant, session: SessionId) {
        let Some(kept) = self.sessions.get(session) else { return };
        let Phase::Offered(offered) = &kept.phase else { return };
        let (source, number) = (offered.asked.source, self.dialled(&offered.invite.view()));
        self.offend(now, source, Offence::UnknownNumber(&number));
    }

    /// After a reload: bans go on, but for those who cannot be banned any more.
    pub(super) fn pardon_the_exempt(&mut self) {
        let protection = self.config.protection.clone();
        let allow_list = self.allow_list.clone();
        self.bans.pardon_all(|address| {
            let is_trunk = matches!(allow_list.class(address), Some(SourceClass::Trunk(_)));
            (is_trunk && !protection.ban_trunks)
                || protection.ban.is_zero()
                || protection.exempt.iter().any(|prefix| prefix.contains(address))
        });
    }

    fn can_be_banned(&self, source: IpAddr) -> bool {
        let is_trunk = matches!(self.allow_list.class(source), Some(SourceClass::Trunk(_)));
        !is_trunk || self.config.protection.ban_trunks
    }
}
