//! SIP over WebSocket (RFC 7118): one SIP message a WebSocket message, and no framing of our own.

use futures_util::{Sink, SinkExt, Stream, StreamExt};
use tandem_sbc::framing::PONG;
use tandem_sbc::message::limits::MAX_MESSAGE;
use tandem_sbc::transport::FlowId;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::mpsc;
use tokio::time::{MissedTickBehavior, interval, timeout};
use tokio_tungstenite::tungstenite::handshake::server::{Callback, ErrorResponse, Request, Response};
use tokio_tungstenite::tungstenite::http::header::{ORIGIN, SEC_WEBSOCKET_PROTOCOL};
use tokio_tungstenite::tungstenite::http::{HeaderValue, StatusCode};
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{WebSocketStream, accept_hdr_async_with_config};

use super::connection::hand_over;
use super::table::Opening;
use super::{CLOSE_TIMEOUT, Link, Shared, WEBSOCKET_PING, WEBSOCKET_SILENCE, WRITE_TIMEOUT};
use crate::counters::count;

/// The subprotocol (RFC 7118 §4.1).
const SUBPROTOCOL: &str = "sip";

/// What may wait in a connection for its peer to read, in bytes: one message, its frame, and answers to pings.
const WRITE_BUFFER: usize = MAX_MESSAGE + 16 * 1024;

/// Upgrades a connection; `None` when its client asks for something else, or from a page that may not.
pub(super) async fn accept<S>(shared: &Shared, stream: S) -> Option<WebSocketStream<S>>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let config = WebSocketConfig::default()
        .max_message_size(Some(MAX_MESSAGE))
        .max_frame_size(Some(MAX_MESSAGE))
        .write_buffer_size(0)
        .max_write_buffer_size(WRITE_BUFFER);
    match accept_hdr_async_with_config(stream, Terms { shared }, Some(config)).await {
        Ok(socket) => {
            count(&shared.counters.ws_handshakes);
            Some(socket)
        }
        Err(_) => {
            count(&shared.counters.ws_refused);
            None
        }
    }
}

/// On which a connection is upgraded.
struct Terms<'a> {
    shared: &'a Shared,
}

impl Callback for Terms<'_> {
    fn on_request(self, request: &Request, mut response: Response) -> Result<Response, ErrorResponse> {
        let refusal = |status: StatusCode| {
            let mut refusal = ErrorResponse::new(None);
            *refusal.status_mut() = status;
            refusal
        };
        if !is_origin_allowed(&self.shared.origins.load(), request.headers().get(ORIGIN)) {
            return Err(refusal(StatusCode::FORBIDDEN));
        }
        let offered = request.headers().get_all(SEC_WEBSOCKET_PROTOCOL).iter();
        let mut offered = offered.filter_map(|value| value.to_str().ok()).flat_map(|value| value.split(','));
        if !offered.any(|protocol| protocol.trim().eq_ignore_ascii_case(SUBPROTOCOL)) {
            return Err(refusal(StatusCode::BAD_REQUEST));
        }
        response.headers_mut().insert(SEC_WEBSOCKET_PROTOCOL, HeaderValue::from_static(SUBPROTOCOL));
        Ok(response)
    }
}

/// RFC 6454 §7: browsers name the page's origin, and other clients none.
fn is_origin_allowed(allowed: &[String], origin: Option<&HeaderValue>) -> bool {
    let Some(origin) = origin else { return true };
    allowed.is_empty() || allowed.iter().any(|it| it.as_bytes().eq_ignore_ascii_case(origin.as_bytes()))
}

/// Reads and writes until one of them ends, or the connection is cut. Whether the core has cut it.
pub(super) async fn exchange<S>(
    shared: &Shared,
    link: Link,
    opening: Opening,
    socket: WebSocketStream<S>,
) -> bool
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let Opening { flow, queue, cut, .. } = opening;
    let (mut sink, stream) = socket.split();
    let (pongs, pongs_due) = mpsc::channel(1);
    let is_known = tokio::select! {
        () = read(shared, link, flow, stream, pongs) => false,
        () = write(shared, &mut sink, queue, pongs_due) => false,
        cut = cut => cut.is_ok(),
    };
    let _ = timeout(CLOSE_TIMEOUT, sink.close()).await;
    is_known
}

/// Reads until the peer ends the connection, is silent for too long, or makes no sense.
async fn read<R>(shared: &Shared, link: Link, flow: FlowId, mut stream: R, pongs: mpsc::Sender<()>)
where
    R: Stream<Item = Result<Message, Error>> + Unpin,
{
    loop {
        let bytes = match timeout(WEBSOCKET_SILENCE, stream.next()).await {
            // RFC 7118 §5: clients may send either.
            Ok(Some(Ok(Message::Text(text)))) => bytes::Bytes::from(text),
            Ok(Some(Ok(Message::Binary(bytes)))) => bytes,
            Ok(Some(Ok(Message::Ping(_) | Message::Pong(_) | Message::Frame(_)))) => continue,
            Ok(Some(Err(Error::Capacity(_) | Error::Protocol(_) | Error::Utf8(_)))) => {
                return count(&shared.counters.tcp_framing_errors);
            }
            Ok(Some(Ok(Message::Close(_)) | Err(_)) | None) => return,
            Err(_) => return count(&shared.counters.tcp_timeouts),
        };
        match bytes.as_ref() {
            // RFC 7118 §6 leaves clients the keep-alives of RFC 5626 §3.5.1 too. One answer is under way when there
            // is no room for this one.
            b"\r\n\r\n" => drop(pongs.try_send(())),
            [] | b"\r\n" => {}
            message => hand_over(shared, link, flow, message.to_vec()).await,
        }
    }
}

async fn write<W>(
    shared: &Shared,
    sink: &mut W,
    mut queue: mpsc::Receiver<Vec<u8>>,
    mut pongs_due: mpsc::Receiver<()>,
) where
    W: Sink<Message, Error = Error> + Unpin,
{
    let mut pings = interval(WEBSOCKET_PING);
    pings.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        let (message, counter) = tokio::select! {
            message = queue.recv() => match message {
                Some(bytes) => (sip(bytes), &shared.counters.tcp_sent),
                None => return,
            },
            Some(()) = pongs_due.recv() => (sip(PONG.to_vec()), &shared.counters.tcp_keep_alives),
            _ = pings.tick() => (Message::Ping(bytes::Bytes::new()), &shared.counters.ws_pings),
        };
        match timeout(WRITE_TIMEOUT, sink.send(message)).await {
            Ok(Ok(())) => count(counter),
            Ok(Err(_)) => return,
            Err(_) => return count(&shared.counters.tcp_slow_readers),
        }
    }
}

/// RFC 7118 §5: text where it is UTF-8, which is what scripts read most easily.
fn sip(bytes: Vec<u8>) -> Message {
    match String::from_utf8(bytes) {
        Ok(text) => Message::text(text),
        Err(error) => Message::binary(error.into_bytes()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_elsewhere_are_kept_out_and_clients_without_a_page_are_not() {
        let allowed = vec!["https://desk.example".to_owned()];
        let origin = |text: &'static str| HeaderValue::from_static(text);
        assert!(is_origin_allowed(&allowed, Some(&origin("https://Desk.example"))));
        assert!(!is_origin_allowed(&allowed, Some(&origin("https://desk.example.evil"))));
        assert!(!is_origin_allowed(&allowed, Some(&origin("null"))));
        assert!(is_origin_allowed(&allowed, None));
        assert!(is_origin_allowed(&[], Some(&origin("https://anywhere.example"))));
    }
}
