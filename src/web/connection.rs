//! One connection: hyper reads requests, an answerer answers them, deadlines end it.
//!
//! # Invariants
//!
//! - `bounded`: head, streams, resets and buffers have bounds; a connection that keeps none of its
//!   deadlines is cut.
//! - `whole`: what hyper refuses by itself gets a whole answer (`bare`), but for a list of fields
//!   over HTTP/2 that is too long: h2 answers that with a 431 of its own, which nothing here sees.
//! - `no waiting in an answer`: an answer is made in one go, on the connection's own core.
//!
//! # Does not
//!
//! Read bodies of requests: those that are answered have none.

use std::cell::RefCell;
use std::convert::Infallible;
use std::future::Future;
use std::net::{IpAddr, SocketAddr};
use std::pin::pin;
use std::rc::Rc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
    ACCESS_CONTROL_MAX_AGE, ALLOW, CACHE_CONTROL, CONNECTION, CONTENT_TYPE, ETAG, HeaderValue,
    IF_NONE_MATCH, X_CONTENT_TYPE_OPTIONS,
};
use http::response::Parts;
use http::{HeaderMap, Method, Request, Response, StatusCode, Uri, Version};
use hyper::body::Incoming;
use hyper::rt::Executor;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::oneshot;
use tokio::task::spawn_local;
use tokio::time::{MissedTickBehavior, interval};
use twox_hash::XxHash3_64;
use whoisd::observe::clock;

use crate::activity::{Activity, Deadlines, Due};
use crate::answering::{Answer, Answerer, Came, NO_CONTENT, Pending, Reply};
use crate::bare::{Whole, Wire};
use crate::beside::Beside;
use crate::body::Body;
use crate::end::End;
use crate::http::{HEAD_BYTES_MAX, HEAD_FIELDS_MAX, METHODS, RDAP_JSON, Wrong};
use crate::room::Room;
use crate::search;

/// How often deadlines are looked at.
const TICK: Duration = Duration::from_millis(250);
/// How long a connection that is finished may take for what is under way.
const FINISH: Duration = Duration::from_secs(5);

/// Requests of one HTTP/2 connection that are under way at once.
const STREAMS_MAX: u32 = 64;
/// Streams that a client may have reset before we took them; more end the connection (rapid reset).
const RESETS_MAX: usize = 32;
/// Bytes of answers that wait for one stream's client.
const SEND_BYTES_MAX: usize = 64 * 1024;

/// Runs futures of HTTP/2 on the connection's own core.
#[derive(Debug, Clone, Copy)]
struct OwnCore;

impl<F: Future + 'static> Executor<F> for OwnCore {
    fn execute(&self, future: F) {
        spawn_local(async move {
            // Streams end without a value.
            let _ = future.await;
        });
    }
}

/// How connections of a core are served.
#[derive(Clone)]
pub(crate) struct Connections {
    builder: auto::Builder<OwnCore>,
    deadlines: Deadlines,
    answerer: Rc<RefCell<Answerer>>,
    room: Rc<Room>,
}

/// Who is at the other end.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Ends {
    /// The client, or the proxy.
    pub(crate) peer: IpAddr,
    /// Where the connection came in.
    pub(crate) server: SocketAddr,
    /// Whether the header of a proxy names them.
    pub(crate) proxied: bool,
    /// Whether a proxy asks for itself.
    pub(crate) local: bool,
    /// Whether it speaks TLS.
    pub(crate) encrypted: bool,
    /// Whether it does not, where TLS is spoken.
    pub(crate) misdirected: bool,
}

impl Connections {
    /// How long a client has for its first byte, or a proxy for its header.
    pub(crate) const fn first_byte(&self) -> Duration {
        self.deadlines.first_byte
    }

    /// The connections that there are.
    pub(crate) const fn room(&self) -> &Rc<Room> {
        &self.room
    }

    /// Serves with these deadlines, in `room`.
    pub(crate) fn new(answerer: Answerer, deadlines: Deadlines, room: Rc<Room>) -> Self {
        let mut builder = auto::Builder::new(OwnCore);
        builder
            .http1()
            .timer(TokioTimer::new())
            // A client that ends its side after its request is answered, as on port 43.
            .half_close(true)
            // Our own deadline comes first; it counts from the end of the request before, as well.
            .header_read_timeout(deadlines.idle.saturating_add(FINISH))
            .max_buf_size(HEAD_BYTES_MAX)
            .max_headers(HEAD_FIELDS_MAX);
        builder
            .http2()
            .timer(TokioTimer::new())
            .max_concurrent_streams(STREAMS_MAX)
            .max_pending_accept_reset_streams(RESETS_MAX)
            .max_local_error_reset_streams(RESETS_MAX)
            .max_header_list_size(16 * 1024)
            .max_send_buf_size(SEND_BYTES_MAX);
        Self { builder, deadlines, answerer: Rc::new(RefCell::new(answerer)), room }
    }

    /// Serves one connection, on whose socket `activity` is noted, until it ends, or until `stop`
    /// does and it has finished.
    pub(crate) async fn serve(
        self,
        (socket, activity): (impl AsyncRead + AsyncWrite + Unpin + 'static, Rc<Activity>),
        ends: Ends,
        stop: impl Future<Output = ()>,
    ) -> End {
        let wire = Rc::new(Wire::default());
        let refuse = refusing(Rc::clone(&self.answerer), ends);
        let io = TokioIo::new(Whole::new(socket, refuse, Rc::clone(&wire)));
        let (answerer, room) = (Rc::clone(&self.answerer), Rc::clone(&self.room));
        let asked = Rc::clone(&activity);
        let service = service_fn(move |request| {
            room.relieve(clock::monotonic());
            let (activity, asking) = (Rc::clone(&asked), asked.ask());
            if request.version() == Version::HTTP_2 {
                activity.multiplex();
            }
            let begun = begin(&answerer, ends, &request);
            let answerer = Rc::clone(&answerer);
            async move {
                let reply = match begun {
                    Answer::Now(reply) => reply,
                    Answer::Later(made, pending) => later(answerer, made, pending).await,
                };
                let (head, body) = answered(reply, &request, ends).into_parts();
                let answer = Response::from_parts(head, Body::new(body, &activity));
                drop(asking);
                Ok::<_, Infallible>(answer)
            }
        });
        let mut connection = pin!(self.builder.serve_connection(io, service));
        let mut ticks = interval(TICK);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut stop = pin!(stop);
        let (mut stopping, mut finished): (bool, Option<Instant>) = (false, None);
        loop {
            tokio::select! {
                biased;
                ended = connection.as_mut() => {
                    return end(&activity, &wire, ended.err().as_deref());
                }
                eviction = activity.evicted() => return End::Evicted(eviction),
                () = stop.as_mut(), if !stopping => {
                    stopping = true;
                    finished.get_or_insert_with(clock::monotonic);
                    connection.as_mut().graceful_shutdown();
                }
                _ = ticks.tick() => {
                    let now = clock::monotonic();
                    if wire.is_refused.get() {
                        finished.get_or_insert(now);
                    }
                    match (activity.due(&self.deadlines, now), finished) {
                        (Due::Cut, _) if activity.keeps_answers() => return End::Write,
                        (Due::Cut, _) => return End::FirstByte,
                        (_, Some(then)) if now.saturating_duration_since(then) >= FINISH => {
                            let is_head = activity.has_begun() || wire.is_late.get();
                            return if is_head { End::Head } else { End::Drain };
                        }
                        // It is answered in the next turn.
                        (Due::Finish, None) if awaits_rest(&activity, &wire) => {
                            finished = Some(now);
                            wire.is_late.set(true);
                        }
                        (Due::Finish, None) => {
                            finished = Some(now);
                            connection.as_mut().graceful_shutdown();
                        }
                        _ => {}
                    }
                }
            }
        }
    }
}

/// Whether a head has begun and has not ended, to which there is an answer: over HTTP/1.1 alone.
fn awaits_rest(activity: &Activity, wire: &Wire) -> bool {
    activity.has_begun() && activity.awaits_request() && !wire.is_multiplexed.get()
}

/// How a connection ended that hyper is done with, and what it says.
fn end(
    activity: &Activity,
    wire: &Wire,
    error: Option<&(dyn std::error::Error + Send + Sync + 'static)>,
) -> End {
    let is_late =
        || error.and_then(|error| error.downcast_ref()).is_some_and(hyper::Error::is_timeout);
    match error {
        _ if wire.is_late.get() => End::Head,
        _ if wire.is_refused.get() => End::Served,
        _ if !activity.has_read() => End::Silent,
        Some(_) if is_late() => End::Head,
        Some(_) => End::Broken,
        None if activity.has_asked() => End::Served,
        None => End::Silent,
    }
}

/// Refuses heads that could not be read.
fn refusing(
    answerer: Rc<RefCell<Answerer>>,
    ends: Ends,
) -> impl FnMut(Wrong) -> (Parts, Bytes) + Unpin {
    move |wrong| {
        let (method, uri, headers) = Default::default();
        let came = came(ends, (&method, &uri, &headers));
        let reply = answerer.borrow_mut().refuse_head(&came, wrong);
        let body = reply.body.clone();
        (response(reply, &headers).into_parts().0, body)
    }
}

/// Answers one request, or begins to.
fn begin(answerer: &RefCell<Answerer>, ends: Ends, request: &Request<Incoming>) -> Answer {
    let asked = (request.method(), request.uri(), request.headers());
    let came = Came { version: request.version(), ..came(ends, asked) };
    answerer.borrow_mut().answer(&came)
}

fn came<'a>(ends: Ends, (method, uri, headers): (&'a Method, &'a Uri, &'a HeaderMap)) -> Came<'a> {
    Came {
        method,
        version: Version::HTTP_11,
        uri,
        headers,
        peer: ends.peer,
        proxied: ends.proxied,
        local: ends.local,
        encrypted: ends.encrypted,
        misdirected: ends.misdirected,
        server: ends.server,
        complete_us: clock::micros(),
    }
}

/// Waits for a search. On a task of its own: a client that goes away meanwhile is told of as well.
async fn later(
    answerer: Rc<RefCell<Answerer>>,
    made: oneshot::Receiver<search::Made>,
    pending: Box<Pending>,
) -> Reply {
    let finished = spawn_local(async move {
        let made = made.await.ok();
        answerer.borrow_mut().finish(&pending, made)
    });
    finished.await.unwrap_or(Reply { status: 500, body: Bytes::new(), beside: Beside::default() })
}

/// The answer to a request. One that should have come over TLS is the last of its connection.
fn answered(reply: Reply, request: &Request<Incoming>, ends: Ends) -> Response<Bytes> {
    let mut response = response(reply, request.headers());
    if ends.misdirected && request.version() != Version::HTTP_2 {
        response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    }
    response
}

/// An answer with its headers. One that the client has already has no body (RFC 9110 section
/// 13.1.2).
fn response(reply: Reply, asked: &HeaderMap) -> Response<Bytes> {
    if reply.status == NO_CONTENT.code {
        return preflight();
    }
    let tag = format!("\"{:016x}\"", XxHash3_64::oneshot(&reply.body));
    let is_known =
        reply.status == 200 && asked.get_all(IF_NONE_MATCH).iter().any(|tags| has_tag(tags, &tag));
    let (status, body) = if is_known { (304, Bytes::new()) } else { (reply.status, reply.body) };
    let mut response = Response::new(body);
    *response.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::OK);
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(RDAP_JSON));
    headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    // An answer holds until the next change, which may come within a second: ask again.
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    if reply.status == 200
        && let Ok(tag) = HeaderValue::try_from(tag)
    {
        headers.insert(ETAG, tag);
    }
    if reply.status == 405 {
        headers.insert(ALLOW, HeaderValue::from_static(METHODS));
    }
    reply.beside.write(headers);
    response
}

/// Whether a list of tags holds ours, or any.
fn has_tag(tags: &HeaderValue, tag: &str) -> bool {
    let tags = tags.to_str().unwrap_or_default().split(',').map(str::trim);
    tags.map(|one| one.strip_prefix("W/").unwrap_or(one)).any(|one| one == tag || one == "*")
}

/// What a browser may send: a script's `Accept` may have characters that it asks about before.
fn preflight() -> Response<Bytes> {
    let mut response = Response::new(Bytes::new());
    *response.status_mut() = StatusCode::NO_CONTENT;
    let headers = response.headers_mut();
    headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
    headers.insert(ACCESS_CONTROL_ALLOW_METHODS, HeaderValue::from_static(METHODS));
    headers.insert(ACCESS_CONTROL_ALLOW_HEADERS, HeaderValue::from_static("accept, *"));
    headers.insert(ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static("86400"));
    headers.insert(ALLOW, HeaderValue::from_static(METHODS));
    response
}
