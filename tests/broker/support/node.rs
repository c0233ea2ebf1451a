//! A second node over the stage's database, with the same keys, clock and public URL, and caches of its own.

use actix_web::test::TestRequest;
use actix_web::web::Data;
use forebay::broker::{Broker, Parts};
use forebay::config::Guards;
use forebay::db::{Db, Target};
use forebay::demo::{WEB_CLIENT, WEB_SECRET};
use forebay::seal::Sealer;
use forebay::upstream::{Options, Upstream};
use forebay::world::Entropy;

use super::stage::{Call, door};
use super::{Answer, Stage, basic};

pub struct Node {
    pub broker: Data<Broker>,
    call: Call,
}

impl Stage {
    /// Another node, before the same organisations.
    pub async fn second_node(&self) -> Node {
        self.node_over(self.broker.db.target()).await
    }

    /// The same over another database, whose secrets the same root key sealed.
    pub async fn node_over(&self, target: &Target) -> Node {
        let broker = self.another_broker(target, self.broker.sealer.clone());
        Node {
            call: door(broker.clone()).await,
            broker,
        }
    }

    /// Another node with guards and trusted proxies of its own.
    pub async fn guarded(&self, guards: Guards, trusted_proxies: &[&str]) -> Node {
        let mut parts = self.parts(self.broker.db.target(), self.broker.sealer.clone());
        parts.guards = guards;
        parts.trusted_proxies = trusted_proxies
            .iter()
            .map(|network| network.parse().unwrap())
            .collect();
        let broker = Data::new(Broker::new(parts));
        Node {
            call: door(broker.clone()).await,
            broker,
        }
    }

    /// Another broker over the stage's database, with these root keys, 32 bytes of each; the stage's own is of 42.
    pub fn with_root_keys(&self, bytes: &[u8]) -> Data<Broker> {
        let keys = bytes.iter().map(|byte| [*byte; 32]).collect();
        self.another_broker(self.broker.db.target(), Sealer::new(keys, Entropy::seeded(3)))
    }

    fn another_broker(&self, target: &Target, sealer: Sealer) -> Data<Broker> {
        Data::new(Broker::new(self.parts(target, sealer)))
    }

    fn parts(&self, target: &Target, sealer: Sealer) -> Parts {
        let first = &self.broker;
        self.nodes.set(self.nodes.get() + 1);
        let options = Options {
            allow: [&self.acme, &self.globex]
                .map(|okta| host_of(&okta.issuer()))
                .to_vec(),
            ca_pem: None,
            proxy: None,
            dns_servers: Vec::new(),
        };
        Parts {
            public_url: first.public_url.clone(),
            db: Db::open(target, 2).unwrap(),
            sealer,
            clock: first.clock.clone(),
            entropy: Entropy::seeded(1_000 + self.nodes.get()),
            upstream: Upstream::new(options, first.clock.clone(), first.entropy.clone()).unwrap(),
            trusted_proxies: Vec::new(),
            audit_days: forebay::config::AUDIT_DAYS,
            guards: Guards::default(),
            spans: None,
        }
    }
}

fn host_of(origin: &str) -> String {
    origin.trim_start_matches("http://").to_owned()
}

impl Node {
    pub async fn send(&self, request: TestRequest) -> Answer {
        (self.call)(request, None).await
    }

    pub async fn get(&self, uri: &str) -> Answer {
        self.send(TestRequest::get().uri(uri)).await
    }

    pub async fn userinfo(&self, access_token: &str) -> Answer {
        let header = ("authorization", format!("Bearer {access_token}"));
        self.send(TestRequest::get().uri("/oauth2/userInfo").insert_header(header))
            .await
    }

    /// Refreshes as the sample web app.
    pub async fn refresh(&self, token: &str) -> Answer {
        let header = ("authorization", basic(WEB_CLIENT, WEB_SECRET));
        let fields = [("grant_type", "refresh_token"), ("refresh_token", token)];
        self.send(
            TestRequest::post()
                .uri("/oauth2/token")
                .insert_header(header)
                .set_form(fields),
        )
        .await
    }
}
