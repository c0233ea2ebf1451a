//! A small TCP proxy in front of a server. It loses an answer when it is told to: the request goes on to the server, what comes
//! back does not, and the connection is cut. Or it makes every request wait, cuts who is connected, or is there no more.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
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
    connected: Mutex<Vec<TcpStream>>,
    is_closed: AtomicBool,
}

impl Proxy {
    /// In front of that server; it ends with this process.
    pub fn before(server: SocketAddr) -> Proxy {
        Proxy::at(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)), server)
    }

    /// The same, at an address of the caller's.
    pub fn at(address: SocketAddr, server: SocketAddr) -> Proxy {
        let listener = TcpListener::bind(address).unwrap();
        let address = listener.local_addr().unwrap();
        let shared = Arc::new(Shared::default());
        let its = shared.clone();
        std::thread::spawn(move || {
            for client in listener.incoming().flatten() {
                if its.is_closed.load(Ordering::SeqCst) {
                    return;
                }
                its.connected().extend(client.try_clone());
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

    /// Cuts who is connected.
    pub fn cut(&self) {
        for client in self.shared.connected().drain(..) {
            let _ = client.shutdown(Shutdown::Both);
        }
    }

    /// Cuts who is connected, and takes nobody any more.
    pub fn close(&self) {
        self.shared.is_closed.store(true, Ordering::SeqCst);
        // The listener goes when it wakes up.
        let _ = TcpStream::connect(self.address);
        self.cut();
    }

    /// How many answers were lost.
    pub fn lost(&self) -> usize {
        self.shared.lost.load(Ordering::SeqCst)
    }
}

impl Shared {
    fn connected(&self) -> MutexGuard<'_, Vec<TcpStream>> {
        self.connected.lock().unwrap_or_else(PoisonError::into_inner)
    }

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
