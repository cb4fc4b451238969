//! What there is of recordings, and what becomes of those under way.

use std::sync::Arc;

use axum::Json;
use axum::body::Body;
use axum::extract::{Path, Request, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};

use tower_http::services::ServeFile;

use crate::{Recording, RecordingAction, RecordingStanding, Recordings, RecordingsWanted, Status};

const NOT_KEPT: &str = "the node keeps no recordings: its configuration has no [recording]";

/// The latest.
pub(crate) async fn recordings(State(status): State<Arc<dyn Status>>) -> Response {
    listed(move || status.recordings(RecordingsWanted::All)).await
}

/// Those of a day, such as `2031-08-04`.
pub(crate) async fn recordings_of_day(
    State(status): State<Arc<dyn Status>>,
    Path(day): Path<String>,
) -> Response {
    if !is_date(&day) {
        let said = format!("{day:?} is no day; write year, month and day such as 2031-08-04");
        return error(StatusCode::BAD_REQUEST, said);
    }
    listed(move || status.recordings(RecordingsWanted::Day(&day))).await
}

/// A file, or the range of it that is asked for (RFC 9110 §14), as it is on disk: who has no key of an encrypted one gets what
/// nobody can read without.
pub(crate) async fn recording(
    State(status): State<Arc<dyn Status>>,
    Path((day, file)): Path<(String, String)>,
    request: Request,
) -> Response {
    let asked = file.clone();
    let (path, media_type) = match tokio::task::spawn_blocking(move || status.recording(&day, &asked)).await {
        Ok(Recording::Finished { path, media_type }) => (path, media_type),
        Ok(Recording::Running) => {
            return error(StatusCode::CONFLICT, format!("{file:?} is not finished: its call goes on"));
        }
        Ok(Recording::Unknown) => {
            return error(StatusCode::NOT_FOUND, format!("there is no recording {file:?} of that day"));
        }
        Ok(Recording::NotKept) => return error(StatusCode::NOT_FOUND, NOT_KEPT.to_owned()),
        Err(_) => return error(StatusCode::SERVICE_UNAVAILABLE, "try again in a moment".to_owned()),
    };
    match ServeFile::new(path).try_call(request).await {
        // It may have been taken away meanwhile.
        Ok(response) if response.status() == StatusCode::NOT_FOUND => {
            error(StatusCode::NOT_FOUND, format!("{file:?} is not there any more"))
        }
        Ok(response) => {
            let mut response = response.map(Body::new).into_response();
            if response.status().is_success() {
                response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(media_type));
            }
            response
        }
        Err(_) => error(StatusCode::SERVICE_UNAVAILABLE, format!("{file:?} cannot be read")),
    }
}

/// Those of a call, that is up or has ended.
pub(crate) async fn recordings_of_call(
    State(status): State<Arc<dyn Status>>,
    Path(call): Path<String>,
) -> Response {
    listed(move || status.recordings(RecordingsWanted::Call(&call))).await
}

/// 200 when it is done.
pub(crate) async fn record(
    State(status): State<Arc<dyn Status>>,
    Path((call, action)): Path<(String, String)>,
) -> Response {
    let action = match action.as_str() {
        "begin" => RecordingAction::Begin,
        "pause" => RecordingAction::Pause,
        "resume" => RecordingAction::Resume,
        "end" => RecordingAction::End,
        other => {
            let said = format!("{other:?} cannot be done to a recording; write begin, pause, resume or end");
            return error(StatusCode::BAD_REQUEST, said);
        }
    };
    let asked = call.clone();
    match tokio::task::spawn_blocking(move || status.record(&asked, action)).await {
        Ok(RecordingStanding::Done(how)) => {
            Json(serde_json::json!({ "call": call, "recording": how })).into_response()
        }
        Ok(RecordingStanding::UnknownCall) => {
            error(StatusCode::NOT_FOUND, format!("there is no call {call:?} that is up"))
        }
        Ok(RecordingStanding::Refused(why)) => error(StatusCode::CONFLICT, why),
        Ok(RecordingStanding::Busy(why)) => error(StatusCode::SERVICE_UNAVAILABLE, why),
        Err(_) => error(StatusCode::SERVICE_UNAVAILABLE, "try again in a moment".to_owned()),
    }
}

async fn listed(ask: impl FnOnce() -> Recordings + Send + 'static) -> Response {
    match tokio::task::spawn_blocking(ask).await {
        Ok(Recordings::Listed(list)) => Json(list).into_response(),
        Ok(Recordings::NotKept) => error(StatusCode::NOT_FOUND, NOT_KEPT.to_owned()),
        Ok(Recordings::Unreadable) | Err(_) => {
            let said = "the folder of recordings, or the store, cannot be read";
            error(StatusCode::SERVICE_UNAVAILABLE, said.to_owned())
        }
    }
}

fn error(code: StatusCode, said: String) -> Response {
    (code, Json(serde_json::json!({ "error": said }))).into_response()
}

fn is_date(text: &str) -> bool {
    let is_right = |(index, octet): (usize, u8)| match index {
        4 | 7 => octet == b'-',
        _ => octet.is_ascii_digit(),
    };
    text.len() == 10 && text.bytes().enumerate().all(is_right)
}
