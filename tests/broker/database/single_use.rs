//! A code is spent once, however many ask at once.

use std::sync::atomic::{AtomicUsize, Ordering};

use crate::support::Stage;

#[actix_web::test]
async fn sixty_four_exchanges_of_one_code_give_tokens_once() {
    let stage = Stage::new().await;
    let code = stage.code_for("ada@acme.test", &[]).await;
    let won = AtomicUsize::new(0);
    let tries = (0..64).map(|_| async {
        let answer = stage.exchange(&code, &[]).await;
        match answer.status {
            200 => {
                won.fetch_add(1, Ordering::SeqCst);
            }
            _ => assert_eq!(answer.error(), "invalid_grant"),
        }
    });
    futures_util::future::join_all(tries).await;
    assert_eq!(won.load(Ordering::SeqCst), 1);
}
