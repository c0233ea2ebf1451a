//! TXT records, asked for through the system's resolver or the name servers that the operator names. Nothing is kept: who
//! has just put a record in its place wants to see it found.

use std::net::SocketAddr;
use std::time::Duration;

use hickory_resolver::TokioResolver;
use hickory_resolver::config::{ConnectionConfig, NameServerConfig, ResolveHosts, ResolverConfig};
use hickory_resolver::net::NetError;
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::proto::rr::{Name, RData, RecordType};

use super::Upstream;
use crate::rules::tenant_domain::{Found, challenge_name, challenge_value};

/// For one question to one server.
const EACH: Duration = Duration::from_secs(2);
/// Longest piece of what others' records say that is shown.
const LONGEST_SHOWN: usize = 80;

/// Whom we ask.
#[derive(Debug)]
pub(super) struct Dns {
    /// None: whom the system asks.
    pub servers: Vec<SocketAddr>,
    /// How long all questions about one name may take.
    pub within: Duration,
}

/// What a name's TXT records say.
enum Texts {
    /// Those that stand at the name itself.
    Own(Vec<String>),
    /// The name is another one's alias. What stands there is another's word, and is not listened to.
    Alias,
    /// The name's servers have answered that there are none.
    None,
    Unknown(String),
}

impl Upstream {
    /// Looks whether the record that proves a domain stands at the challenge's name or at the domain itself.
    pub async fn look_for_proof(&self, domain: &str, token: &str) -> Found {
        let (at, wanted) = (challenge_name(domain), challenge_value(token));
        let dns = &self.0.dns;
        let (challenge, apex) = tokio::join!(dns.texts(&at), dns.texts(domain));
        let mut seen = Vec::new();
        let mut failed = None;
        for (name, texts) in [(at.as_str(), challenge), (domain, apex)] {
            match texts {
                Texts::Own(texts) if texts.iter().any(|text| text.trim() == wanted) => return Found::Record,
                Texts::Own(texts) => seen.extend(other_proof(name, &texts)),
                Texts::Alias => seen.push(format!(
                    "{name} is an alias (CNAME) of another name, which is not followed: put the record at the name itself"
                )),
                Texts::None => {}
                Texts::Unknown(why) => failed = failed.or(Some(format!("{name}: {why}"))),
            }
        }
        match failed {
            Some(why) => Found::Failed(format!("The name servers could not be asked: {why}.")),
            None if seen.is_empty() => Found::Nothing(format!(
                "There is no such TXT record at {at} or {domain}. A new record can take some time to be seen."
            )),
            None => Found::Nothing(format!("The record is not there: {}.", seen.join("; "))),
        }
    }
}

/// A record of ours with another value: mostly an old one, or one of another tenant's.
fn other_proof(name: &str, texts: &[String]) -> Option<String> {
    let ours = texts
        .iter()
        .find(|text| text.trim().starts_with(&challenge_value("")))?;
    let shown: String = ours
        .chars()
        .filter(|c| !c.is_control())
        .take(LONGEST_SHOWN)
        .collect();
    Some(format!("{name} has the value {shown}, which is not this claim's"))
}

impl Dns {
    async fn texts(&self, name: &str) -> Texts {
        match tokio::time::timeout(self.within, self.ask(name)).await {
            Ok(texts) => texts,
            Err(_) => Texts::Unknown("no answer in time".into()),
        }
    }

    async fn ask(&self, name: &str) -> Texts {
        let Ok(asked) = Name::from_ascii(format!("{name}.")) else {
            return Texts::Unknown("this is no name that can be asked for".into());
        };
        let resolver = match self.resolver() {
            Ok(resolver) => resolver,
            Err(cause) => return Texts::Unknown(format!("the system's resolver cannot be used: {cause}")),
        };
        let found = match resolver.lookup(asked.clone(), RecordType::TXT).await {
            Ok(found) => found,
            Err(cause) if cause.is_no_records_found() => return Texts::None,
            Err(cause) => return Texts::Unknown(cause.to_string()),
        };
        let own: Vec<String> = found
            .answers()
            .iter()
            .filter(|record| record.name == asked)
            .filter_map(|record| match &record.data {
                // One text may come in pieces of at most 255 bytes.
                RData::TXT(text) => Some(String::from_utf8_lossy(&text.txt_data.concat()).into_owned()),
                _ => None,
            })
            .collect();
        if own.is_empty() && !found.answers().is_empty() {
            return Texts::Alias;
        }
        Texts::Own(own)
    }

    fn resolver(&self) -> Result<TokioResolver, NetError> {
        let mut builder = if self.servers.is_empty() {
            TokioResolver::builder_tokio()?
        } else {
            let servers = self.servers.iter().map(|address| {
                let connections = [ConnectionConfig::udp(), ConnectionConfig::tcp()].map(|mut connection| {
                    connection.port = address.port();
                    connection
                });
                NameServerConfig::new(address.ip(), true, connections.to_vec())
            });
            let config = ResolverConfig::from_name_servers(servers.collect());
            TokioResolver::builder_with_config(config, TokioRuntimeProvider::default())
        };
        let options = builder.options_mut();
        options.cache_size = 0;
        options.use_hosts_file = ResolveHosts::Never;
        options.timeout = EACH.min(self.within);
        builder.build()
    }
}
