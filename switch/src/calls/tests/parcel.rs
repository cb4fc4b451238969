//! What a media worker hands over of an endpoint that moves.

use std::net::{Ipv4Addr, SocketAddr};

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng as _;
use tandem_media as media;
use tandem_media::EndpointId;
use tandem_time::Instant;

/// What a worker gives up of an endpoint.
pub(super) fn parcel(endpoint: EndpointId) -> media::Parcel {
    let mut worker = media::Worker::new(ChaCha8Rng::seed_from_u64(1), endpoint.index as usize + 1);
    let local = SocketAddr::new(Ipv4Addr::LOCALHOST.into(), 20_000);
    worker.handle_command(Instant::START, media::Command::Open { endpoint, local });
    worker.handle_bound(Instant::START, endpoint, true);
    worker.handle_command(Instant::START, media::Command::HandOver { endpoint });
    std::iter::from_fn(|| worker.poll_event())
        .find_map(
            |event| if let media::Event::HandedOver { parcel, .. } = event { Some(parcel) } else { None },
        )
        .expect("handed over")
}
