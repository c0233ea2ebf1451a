//! A small TCP proxy in front of a server. It loses an answer when it is told to: the request goes on to the server, what comes
//! back does not, and the connection is cut. Or it makes every request wait.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// How long the server has to do what it was asked before the connection is cut.
const DONE_WITHIN: Duration = Duration::from_millis(150);

pub struct Proxy {
    pub address: SocketAddr,
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    /// The next request that holds this text loses its answer.
    loses: Mutex<Option<&'static str>>,
    lost: AtomicUsize,
    /// How long each piece on the way to the server waits, in milliseconds.
    delay: AtomicU64,
}

impl Proxy {
    /// In front of that server; it ends with this process.
    pub fn before(server: SocketAddr) -> Proxy {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let shared = Arc::new(Shared::default());
        let its = shared.clone();
        std::thread::spawn(move || {
            for client in listener.incoming().flatten() {
                // A server that is gone: the client sees a closed connection.
                if let Ok(server) = TcpStream::connect(server) {
                    relay(client, server, &its);
                }
            }
        });
        Proxy { address, shared }
    }

    pub fn lose_the_answer_to(&self, text: &'static str) {
        *self.shared.loses.lock().unwrap_or_else(PoisonError::into_inner) = Some(text);
    }

    /// Makes everything on the way to the server wait for so long.
    pub fn delay(&self, each: Duration) {
        let milliseconds = u64::try_from(each.as_millis()).unwrap();
        self.shared.delay.store(milliseconds, Ordering::SeqCst);
    }

    /// How many answers were lost.
    pub fn lost(&self) -> usize {
        self.shared.lost.load(Ordering::SeqCst)
    }
}

impl Shared {
    /// Whether this is the request whose answer is to be lost; asked once each.
    fn strikes(&self, bytes: &[u8]) -> bool {
        let mut loses = self.loses.lock().unwrap_or_else(PoisonError::into_inner);
        let hit = loses.is_some_and(|text| bytes.windows(text.len()).any(|window| window == text.as_bytes()));
        if hit {
            *loses = None;
            self.lost.fetch_add(1, Ordering::SeqCst);
        }
        hit
    }
}

/// Copies in both directions, each in a thread of its own.
fn relay(client: TcpStream, server: TcpStream, shared: &Arc<Shared>) {
    let _ = (client.set_nodelay(true), server.set_nodelay(true));
    let (Ok(from_client), Ok(from_server)) = (client.try_clone(), server.try_clone()) else {
        return;
    };
    let muted = Arc::new(AtomicBool::new(false));
    let (shared, is_muted) = (shared.clone(), muted.clone());
    std::thread::spawn(move || {
        let passes = |bytes: &[u8]| {
            if shared.strikes(bytes) {
                muted.store(true, Ordering::SeqCst);
            }
            std::thread::sleep(Duration::from_millis(shared.delay.load(Ordering::SeqCst)));
            true
        };
        copy(from_client, &server, passes, Some(&muted));
    });
    std::thread::spawn(move || {
        copy(from_server, &client, |_| !is_muted.load(Ordering::SeqCst), None);
    });
}

/// Copies until one side ends; `passes` says of each piece whether it goes on. Once `cut` is set, both sides are closed.
fn copy(mut from: TcpStream, mut to: &TcpStream, passes: impl Fn(&[u8]) -> bool, cut: Option<&AtomicBool>) {
    let mut bytes = [0; 16_384];
    while let Ok(read) = from.read(&mut bytes) {
        let piece = &bytes[..read];
        if read == 0 || (passes(piece) && to.write_all(piece).is_err()) {
            break;
        }
        if cut.is_some_and(|cut| cut.load(Ordering::SeqCst)) {
            std::thread::sleep(DONE_WITHIN);
            break;
        }
    }
    let _ = (from.shutdown(Shutdown::Both), to.shutdown(Shutdown::Both));
}
