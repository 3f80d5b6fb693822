//! The control socket: which users may connect, how many clients at once, for how long.
//!
//! # Invariants
//!
//! - `owner alone`: the socket file has mode 0600 before anybody can connect.
//! - `one server`: a socket that a process answers is never taken away; one of a dead process is
//!   replaced. Two servers that start at once are kept apart by a lock on the folder.
//! - `bounded`: requests, clients, and the time that a client may be silent.
//!
//! # Does not
//!
//! Know what is asked.
#![warn(clippy::arithmetic_side_effects, clippy::indexing_slicing)]

use std::fs::{self, File, Permissions, TryLockError};
use std::future::Future;
use std::io::{self, ErrorKind};
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use rustix::fs::{Access, access};
use socket2::{Domain, SockAddr, Socket, Type};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::error::{ControlError, SocketError};
use super::protocol::{Handler, REQUEST_BYTES_MAX, read_request, reply_line};
use crate::place::aside::{self, Place};

/// Clients at once: commands are short, and `whoisd top` is one.
pub(super) const CLIENTS_MAX: usize = 16;
/// Connections that wait in the kernel.
const BACKLOG: i32 = 16;
/// Longest path that is an address: `sun_path` of unix(7), without the zero at its end, bytes.
const PATH_BYTES_MAX: usize = 107;
/// How long a client may take for a request, or for reading a reply: a person may be typing.
pub const SILENT: Duration = Duration::from_secs(30);
/// How often the thread checks whether to end.
const STOP_PAUSE: Duration = Duration::from_millis(100);
/// Pause after an accept that failed, which it does while descriptors are short.
const ACCEPT_PAUSE: Duration = Duration::from_millis(200);
/// Longest wait for the lock on the folder.
const LOCK_TIME: Duration = Duration::from_secs(5);
const LOCK_PAUSE: Duration = Duration::from_millis(50);
/// Bytes taken from a client at once.
const READ_BYTES: usize = 4096;

/// A listening socket and its file; dropped, the file is removed.
#[derive(Debug)]
pub struct Claimed {
    listener: UnixListener,
    path: PathBuf,
    inode: u64,
}

impl Drop for Claimed {
    fn drop(&mut self) {
        // Another server's socket may be there by now, if somebody removed ours.
        let ours = fs::symlink_metadata(&self.path).is_ok_and(|meta| meta.ino() == self.inode);
        if ours {
            // If it stays, the next server finds it dead.
            let _ = fs::remove_file(&self.path);
        }
    }
}

/// A socket's address: its path, which has less room than paths have.
///
/// # Errors
///
/// It is too long, or holds a byte of zero.
pub(super) fn address(path: &Path) -> io::Result<SockAddr> {
    SockAddr::unix(path).map_err(|_| {
        let problem = format!(
            "a path of {} bytes is not an address of a socket, expected at most {PATH_BYTES_MAX}; \
             choose a shorter one",
            path.as_os_str().len()
        );
        io::Error::new(ErrorKind::InvalidInput, problem)
    })
}

/// Listens at `path`.
///
/// # Errors
///
/// Another server answers there, something else is there, or the system refuses.
pub fn claim(path: &Path) -> Result<Claimed, SocketError> {
    let failed = |source| SocketError::Io { path: path.to_owned(), source };
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    let folder = File::open(folder).map_err(failed)?;
    lock(&folder).map_err(|error| match error.kind() {
        ErrorKind::WouldBlock => SocketError::Locked { path: path.to_owned() },
        _ => failed(error),
    })?;
    clear(path)?;
    let address = address(path).map_err(failed)?;
    let socket = Socket::new(Domain::UNIX, Type::STREAM, None).map_err(failed)?;
    socket.bind(&address).map_err(failed)?;
    // Nobody can connect before it listens.
    fs::set_permissions(path, Permissions::from_mode(0o600)).map_err(failed)?;
    let inode = fs::symlink_metadata(path).map_err(failed)?.ino();
    socket.listen(BACKLOG).map_err(failed)?;
    socket.set_nonblocking(true).map_err(failed)?;
    Ok(Claimed { listener: UnixListener::from(socket), path: path.to_owned(), inode })
}

/// Whether a server could claim the socket; nothing is changed. A server that answers there is not
/// an error but a note: it may be the one that is to be restarted.
///
/// # Errors
///
/// Its folder cannot be opened or written into, its path is too long, or something else is there.
pub fn may_claim(path: &Path) -> Result<Option<String>, SocketError> {
    let failed = |source| SocketError::Io { path: path.to_owned(), source };
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    let found = fs::metadata(folder);
    let found = found.map_err(|source| SocketError::Io { path: folder.to_owned(), source })?;
    if !found.is_dir() {
        return Err(SocketError::NoFolder { path: folder.to_owned() });
    }
    access(folder, Access::WRITE_OK | Access::EXEC_OK)
        .map_err(|source| SocketError::NotWritable { path: folder.to_owned(), source })?;
    let address = address(path).map_err(failed)?;
    match fs::symlink_metadata(path) {
        Ok(found) if !found.file_type().is_socket() => {
            return Err(SocketError::NoSocket { path: path.to_owned() });
        }
        Ok(_) => {}
        Err(_) => return Ok(None),
    }
    let socket = Socket::new(Domain::UNIX, Type::STREAM, None).map_err(failed)?;
    // A server that hangs, with a full queue, is one too.
    socket.set_nonblocking(true).map_err(failed)?;
    match socket.connect(&address) {
        Err(error) if error.kind() != ErrorKind::WouldBlock => Ok(None),
        _ => Ok(Some(format!(
            "{}: a server answers there; no other one starts while it runs",
            path.display()
        ))),
    }
}

/// Takes the folder's lock, which servers hold for a moment while they start. It waits
/// [`LOCK_TIME`] at most: any user that may read the folder can hold the lock for ever.
fn lock(folder: &File) -> io::Result<()> {
    let mut left = LOCK_TIME;
    loop {
        match folder.try_lock() {
            Ok(()) => return Ok(()),
            Err(TryLockError::Error(error)) => return Err(error),
            Err(TryLockError::WouldBlock) if left.is_zero() => {
                return Err(ErrorKind::WouldBlock.into());
            }
            Err(TryLockError::WouldBlock) => {
                std::thread::sleep(LOCK_PAUSE);
                left = left.saturating_sub(LOCK_PAUSE);
            }
        }
    }
}

/// Takes the socket of a dead process away.
fn clear(path: &Path) -> Result<(), SocketError> {
    let failed = |source| SocketError::Io { path: path.to_owned(), source };
    let found = match fs::symlink_metadata(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        found => found.map_err(failed)?,
    };
    if !found.file_type().is_socket() {
        return Err(SocketError::NoSocket { path: path.to_owned() });
    }
    match UnixStream::connect(path) {
        Err(error) if error.kind() == ErrorKind::ConnectionRefused => {
            fs::remove_file(path).map_err(failed)
        }
        Ok(_) => Err(SocketError::Answers { path: path.to_owned() }),
        Err(error) => Err(failed(error)),
    }
}

/// Carries requests out on a thread at `place` until `stop` is true; a client that is silent for
/// `silent` is cut.
///
/// # Errors
///
/// If there can be no further thread.
pub fn serve(
    claimed: Claimed,
    handler: Arc<dyn Handler>,
    stop: Arc<AtomicBool>,
    place: Place<'_>,
    silent: Duration,
) -> io::Result<JoinHandle<()>> {
    // A request may wait: each runs on a thread of its own, as many as clients.
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .max_blocking_threads(CLIENTS_MAX)
        .thread_keep_alive(SILENT)
        .build()?;
    let listener = claimed.listener.try_clone()?;
    aside::spawn("control", place, move || {
        let served = runtime.block_on(async {
            let listener = tokio::net::UnixListener::from_std(listener)?;
            let stopped = async {
                while !stop.load(Ordering::Relaxed) {
                    tokio::time::sleep(STOP_PAUSE).await;
                }
            };
            tokio::select! {
                () = accept(&listener, &handler, silent) => Ok::<(), io::Error>(()),
                () = stopped => Ok(()),
            }
        });
        if let Err(error) = served {
            tracing::error!(%error, "the control socket is not answered any more");
        }
        // A request under way is not waited for: it may wait for a thread that has ended.
        runtime.shutdown_background();
        drop(claimed);
    })
}

async fn accept(listener: &tokio::net::UnixListener, handler: &Arc<dyn Handler>, silent: Duration) {
    let places = Arc::new(Semaphore::new(CLIENTS_MAX));
    loop {
        match listener.accept().await {
            Ok((stream, _)) => match Arc::clone(&places).try_acquire_owned() {
                Ok(place) => {
                    tokio::spawn(client(stream, Arc::clone(handler), place, silent));
                }
                Err(_) => {
                    // The reply is written without waiting: a few bytes into an empty buffer.
                    let _ = stream.try_write(&reply_line(Err(ControlError::Clients)));
                }
            },
            Err(error) => {
                tracing::warn!(%error, "control socket: accept failed");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

async fn client(
    stream: tokio::net::UnixStream,
    handler: Arc<dyn Handler>,
    _place: OwnedSemaphorePermit,
    silent: Duration,
) {
    let mut input = Vec::new();
    while let Some(line) = in_time(silent, read_line(&stream, &mut input)).await {
        let (outcome, goes_on) = match line {
            Line::Whole(line) => (carry_out(&line, &handler).await, true),
            Line::TooLong => (Err(ControlError::LongRequest), false),
        };
        let reply = reply_line(outcome);
        if in_time(silent, write_all(&stream, &reply)).await.is_none() || !goes_on {
            return;
        }
    }
}

async fn carry_out(
    line: &[u8],
    handler: &Arc<dyn Handler>,
) -> Result<serde_json::Value, ControlError> {
    let request = read_request(line)?;
    let handler = Arc::clone(handler);
    tokio::task::spawn_blocking(move || handler.handle(request)).await.unwrap_or_else(|error| {
        tracing::error!(%error, "a control command broke");
        Err(ControlError::Broken)
    })
}

/// What comes of `work`; `None` if it fails or takes too long: the client is cut.
async fn in_time<T>(
    silent: Duration,
    work: impl Future<Output = io::Result<Option<T>>>,
) -> Option<T> {
    tokio::time::timeout(silent, work).await.ok()?.ok()?
}

enum Line {
    Whole(Vec<u8>),
    TooLong,
}

/// The next line without its end; `None` at the end of the stream.
async fn read_line(
    stream: &tokio::net::UnixStream,
    input: &mut Vec<u8>,
) -> io::Result<Option<Line>> {
    loop {
        if let Some(end) = memchr::memchr(b'\n', input) {
            let mut line: Vec<u8> = input.drain(..=end).collect();
            line.pop();
            return Ok(Some(Line::Whole(line)));
        }
        if input.len() >= REQUEST_BYTES_MAX {
            return Ok(Some(Line::TooLong));
        }
        stream.readable().await?;
        let mut bytes = [0; READ_BYTES];
        match stream.try_read(&mut bytes) {
            Ok(0) => return Ok(None),
            Ok(count) => input.extend_from_slice(bytes.get(..count).unwrap_or_default()),
            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
            Err(error) => return Err(error),
        }
    }
}

async fn write_all(stream: &tokio::net::UnixStream, mut bytes: &[u8]) -> io::Result<Option<()>> {
    while !bytes.is_empty() {
        stream.writable().await?;
        match stream.try_write(bytes) {
            Ok(count) => bytes = bytes.get(count..).unwrap_or_default(),
            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
            Err(error) => return Err(error),
        }
    }
    Ok(Some(()))
}
