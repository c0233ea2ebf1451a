//! A name server on loopback that knows the TXT records that a test gives it, and can be told to misbehave.

use std::collections::BTreeMap;
use std::net::{SocketAddr, UdpSocket};
use std::sync::{Arc, Mutex, PoisonError};

use hickory_resolver::proto::op::{Message, OpCode, ResponseCode};
use hickory_resolver::proto::rr::rdata::{CNAME, TXT};
use hickory_resolver::proto::rr::{Name, RData, Record};

/// What a name has.
#[derive(Clone, Debug)]
enum Entry {
    Texts(Vec<String>),
    /// Another name's, with what that one has.
    Alias(String),
    Broken,
    Silent,
}

type Zone = Arc<Mutex<BTreeMap<String, Entry>>>;

#[derive(Clone)]
pub struct NameServer {
    address: SocketAddr,
    zone: Zone,
}

impl NameServer {
    /// It ends with the process.
    pub fn start() -> NameServer {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        let server = NameServer {
            address: socket.local_addr().unwrap(),
            zone: Zone::default(),
        };
        let zone = server.zone.clone();
        std::thread::spawn(move || {
            let mut buffer = [0; 4_096];
            while let Ok((length, from)) = socket.recv_from(&mut buffer) {
                if let Some(answer) = answer(&zone, &buffer[..length]) {
                    let _ = socket.send_to(&answer, from);
                }
            }
        });
        server
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    fn set(&self, name: &str, entry: Option<Entry>) {
        let mut zone = self.zone.lock().unwrap_or_else(PoisonError::into_inner);
        match entry {
            Some(entry) => zone.insert(name.to_owned(), entry),
            None => zone.remove(name),
        };
    }

    /// The name's TXT records; `*.acme.test` answers for every name below.
    pub fn texts(&self, name: &str, texts: &[&str]) {
        let texts = texts.iter().map(|text| (*text).to_owned()).collect();
        self.set(name, Some(Entry::Texts(texts)));
    }

    pub fn alias(&self, name: &str, target: &str) {
        self.set(name, Some(Entry::Alias(target.to_owned())));
    }

    /// SERVFAIL.
    pub fn broken(&self, name: &str) {
        self.set(name, Some(Entry::Broken));
    }

    /// No answer at all.
    pub fn silent(&self, name: &str) {
        self.set(name, Some(Entry::Silent));
    }

    /// NXDOMAIN again.
    pub fn nothing(&self, name: &str) {
        self.set(name, None);
    }
}

fn find(zone: &Zone, name: &str) -> Option<Entry> {
    let zone = zone.lock().unwrap_or_else(PoisonError::into_inner);
    let wild = || zone.get(&format!("*.{}", name.split_once('.')?.1));
    zone.get(name).or_else(wild).cloned()
}

fn answer(zone: &Zone, asked: &[u8]) -> Option<Vec<u8>> {
    let asked = Message::from_vec(asked).ok()?;
    let query = asked.queries.first()?.clone();
    let mut answer = Message::response(asked.metadata.id, OpCode::Query);
    answer.add_query(query.clone());
    let mut name = query.name().to_ascii().trim_end_matches('.').to_lowercase();
    let mut answered = false;
    // A loop of aliases is answered as far as it goes.
    for _ in 0..4 {
        let owner = Name::from_ascii(format!("{name}.")).ok()?;
        match find(zone, &name) {
            None => break,
            Some(Entry::Silent) => return None,
            Some(Entry::Broken) => {
                answer.metadata.response_code = ResponseCode::ServFail;
                return answer.to_vec().ok();
            }
            Some(Entry::Texts(texts)) => {
                answered = true;
                for text in texts {
                    // In pieces, as long texts come.
                    let pieces = text
                        .as_bytes()
                        .chunks(20)
                        .map(|piece| String::from_utf8_lossy(piece).into_owned());
                    let data = RData::TXT(TXT::new(pieces.collect()));
                    answer.add_answer(Record::from_rdata(owner.clone(), 60, data));
                }
                break;
            }
            Some(Entry::Alias(target)) => {
                answered = true;
                let data = RData::CNAME(CNAME(Name::from_ascii(format!("{target}.")).ok()?));
                answer.add_answer(Record::from_rdata(owner, 60, data));
                name = target;
            }
        }
    }
    if !answered {
        answer.metadata.response_code = ResponseCode::NXDomain;
    }
    answer.to_vec().ok()
}
