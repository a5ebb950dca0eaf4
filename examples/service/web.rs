//! The handlers, on any of tokio's threads.

use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, sse::Event, sse::Sse};
use axum::routing::{get, post};
use axum::{BoxError, Json, Router};
use dacapo::{Error, Remote, store::Filter};
use futures::StreamExt;

use crate::order::{APPROVAL, ORDER, Order, STATUS};

type At = (State<Remote>, Path<String>);
type Answer<T> = Result<T, (StatusCode, String)>;

pub(crate) fn routes(remote: Remote) -> Router {
    Router::new()
        .route("/orders", get(list))
        .route("/orders/{id}", post(place))
        .route("/orders/{id}/approval", post(approve))
        .route("/orders/{id}/cancel", post(cancel))
        .route("/orders/{id}/watch", get(watch))
        .with_state(remote)
}

/// However often a client repeats it: the same id is the same order.
async fn place((State(remote), Path(id)): At, Json(order): Json<Order>) -> Answer<StatusCode> {
    let accepted = remote.start(ORDER, &id, order).accepted().await;
    accepted.map(|()| StatusCode::ACCEPTED).map_err(failed) // It is in the file: no crash undoes it.
}

async fn approve((State(remote), Path(id)): At, Json(is_granted): Json<bool>) -> Answer<()> {
    remote.send(&id, APPROVAL, is_granted).key("approval").await.map_err(failed)
}

async fn cancel((State(remote), Path(id)): At) -> Answer<()> {
    remote.cancel(&id).await.map_err(failed)
}

/// How far it is, from the beginning, or from where a client was when it lost the connection.
async fn watch((State(remote), Path(id)): At, headers: HeaderMap) -> Answer<impl IntoResponse> {
    remote.latest(&id, STATUS).await.map_err(failed)?; // Whether there is such an order.
    let last = headers.get("last-event-id").and_then(|id| id.to_str().ok()?.parse::<u64>().ok());
    let news = remote.follow(&id, STATUS, last.map_or(0, |last| last + 1)).map(|news| {
        let (offset, status) = news?;
        Ok::<_, BoxError>(Event::default().id(offset.to_string()).json_data(status)?)
    });
    Ok(Sse::new(news))
}

async fn list(State(remote): State<Remote>) -> Answer<Json<Vec<(String, String)>>> {
    let orders = remote.runs(&Filter::new().workflow(ORDER.name())).await.map_err(failed)?;
    Ok(Json(orders.into_iter().map(|run| (run.id, format!("{:?}", run.state))).collect()))
}

fn failed(error: Error) -> (StatusCode, String) {
    let status = match &error {
        error if error.is_not_found() => StatusCode::NOT_FOUND,
        error if error.is_ended() => StatusCode::CONFLICT,
        _ => StatusCode::SERVICE_UNAVAILABLE, // It stops, or a person must look at it.
    };
    (status, error.to_string())
}
